/** Every way to log in that the client has. */

import { readFileSync } from "node:fs";
import { check, equal, holds, rejects } from "../checks/checking.mjs";
import { info } from "../checks/control.mjs";
import { connect, create, token, withClient } from "./connection.mjs";
import { Listener } from "./listener.mjs";

const APP = { loginUrl: info.tlsInstanceUrl, clientId: info.clientId, clientSecret: info.clientSecret };

/** The connection gets events. */
async function works(configuration) {
  await withClient(async (client) => {
    const listener = new Listener();
    client.subscribe("/data/Robot__ChangeEvent", listener.heard, 1);
    await listener.stands();
    const id = await create("Robot__c", { Name: "Seen" });
    const [event] = await listener.events(1);
    equal(event.payload.ChangeEventHeader.recordIds, [id]);
  }, configuration);
}

check("connects with a token that it is given", () => works());

check("connects by client credentials", () => works({ ...APP, authType: "oauth-client-credentials" }));

check("connects by JWT bearer", () =>
  works({ ...APP, authType: "oauth-jwt-bearer", username: info.username, privateKey: readFileSync(info.jwtPrivateKeyPath) }));

check("connects by user name and password", () =>
  works({ ...APP, authType: "username-password", username: info.username, password: info.password }));

check("is told why it cannot log in", async () => {
  const error = await rejects(connect({ ...APP, authType: "oauth-client-credentials", clientSecret: "wrong" }));
  equal(error.message, "Failed to authenticate with Salesforce");
  holds(error.cause.message.includes("invalid_client"), error.cause.message);
});

check("is told UNAUTHENTICATED with a token that is dead", async () => {
  // Only this one: streams of clients that were closed live on, and what they say then has no listener any more.
  const accessToken = await token();
  await withClient(async (client) => {
    const revoked = await fetch(`${info.tlsInstanceUrl}/services/oauth2/revoke`, { method: "POST", body: new URLSearchParams({ token: accessToken }) });
    equal(revoked.status, 200);
    const listener = new Listener();
    client.subscribe("/data/Robot__ChangeEvent", listener.heard);
    const [error] = await listener.said("error");
    equal([error.code, error.metadata.get("error-code")], [16, ["sfdc.platform.eventbus.grpc.service.auth.error"]]);
  }, { authType: "user-supplied", accessToken, instanceUrl: info.tlsInstanceUrl });
});
