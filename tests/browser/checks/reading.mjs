/** By keyboard alone, and with JavaScript switched off. */

import assert from "node:assert/strict";

import { group, until } from "../land/checking.mjs";
import { CONTESTED, DEAL, livedIn } from "../land/lives.mjs";
import { pages } from "../land/pages.mjs";

const reading = group("reading", livedIn);
export default reading;

const MENU = ["Home", "Syncs", "Try", "Why", "Conflicts", "Ownership", "Dead letters", "Replays", "Reconcile", "Connections"];
const withoutScripts = { js: false };

/** What has the keyboard, and whether a person sees it. */
const focused = (person) => person.page.evaluate(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const { x, y, width, height } = element.getBoundingClientRect();
  const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  return { text: element.innerText?.trim(), id: element.id, outlined, inside: x >= 0 && y >= 0 && width > 0 && height > 0 };
});

reading.check("the first key press offers to skip the menu, and does", async ({ sit }) => {
  const person = await sit();
  await person.open("/syncs");
  await person.page.keyboard.press("Tab");
  assert.deepEqual(await focused(person), { text: "Skip to the content", id: "", outlined: true, inside: true });
  await person.page.keyboard.press("Enter");
  assert.equal((await focused(person)).id, "main");
  await person.page.keyboard.press("Tab");
  const inside = await person.page.evaluate(() => document.querySelector("main").contains(document.activeElement));
  assert.ok(inside, "the next stop is in the content");
});

reading.check("the tabulator goes through the menu in its order, and each stop is seen", async ({ sit }) => {
  const person = await sit();
  await person.open("/conflicts");
  await person.page.keyboard.press("Tab");
  const stops = [];
  for (let stop = 0; stop < MENU.length + 3; stop += 1) {
    await person.page.keyboard.press("Tab");
    const { text, outlined, inside } = await focused(person);
    assert.ok(outlined && inside, `${text} has no visible focus`);
    stops.push(text);
  }
  assert.deepEqual(stops, ["cpq", ...MENU, "erin", "Log out"]);
  const current = await person.page.locator("[aria-current=page]").allInnerTexts();
  assert.deepEqual(current, ["Conflicts"]);
});

reading.check("everything on a page can be reached by keyboard, and is seen there", async ({ house, sit }) => {
  const person = await sit();
  const unseen = [];
  for (const { name, path, status } of pages(house).filter(({ name }) => !["sync", "ownership", "login"].includes(name))) {
    await person.open(path, status);
    const all = person.page.locator("a[href], button, select, summary, input:not([type=hidden])");
    // What is folded away is no stop.
    const wanted = await all.filter({ visible: true }).count();
    const radios = await person.page.locator("input[type=radio]").count();
    const stops = new Set();
    // Radio buttons of one name are one stop.
    const expected = wanted - Math.max(radios - 1, 0);
    for (let stop = 0; stop < expected; stop += 1) {
      await person.page.keyboard.press("Tab");
      const { text, outlined, inside } = await focused(person);
      if (!outlined || !inside) unseen.push(`${name}: ${text}`);
      stops.add(await person.page.evaluate(() => [...document.querySelectorAll("*")].indexOf(document.activeElement)));
    }
    if (stops.size < expected) unseen.push(`${name}: ${stops.size} of ${expected} stops`);
  }
  assert.deepEqual(unseen, []);
});

reading.check("a token, a search and a decision are sent by Enter", async ({ house, sit }) => {
  const person = await sit({ loggedIn: false });
  await person.page.goto("/login");
  assert.equal((await focused(person)).id, "token", "the field is ready to be typed into");
  await person.page.keyboard.type(house.key);
  await person.page.keyboard.press("Enter");
  await person.page.waitForURL(`${house.url}/`);
  await person.open("/plan");
  await person.page.getByLabel("Opportunity").focus();
  await person.page.keyboard.type(DEAL);
  await person.page.keyboard.press("Enter");
  await person.page.waitForURL("**/plan?opportunity=*");
  await person.sees("Decisions");
});

reading.check("keys lead to places, walk through a list, and leave typing alone", async ({ sit }) => {
  const person = await sit();
  await person.open("/");
  await person.page.keyboard.press("g");
  await person.page.keyboard.press("s");
  await person.page.waitForURL("**/syncs");
  await person.page.keyboard.press("j");
  const [first, second] = await person.page.locator("tbody a").allInnerTexts();
  assert.equal((await focused(person)).text, first);
  await person.page.keyboard.press("j");
  assert.equal((await focused(person)).text, second);
  await person.page.keyboard.press("k");
  assert.equal((await focused(person)).text, first);
  await person.page.keyboard.press("/");
  await person.page.keyboard.type("gs/jk");
  assert.equal(await person.page.getByLabel("Opportunity or correlation id").inputValue(), "gs/jk");
  assert.equal(new URL(person.page.url()).pathname, "/syncs");
});

reading.check("with JavaScript off every page says the same", async ({ house, sit }) => {
  const [person, bare] = [await sit(), await sit(withoutScripts)];
  for (const { name, path, status } of pages(house).filter(({ name }) => name !== "login")) {
    await person.open(path, status);
    await bare.open(path, status);
    const text = async ({ page }) => (await page.locator("main").innerText()).replaceAll(/req-[-0-9a-f]+/g, "").replaceAll(/[\d.]+ m?s\b/g, "");
    assert.equal(await text(bare), await text(person), name);
  }
});

reading.check("with JavaScript off forms work: log in, try, sync, decide, plan, give up, compare, log out", async ({ house, sit }) => {
  const person = await sit({ ...withoutScripts, loggedIn: false });
  await person.logIn();
  await person.open("/plan");
  await person.page.getByLabel("Opportunity").fill(DEAL);
  await person.press("Try it");
  await person.sees("a person decides");
  await person.press("Sync now");
  await person.sees("Stages", "success");
  await person.open("/conflicts/cf-001");
  await person.page.getByLabel("the CPQ's").check();
  await person.press("Decide");
  await person.sees("1 decided", "2027-03-31");
  await person.open("/dead-letters");
  await person.press("Plan a replay of all");
  await person.sees("Foretold");
  await person.open(`/dead-letters/${house.dead}`);
  await person.page.getByLabel("Why it is given up").fill("a typing error");
  await person.press("Give up");
  await person.sees("discarded", "a typing error");
  await person.open("/reconciliations");
  await person.press("Compare both sides now");
  await until("its end", async () => (await person.page.reload(), person.reads()), (text) => text.includes("Ended"));
  await person.press("Log out");
  await person.page.goto(`/why?opportunity=${DEAL}&field=${CONTESTED}`);
  assert.equal(new URL(person.page.url()).pathname, "/login");
});
