/** The partner SOAP API through the client. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { expireSessions, info, requestsOf } from "../checks/control.mjs";
import { connect, salesforce } from "./connection.mjs";
import { make, robots } from "./records.mjs";

const { soap } = salesforce;

check("soap: reads who it is and what time it is", async () => {
  matches(await soap.getUserInfo(), {
    userName: info.username, userFullName: "Integration User", organizationId: info.organizationId,
    organizationName: "Aurora Automation Inc.", profileId: (await salesforce.query("SELECT Id FROM Profile LIMIT 1")).records[0].Id,
  });
  const { timestamp } = await soap.getServerTimestamp();
  holds(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(timestamp), timestamp);
});

check("soap: creates, updates and deletes rows", async () => {
  const made = await soap.create([
    { type: "Robot__c", Name: "S 1 <&> \"ü\"", Price__c: 19.9, Active__c: true, Built__c: "2028-02-29" },
    { type: "Robot__c", Name: "S 2", Color__c: "Pink" },
  ]);
  equal(made.map(({ success }) => success), [true, false]);
  matches(made[1].errors[0], { statusCode: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", fields: ["Color__c"] });
  const { id } = made[0];
  matches(await robots.retrieve(id), { Name: "S 1 <&> \"ü\"", Price__c: 19.9, Active__c: true, Built__c: "2028-02-29" });
  matches(await soap.update({ type: "Robot__c", Id: id, Color__c: "Red", fieldsToNull: ["Price__c"] }), { id, success: true });
  matches(await robots.retrieve(id), { Color__c: "Red", Price__c: null });
  matches(await soap.delete(id), { id, success: true });
  matches(await rejects(robots.retrieve(id)), { errorCode: "ENTITY_IS_DELETED" });
});

check("soap: upserts by external id", async () => {
  const row = (Name) => ({ type: "Robot__c", Serial__c: "SOAP-1", Name });
  const first = await soap.upsert("Serial__c", row("Old"));
  const second = await soap.upsert("Serial__c", row("New"));
  equal([first.created, second.created, first.id === second.id], [true, false, true]);
});

check("soap: brings a record back from the recycle bin, and empties it", async () => {
  const id = await make("Lazarus");
  await robots.destroy(id);
  equal((await soap.undelete(id)).map((row) => [row.id, row.success]), [[id, true]]);
  equal((await robots.retrieve(id)).Name, "Lazarus");
  await robots.destroy(id);
  equal((await soap.emptyRecycleBin([id])).map(({ success }) => success), [true]);
  equal((await salesforce.query(`SELECT Id FROM Robot__c WHERE Id = '${id}'`, { scanAll: true })).totalSize, 0);
});

check("soap: logs in again when the session ended", async () => {
  const connection = await connect();
  await expireSessions();
  const seen = await requestsOf(async () => equal((await connection.soap.getUserInfo()).userName, info.username));
  equal(seen.map(({ status }) => status), [500, 200, 200]);
});

check("soap: is told of a field that does not exist", async () => {
  const error = await rejects(soap.create({ type: "Robot__c", Name: "x", Bacon__c: 1 }));
  equal(error.errorCode, "sf:INVALID_FIELD");
  holds(error.message.includes("No such column 'Bacon__c' on entity 'Robot__c'"), error.message);
});
