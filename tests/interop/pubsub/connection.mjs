/** How the client reaches the sandbox, and how records are written that its events tell of. */

import { call, info } from "../checks/control.mjs";
import { load } from "../checks/packages.mjs";

const { default: PubSubApiClient } = await load("salesforce-pubsub-api-client");

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** What of a configuration no way of logging in changes. The client trusts only the authorities that it brings along. */
const ENDPOINT = { pubSubEndpoint: info.pubSubEndpoint, rejectUnauthorizedSsl: false };

/** A client that connected by a token that somebody else got, or as the configuration says. */
export async function connect(configuration) {
  const supplied = { authType: "user-supplied", accessToken: await token(), instanceUrl: info.tlsInstanceUrl };
  const client = new PubSubApiClient({ ...ENDPOINT, ...(configuration ?? supplied) }, SILENT);
  await client.connect();
  return client;
}

/** A client for the block only. */
export async function withClient(block, configuration) {
  const client = await connect(configuration);
  try {
    return await block(client);
  } finally {
    client.close();
  }
}

/** An access token of the app's own user. */
export async function token() {
  const form = { grant_type: "client_credentials", client_id: info.clientId, client_secret: info.clientSecret };
  const answer = await fetch(`${info.tlsInstanceUrl}/services/oauth2/token`, { method: "POST", body: new URLSearchParams(form) });
  return (await answer.json()).access_token;
}

/** One request of the REST API, JSON in and out, in a session of its own: checks let sessions end. */
export async function rest(method, path, body) {
  const session = await token();
  const headers = { authorization: `Bearer ${session}`, "content-type": "application/json" };
  const options = { method, headers, body: body && JSON.stringify(body) };
  const answer = await fetch(`${info.tlsInstanceUrl}/services/data/v68.0${path}`, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

/** Id of a new record. */
export const create = async (object, values) => (await rest("POST", `/sobjects/${object}`, values)).id;

// A subscription says that it stands by its first keepalive; nobody wants to wait a minute for that.
await call("PATCH", "/sandbox/config", { pubsubKeepaliveMillis: 100 });
