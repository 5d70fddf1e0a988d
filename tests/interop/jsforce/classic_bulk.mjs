/** Bulk API 1.0 through the client: jobs of CSV, batches step by step, and queries as streams. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { connect, salesforce } from "./connection.mjs";
import { robots } from "./records.mjs";

const { bulk } = salesforce;
// Milliseconds between two looks at a batch, and at most.
bulk.pollInterval = 50;
bulk.pollTimeout = 60_000;

check("classic bulk: inserts rows, and says of each what became of it", async () => {
  const told = await bulk.load("Robot__c", "insert", [
    { Name: "C 1", Batch__c: "CBI", Color__c: "Red", Price__c: 19.9, Active__c: true, Built__c: "2028-02-29" },
    { Name: "C 2", Batch__c: "CBI", Color__c: "Pink" },
    { Name: "C 3, \"ü\"\nline", Batch__c: "CBI", Color__c: null },
  ]);
  equal(told.map(({ success, created }) => [success, created]), [[true, true], [false, false], [true, true]]);
  equal([told[0].errors, told[1].id], [[], null]);
  holds(told[1].errors[0].startsWith("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:"), told[1]);
  const rows = await robots.find({ Batch__c: "CBI" }, "Id, Name, Color__c, Price__c, Active__c, Built__c").sort("Name");
  matches(rows[0], { Id: told[0].id, Color__c: "Red", Price__c: 19.9, Active__c: true, Built__c: "2028-02-29" });
  matches(rows[1], { Id: told[2].id, Name: "C 3, \"ü\"\nline", Color__c: null });
});

check("classic bulk: upserts from CSV by external id", async () => {
  await robots.create({ Name: "Old", Serial__c: "CBU-0" });
  const options = { extIdField: "Serial__c", concurrencyMode: "Serial" };
  const told = await bulk.load("Robot__c", "upsert", options, "Serial__c,Name\r\nCBU-0,Old II\r\nCBU-1,New\r\n");
  equal(told.map(({ success, created }) => [success, created]), [[true, false], [true, true]]);
  equal((await robots.findOne({ Serial__c: "CBU-0" }, "Name")).Name, "Old II");
});

check("classic bulk: updates, deletes, and deletes for good", async () => {
  const made = await robots.create(["1", "2"].map((Name) => ({ Name, Batch__c: "CBD", Axes__c: 6 })));
  const ids = made.map(({ id }) => id);
  await bulk.load("Robot__c", "update", ids.map((Id) => ({ Id, Axes__c: null, Color__c: "Blue" })));
  const rows = await robots.find({ Batch__c: "CBD" }, "Axes__c, Color__c");
  equal(rows.map((row) => [row.Axes__c, row.Color__c]), [[null, "Blue"], [null, "Blue"]]);
  equal((await bulk.load("Robot__c", "delete", [{ Id: ids[0] }])).map(({ id, success }) => [id, success]), [[ids[0], true]]);
  equal((await bulk.load("Robot__c", "hardDelete", [{ Id: ids[1] }])).map(({ success }) => success), [true]);
  equal(await robots.count({ Batch__c: "CBD" }), 0);
});

check("classic bulk: takes a job step by step, and gives it up", async () => {
  const job = bulk.createJob("Robot__c", "insert");
  matches(await job.open(), { state: "Open", object: "Robot__c", operation: "insert", contentType: "CSV", concurrencyMode: "Parallel" });
  const batch = job.createBatch();
  const queued = new Promise((resolve) => batch.on("queue", resolve));
  const told = batch.execute([{ Name: "Step", Batch__c: "CBS" }]);
  matches(await queued, { jobId: job.id, numberRecordsProcessed: "0" });
  batch.poll(50, 10_000);
  equal((await told).length, 1);
  const [listed] = await job.list();
  matches(listed, { id: batch.id, state: "Completed", numberRecordsProcessed: "1", numberRecordsFailed: "0" });
  matches(await job.check(), { numberBatchesCompleted: "1", numberBatchesTotal: "1", state: "Open" });
  const id = job.id;
  matches(await job.abort(), { state: "Aborted" });
  const late = bulk.job(id);
  late.on("error", () => {});
  matches(await rejects(late.close()), { errorCode: "InvalidJobState" });
});

check("classic bulk: queries into a stream of records", async () => {
  const rows = Array.from({ length: 401 }, (_, number) => ({ Name: `Q ${number}`, Batch__c: "CBQ", Axes__c: number }));
  await robots.create(rows, { allowRecursive: true });
  const stream = await bulk.query("SELECT Axes__c, Active__c, Color__c FROM Robot__c WHERE Batch__c = 'CBQ' ORDER BY Axes__c");
  const read = await stream.toArray();
  equal(read.length, 401);
  equal([read[0], read[400].Axes__c], [{ Axes__c: "0.0", Active__c: "false", Color__c: "" }, "400.0"]);
});

check("classic bulk: deletes by query beyond the threshold", async () => {
  const rows = Array.from({ length: 210 }, (_, number) => ({ Name: `D ${number}`, Batch__c: "CBX" }));
  await robots.create(rows, { allowRecursive: true });
  const told = await robots.find({ Batch__c: "CBX" }).destroy({ bulkApiVersion: 1 });
  equal([told.length, told.every(({ success }) => success)], [210, true]);
});

check("classic bulk: is told why a batch fails, and logs in again when the session ended", async () => {
  const error = await rejects(bulk.load("Robot__c", "insert", [{ Bacon__c: "x" }]));
  equal(error.message, "InvalidBatch : Field name not found : Bacon__c");
  holds((await rejects(bulk.query("SELECT Bacon__c FROM Robot__c"))).message.includes("INVALID_FIELD"), "");
  const other = await connect();
  other.bulk.pollInterval = 50;
  other.accessToken = "00D000000000001!no";
  const [told] = await other.bulk.load("Robot__c", "insert", [{ Name: "Again" }]);
  equal(told.success, true);
});
