/** Bulk API 2.0 through the client: jobs, their results, and queries as streams. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { salesforce } from "./connection.mjs";
import { robots } from "./records.mjs";

const { bulk2 } = salesforce;
// Milliseconds between two looks at a job, and at most.
bulk2.pollInterval = 50;
bulk2.pollTimeout = 60_000;

const load = (operation, input, more = {}) => bulk2.loadAndWaitForResults({ object: "Robot__c", operation, input, ...more });

check("bulk: inserts rows, and reports what failed and why", async () => {
  const told = await load("insert", [
    { Name: "B 1", Batch__c: "BULK", Color__c: "Red", Price__c: 19.9, Active__c: true, Built__c: "2028-02-29" },
    { Name: "B 2", Batch__c: "BULK", Color__c: "Pink" },
    { Name: "B 3, \"ü\"\nline", Batch__c: "BULK", Color__c: null },
  ]);
  equal([told.successfulResults.length, told.failedResults.length, told.unprocessedRecords.length], [2, 1, 0]);
  matches(told.failedResults[0], { sf__Id: "", Name: "B 2", Color__c: "Pink" });
  holds(told.failedResults[0].sf__Error.startsWith("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:"), told.failedResults);
  const rows = await robots.find({ Batch__c: "BULK" }, "Name, Color__c, Price__c, Active__c, Built__c").sort("Name");
  matches(rows[0], { Name: "B 1", Color__c: "Red", Price__c: 19.9, Active__c: true, Built__c: "2028-02-29" });
  matches(rows[1], { Name: "B 3, \"ü\"\nline", Color__c: null });
});

check("bulk: upserts by external id, and says what was created", async () => {
  await robots.create({ Name: "Old", Serial__c: "BUP-0" });
  const rows = [{ Serial__c: "BUP-0", Name: "Old II" }, { Serial__c: "BUP-1", Name: "New" }];
  const told = await load("upsert", rows, { externalIdFieldName: "Serial__c" });
  equal(told.successfulResults.map((row) => [row.Serial__c, row.sf__Created]), [["BUP-0", "false"], ["BUP-1", "true"]]);
  equal((await robots.findOne({ Serial__c: "BUP-0" }, "Name")).Name, "Old II");
});

check("bulk: updates from CSV, and deletes", async () => {
  const made = await robots.create(["1", "2"].map((Name) => ({ Name, Batch__c: "BUD", Axes__c: 6 })));
  const csv = `Id,Axes__c,Color__c\n${made.map(({ id }) => `${id},#N/A,Blue\n`).join("")}`;
  equal((await load("update", csv)).successfulResults.length, 2);
  const rows = await robots.find({ Batch__c: "BUD" }, "Axes__c, Color__c");
  equal(rows.map((row) => [row.Axes__c, row.Color__c]), [[null, "Blue"], [null, "Blue"]]);
  equal((await load("delete", made.map(({ id }) => ({ Id: id })))).successfulResults.map((row) => row.sf__Id), made.map(({ id }) => id));
  equal(await robots.count({ Batch__c: "BUD" }), 0);
});

check("bulk: takes a job step by step, and gives it up", async () => {
  const job = bulk2.createJob({ object: "Robot__c", operation: "insert" });
  matches(await job.open(), { state: "Open", object: "Robot__c", operation: "insert", contentType: "CSV" });
  await job.uploadData("Name\nNever\n");
  await job.abort();
  matches(await job.check(), { state: "Aborted", jobType: "V2Ingest", numberRecordsProcessed: 0 });
  matches(await rejects(job.poll(50, 1000)), { message: "Job has been aborted" });
  await job.delete();
  matches(await rejects(job.check()), { errorCode: "NOT_FOUND" });
  equal(await robots.count({ Name: "Never" }), 0);
});

check("bulk: queries into a stream of records", async () => {
  const rows = Array.from({ length: 401 }, (_, number) => ({ Name: `Q ${number}`, Batch__c: "BQ", Axes__c: number }));
  await robots.create(rows, { allowRecursive: true });
  const stream = await bulk2.query("SELECT Axes__c, Active__c, Color__c FROM Robot__c WHERE Batch__c = 'BQ' ORDER BY Axes__c");
  const read = await stream.toArray();
  equal(read.length, 401);
  equal([read[0], read[400].Axes__c], [{ Axes__c: "0.0", Active__c: "false", Color__c: "" }, "400.0"]);
});

check("bulk: deletes by query beyond the threshold", async () => {
  const rows = Array.from({ length: 210 }, (_, number) => ({ Name: `D ${number}`, Batch__c: "BDQ" }));
  await robots.create(rows, { allowRecursive: true });
  const told = await robots.find({ Batch__c: "BDQ" }).destroy({ bulkApiVersion: 2 });
  equal([told.length, told.every(({ success }) => success)], [210, true]);
  equal(await robots.count({ Batch__c: "BDQ" }), 0);
});

check("bulk: is told why a job fails", async () => {
  const error = await rejects(load("insert", [{ Bacon__c: "x" }]));
  holds(error.message.startsWith("Ingest job failed to complete due to: ") && error.message.includes("Bacon__c"), error.message);
  matches(await rejects(bulk2.query("SELECT Bacon__c FROM Robot__c")), { errorCode: "INVALID_FIELD" });
});
