/** Collections: many records in one call. */

import { check, equal, matches, rejects } from "../checks/checking.mjs";
import { salesforce } from "./connection.mjs";
import { make, robots } from "./records.mjs";

check("creates what is good of many, and reports the rest by place", async () => {
  const told = await robots.create([{ Name: "One" }, { Name: "Two", Color__c: "Pink" }, { Name: "Three" }]);
  equal(told.map(({ success }) => success), [true, false, true]);
  equal("id" in told[1], false);
  matches(told[1].errors[0], { statusCode: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", fields: ["Color__c"] });
});

check("creates all of many or none", async () => {
  const told = await robots.create([{ Name: "Alone" }, { Name: "x", Color__c: "Pink" }], { allOrNone: true });
  equal(told.map(({ errors }) => errors[0].statusCode), [
    "ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
  ]);
  equal(await robots.count({ Name: "Alone" }), 0);
});

check("splits more than 200 records into calls", async () => {
  const rows = Array.from({ length: 450 }, (_, number) => ({ Name: `Split ${number}`, Batch__c: "SPLIT" }));
  const told = await robots.create(rows, { allowRecursive: true });
  equal(new Set(told.map(({ id }) => id)).size, 450);
  equal(await robots.count({ Batch__c: "SPLIT" }), 450);
});

check("is refused more than 200 records in one call", async () => {
  const rows = Array.from({ length: 201 }, () => ({ Name: "Too many" }));
  matches(await rejects(robots.create(rows)), { errorCode: "EXCEEDED_ID_LIMIT" });
});

check("retrieves many, in the order asked, with null for what is not there", async () => {
  const [first, second] = [await make("R 1"), await make("R 2")];
  const rows = await robots.retrieve([second, "a0000000000zzzz", first]);
  equal(rows.map((row) => row && row.Name), ["R 2", null, "R 1"]);
  const few = await salesforce.retrieve("Robot__c", [first], { fields: ["Id", "Name"] });
  equal(Object.keys(few[0]), ["attributes", "Id", "Name"]);
});

check("updates and deletes many", async () => {
  const ids = [await make("M 1", { Batch__c: "MANY" }), await make("M 2", { Batch__c: "MANY" })];
  const told = await robots.update(ids.map((Id, at) => ({ Id, Axes__c: at })));
  equal(told, ids.map((id) => ({ id, success: true, errors: [] })));
  equal((await robots.find({ Batch__c: "MANY" }, "Axes__c").sort("Axes__c")).map((row) => row.Axes__c), [0, 1]);
  equal(await robots.destroy(ids), ids.map((id) => ({ id, success: true, errors: [] })));
  equal(await robots.count({ Batch__c: "MANY" }), 0);
});

check("deletes and updates what a query finds", async () => {
  await robots.create(["Q 1", "Q 2", "Q 3"].map((Name) => ({ Name, Batch__c: "QUERIED" })));
  const updated = await robots.find({ Batch__c: "QUERIED" }).update({ Color__c: "Blue" });
  equal(updated.map(({ success }) => success), [true, true, true]);
  equal(await robots.count({ Batch__c: "QUERIED", Color__c: "Blue" }), 3);
  const deleted = await robots.find({ Batch__c: "QUERIED" }).destroy();
  equal(deleted.map(({ success }) => success), [true, true, true]);
  equal(await robots.count({ Batch__c: "QUERIED" }), 0);
});
