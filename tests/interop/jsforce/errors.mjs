/** Refusals and disturbances: what the client raises, and what it repeats. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { requestsOf, withFaults } from "../checks/control.mjs";
import { salesforce } from "./connection.mjs";
import { make, robots } from "./records.mjs";

check("is told the missing fields of a create", async () => {
  const error = await rejects(salesforce.sobject("Opportunity").create({ Name: "No stage" }));
  equal([error.errorCode, error.message], ["REQUIRED_FIELD_MISSING", "Required fields are missing: [StageName, CloseDate]"]);
  equal(error.data.fields, ["StageName", "CloseDate"]);
});

check("is told of fields and objects that do not exist", async () => {
  const error = await rejects(robots.create({ Name: "x", Bacon__c: 1 }));
  equal([error.errorCode, error.message], ["INVALID_FIELD", "No such column 'Bacon__c' on sobject of type Robot__c"]);
  matches(await rejects(salesforce.sobject("Nothing__c").create({ Name: "x" })), { errorCode: "NOT_FOUND" });
});

check("is told of values that do not fit", async () => {
  matches(await rejects(robots.create({ Name: "x", Color__c: "Pink" })), {
    errorCode: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message: "Color: bad value for restricted picklist field: Pink",
  });
  matches(await rejects(robots.create({ Name: "x".repeat(81) })), { errorCode: "STRING_TOO_LONG" });
  matches(await rejects(robots.create({ Name: "x", Contact__c: "123" })), { errorCode: "INVALID_EMAIL_ADDRESS" });
  matches(await rejects(robots.create({ Name: "x", Price__c: "abc" })), { errorCode: "JSON_PARSER_ERROR" });
});

check("is told a validation rule's own words", async () => {
  const error = await rejects(robots.create({ Name: "x", Axes__c: 9001 }));
  equal([error.errorCode, error.message], ["FIELD_CUSTOM_VALIDATION_EXCEPTION", "Too many axes."]);
  const told = await robots.create([{ Name: "x", Axes__c: 9001 }]);
  equal(told, [{ success: false, errors: [
    { statusCode: "FIELD_CUSTOM_VALIDATION_EXCEPTION", message: "Too many axes.", fields: ["Axes__c"] },
  ] }]);
});

check("is told of duplicates with their ids, and saves all the same when it insists", async () => {
  const id = await make("Original", { Contact__c: "same@example.com" });
  const twin = { Name: "Copy", Contact__c: "same@example.com" };
  const error = await rejects(robots.create(twin));
  equal([error.errorCode, error.message], ["DUPLICATES_DETECTED", "Is it one of these?"]);
  const { matchRecords } = error.data.duplicateResult.matchResults[0];
  equal(matchRecords.map(({ record }) => record.Id), [id]);
  const made = await robots.create(twin, { headers: { "Sforce-Duplicate-Rule-Header": "allowSave=true" } });
  equal(made.success, true);
});

check("is told UNABLE_TO_LOCK_ROW, and does not repeat a write", async () => {
  const id = await make("Locked");
  await withFaults([{ when: { object: "Robot__c" }, times: 1, fault: { kind: "row_lock" } }], async (fired) => {
    const seen = await requestsOf(async () => {
      matches(await rejects(robots.update({ Id: id, Color__c: "Red" })), { errorCode: "UNABLE_TO_LOCK_ROW" });
    });
    equal([seen.length, await fired()], [1, [1]]);
    equal((await robots.update({ Id: id, Color__c: "Red" })).success, true);
  });
});

check("repeats a read after 503, twice, and succeeds", async () => {
  const down = { when: { path: "/limits" }, times: 2, fault: { kind: "server_error", status: 503, body: "json" } };
  await withFaults([down], async (fired) => {
    const seen = await requestsOf(async () => equal((await salesforce.limits()).DailyApiRequests.Max, 5_000_000));
    equal(seen.map(({ status }) => status), [503, 503, 200]);
    equal(await fired(), [2]);
  });
});

check("does not repeat a create after 503, and is told", async () => {
  const down = { when: { path: "/sobjects/Robot__c" }, times: 1, fault: { kind: "server_error", status: 503, body: "json" } };
  await withFaults([down], async () => {
    const error = await rejects(robots.create({ Name: "Never" }));
    equal(error.errorCode, "SERVER_UNAVAILABLE");
  });
  equal(await robots.count({ Name: "Never" }), 0);
});

check("tells that the connection broke, and works again", async () => {
  await withFaults([{ when: { path: "/limits" }, times: 1, fault: { kind: "reset_before" } }], async (fired) => {
    const error = await rejects(salesforce.limits());
    equal([error.message, error.cause.code], ["fetch failed", "UND_ERR_SOCKET"]);
    equal([(await salesforce.limits()).DailyApiRequests.Max, await fired()], [5_000_000, [1]]);
  });
});

check("loses the answer of a create, which happened all the same", async () => {
  const rule = { when: { path: "/sobjects/Robot__c" }, times: 1, fault: { kind: "reset_after" } };
  await withFaults([rule], async () => {
    await rejects(robots.create({ Name: "Schrödinger" }));
  });
  equal(await robots.count({ Name: "Schrödinger" }), 1);
});

check("tells that a page came instead of data", async () => {
  const rule = { when: { path: "/sobjects/Robot__c" }, times: 1, fault: { kind: "server_error", status: 500, body: "html" } };
  await withFaults([rule], async () => {
    const error = await rejects(robots.create({ Name: "x" }));
    equal(error.errorCode, "ERROR_HTTP_500");
    holds(/<html/i.test(error.data?.message ?? error.data ?? error.message), error.message);
  });
});

check("is told when the daily allowance is used up", async () => {
  const rule = { when: { path: "/limits" }, times: 1, fault: { kind: "request_limit", scope: "daily" } };
  await withFaults([rule], async () => {
    const error = await rejects(salesforce.limits());
    equal([error.errorCode, error.message], ["REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."]);
  });
});
