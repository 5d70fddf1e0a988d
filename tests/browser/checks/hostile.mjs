/** Whatever stands in the CRM is text in every page, and so is what is typed into the address. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { group, PICTURES, until } from "../land/checking.mjs";
import { ATTACKS, backwards, fields, shownAs, strange } from "../land/hostile.mjs";
import { House } from "../land/house.mjs";
import { DEAL, QUOTE } from "../land/lives.mjs";

const SCRIPT = `<script>alert(1)</script>`;
/** Fields that by default do not travel; here they do. */
const LET_THROUGH = ["opportunity.next_step", "opportunity.description", "account.website", "account.phone", "contact.title", "contact.phone"];
/** Not written by people: ids, and keys that find a product. */
const NOT_TYPED = /\.(id|price_book_id)$|^line\.sku$/;

const hostile = group("hostile", async () => {
  const house = await House.seeded("crm-sync");
  await letThrough(house);
  house.planted = await plant(house);
  return house.serve();
});
export default hostile;

/** Rules by which every field of text is synced, and by which a person decides about the quote's name. */
async function letThrough(house) {
  const shown = await house.cpq("ownership", "show", "--toml");
  const rules = shown.split("[[rule]]").map((rule) => {
    const name = rule.match(/field = "([^"]+)"/)?.[1];
    if (LET_THROUGH.includes(name)) return rule.replace(`policy = "never"`, `policy = "always"`);
    return name === "quote_record.name" ? rule.replace(`policy = "computed"`, `policy = "review"`) : rule;
  });
  await house.cpq("ownership", "apply", house.file("ownership.toml", rules.join("[[rule]]")));
}

/** Writes an attack into every field of text. Returns them by the field's name. */
async function plant(house) {
  const record = (await house.soql(`SELECT Id, AccountId, Pricebook2Id, OwnerId FROM Opportunity WHERE Opportunity_Number__c = '${DEAL}'`))[0];
  const line = (await house.soql(`SELECT Id, Product2Id FROM OpportunityLineItem WHERE OpportunityId = '${record.Id}' ORDER BY SortOrder`))[0];
  const role = (await house.soql(`SELECT ContactId FROM OpportunityContactRole WHERE OpportunityId = '${record.Id}' AND IsPrimary = true`))[0];
  const places = {
    Account: ["Account", record.AccountId], Contact: ["Contact", role.ContactId], Product2: ["Product2", line.Product2Id],
    Pricebook2: ["Pricebook2", record.Pricebook2Id], line: ["OpportunityLineItem", line.Id], opportunity: ["Opportunity", record.Id],
  };
  const planted = {}, standing = new Map();
  for (const [at, { name, path }] of fields().entries()) {
    const [parent, field] = path.includes(".") ? path.split(".") : [name.startsWith("line.") ? "line" : "opportunity", path];
    if (NOT_TYPED.test(name) || !places[parent]) continue;
    const [object, id] = places[parent];
    // Two names may be one field.
    const place = `${object}.${field}`;
    if (!standing.has(place)) standing.set(place, await written(house, object, id, field, standing.size));
    if (standing.get(place) !== undefined) planted[name] = standing.get(place);
  }
  return planted;
}

/** Writes the first of the attacks, from this one on, that the field has room for. */
async function written(house, object, id, field, at) {
  for (let turn = 0; turn < ATTACKS.length; turn += 1) {
    const value = ATTACKS[(at + turn) % ATTACKS.length];
    const done = await house.crm("PATCH", `sobjects/${object}/${id}`, { [field]: value }).then(() => true, () => false);
    if (done) return value;
  }
  return undefined;
}

/** Fails unless the page shows these texts as they are, and has nothing that no template has. */
async function isText(person, texts, about) {
  const shown = await person.page.evaluate(() => document.body.textContent);
  for (const text of texts.map(shownAs)) assert.ok(shown.includes(text), `${about} does not show ${text}`);
  assert.deepEqual(await strange(person), [], about);
  assert.deepEqual(await backwards(person), [], about);
}

