/** Change events, decoded by the client: what changed, who did it, and where. */

import { check, equal, holds, matches } from "../checks/checking.mjs";
import { create, rest, withClient } from "./connection.mjs";
import { Listener } from "./listener.mjs";

/** Runs the block beside a subscription, and returns so many events. */
async function eventsOf(topic, count, ...blocks) {
  return withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(topic, listener.heard);
    await listener.stands();
    // Each thing's events are awaited before the next is done: the client fetches schemas side by side, and tells the
    // events of the faster one first.
    for (const [at, block] of blocks.entries()) {
      await block();
      await listener.events(at + 1);
    }
    return listener.events(count);
  });
}

check("changes: a create tells all values", async () => {
  let id;
  const [{ payload, replayId, id: uuid }] = await eventsOf("/data/Robot__ChangeEvent", 1, async () => {
    id = await create("Robot__c", {
      Name: "Ada ü", Price__c: 19.9, Active__c: true, Color__c: "Red", Built__c: "2028-02-29", Serviced__c: "2026-05-02T10:00:00Z",
    });
  });
  const header = payload.ChangeEventHeader;
  matches(header, { entityName: "Robot__c", recordIds: [id], changeType: "CREATE", sequenceNumber: 1, changedFields: [], nulledFields: [] });
  matches(payload, { Name: "Ada ü", Price__c: 19.9, Active__c: true, Color__c: "Red", Wear__c: null });
  equal([payload.Built__c, payload.Serviced__c], [Date.UTC(2028, 1, 29), Date.UTC(2026, 4, 2, 10)]);
  holds(header.commitUser.startsWith("005") && header.commitNumber > 0 && header.transactionKey.length > 20, header);
  holds(header.changeOrigin.startsWith("com/salesforce/api/rest/68.0"), header.changeOrigin);
  holds(Math.abs(header.commitTimestamp - Date.now()) < 3_600_000, header.commitTimestamp);
  holds(Number.isSafeInteger(replayId) && /^[0-9a-f-]{36}$/.test(uuid), { replayId, uuid });
});

check("changes: an update names what changed and what was cleared", async () => {
  const id = await create("Robot__c", { Name: "Bea", Color__c: "Red", Price__c: 5 });
  const [{ payload }] = await eventsOf("/data/Robot__ChangeEvent", 1, () =>
    rest("PATCH", `/sobjects/Robot__c/${id}`, { Color__c: null, Price__c: 7.25 }));
  const header = payload.ChangeEventHeader;
  matches(header, { changeType: "UPDATE", recordIds: [id], nulledFields: ["Color__c"] });
  equal(header.changedFields.toSorted(), ["Color__c", "LastModifiedDate", "Price__c"]);
  matches(payload, { Price__c: 7.25, Color__c: null, Name: null });
});

check("changes: parts of an address and of a name are named by their whole", async () => {
  const account = await create("Account", { Name: "Moves", Phone: "1", BillingCity: "Köln", BillingStreet: "Hauptstraße 1" });
  const contact = await create("Contact", { FirstName: "Eve", LastName: "Old", AccountId: account });
  const [moved] = await eventsOf("/data/AccountChangeEvent", 1, () =>
    rest("PATCH", `/sobjects/Account/${account}`, { BillingCity: "Bonn", BillingStreet: null, Phone: null }));
  equal(moved.payload.ChangeEventHeader.changedFields.toSorted(), ["BillingAddress.City", "BillingAddress.Street", "LastModifiedDate", "Phone"]);
  // The client reads bitmaps of parts only behind one of the record.
  equal(moved.payload.ChangeEventHeader.nulledFields.toSorted(), ["BillingAddress.Street", "Phone"]);
  matches(moved.payload.BillingAddress, { City: "Bonn", Street: null });
  const [renamed] = await eventsOf("/data/ContactChangeEvent", 1, () =>
    rest("PATCH", `/sobjects/Contact/${contact}`, { LastName: "New" }));
  holds(renamed.payload.ChangeEventHeader.changedFields.includes("Name.LastName"), renamed.payload.ChangeEventHeader);
});

check("changes: a delete tells whose", async () => {
  const id = await create("Robot__c", { Name: "Gone" });
  const [{ payload }] = await eventsOf("/data/Robot__ChangeEvent", 1, () => rest("DELETE", `/sobjects/Robot__c/${id}`));
  matches(payload.ChangeEventHeader, { changeType: "DELETE", recordIds: [id], entityName: "Robot__c" });
  equal(payload.Name, null);
});

check("changes: one transaction has one key and counts up", async () => {
  const url = "/services/data/v68.0/sobjects/Robot__c";
  const parts = ["X", "Y", "Z"].map((Name) => ({ method: "POST", url, referenceId: Name, body: { Name } }));
  const events = await eventsOf("/data/Robot__ChangeEvent", 3, () =>
    rest("POST", "/composite", { allOrNone: true, compositeRequest: parts }));
  const headers = events.map(({ payload }) => payload.ChangeEventHeader);
  equal(new Set(headers.map(({ transactionKey }) => transactionKey)).size, 1);
  equal(headers.map(({ sequenceNumber }) => sequenceNumber), [1, 2, 3]);
  equal(events.map(({ payload }) => payload.Name), ["X", "Y", "Z"]);
});

check("changes: all objects come on one channel", async () => {
  const account = () => create("Account", { Name: "On the channel" });
  const robot = () => create("Robot__c", { Name: "On the channel" });
  const events = await eventsOf("/data/ChangeEvents", 2, account, robot);
  equal(events.map(({ payload }) => payload.ChangeEventHeader.entityName), ["Account", "Robot__c"]);
});
