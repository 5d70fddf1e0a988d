/** Where a subscription begins, how much it takes, and what it misses: nothing. */

import { check, equal, holds } from "../checks/checking.mjs";
import { create, rest, withClient } from "./connection.mjs";
import { Listener } from "./listener.mjs";

const TOPIC = "/data/Robot__ChangeEvent";

/** Makes robots of these names in one call. */
async function fleet(names) {
  const records = names.map((Name) => ({ attributes: { type: "Robot__c" }, Name }));
  await rest("POST", "/composite/sobjects", { records });
}

const names = (events) => events.map(({ payload }) => payload.Name);

check("flow: from the tip comes only what happens later", async () => {
  await create("Robot__c", { Name: "Before" });
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(TOPIC, listener.heard);
    await listener.stands();
    await create("Robot__c", { Name: "After" });
    equal(names(await listener.events(1)), ["After"]);
  });
});

check("flow: from the earliest comes all that is kept, in order", async () => {
  await fleet(["E 1", "E 2", "E 3"]);
  await withClient(async (client) => {
    const listener = new Listener();
    // The client parses answers side by side until it has the schema, so it gets the schema with the first event.
    client.subscribeFromEarliestEvent(TOPIC, listener.heard, 1);
    await listener.said("lastEvent");
    client.requestAdditionalEvents(TOPIC, 100);
    // What other checks made comes first, in as many answers as it takes: a number of events is no sign that these are here.
    const told = await listener.eventsUpTo(({ payload }) => payload.Name === "E 3");
    const replayIds = told.map(({ replayId }) => replayId);
    equal(replayIds, replayIds.toSorted((a, b) => a - b));
    equal(names(told).slice(-3), ["E 1", "E 2", "E 3"]);
  });
});

check("flow: from a replay id comes what followed it", async () => {
  const first = await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(TOPIC, listener.heard);
    await listener.stands();
    await fleet(["R 1", "R 2", "R 3"]);
    const [{ replayId }] = await listener.events(3);
    return replayId;
  });
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribeFromReplayId(TOPIC, listener.heard, null, first);
    equal(names(await listener.events(2)), ["R 2", "R 3"]);
  });
});

check("flow: never more comes than was asked for", async () => {
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(TOPIC, listener.heard, 2);
    await listener.stands();
    await fleet(["F 1", "F 2", "F 3", "F 4", "F 5"]);
    await listener.said("lastEvent", 1);
    equal(listener.count("event"), 2);
    client.requestAdditionalEvents(TOPIC, 1);
    await listener.said("lastEvent", 2);
    equal(listener.count("event"), 3);
    client.requestAdditionalEvents(TOPIC, 10);
    equal(names(await listener.events(5)), ["F 1", "F 2", "F 3", "F 4", "F 5"]);
    await listener.said("grpcKeepAlive", listener.count("grpcKeepAlive") + 1);
    equal([listener.count("event"), listener.count("lastEvent")], [5, 2]);
  });
});

check("flow: hundreds come in order, without a gap", async () => {
  const wanted = Array.from({ length: 350 }, (_, number) => `H ${number}`);
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(TOPIC, listener.heard);
    await listener.stands();
    // The client parses answers side by side until it has the schema, so it gets the schema with the first event.
    await fleet(wanted.slice(0, 1));
    await listener.events(1);
    await fleet(wanted.slice(1, 200));
    await fleet(wanted.slice(200));
    equal(names(await listener.events(350)), wanted);
  });
});

check("flow: a keepalive brings the latest position", async () => {
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(TOPIC, listener.heard);
    await listener.stands();
    await create("Robot__c", { Name: "Position" });
    const [{ replayId }] = await listener.events(1);
    const infos = await listener.said("grpcKeepAlive", listener.count("grpcKeepAlive") + 2);
    holds(infos.at(-1).lastReplayId >= replayId, infos.at(-1));
  });
});

check("flow: after a broken stream nothing is missed", async () => {
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe(TOPIC, listener.heard);
    await listener.stands();
    await create("Robot__c", { Name: "Last seen" });
    const [{ replayId }] = await listener.events(1);
    client.close();
    await fleet(["Missed 1", "Missed 2"]);
    await client.connect();
    const again = new Listener();
    client.subscribeFromReplayId(TOPIC, again.heard, null, replayId);
    equal(names(await again.events(2)), ["Missed 1", "Missed 2"]);
  });
});
