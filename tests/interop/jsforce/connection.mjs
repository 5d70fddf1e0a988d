/** How the client reaches the sandbox: over HTTPS, as it would a My Domain host. */

import { info } from "../checks/control.mjs";
import { load } from "../checks/packages.mjs";

export const { default: jsforce } = await load("jsforce");

export const LOGIN_URL = info.tlsInstanceUrl;
export const CALLBACK = "http://localhost:1717/OauthRedirect";

/** The app, as OAuth2 settings of the client. */
export const APP = {
  loginUrl: LOGIN_URL, clientId: info.clientId, clientSecret: info.clientSecret, redirectUri: CALLBACK,
};

// The client warns of the end of SOAP login at each one; the checks know.
jsforce.Connection._logger.setLogLevel?.("ERROR");

/** A connection that logged in by user name and password through the app. */
export async function connect(options = {}) {
  const connection = new jsforce.Connection({ loginUrl: LOGIN_URL, oauth2: APP, version: "68.0", ...options });
  await connection.login(info.username, info.password);
  return connection;
}

/** The connection that checks share. It logs in again by itself when the session ended. */
export const salesforce = await connect();
