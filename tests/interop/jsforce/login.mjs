/** Every way to log in that the client has. */

import { createSign } from "node:crypto";
import { readFileSync } from "node:fs";
import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { info } from "../checks/control.mjs";
import { APP, CALLBACK, LOGIN_URL, connect, jsforce } from "./connection.mjs";
import { decide } from "./consent.mjs";

/** The session works, and is of the user. */
async function seesItsUser(connection) {
  const me = await connection.identity();
  matches(me, { username: info.username, organization_id: info.organizationId, asserted_user: true });
  matches(connection.userInfo, { id: me.user_id, organizationId: info.organizationId });
}

check("logs in by SOAP", async () => {
  const connection = new jsforce.Connection({ loginUrl: LOGIN_URL });
  const user = await connection.login(info.username, info.password);
  equal(user.organizationId, info.organizationId);
  equal(connection.instanceUrl, LOGIN_URL);
  equal(connection.accessToken.split("!")[0], info.organizationId.slice(0, 15));
  await seesItsUser(connection);
});

check("is told INVALID_LOGIN for a wrong password", async () => {
  const connection = new jsforce.Connection({ loginUrl: LOGIN_URL });
  const error = await rejects(connection.login(info.username, "<wrong> & \"wrong\""));
  equal(error.message, "INVALID_LOGIN: Invalid username, password, security token; or user locked out.");
});

check("is told that SOAP has no login from version 65 on", async () => {
  const connection = new jsforce.Connection({ loginUrl: LOGIN_URL, version: "65.0" });
  const error = await rejects(connection.login(info.username, info.password));
  equal(error.message, "INVALID_OPERATION: SOAP API login() is not available in this API version");
});

check("logs in by user name and password of an OAuth app", async () => {
  const connection = await connect();
  equal(connection.instanceUrl, LOGIN_URL);
  await seesItsUser(connection);
});

check("is told invalid_client for a wrong secret", async () => {
  const error = await rejects(connect({ oauth2: { ...APP, clientSecret: "wrong" } }));
  equal([error.name, error.message], ["invalid_client", "invalid client credentials"]);
});

check("is told invalid_grant for a wrong password", async () => {
  const connection = new jsforce.Connection({ oauth2: APP });
  const error = await rejects(connection.loginByOAuth2(info.username, "wrong"));
  equal([error.name, error.message], ["invalid_grant", "authentication failure"]);
});

check("logs in through a browser, with PKCE and state", async () => {
  const oauth2 = new jsforce.OAuth2({ ...APP, useVerifier: true });
  const target = await decide(oauth2.getAuthorizationUrl({ scope: "api id refresh_token", state: "s&1" }), "allow");
  equal(target.origin + target.pathname, CALLBACK);
  equal(target.searchParams.get("state"), "s&1");
  const connection = new jsforce.Connection({ oauth2 });
  const user = await connection.authorize(target.searchParams.get("code"));
  equal(user.organizationId, info.organizationId);
  holds(connection.refreshToken?.length > 20, connection.refreshToken);
  await seesItsUser(connection);
});

check("is told access_denied when the person says no", async () => {
  const oauth2 = new jsforce.OAuth2(APP);
  const target = await decide(oauth2.getAuthorizationUrl({ state: "s" }), "deny");
  equal(Object.fromEntries(target.searchParams), {
    error: "access_denied", error_description: "end-user denied authorization", state: "s",
  });
});

check("cannot use a code twice, or without its verifier", async () => {
  const oauth2 = new jsforce.OAuth2({ ...APP, useVerifier: true });
  const code = (await decide(oauth2.getAuthorizationUrl(), "allow")).searchParams.get("code");
  const stranger = new jsforce.Connection({ oauth2: new jsforce.OAuth2({ ...APP, useVerifier: true }) });
  matches(await rejects(stranger.authorize(code)), { name: "invalid_grant" });
  const again = (await decide(oauth2.getAuthorizationUrl(), "allow")).searchParams.get("code");
  await new jsforce.Connection({ oauth2 }).authorize(again);
  const error = await rejects(new jsforce.Connection({ oauth2 }).authorize(again));
  matches(error, { name: "invalid_grant", message: "invalid authorization code" });
});

check("logs in by JWT bearer", async () => {
  const connection = new jsforce.Connection({ oauth2: { loginUrl: LOGIN_URL } });
  await connection.authorize({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: assertion() });
  await seesItsUser(connection);
});

check("logs in by client credentials", async () => {
  const connection = new jsforce.Connection({ oauth2: APP });
  await connection.authorize({ grant_type: "client_credentials" });
  equal(connection.refreshToken, undefined);
  await seesItsUser(connection);
});

function assertion() {
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    iss: info.clientId, sub: info.username, aud: "https://login.salesforce.com", exp: Math.floor(Date.now() / 1000) + 120,
  };
  const signed = `${encoded({ alg: "RS256" })}.${encoded(claims)}`;
  const signature = createSign("RSA-SHA256").update(signed).sign(readFileSync(info.jwtPrivateKeyPath));
  return `${signed}.${signature.toString("base64url")}`;
}

check("logs out by SOAP, and the session is dead", async () => {
  const connection = new jsforce.Connection({ loginUrl: LOGIN_URL });
  await connection.login(info.username, info.password);
  await isDeadAfterLogout(connection);
});

check("logs out by OAuth, and the session is dead", async () => {
  await isDeadAfterLogout(await connect());
});

async function isDeadAfterLogout(connection) {
  const { accessToken, instanceUrl } = connection;
  const left = new jsforce.Connection({ accessToken, instanceUrl });
  await left.limits();
  await connection.logout();
  equal(connection.accessToken, null);
  matches(await rejects(left.limits()), { errorCode: "INVALID_SESSION_ID" });
}

check("revokes a refresh token, and it is of no use any more", async () => {
  const oauth2 = new jsforce.OAuth2(APP);
  const connection = new jsforce.Connection({ oauth2 });
  await connection.authorize((await decide(oauth2.getAuthorizationUrl(), "allow")).searchParams.get("code"));
  const { refreshToken } = connection;
  await connection.logout(true);
  const error = await rejects(oauth2.refreshToken(refreshToken));
  equal([error.name, error.message], ["invalid_grant", "expired access/refresh token"]);
});
