/** The sandbox's control plane: what a client has to know, faults, the clock, the request log. */

import { readFileSync } from "node:fs";

const URL_ = process.env.INTEROP_SANDBOX;

/** One call, JSON in and out. */
export async function call(method, path, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(URL_ + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

/** Addresses, ids, user, password and app. */
export const info = await call("GET", "/sandbox/info");

/** The rules hold while the block runs, which gets a function that tells how often they fired. */
export async function withFaults(rules, block) {
  await call("PUT", "/sandbox/faults", rules);
  try {
    return await block(async () => (await call("GET", "/sandbox/faults")).rules.map((rule) => rule.fired));
  } finally {
    await call("DELETE", "/sandbox/faults");
  }
}

/** Every access token is dead from now on. */
export const expireSessions = () => call("POST", "/sandbox/sessions/expire");

/** What is called while the block runs, without the control plane. */
export async function requestsOf(block) {
  const { total } = await call("GET", "/sandbox/requests?limit=1");
  await block();
  return (await call("GET", `/sandbox/requests?after=${total}`)).requests;
}

/** Moves the sandbox's time forward, and returns it. */
export async function advanceClock(seconds) {
  return new Date((await call("POST", "/sandbox/clock", { advanceSeconds: seconds })).now);
}

/** Adds the custom object `Robot__c`, with a field of each kind. */
export async function seedRobots() {
  await call("POST", "/sandbox/seed", JSON.parse(readFileSync(new URL("robots.json", import.meta.url), "utf8")));
}
