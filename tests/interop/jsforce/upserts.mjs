/** Upsert by external id, and what is unique. */

import { check, equal, matches, rejects } from "../checks/checking.mjs";
import { connect, salesforce } from "./connection.mjs";
import { make, robots } from "./records.mjs";

check("upserts by external id, and is told whether it was created", async () => {
  const made = await robots.upsert({ Serial__c: "UP-1", Name: "Rae" }, "Serial__c");
  equal(made, { id: made.id, success: true, errors: [], created: true });
  const again = await robots.upsert({ Serial__c: "UP-1", Name: "Rae II" }, "Serial__c");
  equal(again, { id: made.id, success: true, errors: [], created: false });
  equal((await robots.retrieve(made.id)).Name, "Rae II");
});

check("upserts many in one call", async () => {
  await make("Old", { Serial__c: "UP-2" });
  const rows = [{ Serial__c: "UP-2", Name: "Old II" }, { Serial__c: "UP-3", Name: "New" }, { Serial__c: "UP-4", Color__c: "Pink" }];
  const told = await robots.upsert(rows, "Serial__c");
  equal(told.map(({ success, created }) => [success, created]), [[true, false], [true, true], [false, undefined]]);
  matches(told[2].errors[0], { statusCode: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", fields: ["Color__c"] });
});

check("is told MULTIPLE_CHOICES with the URLs of all", async () => {
  const ids = [await make("Uma", { Batch__c: "TWINS" }), await make("Vic", { Batch__c: "TWINS" })];
  const error = await rejects(robots.upsert({ Batch__c: "TWINS", Color__c: "Red" }, "Batch__c"));
  equal([error.errorCode, error.message], ["MULTIPLE_CHOICES", "Multiple records found"]);
  equal(error.data.sort(), ids.map((id) => `/services/data/v68.0/sobjects/Robot__c/${id}`).sort());
});

check("is told DUPLICATE_VALUE with the id of the other record", async () => {
  const id = await make("Xia", { Serial__c: "DUP-1" });
  const error = await rejects(make("Yan", { Serial__c: "DUP-1" }));
  equal(error.errorCode, "DUPLICATE_VALUE");
  equal(error.message, `duplicate value found: Serial__c duplicates value on record with id: ${id}`);
});

check("gets no body for an upsert that updates before version 46", async () => {
  const old = await connect({ version: "45.0" });
  const robot = old.sobject("Robot__c");
  const made = await robot.upsert({ Serial__c: "UP-5", Name: "Sam" }, "Serial__c");
  equal([made.success, "created" in made], [true, false]);
  equal(await robot.upsert({ Serial__c: "UP-5", Name: "Sam II" }, "Serial__c"), { success: true, errors: [] });
});

check("sets a parent by the parent's external id", async () => {
  const deal = { Opportunity_Number__c: "OPP-4484", attributes: { type: "Opportunity" } };
  const { id } = await salesforce.sobject("Task").create({ Subject: "Call", What: deal });
  const { records } = await salesforce.query("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4484'");
  equal((await salesforce.sobject("Task").retrieve(id)).WhatId, records[0].Id);
});
