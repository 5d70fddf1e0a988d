/** A field that both people changed: finding it, seeing both sides, deciding. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { group, PICTURES } from "../land/checking.mjs";
import { CONTESTED, contested, DEAL, QUOTE } from "../land/lives.mjs";

const conflicts = group("conflicts", contested);
export default conflicts;

const CRM = "2027-02-28", CPQ = "2027-03-31", AGREED = "2027-01-31";

const values = async (house) => {
  const quote = await house.json("quote", "show", QUOTE);
  return [(await house.opportunity(DEAL)).CPQ_Valid_Until__c, quote.validUntil];
};

conflicts.check("the list names the field and both values, and can be narrowed", async ({ sit }) => {
  const person = await sit();
  await person.open("/conflicts");
  const row = person.page.locator("main table").first().locator("tbody tr");
  assert.equal(await row.count(), 1);
  const text = await row.innerText();
  for (const part of ["cf-001", "open", DEAL, CONTESTED, CRM, CPQ]) assert.ok(text.includes(part), text);
  await person.page.getByLabel("Field").fill("quote.status");
  await person.press("Find");
  await person.sees("No conflict fits");
  assert.equal(new URL(person.page.url()).searchParams.get("field"), "quote.status");
  await person.page.goBack();
  await person.sees("cf-001");
});

conflicts.check("the heat map counts by field and writer, and leads to the field", async ({ sit }) => {
  const person = await sit();
  await person.open("/conflicts");
  const map = person.page.locator("main table").last();
  assert.deepEqual(await map.locator("thead th").allInnerTexts(), ["Field", "Integration User"]);
  const cell = map.locator("tbody td");
  assert.deepEqual([await cell.innerText(), await cell.getAttribute("class")], ["1", "number heat4"]);
  const paint = (element) => getComputedStyle(element).backgroundColor;
  assert.notEqual(await cell.evaluate(paint), await map.locator("tbody th").evaluate(paint));
  await map.getByRole("link", { name: CONTESTED }).click();
  await person.page.waitForURL("**/conflicts?state=all&field=quote.valid_until");
  await person.sees("cf-001");
});

conflicts.check("both sides stand beside each other, with what was agreed on and by whom", async ({ sit }) => {
  const person = await sit();
  await person.open("/conflicts/cf-001");
  const cards = person.page.locator(".sides section");
  const told = await cards.allInnerTexts();
  for (const [at, value] of [CRM, AGREED, CPQ].entries()) assert.ok(told[at].includes(value), told.join("\n"));
  assert.ok(told[0].includes("Integration User"), told[0]);
  const boxes = await cards.evaluateAll((all) => all.map((card) => card.getBoundingClientRect().y));
  assert.equal(new Set(boxes).size, 1, "they stand in one row");
  await person.sees("both sides changed it; a person decides");
});

conflicts.check("a value that the field cannot have is refused, and nothing is written", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/conflicts/cf-001");
  await person.page.getByLabel("another one for both").check();
  await person.page.getByLabel("Another value").fill("31.03.2027");
  person.forgive(/status of 4\d\d /);
  await person.press("Decide");
  await person.sees("expected a date such as 2026-12-31", "What to do");
  assert.deepEqual(await values(house), [CRM, CPQ]);
});

conflicts.check("nothing is decided before a value is chosen", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/conflicts/cf-001");
  await person.page.getByRole("button", { name: "Decide" }).click();
  assert.ok(await person.page.locator("input[name=take]:invalid").count() > 0);
  await person.open("/conflicts");
  await person.sees("cf-001");
  assert.deepEqual(await values(house), [CRM, CPQ]);
});

conflicts.check("a decision reaches both sides, and whoever decides later is told", async ({ house, sit }) => {
  const late = await sit();
  await late.open("/conflicts/cf-001");
  const person = await sit();
  await person.open("/conflicts/cf-001");
  await person.page.getByLabel("the CRM's").check();
  await person.page.getByLabel("Why").fill("by phone");
  await person.press("Decide");
  await person.sees("1 decided", "by phone", "erin");
  assert.deepEqual(await values(house), [CRM, CRM]);
  await late.page.getByLabel("the CPQ's").check();
  late.forgive(/status of 409 /);
  await late.press("Decide");
  await late.sees("CONFLICT_OUTDATED", "What to do");
  assert.deepEqual(await values(house), [CRM, CRM]);
});

conflicts.check("what is decided is gone from the list, and its story stays", async ({ sit }) => {
  const person = await sit();
  await person.open("/conflicts");
  await person.sees("No conflict fits");
  await person.open("/");
  assert.match(await person.page.locator(".tile", { hasText: "Open conflicts" }).innerText(), /^0$/m);
  await person.open("/conflicts?state=resolved");
  await person.page.getByRole("link", { name: "cf-001" }).click();
  await person.sees("resolved", "by phone");
  assert.equal(await person.page.getByRole("button", { name: "Decide" }).count(), 0);
  await person.page.screenshot({ path: join(PICTURES, "conflict-decided.png"), fullPage: true });
  await person.page.getByRole("link", { name: "Every value this field had" }).click();
  await person.sees("by phone", CRM, "person");
});
