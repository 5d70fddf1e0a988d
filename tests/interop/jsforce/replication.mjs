/** What changed since when, and requests that depend on it. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { advanceClock } from "../checks/control.mjs";
import { salesforce } from "./connection.mjs";
import { make, robots } from "./records.mjs";

/** The hour before now, two minutes after what was written; the feeds cover whole minutes only. */
async function window() {
  const now = await advanceClock(120);
  return [new Date(now - 3_600_000), now];
}

check("lists what was updated", async () => {
  const id = await make("Fresh");
  const told = await robots.updated(...(await window()));
  holds(told.ids.includes(id), told);
  holds(told.latestDateCovered.endsWith(".000+0000"), told);
});

check("lists what was deleted, with the time", async () => {
  const id = await make("Stale");
  await robots.destroy(id);
  const [start, end] = await window();
  const told = await salesforce.deleted("Robot__c", start.toISOString(), end.toISOString());
  const [row] = told.deletedRecords.filter((deleted) => deleted.id === id);
  holds(new Date(row.deletedDate) > start && new Date(row.deletedDate) < end, row);
});

check("updates only what nobody changed in between", async () => {
  const id = await make("Watched");
  const headers = (since) => ({ headers: { "If-Unmodified-Since": since } });
  await robots.update({ Id: id, Color__c: "Red" }, headers("Fri, 31 Dec 2100 00:00:00 GMT"));
  const error = await rejects(robots.update({ Id: id, Color__c: "Blue" }, headers("Thu, 01 Jan 2026 00:00:00 GMT")));
  matches(error, { errorCode: "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE" });
  equal((await robots.retrieve(id)).Color__c, "Red");
});
