/** A list of named checks, and the loop that gives each its verdict. */

import assert from "node:assert/strict";

/** A check that waits longer waits for something that will not come. */
const CHECK_MILLIS_MAX = 60_000;

const checks = [];

/** Registers an async function without arguments as a check. Checks run in the order of their definition. */
export function check(name, run) {
  checks.push({ name, run });
}

/** Runs the checks that INTEROP_ONLY allows, and exits with 0 only if all passed. */
export async function runAll(group) {
  const chosen = checks.filter(({ name }) => name.includes(process.env.INTEROP_ONLY ?? ""));
  console.log(`plan ${chosen.length}`);
  let failed = 0;
  for (const { name, run } of chosen) {
    const error = await failure(run);
    if (error) console.log(told(error));
    console.log(`test ${group}: ${name} ... ${error ? "FAILED" : "ok"}`);
    failed += error ? 1 : 0;
  }
  process.exit(failed ? 1 : 0);
}

/** The error of a check; undefined if it passed. */
async function failure(run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the check takes longer than ${CHECK_MILLIS_MAX} ms`)), CHECK_MILLIS_MAX);
  });
  try {
    await Promise.race([run(), late]);
  } catch (error) {
    return error ?? new Error("something was thrown that is nothing");
  } finally {
    clearTimeout(timer);
  }
}

/** The error, and the lines of the check that led to it; not those of the client. */
function told(error) {
  const places = [...(error.stack ?? "").matchAll(/\/tests\/interop\/.*\/([^/]+\.mjs:\d+)/g)].map(([, place]) => place);
  const ours = places.filter((place) => !place.startsWith("checking.mjs") && !place.startsWith("main.mjs"));
  return [ours.join(" < "), `${error.name}: ${error.message}`].filter(Boolean).join("\n");
}

// An error that no check waited for is a defect of the client or of the check; it must not go by unseen.
process.on("unhandledRejection", (error) => {
  console.log(`unhandled: ${told(error)}`);
  process.exit(3);
});

/** Fails unless both are deeply equal, types included. */
export function equal(got, expected) {
  assert.deepStrictEqual(plain(got), plain(expected));
}

/** Fails unless an object has at least these keys with these values. */
export function matches(got, expected) {
  equal(Object.fromEntries(Object.keys(expected).map((key) => [key, got?.[key]])), expected);
}

/** Fails with what came unless the condition holds. */
export function holds(condition, got) {
  assert.ok(condition, `got: ${JSON.stringify(got)}`);
}

/** The error that a promise is rejected with. */
export async function rejects(promise) {
  let result;
  try {
    result = await promise;
  } catch (error) {
    return error;
  }
  assert.fail(`expected a rejection, got: ${JSON.stringify(result)}`);
}

/** Without prototypes and extra properties of arrays, which JSON does not have. */
function plain(value) {
  return value === undefined ? undefined : structuredClone(value);
}

