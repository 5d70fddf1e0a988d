/** Trying, starting, following and finding syncs; why a value is there; comparing both sides; the state of a connection. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { group, PICTURES, until } from "../land/checking.mjs";
import { DEAL, fresh, QUOTE } from "../land/lives.mjs";

const syncs = group("syncs", fresh);
export default syncs;

/** Everything that both sides hold of the deal. */
async function everything(house) {
  const { quotes } = await house.api("quotes");
  return { opportunity: await house.opportunity(DEAL), quotes };
}

const rows = (person) => person.page.locator("main tbody tr");
const correlation = (person) => new URL(person.page.url()).pathname.split("/").pop();

syncs.check("trying shows what a sync would do, and writes nothing", async ({ house, sit }) => {
  const before = await everything(house);
  const person = await sit();
  await person.open("/plan");
  await person.page.getByLabel("Opportunity").fill(DEAL);
  await person.press("Try it");
  await person.sees("a new one", "CRM → CPQ", "Northwind Robotics", "first sync; the CRM owns it");
  assert.equal(before.quotes.length, 0);
  assert.deepEqual(await everything(house), before);
  assert.deepEqual((await house.api("sync")).syncs, []);
});

syncs.check("a sync that a person starts shows its stages and decisions, and both sides have it", async ({ house, sit }) => {
  const person = await sit();
  await person.open(`/plan?opportunity=${DEAL}`);
  await person.press("Sync now");
  await person.sees("success", QUOTE, "opportunity.name", "first sync; the CRM owns it", "CPQ → CRM");
  const { stages } = await house.api(`sync/${correlation(person)}`);
  const bars = person.page.locator("table").first().locator("tbody tr");
  const told = await bars.evaluateAll((all) => all.map((row) => {
    const bar = row.querySelector("svg rect:last-of-type");
    return { name: row.querySelector("th").innerText, x: Number(bar.getAttribute("x")), width: Number(bar.getAttribute("width")) };
  }));
  assert.deepEqual(told.map(({ name }) => name), stages.map(({ name }) => name));
  assert.ok(told.some(({ name }) => name === "write.crm"));
  const begins = told.map(({ x }) => x);
  assert.deepEqual(begins, [...begins].sort((one, other) => one - other), "a waterfall goes down");
  assert.ok(told.every(({ x, width }) => width > 0 && x + width <= 1010), JSON.stringify(told));
  assert.equal((await house.opportunity(DEAL)).CPQ_Quote_Number__c, QUOTE);
});

syncs.check("syncing again finds nothing to do", async ({ house, sit }) => {
  const before = await everything(house);
  const person = await sit();
  await person.open("/syncs/csync-001");
  await person.press("Sync again");
  assert.equal(correlation(person), "csync-002");
  await person.sees("nothing to do", "Nothing new was decided");
  assert.deepEqual(await everything(house), before);
});

syncs.check("a sync that fails says why, whether something was written, and what to do", async ({ sit }) => {
  const person = await sit();
  await person.open("/plan?opportunity=OPP-0000", 404);
  await person.sees("no opportunity OPP-0000", "What to do");
  await person.open("/plan?opportunity=OPP-4484", 422);
  await person.sees("What to do", "Written");
});

syncs.check("the list follows what happens elsewhere, without a reload", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/syncs");
  await person.page.evaluate(() => (window.here = "still"));
  const seen = await rows(person).count();
  await house.edit(DEAL, { NextStep: "Call", Name: "Assembly line 4, larger" });
  const { correlationId } = await house.json("sync", "run", "--opportunity", DEAL);
  await person.page.getByRole("link", { name: correlationId }).waitFor();
  await until("its end", () => person.reads(), (text) => text.includes("1 field to the CPQ"));
  assert.equal(await rows(person).count(), seen + 1);
  assert.equal(await person.page.evaluate(() => window.here), "still", "it was loaded anew");
});

syncs.check("the keyboard keeps its place while the list moves", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/syncs");
  const link = person.page.getByRole("link", { name: "csync-001" });
  await link.focus();
  const { correlationId } = await house.json("sync", "run", "--opportunity", DEAL);
  await person.page.getByRole("link", { name: correlationId }).waitFor();
  assert.equal(await person.page.evaluate(() => document.activeElement.textContent), "csync-001");
});

