/** Who gets in, who is kept out, and what other sites can do to whoever is in. */

import assert from "node:assert/strict";

import { group, until } from "../land/checking.mjs";
import { elsewhere, sendsItself } from "../land/elsewhere.mjs";
import { DEAL, fresh } from "../land/lives.mjs";

const doors = group("doors", fresh);
export default doors;
const stranger = { loggedIn: false };
/** What a page of somebody else's site has a browser ask for. */
const ELSEWHERE = /request to elsewhere/;

const syncs = async (house) => (await house.api("sync")).syncs.length;

doors.check("a wrong token is refused, and not shown again", async ({ sit }) => {
  const person = await sit(stranger);
  await person.open("/login");
  person.forgive(/status of 401 /);
  await person.page.getByLabel("API token").fill("cpq_this_is_none");
  await person.press("Log in");
  assert.equal(new URL(person.page.url()).pathname, "/login");
  assert.match(await person.page.getByRole("alert").innerText(), /token/i);
  assert.ok(!(await person.page.content()).includes("cpq_this_is_none"));
  assert.ok(!person.page.url().includes("cpq_this_is_none"));
  assert.deepEqual(await person.context.cookies(), []);
});

doors.check("a token of `cpq token create` logs in, out of the reach of scripts", async ({ house, sit }) => {
  const person = await sit(stranger);
  await person.logIn(await house.token("rosa"));
  await person.sees("Open failures", "rosa");
  const [cookie] = await person.context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Strict", "/"]);
  assert.equal(await person.page.evaluate(() => document.cookie), "");
});

doors.check("whoever asks for a page is led to it after the login", async ({ sit, house }) => {
  const person = await sit(stranger);
  await person.page.goto("/syncs?state=dead");
  assert.equal(new URL(person.page.url()).pathname, "/login");
  await person.page.getByLabel("API token").fill(house.key);
  await person.press("Log in");
  assert.equal(person.page.url(), `${house.url}/syncs?state=dead`);
});

doors.check("a login leads to no other site", async ({ sit, house }) => {
  for (const back of ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
    const person = await sit(stranger);
    await person.open(`/login?back=${encodeURIComponent(back)}`);
    await person.page.getByLabel("API token").fill(house.key);
    await person.press("Log in");
    assert.equal(person.page.url(), `${house.url}/`, back);
  }
});

doors.check("after a logout the button Back shows nothing", async ({ sit }) => {
  const person = await sit(stranger);
  await person.logIn();
  await person.open("/connections");
  await person.press("Log out");
  assert.equal(new URL(person.page.url()).pathname, "/login");
  for (let steps = 0; steps < 3; steps += 1) {
    await person.page.goBack();
    const text = await person.reads();
    assert.ok(!/API calls|Open failures/.test(text), text);
  }
});

doors.check("a session ends with its token, in open pages too", async ({ house, sit }) => {
  const person = await sit(stranger);
  await person.logIn(await house.token("leaver"));
  await person.open("/syncs");
  const tokens = await house.json("token", "list");
  await house.cpq("token", "revoke", tokens.find(({ client }) => client === "leaver").id);
  await house.cpq("sync", "run", "--opportunity", DEAL);
  await person.page.waitForURL((url) => url.pathname === "/login");
  await person.page.goto("/");
  assert.equal(new URL(person.page.url()).pathname, "/login");
});

doors.check("whoever is logged in elsewhere logs that browser out, and shows for it who they are", async ({ house, sit }) => {
  const key = await house.token("vera");
  const [here, there, far] = [await sit(stranger), await sit(stranger), await sit(stranger)];
  for (const person of [there, far, here]) await person.logIn(key);
  await here.page.getByRole("link", { name: "vera" }).click();
  await here.sees("Where you are logged in", "this browser", "127.0.0.1");
  const others = here.page.getByRole("radio", { name: /^Log out the browser of / });
  assert.equal(await others.count(), 2);
  const endsBut = async (token) => {
    await here.page.getByLabel("API token").fill(token);
    await here.press("Log out what is chosen");
  };
  here.forgive(/status of 401 /);
  for (const wrong of ["cpq_this_is_none", house.key]) {
    await others.first().check();
    await endsBut(wrong);
    assert.match(await here.page.getByRole("alert").innerText(), /token.*No browser was logged out/s);
    assert.ok(!(await here.page.content()).includes(wrong));
    assert.equal(await others.count(), 2, "a token that is not vera's logged a browser out");
  }
  await others.first().check();
  await endsBut(key);
  assert.equal(new URL(here.page.url()).pathname, "/sessions");
  assert.equal(await others.count(), 1);
  await far.page.goto("/");
  assert.equal(new URL(far.page.url()).pathname, "/login", "the latest login is the first of the list");
  await there.open("/");
  await here.page.getByRole("radio", { name: "All but this browser" }).check();
  await endsBut(key);
  await here.sees("No other browser is logged in as you");
  await there.page.goto("/");
  assert.equal(new URL(there.page.url()).pathname, "/login");
});

