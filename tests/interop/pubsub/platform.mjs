/** Platform events: published through the client and through REST, and received. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { rest, withClient } from "./connection.mjs";
import { Listener } from "./listener.mjs";

const TOPIC = "/event/CPQ_Quote_Changed__e";

/** Avro has no absent values: fields that are not set are null, in their order. */
const quote = (values) => ({
  CreatedDate: Date.now(), CreatedById: "005000000000000AAA", Quote_Number__c: null, Quote_Status__c: null, Quote_Revision__c: null,
  Is_Primary__c: null, Net_Total__c: null, Currency_Code__c: null, Valid_Until__c: null, Changed_At__c: null,
  Opportunity_Number__c: null, Correlation_Id__c: null, Reason__c: null,
  ...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, branch(value)])),
});

/** Values of a union name their type. */
const branch = (value) =>
  typeof value === "string" ? { string: value } : typeof value === "number" ? { double: value } : typeof value === "boolean" ? { boolean: value } : value;

async function listening(block) {
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(TOPIC, listener.heard);
    await listener.stands();
    await block(client, listener);
  });
}

check("events: published, and received as they were", async () => {
  await listening(async (client, listener) => {
    const sent = { Quote_Number__c: "Q-1 ü 馬", Quote_Revision__c: 3, Is_Primary__c: true, Net_Total__c: 310_422.5, Valid_Until__c: { long: Date.UTC(2026, 11, 31) } };
    const answer = await client.publish(TOPIC, quote(sent), "key-1");
    equal(answer.correlationKey, "key-1");
    const [event] = await listener.events(1);
    equal(event.replayId, answer.replayId);
    matches(event.payload, {
      Quote_Number__c: "Q-1 ü 馬", Quote_Revision__c: 3, Is_Primary__c: true, Net_Total__c: 310_422.5, Valid_Until__c: Date.UTC(2026, 11, 31), Reason__c: null,
    });
  });
});

check("events: a batch comes in its order", async () => {
  await listening(async (client, listener) => {
    const published = new Listener();
    const events = Array.from({ length: 20 }, (_, at) => ({ id: `batch-${at}`, payload: quote({ Quote_Number__c: `B-${at}` }) }));
    await client.publishBatch(TOPIC, events, published.heard);
    const [{ results }] = await published.said("publishResponse");
    equal(results.map(({ correlationKey }) => correlationKey), events.map(({ id }) => id));
    const received = await listener.events(20);
    equal(received.map(({ payload }) => payload.Quote_Number__c), events.map((_, at) => `B-${at}`));
    equal(received.map(({ replayId }) => replayId), results.map(({ replayId }) => replayId));
  });
});

check("events: published by REST, and received through the client", async () => {
  await listening(async (_, listener) => {
    const made = await rest("POST", "/sobjects/CPQ_Quote_Changed__e", { Quote_Number__c: "Q-REST", Net_Total__c: 12.5 });
    equal(made.success, true);
    const [{ payload, id }] = await listener.events(1);
    matches(payload, { Quote_Number__c: "Q-REST", Net_Total__c: 12.5, Is_Primary__c: false, Reason__c: null });
    holds(/^[0-9a-f-]{36}$/.test(id), id);
  });
});

check("events: a payload that does not fit is not sent", async () => {
  await withClient(async (client) => {
    const error = await rejects(client.publish(TOPIC, { Quote_Number__c: 5 }));
    equal(error.message, `Failed to publish event for topic ${TOPIC}`);
  });
});
