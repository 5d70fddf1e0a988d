/** Managed subscriptions: the server remembers how far the client came. */

import { check, equal, holds, rejects } from "../checks/checking.mjs";
import { call } from "../checks/control.mjs";
import { rest, withClient } from "./connection.mjs";
import { Listener } from "./listener.mjs";

const TOPIC = "/data/Robot__ChangeEvent";

async function fleet(names) {
  await rest("POST", "/composite/sobjects", { records: names.map((Name) => ({ attributes: { type: "Robot__c" }, Name })) });
}

const names = (events) => events.map(({ payload }) => payload.Name);

check("managed: goes on behind what was committed", async () => {
  const { id } = await call("POST", "/sandbox/managed-subscriptions", { developerName: "Robots", topicName: TOPIC });
  holds(id.startsWith("18x"), id);
  // Closing the client does not end its streams, and a subscription has one at a time.
  await call("PUT", "/sandbox/faults", [{ when: { path: "ManagedSubscribe", nth: [1] }, fault: { kind: "stream_close", afterEvents: 4 } }]);
  await withClient(async (client) => {
    const listener = new Listener();
    await client.subscribeWithManagedSubscription("Robots", listener.heard);
    await listener.stands();
    await fleet(["M 1", "M 2", "M 3"]);
    const events = await listener.events(3);
    equal(names(events), ["M 1", "M 2", "M 3"]);
    client.commitReplayId(id, events[0].replayId);
    await listener.said("grpcKeepAlive", listener.count("grpcKeepAlive") + 2);
    await fleet(["M 4"]);
    await listener.said("end");
  });
  await withClient(async (client) => {
    const listener = new Listener();
    await client.subscribeWithManagedSubscription(id, listener.heard, 3);
    equal(names(await listener.events(3)), ["M 2", "M 3", "M 4"]);
  });
});

check("managed: one that is stopped, or not there, is refused by the client itself", async () => {
  await call("POST", "/sandbox/managed-subscriptions", { developerName: "Stopped", topicName: TOPIC, state: "STOP" });
  await withClient(async (client) => {
    const stopped = await rejects(client.subscribeWithManagedSubscription("Stopped", () => {}));
    holds(stopped.message.endsWith("subscription is in STOP state"), stopped.message);
    const missing = await rejects(client.subscribeWithManagedSubscription("Nothing", () => {}));
    equal(missing.message, "Failed to retrieve managed event subscription with DeveloperName='Nothing'");
  });
});