doors.check("a page can do no more than its token, and says what is missing", async ({ house, sit }) => {
  const person = await sit(stranger);
  await person.logIn(await house.token("reader", "sync:read"));
  await person.sees("Connection crm", "it lacks dlq:read", "it lacks conflicts:read");
  const before = await syncs(house);
  for (const path of ["/conflicts", "/ownership", "/dead-letters", "/reconciliations"]) {
    await person.open(path, 403);
    await person.sees("SCOPE_INSUFFICIENT", "What to do", "Log out");
  }
  await person.open("/syncs");
  await person.page.getByRole("link", { name: "csync-001" }).click();
  person.forgive(/status of 403 /);
  await person.press("Sync again");
  await person.sees("SCOPE_INSUFFICIENT");
  assert.equal(await syncs(house), before);
});

doors.check("a form that another site sends is refused", async ({ house, sit }) => {
  const before = await syncs(house);
  const page = sendsItself(`${house.url}/syncs/start`, { opportunity: DEAL, form: "guessed" });
  await elsewhere(page, async (addresses) => {
    for (const address of addresses) {
      const person = await sit();
      person.forgive(ELSEWHERE);
      person.forgive(/status of 403 /);
      await person.page.goto(address);
      await person.page.waitForURL(`${house.url}/**`);
      // By its number the other port is the same site: the browser sends the cookie along. By name it does not.
      await until("a refusal", () => person.reads(), (text) => /FORM_FORGED|API token/.test(text));
    }
  });
  assert.equal(await syncs(house), before);
});

doors.check("nobody is logged in or out by another site", async ({ house, sit }) => {
  const theirs = await house.token("mallory");
  await elsewhere(sendsItself(`${house.url}/login`, { token: theirs, back: "/" }), async (addresses) => {
    for (const address of addresses) {
      const person = await sit(stranger);
      person.forgive(ELSEWHERE);
      person.forgive(/status of 403 /);
      await person.page.goto(address);
      await person.page.waitForURL(`${house.url}/**`);
      await person.sees("FORM_FORGED");
      assert.deepEqual(await person.context.cookies(), []);
    }
  });
  await elsewhere(sendsItself(`${house.url}/logout`, {}), async ([address]) => {
    const person = await sit();
    person.forgive(ELSEWHERE);
    person.forgive(/status of 403 /);
    await person.page.goto(address);
    await person.page.waitForURL(`${house.url}/**`);
    await person.open("/");
    await person.sees("Open failures");
  });
});

doors.check("another site can neither read a page nor follow what happens", async ({ house, sit }) => {
  await elsewhere("", async (addresses) => {
    for (const address of addresses) {
      const person = await sit();
      for (const expected of [ELSEWHERE, /CORS policy|ERR_FAILED|Failed to load|ERR_BLOCKED/]) person.forgive(expected);
      await person.page.goto(address);
      const read = await person.page.evaluate(async (url) => {
        const page = fetch(`${url}/`, { credentials: "include" }).then((answer) => answer.text(), () => "refused");
        const stream = new Promise((done) => {
          const source = new EventSource(`${url}/live`, { withCredentials: true });
          source.onopen = () => done("open");
          source.onerror = () => done("refused");
        });
        return Promise.all([page, stream]);
      }, house.url);
      assert.deepEqual(read, ["refused", "refused"], address);
    }
  });
});

doors.check("no page lets itself be framed", async ({ house, sit }) => {
  const frames = ["/", "/login"].map((path) => `<iframe src="${house.url}${path}" width="600" height="600"></iframe>`);
  await elsewhere(frames.join(""), async ([address]) => {
    const person = await sit();
    for (const expected of [ELSEWHERE, /frame-ancestors|X-Frame-Options|refused to connect/i]) person.forgive(expected);
    await person.page.goto(address, { waitUntil: "load" });
    const [, ...inner] = person.page.frames();
    assert.equal(inner.length, 2);
    for (const frame of inner) {
      assert.doesNotMatch(await frame.content(), /Log out|API token/);
      assert.match(frame.url(), /^chrome-error:/);
    }
  });
});

doors.check("a script or style that got into a page does not work there", async ({ sit }) => {
  const person = await sit();
  await person.open("/");
  for (const expected of [/violates|Content Security Policy/, ELSEWHERE]) person.forgive(expected);
  const worked = await person.page.evaluate(async () => {
    const violated = [];
    document.addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    const foreign = document.createElement("script");
    foreign.src = "http://localhost:1/x.js";
    document.body.append(foreign);
    document.body.insertAdjacentHTML("beforeend", `<img src="data:," onerror="window.ran = true"><p id="styled" style="color: rgb(1, 2, 3)">x</p>`);
    await new Promise((done) => setTimeout(done, 200));
    return { ran: window.ran ?? false, color: getComputedStyle(document.getElementById("styled")).color, violated };
  });
  assert.equal(worked.ran, false);
  assert.notEqual(worked.color, "rgb(1, 2, 3)");
  for (const directive of ["script-src-elem", "script-src-attr", "style-src-attr"]) {
    assert.ok(worked.violated.includes(directive), `${directive} is not among ${worked.violated}`);
  }
});

doors.check("a page that is not there says so, with a way back", async ({ sit }) => {
  const person = await sit();
  await person.open("/nowhere", 404);
  await person.sees("Home", /not|no such/i);
});