syncs.check("nothing moves away under a finger", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/syncs");
  const top = person.page.locator("main tbody a").first();
  const name = await top.innerText();
  await top.hover();
  await person.page.mouse.down();
  const { correlationId } = await house.json("sync", "run", "--opportunity", DEAL);
  // The list would have moved by now: a page that nobody touches has.
  const other = await sit();
  await other.open("/syncs");
  await other.page.getByRole("link", { name: correlationId }).waitFor();
  await until("the answer to be put aside", () => person.page.evaluate(() => late !== null), (aside) => aside);
  assert.equal(await top.innerText(), name);
  await person.page.mouse.up();
  await person.page.waitForURL(`**/syncs/${name}`);
});

syncs.check("the page of a sync follows it to its end", async ({ house, sit }) => {
  await house.edit(DEAL, { Name: "Assembly line 4, larger still" });
  await house.control("faults", { rules: [{ when: { client: "cpq" }, times: 1, fault: { kind: "latency", millis: 8000 } }] });
  const running = house.cpq("sync", "run", "--opportunity", DEAL);
  const { syncs: open } = await until("a running sync", () => house.api("sync?state=running"), (page) => page.syncs.length > 0);
  const person = await sit();
  await person.open(`/syncs/${open[0].correlationId}`);
  await person.sees("running");
  await person.page.evaluate(() => (window.here = "still"));
  await running;
  await until("its end", () => person.reads(), (text) => text.includes("success") && text.includes("Assembly line 4, larger still"));
  await person.page.getByRole("button", { name: "Sync again" }).waitFor();
  assert.equal(await person.page.evaluate(() => window.here), "still", "it was loaded anew");
});

syncs.check("home follows what happens, and each tile leads to its list", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/");
  const asked = () => person.page.getByText(/Asked for: \d+/).innerText();
  const before = await asked();
  assert.equal((await house.said("sync", "run", "--opportunity", "OPP-0000")).code, 1);
  await until("another figure", asked, (now) => now !== before);
  await until("a failure", () => person.reads(), (text) => text.includes("OPPORTUNITY_NOT_FOUND"));
  for (const [name, path] of [["Open failures", "/dead-letters"], ["Open conflicts", "/conflicts"], ["Connection crm", "/connections"], ["Syncs of the last 24 hours", "/syncs"]]) {
    await person.page.getByRole("link", { name }).click();
    await person.page.waitForURL((url) => url.pathname === path);
    await person.page.goBack();
  }
  await person.page.getByRole("link", { name: "1 × OPPORTUNITY_NOT_FOUND" }).click();
  await person.page.waitForURL("**/dead-letters/list?signature=*");
  assert.equal(await rows(person).count(), 1);
});

syncs.check("filters stand in the address, and survive a reload and the button Back", async ({ sit }) => {
  const person = await sit();
  await person.open("/syncs");
  const all = await rows(person).count();
  await person.page.getByLabel("State").selectOption("dead");
  await person.press("Find");
  assert.equal(new URL(person.page.url()).searchParams.get("state"), "dead");
  const shown = async () => [await person.page.getByLabel("State").inputValue(), await rows(person).count()];
  assert.deepEqual(await shown(), ["dead", 1]);
  await person.page.reload();
  assert.deepEqual(await shown(), ["dead", 1]);
  await person.page.getByRole("link", { name: /^csync-/ }).click();
  await person.page.waitForURL("**/syncs/csync-*");
  await person.page.goBack();
  assert.deepEqual(await shown(), ["dead", 1]);
  await person.page.goBack();
  assert.deepEqual(await shown(), ["", all]);
  await person.page.getByLabel("Opportunity or correlation id").fill(DEAL);
  await person.press("Find");
  assert.equal(await rows(person).count(), all - 1);
});

syncs.check("a filtered list stays filtered while it follows", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/syncs?state=dead");
  await house.cpq("sync", "run", "--opportunity", DEAL);
  await house.said("sync", "run", "--opportunity", "OPP-0001");
  await until("the second failure", () => rows(person).count(), (count) => count === 2);
  assert.ok(!(await person.page.locator("#live").innerText()).includes(DEAL));
});

syncs.check("a correlation id leads to its sync, and a wrong one is told", async ({ sit }) => {
  const person = await sit();
  await person.open("/syncs");
  await person.page.getByLabel("Opportunity or correlation id").fill("csync-001");
  await person.press("Find");
  assert.equal(correlation(person), "csync-001");
  person.forgive(/status of 404 /);
  await person.page.goto("/syncs?find=csync-0999");
  await person.sees("CORRELATION_NOT_FOUND", "What to do");
});

