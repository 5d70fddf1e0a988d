/** What the client is told when a call is refused. */

import { check, equal, rejects } from "../checks/checking.mjs";
import { withClient } from "./connection.mjs";
import { Listener } from "./listener.mjs";

const FAMILY = "sfdc.platform.eventbus.grpc.";

/** Status and code of the first error of a subscription. */
async function refusalOf(subscribe) {
  return withClient(async (client) => {
    const listener = new Listener();
    subscribe(client, listener.heard);
    const [error] = await listener.said("error");
    return [error.code, error.metadata.get("error-code")];
  });
}

check("refusals: a topic that is not there", async () => {
  equal(await refusalOf((client, heard) => client.subscribe("/event/Nothing__e", heard)), [5, [`${FAMILY}topic.not.found`]]);
  await withClient(async (client) => {
    const error = await rejects(client.publish("/event/Nothing__e", {}));
    equal([error.cause.code, error.cause.metadata.get("error-code")], [5, [`${FAMILY}topic.not.found`]]);
  });
});

check("refusals: a replay id that was never given out", async () => {
  const refused = await refusalOf((client, heard) => client.subscribeFromReplayId("/data/Robot__ChangeEvent", heard, 10, 987_654_321));
  equal(refused, [3, [`${FAMILY}subscription.fetch.replayid.corrupted`]]);
});
