/** A hundred syncs failed in a downtime: looking at causes, planning, replaying, giving up. As docs/replay.md does by commands. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { group, PICTURES, until } from "../land/checking.mjs";
import { outage } from "../land/lives.mjs";

const letters = group("letters", outage);
export default letters;

const rows = (person) => person.page.locator("main tbody tr");
const open = async (house) => (await house.api("dead-letters?state=open&limit=200")).letters.length;
/** A row of a plan: what was foretold, and what came of it so far. */
const figures = async (person, name) => {
  const cells = person.page.getByRole("row", { name: new RegExp(`^${name}`) }).locator("td");
  return (await cells.allInnerTexts()).map(Number);
};
const state = (person) => person.page.locator("#live .mark").first().innerText();

letters.check("failures are grouped by cause, and each leads to its letters", async ({ house, sit }) => {
  const { groups } = await house.api("dead-letters/groups");
  const person = await sit();
  await person.open("/dead-letters");
  await person.page.screenshot({ path: join(PICTURES, "letters-many.png"), fullPage: true });
  await person.sees("100 syncs failed for good");
  assert.equal(await rows(person).count(), 7);
  for (const [at, { count, opportunities, signature }] of groups.entries()) {
    const text = await rows(person).nth(at).innerText();
    for (const part of [signature.code, count, opportunities]) assert.ok(text.includes(part), text);
  }
  const locked = groups.find(({ signature }) => signature.code === "CRM_LOCKED");
  await person.page.getByRole("link", { name: "CRM_LOCKED" }).click();
  assert.equal(await rows(person).count(), locked.count);
  assert.ok((await rows(person).allInnerTexts()).every((text) => text.includes("CRM_LOCKED")));
});

letters.check("long lists go on page by page, and back", async ({ sit }) => {
  const person = await sit();
  for (const [path, more] of [["/dead-letters/list", "Older ones"], ["/syncs?state=dead", "Older syncs"]]) {
    await person.open(path);
    const seen = [];
    const take = async () => seen.push(...(await rows(person).locator("td:first-child").allInnerTexts()));
    await take();
    const first = seen.length;
    assert.ok(first < 100, `${path} shows ${first} at once`);
    for (let next = person.page.getByRole("link", { name: more }); await next.count(); ) {
      const here = person.page.url();
      await next.click();
      await person.page.waitForURL((url) => url.href !== here);
      await take();
    }
    assert.deepEqual([seen.length, new Set(seen).size], [100, 100], path);
    await person.page.goBack();
    assert.ok(await person.page.getByRole("link", { name: more }).count());
  }
});

letters.check("giving a letter up takes a reason, and keeps it", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/dead-letters/csync-001");
  await person.page.getByRole("button", { name: "Give up" }).click();
  assert.ok(await person.page.locator("input[name=reason]:invalid").count(), "a reason is asked for");
  assert.equal(await open(house), 100);
  await person.page.getByLabel("Why it is given up").fill("test data");
  await person.press("Give up");
  await person.sees("discarded", "test data", "erin");
  assert.equal(await open(house), 99);
  await person.open("/dead-letters/list?state=discarded");
  assert.equal(await rows(person).count(), 1);
});

letters.check("a plan foretells what a replay does, and writes nothing", async ({ house, sit }) => {
  const quotes = async () => (await house.soql("SELECT Id FROM Quote")).length;
  const before = await quotes();
  const person = await sit();
  await person.open("/dead-letters");
  await person.press("Plan a replay of all");
  await person.page.waitForURL("**/replays/rp-*");
  await until("the plan", () => state(person), (now) => now === "planned");
  const { prediction } = await house.api(`replays/${new URL(person.page.url()).pathname.split("/").pop()}`);
  assert.deepEqual(await figures(person, "Dead letters"), [99, 0]);
  assert.deepEqual(await figures(person, "Syncs"), [20, 0]);
  assert.deepEqual(await figures(person, "Values to the CRM"), [prediction.crmWrites, 0]);
  assert.deepEqual([await quotes(), await open(house)], [before, 99]);
});

letters.check("a plan that is given up can no longer be carried out", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/dead-letters");
  await person.press("Plan", person.page.getByRole("row", { name: /CRM_LOCKED/ }));
  await person.page.waitForURL("**/replays/rp-*");
  await until("the plan", () => state(person), (now) => now === "planned");
  await person.press("Give up");
  assert.equal(await state(person), "aborted");
  assert.equal(await person.page.getByRole("button", { name: "Carry it out" }).count(), 0);
  assert.equal(await open(house), 99);
});

letters.check("a replay is followed live, pauses, goes on, and does what was foretold", async ({ house, sit }) => {
  await house.control("faults", { rules: [{ when: { path: "/composite", client: "cpq" }, fault: { kind: "latency", millis: 1000 } }] });
  const person = await sit();
  await person.open("/replays");
  await rows(person).last().getByRole("link").click();
  await person.page.waitForURL("**/replays/rp-001");
  await person.press("Carry it out");
  await person.page.evaluate(() => (window.here = "still"));
  const pause = person.page.getByRole("button", { name: "Pause" });
  await pause.focus();
  const [, first] = await until("the first sync", () => figures(person, "Syncs"), ([, done]) => done > 0);
  assert.ok(first < 20, "it is seen on its way");
  assert.equal(await person.page.evaluate(() => window.here), "still", "it was loaded anew");
  await person.page.screenshot({ path: join(PICTURES, "replay-running.png"), fullPage: true });
  assert.equal(await person.page.evaluate(() => document.activeElement.textContent), "Pause", "the keyboard keeps its place");
  const moved = person.page.waitForEvent("domcontentloaded");
  await person.page.keyboard.press("Enter");
  await moved;
  await until("the pause", () => state(person), (now) => now === "paused");
  const [, paused] = await figures(person, "Syncs");
  assert.ok(paused < 20 && (await open(house)) > 0);
  await house.control("faults", { rules: [] });
  await person.press("Go on");
  await until("the end", () => state(person), (now) => now === "done");
  assert.deepEqual(await figures(person, "Syncs"), [20, 20]);
  assert.deepEqual(await figures(person, "Dead letters"), [99, 99]);
  const [foretold, happened] = await figures(person, "Values to the CRM");
  assert.ok(foretold > 0 && Math.abs(foretold - happened) * 20 <= happened, `${foretold} foretold, ${happened} happened`);
  assert.equal(await open(house), 0);
  assert.equal((await house.soql("SELECT Id FROM Quote")).length, 20);
  await person.page.screenshot({ path: join(PICTURES, "replay-done.png"), fullPage: true });
});

letters.check("afterwards nothing is left to do, and the pages say so", async ({ sit }) => {
  const person = await sit();
  await person.open("/dead-letters");
  await person.sees("Nothing failed for good");
  assert.equal(await person.page.getByRole("button", { name: "Plan a replay of all" }).count(), 0);
  assert.deepEqual(await person.barriers(), []);
  await person.open("/replays/rp-001");
  assert.equal(await person.page.getByRole("button").filter({ hasText: /Carry|Go on|Pause|Give up/ }).count(), 0);
  await person.open("/syncs/csync-002");
  await person.sees("Replaced by", "it is no longer tried");
  await person.page.locator("dl").getByRole("link", { name: /^csync-1/ }).click();
  await person.sees("Replays", "csync-002", "success");
});
