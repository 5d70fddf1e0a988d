/** Groups of named checks, and the loop that gives each its verdict. */

import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Person } from "./person.mjs";

const HERE = dirname(dirname(fileURLToPath(import.meta.url)));
/** Where pictures go: of every page, and of what failed. */
export const PICTURES = join(HERE, "screenshots");
/** A check that takes longer waits for something that will not come. */
const CHECK_MILLIS_MAX = 120_000;

/** A group: its name, how its house is made, and its checks in order. A check is given the house and `sit`. */
export function group(name, house) {
  const checks = [];
  const check = (about, run) => checks.push({ about, run });
  return { name, house, checks, check };
}

/** Runs the checks of a group whose names hold these words. Returns how many passed and which failed. */
export async function verdicts({ name, house: made, checks }, only, chromium) {
  const chosen = checks.filter(({ about }) => about.includes(only));
  const sum = { passed: 0, failed: [] };
  const tell = (about, error) => {
    if (error) console.log(indented(name, told(error)));
    console.log(`test ${name}: ${about} ... ${error ? "FAILED" : "ok"}`);
    if (error) sum.failed.push(`${name}: ${about}`);
    else sum.passed += 1;
  };
  let house;
  try {
    house = await made();
    for (const { about, run } of chosen) {
      tell(about, await failure(chromium, house, `${name}-${about}`, run));
    }
  } catch (error) {
    tell("sets up", error);
  } finally {
    await house?.leave();
  }
  return sum;
}

/** The error of a check; undefined if it passed. Nobody who sat at a browser may have had reason to complain. */
async function failure(chromium, house, about, run) {
  const people = [];
  const sit = async (look = {}) => {
    const person = await Person.at(chromium, house, look);
    people.push(person);
    if (look.loggedIn ?? true) await person.sitIn();
    return person;
  };
  let error;
  try {
    await inTime(run({ house, sit }));
    for (const person of people) assert.deepEqual(person.unforgiven(), [], "the browser complains");
  } catch (thrown) {
    error = thrown ?? new Error("something was thrown that is nothing");
  }
  for (const [at, person] of people.entries()) await person.leave(error && kept(about, at));
  return error;
}

async function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the check takes longer than ${CHECK_MILLIS_MAX} ms`)), CHECK_MILLIS_MAX);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Where a picture and a trace of what failed go, without the ending. */
function kept(about, at) {
  const file = about.replaceAll(/[^a-z0-9]+/gi, "-");
  return join(PICTURES, "failed", `${file}-${at}`);
}

/** An empty folder for pictures. */
export function clearPictures() {
  rmSync(PICTURES, { recursive: true, force: true });
  mkdirSync(join(PICTURES, "failed"), { recursive: true });
}

/** The error, and the lines of the check that led to it. */
function told(error) {
  const places = [...(error.stack ?? "").matchAll(/\/tests\/browser\/.*?([^/]+\.mjs:\d+)/g)].map(([, place]) => place);
  const ours = places.filter((place) => !place.startsWith("checking.mjs") && !place.startsWith("main.mjs"));
  return [ours.join(" < "), `${error.name}: ${error.message}`].filter(Boolean).join("\n");
}

const indented = (name, text) => text.split("\n").map((line) => `${name}| ${line}`).join("\n");

/** Asks until the answer is right; fails with the last one. */
export async function until(what, ask, is) {
  const begin = Date.now();
  let last;
  do {
    last = await ask();
    if (is(last)) return last;
    await new Promise((done) => setTimeout(done, 50));
  } while (Date.now() - begin < CHECK_MILLIS_MAX / 2);
  assert.fail(`${what} did not come; the last answer was ${JSON.stringify(last)}`);
}
