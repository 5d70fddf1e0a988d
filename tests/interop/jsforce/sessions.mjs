/** What the client makes of a session that ends. */

import { call, expireSessions, info, requestsOf, withFaults } from "../checks/control.mjs";
import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { APP, LOGIN_URL, connect, jsforce, salesforce } from "./connection.mjs";
import { decide } from "./consent.mjs";

const COUNT = "SELECT COUNT() FROM Product2";

async function authorized() {
  const oauth2 = new jsforce.OAuth2(APP);
  const connection = new jsforce.Connection({ oauth2, version: "68.0" });
  await connection.authorize((await decide(oauth2.getAuthorizationUrl(), "allow")).searchParams.get("code"));
  return connection;
}

check("gets a new access token with its refresh token, tells of it, and repeats the call", async () => {
  const connection = await authorized();
  const before = connection.accessToken;
  const told = [];
  connection.on("refresh", (token) => told.push(token));
  await expireSessions();
  const seen = await requestsOf(async () => equal((await connection.query(COUNT)).totalSize, 4));
  equal(seen.map(({ status }) => status), [401, 200, 200]);
  equal(seen[1].path, "/services/oauth2/token");
  equal(told, [connection.accessToken]);
  holds(before !== connection.accessToken, before);
});

check("refreshes once for twenty calls at the same time", async () => {
  const connection = await authorized();
  await expireSessions();
  const seen = await requestsOf(async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => connection.query(COUNT)));
    equal(results.map(({ totalSize }) => totalSize), Array(20).fill(4));
  });
  equal(seen.filter(({ path }) => path === "/services/oauth2/token").length, 1);
});

check("keeps a rotated refresh token out of use", async () => {
  const connection = await authorized();
  await call("PATCH", "/sandbox/config", { rotation: true });
  try {
    const first = connection.refreshToken;
    const answer = await connection.oauth2.refreshToken(first);
    holds(answer.refresh_token && answer.refresh_token !== first, answer);
    const error = await rejects(connection.oauth2.refreshToken(first));
    equal([error.name, error.message], ["invalid_grant", "expired access/refresh token"]);
  } finally {
    await call("PATCH", "/sandbox/config", { rotation: false });
  }
});

check("logs in again by SOAP with user name and password", async () => {
  const connection = new jsforce.Connection({ loginUrl: LOGIN_URL });
  await connection.login(info.username, info.password);
  await expireSessions();
  const seen = await requestsOf(async () => equal((await connection.query(COUNT)).totalSize, 4));
  equal(seen.map(({ path }) => path)[1], "/services/Soap/u/50.0");
});

check("repeats a create after a new login, once", async () => {
  await expireSessions();
  const made = await salesforce.sobject("Account").create({ Name: "Made after a refresh" });
  const { records } = await salesforce.query("SELECT Id FROM Account WHERE Name = 'Made after a refresh'");
  equal(records.map(({ Id }) => Id), [made.id]);
});

check("is told INVALID_SESSION_ID when it cannot refresh", async () => {
  const { accessToken, instanceUrl } = await connect();
  const borrowed = new jsforce.Connection({ accessToken, instanceUrl });
  await expireSessions();
  const error = await rejects(borrowed.query(COUNT));
  equal([error.errorCode, error.message], ["INVALID_SESSION_ID", "Session expired or invalid"]);
});

check("is told why it cannot refresh once the grant is revoked", async () => {
  const connection = await authorized();
  await call("POST", "/sandbox/grants/revoke");
  const error = await rejects(connection.query(COUNT));
  equal(error.message, "Unable to refresh session due to: expired access/refresh token");
});

check("gets over a session that ends between two pages", async () => {
  const rows = Array.from({ length: 401 }, (_, number) => ({ Name: `Page ${number}`, Batch__c: "PAGING", Axes__c: number }));
  await salesforce.sobject("Robot__c").create(rows, { allowRecursive: true, allOrNone: true });
  const rule = { when: { path: "/query/01g", nth: [1] }, fault: { kind: "session_expired" } };
  await withFaults([rule], async (fired) => {
    const soql = "SELECT Axes__c FROM Robot__c WHERE Batch__c = 'PAGING' ORDER BY Axes__c";
    const { records } = await salesforce.query(soql, { autoFetch: true, headers: { "Sforce-Query-Options": "batchSize=200" } });
    equal(records.map((row) => row.Axes__c), rows.map((row) => row.Axes__c));
    equal(await fired(), [1]);
  });
});
