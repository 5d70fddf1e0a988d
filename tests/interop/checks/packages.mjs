/** The packages of the group. They are installed beside what cargo builds, not beside this file. */

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.INTEROP_PACKAGES}/`);

/** A package by name. */
export async function load(name) {
  return import(pathToFileURL(require.resolve(name)).href);
}
