/** Houses in which something has happened. */

import assert from "node:assert/strict";

import { until } from "./checking.mjs";
import { House } from "./house.mjs";

export const DEAL = "OPP-4482";
export const QUOTE = "Q-2026-0137";
/** The field that both people change. */
export const CONTESTED = "quote.valid_until";
/** Puts the cause right that is still there after the downtime: a rule that refuses six of the opportunities. */
const FIX = {
  validationRules: [{
    object: "Opportunity", name: "Close_Date_After_Quote", condition: "CloseDate < CPQ_Valid_Until__c", message: "-", active: false,
  }],
};

/** A fresh house with its service. */
export async function fresh() {
  return (await House.seeded("crm-sync")).serve();
}

/** One whose service is connected to no CRM yet. */
export async function strangers() {
  const house = await House.seeded("crm-sync");
  await house.cpq("auth", "disconnect");
  return house.serve();
}

/** One in which both people have changed the same field. */
export async function contested() {
  const house = await House.seeded("crm-sync");
  await letAPersonDecide(house);
  await house.serve();
  await house.cpq("sync", "run", "--opportunity", DEAL);
  await house.cpq("quote", "set", QUOTE, `${CONTESTED}=2027-01-31`);
  await until("what the CPQ alone changed", () => house.opportunity(DEAL), (deal) => deal.CPQ_Valid_Until__c === "2027-01-31");
  await house.edit(DEAL, { CPQ_Valid_Until__c: "2027-02-28", Name: "Renamed" });
  await house.cpq("quote", "set", QUOTE, `${CONTESTED}=2027-03-31`);
  await until("a conflict", () => house.api("conflicts?state=open"), (page) => page.conflicts.length > 0);
  return house;
}

/** Puts rules in force by which either side may change the field. */
async function letAPersonDecide(house) {
  const shown = await house.cpq("ownership", "show", "--toml");
  const rule = (policy) => `field = "${CONTESTED}"\nowner = "cpq"\npolicy = "${policy}"`;
  assert.ok(shown.includes(rule("computed")), shown);
  const path = house.file("ownership.toml", shown.replace(rule("computed"), rule("review")));
  await house.cpq("ownership", "apply", path);
}

/** One that has something for every page to show. */
export async function livedIn() {
  const house = await contested();
  house.good = "csync-001";
  // That which carried the first change of the CPQ to the CRM, before both were changed.
  house.changed = "csync-002";
  const { code, out } = await house.said("--json", "sync", "run", "--opportunity", "OPP-0000");
  assert.equal(code, 1, out);
  const { letters } = await house.api("dead-letters");
  house.dead = letters[0].correlation;
  house.plan = (await house.json("dlq", "plan")).id;
  await house.edit(DEAL, { CPQ_Net_Total__c: 1 });
  await house.said("reconcile");
  house.compared = (await house.api("reconciliations")).reconciliations[0].id;
  return house;
}

/** One in which a hundred syncs failed in a downtime, and the cause is gone. */
export async function outage() {
  const house = await House.seeded("outage-100");
  await house.cpq("sandbox", "define", house.file("fix.json", JSON.stringify(FIX)));
  // So few at once that a person can see it on its way.
  house.file("cpq.toml", "[replay]\ncanary = 1\nat_once = 2\n");
  return house.serve();
}
