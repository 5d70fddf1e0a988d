/** One record after the other: create, read, update, delete. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { salesforce } from "./connection.mjs";

export const robots = salesforce.sobject("Robot__c");

/** Id of a new robot. */
export async function make(name, values = {}) {
  const made = await robots.create({ Name: name, ...values });
  equal(made, { id: made.id, success: true, errors: [] });
  return made.id;
}

check("creates a record and reads it back", async () => {
  const id = await make("Ada", { Serial__c: "ADA-1", Color__c: "Green" });
  equal([id.length, id.slice(0, 3)], [18, "a00"]);
  const row = await robots.retrieve(id);
  equal(row.attributes, { type: "Robot__c", url: `/services/data/v68.0/sobjects/Robot__c/${id}` });
  matches(row, { Id: id, Name: "Ada", Serial__c: "ADA-1", Color__c: "Green", Active__c: false, IsDeleted: false });
});

check("reads only the fields that it asks for", async () => {
  const id = await make("Bea", { Serial__c: "BEA-1" });
  const row = await salesforce.retrieve("Robot__c", id, { fields: ["Serial__c", "Name"] });
  equal(Object.keys(row), ["attributes", "Serial__c", "Name", "Id"]);
});

check("updates a record, and only what was named changes", async () => {
  const id = await make("Dan", { Serial__c: "DAN-1", Color__c: "Red" });
  equal(await robots.update({ Id: id, Color__c: "Blue" }), { id, success: true, errors: [] });
  matches(await robots.retrieve(id), { Name: "Dan", Serial__c: "DAN-1", Color__c: "Blue" });
});

check("updates through a reference to a record", async () => {
  const id = await make("Eve");
  await robots.record(id).update({ Color__c: "Green" });
  equal((await robots.record(id).retrieve()).Color__c, "Green");
});

check("deletes a record, and is told ENTITY_IS_DELETED the second time", async () => {
  const id = await make("Flo");
  equal(await robots.destroy(id), { id, success: true, errors: [] });
  const error = await rejects(robots.destroy(id));
  equal([error.errorCode, error.message], ["ENTITY_IS_DELETED", "entity is deleted"]);
  matches(await rejects(robots.retrieve(id)), { errorCode: "ENTITY_IS_DELETED" });
});

check("keeps every script, emoji and quotation mark", async () => {
  const name = "Žluťoučký кінь 馬 🤖 \"quoted\" 'single' \\ <b>&amp;</b>";
  const id = await make(name, { Notes__c: "erste Zeile\r\nzweite\tZeile\nSchluss" });
  matches(await robots.retrieve(id), { Name: name, Notes__c: "erste Zeile\r\nzweite\tZeile\nSchluss" });
});

check("clears with null, and takes an empty text for null", async () => {
  const id = await make("Jo", { Color__c: "Red", Price__c: 5, Built__c: "2026-01-02", Manual__c: "https://example.com" });
  await robots.update({ Id: id, Color__c: null, Price__c: null, Built__c: null, Manual__c: "" });
  matches(await robots.retrieve(id), { Color__c: null, Price__c: null, Built__c: null, Manual__c: null });
});

check("keeps numbers, rounded to the scale of the field", async () => {
  const id = await make("Kim", { Price__c: 1234567890123.45, Wear__c: 12.345, Payload__c: 0.0005, Axes__c: 6 });
  matches(await robots.retrieve(id), { Price__c: 1234567890123.45, Wear__c: 12.35, Payload__c: 0.001, Axes__c: 6 });
});

check("keeps dates and times, in UTC", async () => {
  const id = await make("Oz", { Built__c: "2028-02-29", Serviced__c: new Date("2026-03-29T01:30:15.789+02:00") });
  matches(await robots.retrieve(id), { Built__c: "2028-02-29", Serviced__c: "2026-03-28T23:30:15.000+0000" });
});

check("reads a compound address", async () => {
  const { id } = await salesforce.sobject("Account").create({ Name: "Address", BillingStreet: "Hauptstraße 1", BillingCity: "Köln" });
  equal((await salesforce.sobject("Account").retrieve(id)).BillingAddress, {
    city: "Köln", country: null, geocodeAccuracy: null, latitude: null, longitude: null, postalCode: null, state: null,
    street: "Hauptstraße 1",
  });
});

check("tells times and users of a change", async () => {
  const id = await make("Pia");
  const row = await robots.retrieve(id);
  const me = salesforce.userInfo.id;
  matches(row, { CreatedById: me, LastModifiedById: me, OwnerId: me });
  holds(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000$/.test(row.SystemModstamp), row.SystemModstamp);
});