const planted = ({ planted }) => [...new Set(Object.values(planted))];

hostile.check("an attack stands in every field that people write", async ({ house }) => {
  const missing = fields().map(({ name }) => name).filter((name) => !NOT_TYPED.test(name) && !(name in house.planted));
  // The name of a user and of a quote are planted in other ways below; an address must be one.
  assert.deepEqual(missing, ["opportunity.owner", "contact.email"]);
  assert.deepEqual(planted(house).length, ATTACKS.length);
});

hostile.check("what stands in the CRM is text where a sync is tried", async ({ house, sit }) => {
  const person = await sit();
  await person.open(`/plan?opportunity=${DEAL}`);
  await isText(person, planted(house), "the plan");
});

hostile.check("and where it was done", async ({ house, sit }) => {
  const person = await sit();
  await person.open(`/plan?opportunity=${DEAL}`);
  await person.press("Sync now");
  await person.sees("success");
  await isText(person, planted(house), "the sync");
  await person.page.screenshot({ path: join(PICTURES, "sync-hostile.png"), fullPage: true });
  for (const name of Object.keys(house.planted)) {
    const row = person.page.locator("tbody tr", { has: person.page.locator("th", { hasText: name }) }).first();
    const text = await row.evaluate((element) => element.textContent);
    assert.ok(text.includes(shownAs(house.planted[name])), `${name}: ${text}`);
  }
});

hostile.check("and where its history is told", async ({ house, sit }) => {
  const person = await sit();
  // One field for each attack: the page is the same.
  const told = Object.entries(house.planted).filter(([name]) => !name.startsWith("line."));
  for (const [name, value] of new Map(told.map((entry) => [entry[1], entry])).values()) {
    await person.open(`/why?opportunity=${DEAL}&field=${name}`);
    await isText(person, [value], name);
  }
});

hostile.check("a conflict about such values, by a person of such a name, is text", async ({ house, sit }) => {
  const { Id } = (await house.soql("SELECT Id FROM Quote"))[0];
  const users = await house.soql("SELECT Id FROM User");
  for (const { Id } of users) await house.crm("PATCH", `sobjects/User/${Id}`, { LastName: SCRIPT }).catch(() => {});
  await house.crm("PATCH", `sobjects/Quote/${Id}`, { Name: ATTACKS[1] });
  await house.cpq("quote", "set", QUOTE, `quote.name=${ATTACKS[7]}`);
  await until("a conflict", () => house.api("conflicts?state=open"), (page) => page.conflicts.length > 0);
  const person = await sit();
  await person.open("/conflicts");
  await isText(person, [ATTACKS[1], ATTACKS[7]], "the list");
  await person.open("/conflicts/cf-001");
  await isText(person, [ATTACKS[1], ATTACKS[7]], "the conflict");
  await person.page.screenshot({ path: join(PICTURES, "conflict-hostile.png"), fullPage: true });
  await person.page.getByLabel("the CPQ's").check();
  await person.page.getByLabel("Why").fill(SCRIPT);
  await person.press("Decide");
  await isText(person, [SCRIPT, ATTACKS[7]], "the decision");
});