syncs.check("why a value is there is told from sync to sync", async ({ sit }) => {
  const person = await sit();
  await person.open("/why");
  await person.page.getByLabel("Opportunity or quote").fill(DEAL);
  await person.page.getByLabel("Field").fill("opportunity.name");
  await person.press("Tell");
  const told = await rows(person).allInnerTexts();
  assert.equal(told.length, 3, told.join("\n"));
  for (const [at, name] of ["Northwind Robotics – Assembly line 4", "Assembly line 4, larger", "Assembly line 4, larger still"].entries()) {
    assert.ok(told[at].includes(name), told.join("\n"));
  }
  await rows(person).first().getByRole("link").click();
  await person.page.waitForURL("**/syncs/csync-001");
  await person.open(`/why?opportunity=${DEAL}&field=opportunity.nmae`, 400);
  await person.sees("no rule names the field opportunity.nmae");
});

syncs.check("the grid of ownership is the matrix in force", async ({ house, sit }) => {
  const { rules, version } = await house.api("ownership");
  const person = await sit();
  await person.open("/ownership");
  await person.sees(version);
  const shown = await rows(person).evaluateAll((all) => {
    let field;
    return all.map((row) => {
      field = row.querySelector("th")?.innerText ?? field;
      const [owner, policy] = [...row.querySelectorAll("td")].map((cell) => cell.innerText);
      return [field, owner.toLowerCase(), policy.replaceAll(" ", "_")];
    });
  });
  assert.deepEqual(shown, rules.map((rule) => [rule.fieldName, rule.ownerSystem, rule.overwritePolicy]));
});

syncs.check("comparing both sides is followed to its end, and proves that they agree", async ({ sit }) => {
  const person = await sit();
  await person.open("/reconciliations");
  await person.press("Compare both sides now");
  await person.page.getByText("done", { exact: true }).waitFor();
  await person.open("/reconciliations");
  const verdicts = await person.page.locator("table").last().locator(".mark").allInnerTexts();
  assert.deepEqual(verdicts, ["green", "green", "green"]);
});

syncs.check("a difference is found, named by record and field, and repaired", async ({ house, sit }) => {
  await house.edit(DEAL, { CPQ_Net_Total__c: 1 });
  const person = await sit();
  await person.open("/reconciliations");
  await person.press("Compare both sides now");
  await person.page.getByText("done", { exact: true }).waitFor();
  await person.sees("quote.net_total", DEAL, QUOTE);
  assert.equal((await house.opportunity(DEAL)).CPQ_Net_Total__c, 1, "comparing writes nothing");
  await person.open("/reconciliations");
  await person.page.getByLabel("sync what differs").check();
  await person.press("Compare both sides now");
  await person.page.getByText("done", { exact: true }).waitFor();
  await until("the quote's total", () => house.opportunity(DEAL), (deal) => deal.CPQ_Net_Total__c === 308849);
  await person.page.reload();
  await person.page.getByRole("link", { name: /^csync-/ }).click();
  await person.sees("quote.net_total", "success");
});

syncs.check("a connection shows its calls, and what to do once it is cut", async ({ house, sit }) => {
  await house.cpq("sync", "run", "--opportunity", DEAL);
  const person = await sit();
  // The service may call while the page is made.
  const used = async () => (await house.api("connections")).connections[0].calls.used;
  const before = await used();
  await person.open("/connections");
  const [, shown] = (await person.reads()).match(/(\d+) of 5\u202f000\u202f000/) ?? [];
  const after = await used();
  assert.ok(before > 0 && before <= shown && shown <= after, `${shown} is not from ${before} to ${after}`);
  await house.control("grants/revoke", {});
  assert.notEqual((await house.said("sync", "run", "--opportunity", DEAL)).code, 0);
  const [{ correlationId }] = (await house.api("sync?state=waiting")).syncs;
  await person.open("/connections");
  await person.sees("Not connected", "cpq auth connect-crm", "1 for a person");
  await person.page.screenshot({ path: join(PICTURES, "connections-cut.png"), fullPage: true });
  assert.deepEqual(await person.barriers(), []);
  await person.open("/");
  await person.sees("not connected");
  await house.cpq("auth", "connect-crm");
  await person.page.reload();
  await person.sees("works");
  await until("what waited", () => house.api(`sync/${correlationId}`), ({ status }) => status === "success");
});
