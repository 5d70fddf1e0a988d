/** A person at a browser. What a person would never see is watched too: errors, violations, and calls to elsewhere. */

import assert from "node:assert/strict";

import { axe } from "./packages.mjs";

/** Longer than anything takes; what is waited for longer does not come. */
const WAIT_MILLIS_MAX = 60_000;
const COOKIE = "cpq_session";
/** WCAG 2.1, levels A and AA. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];

/** Chromium logs a violation by itself, with JavaScript off as well; this names the directive and the place. */
function tellViolations() {
  addEventListener("securitypolicyviolation", (event) => {
    console.error(`violates ${event.effectiveDirective}: ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`);
  });
}

export class Person {
  /** Sits down at a browser of their own. `look` may have `dark`, `js`, `width`, `height`. */
  static async at(chromium, house, look = {}) {
    const person = new Person();
    person.house = house;
    person.complaints = [];
    person.forgiven = [];
    person.context = await chromium.newContext({
      baseURL: house.url,
      colorScheme: look.dark ? "dark" : "light",
      javaScriptEnabled: look.js ?? true,
      viewport: { width: look.width ?? 1280, height: look.height ?? 900 },
      reducedMotion: "reduce",
    });
    person.context.setDefaultTimeout(WAIT_MILLIS_MAX);
    // What a check did is kept if it fails.
    await person.context.tracing.start({ snapshots: true });
    await person.context.addInitScript(tellViolations);
    person.context.on("page", (page) => person.#watch(page));
    person.page = await person.context.newPage();
    return person;
  }

  #watch(page) {
    const complain = (what) => this.complaints.push(`${new URL(page.url()).pathname}: ${what}`);
    page.on("console", (said) => {
      if (["error", "warning"].includes(said.type())) complain(`console: ${said.text()}`);
    });
    page.on("pageerror", (error) => complain(`script: ${error.message}`));
    page.on("dialog", (dialog) => {
      complain(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "data:" && origin !== this.house.url) complain(`request to elsewhere: ${request.url()}`);
    });
  }

  /** Says that a complaint is expected in this check. */
  forgive(pattern) {
    this.forgiven.push(pattern);
  }

  /** What was complained about so far and not expected. */
  unforgiven() {
    return this.complaints.filter((complaint) => !this.forgiven.some((pattern) => pattern.test(complaint)));
  }

  /** Logs in as people do. */
  async logIn(key = this.house.key, url = this.house.url) {
    await this.page.goto(`${url}/login`);
    await this.page.getByLabel("API token").fill(key);
    await this.page.getByRole("button", { name: "Log in" }).click();
    await this.page.waitForURL((url) => url.pathname !== "/login");
  }

  /** Takes over the login of somebody who sat here before: its form is tried elsewhere. */
  async sitIn() {
    this.house.cookie ??= await this.#cookie();
    const cookie = { name: COOKIE, value: this.house.cookie, url: this.house.url, httpOnly: true, sameSite: "Strict" };
    await this.context.addCookies([cookie]);
  }

  async #cookie() {
    const answer = await fetch(`${this.house.url}/login`, {
      method: "POST", redirect: "manual", body: new URLSearchParams({ token: this.house.key }),
      headers: { "sec-fetch-site": "same-origin" },
    });
    return answer.headers.get("set-cookie").split(";")[0].split("=")[1];
  }

  /** Opens a page; it must answer with this status. */
  async open(path, status = 200) {
    if (status !== 200) this.forgive(new RegExp(`status of ${status} `));
    const answer = await this.page.goto(path);
    assert.equal(answer.status(), status, `${path} answers ${answer.status()}`);
    return answer;
  }

  /** Presses a button, and waits for the page that it leads to. */
  async press(name, scope = this.page) {
    const moved = this.page.waitForEvent("domcontentloaded");
    await scope.getByRole("button", { name, exact: true }).click();
    await moved;
  }

  /** The text of the page as a person sees it. */
  async reads() {
    return this.page.locator("body").innerText();
  }

  /** Fails unless the page says all of this. */
  async sees(...parts) {
    const text = await this.reads();
    for (const part of parts) {
      const there = part instanceof RegExp ? part.test(text) : text.includes(part);
      assert.ok(there, `${this.page.url()} says nothing of ${part}:\n${text}`);
    }
  }

  /** Barriers to people who see, hear or move otherwise. */
  async barriers() {
    await this.page.evaluate(axe);
    const found = await this.page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
    const told = ({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`);
    // A text of one letter is left open, though its contrast is known.
    const pale = ({ any: [{ data }] }) =>
      data?.messageKey === "shortTextContent" && data.contrastRatio < parseFloat(data.expectedContrastRatio);
    const open = found.incomplete.filter(({ id }) => id === "color-contrast");
    const short = open.map((rule) => ({ ...rule, nodes: rule.nodes.filter(pale) }));
    return [...found.violations, ...short].flatMap(told);
  }

  /** Pixels by which the page is wider than the window. */
  overhang() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  }

  /** Stands up. With a path, what was done and the last picture are kept there. */
  async leave(failure) {
    if (failure) {
      await this.page.screenshot({ path: `${failure}.png`, fullPage: true }).catch(() => {});
      await this.context.tracing.stop({ path: `${failure}.zip` }).catch(() => {});
    } else {
      await this.context.tracing.stop();
    }
    await this.context.close();
  }
}