hostile.check("what the CRM says when it refuses is text, from home to the letter", async ({ house, sit }) => {
  const rule = { object: "Opportunity", name: "No", condition: "NOT(ISBLANK(CPQ_Quote_Number__c))", message: ATTACKS.join(" "), active: true };
  await house.cpq("sandbox", "define", house.file("rule.json", JSON.stringify({ validationRules: [rule] })));
  await house.edit("OPP-4483", { NextStep: "Call" });
  const { Id } = await house.opportunity("OPP-4483");
  const entry = (await house.soql("SELECT Id FROM PricebookEntry WHERE Product2.ProductCode = 'RX-900' AND Pricebook2.IsStandard = false"))[0];
  await house.crm("POST", "sobjects/OpportunityLineItem", { OpportunityId: Id, PricebookEntryId: entry.Id, Quantity: 1, UnitPrice: 1 });
  assert.equal((await house.said("sync", "run", "--opportunity", "OPP-4483")).code, 1);
  const { letters } = await house.api("dead-letters");
  assert.equal(letters[0].signature.code, "CRM_REJECTED");
  house.dead = letters[0].correlation;
  const person = await sit();
  for (const path of [`/syncs/${house.dead}`, "/dead-letters", "/dead-letters/list", `/dead-letters/${house.dead}`]) {
    await person.open(path);
    // The words of a cause are without numbers and values, so that many letters share it.
    await isText(person, path.startsWith("/dead-letters") ? ["<script>"] : [SCRIPT, ATTACKS[5]], path);
  }
  for (const path of ["/", "/syncs"]) {
    await person.open(path);
    await isText(person, [], path);
  }
});

hostile.check("a reason that somebody types is text", async ({ house, sit }) => {
  const person = await sit();
  await person.open(`/dead-letters/${house.dead}`);
  await person.page.getByLabel("Why it is given up").fill(ATTACKS.join(" "));
  await person.press("Give up");
  await isText(person, [ATTACKS.join(" ")], "the letter");
  await person.open(`/syncs/${house.dead}`);
  await isText(person, [ATTACKS.join(" ")], "its sync");
});

hostile.check("an opportunity of a name that could be a link leads nowhere else", async ({ house, sit }) => {
  const refused = [];
  for (const attack of ATTACKS) {
    const { err } = await house.said("sync", "run", "--opportunity", attack);
    if (err.includes("REQUEST_INVALID")) refused.push(attack);
  }
  // What is left has none of the letters that markup needs.
  assert.deepEqual(refused, ATTACKS);
  const names = ["javascript:alert", "//evil.example/x", "../../logout", "a/../b#c"];
  for (const name of names) assert.equal((await house.said("sync", "run", "--opportunity", name)).code, 1, name);
  const plan = (await house.json("dlq", "plan")).id;
  const person = await sit();
  for (const path of ["/syncs", "/dead-letters/list", `/replays/${plan}`]) {
    await person.open(path);
    await isText(person, names, path);
  }
  for (const name of names) {
    await person.open(`/replays/${plan}`);
    await person.page.getByRole("link", { name, exact: true }).click();
    await person.page.waitForURL((url) => url.pathname === "/syncs" && url.searchParams.get("find") === name);
    await person.page.getByRole("link", { name: /^csync-/ }).click();
    await person.sees("OPPORTUNITY_NOT_FOUND", name);
    await isText(person, [name], name);
  }
});

hostile.check("what stands in the address is text", async ({ sit }) => {
  const person = await sit();
  person.forgive(/status of 4\d\d /);
  const pages = [
    "/syncs?find=X", "/syncs?state=X", "/syncs?before=X", "/plan?opportunity=X", "/why?opportunity=X&field=X",
    "/why?opportunity=OPP-4482&field=X", "/conflicts?opportunity=X&field=X", "/conflicts?state=X", "/conflicts/X",
    "/dead-letters/list?opportunity=X", "/dead-letters/list?signature=X", "/dead-letters/list?state=X", "/dead-letters/X",
    "/replays/X", "/reconciliations/X", "/syncs/X", "/X", "/login?back=X", "/conflicts/cf-001?decided=X",
  ];
  for (const page of pages) {
    for (const attack of [ATTACKS.join(" "), "javascript:alert(1)", "//evil.example"]) {
      const path = page.replaceAll("X", encodeURIComponent(attack));
      await person.page.goto(path);
      assert.deepEqual(await strange(person), [], path);
      assert.deepEqual(await backwards(person), [], path);
    }
  }
});
