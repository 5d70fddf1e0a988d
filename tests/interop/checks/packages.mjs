/** The packages of the group. They are installed beside what cargo builds, not beside this file. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const INSTALLED = process.env.INTEROP_PACKAGES;
const require = createRequire(`${INSTALLED}/`);

/** Where a package begins for those who require it, by name. */
export const resolve = (name) => require.resolve(name);

/** A package by name, as those get it who import it. */
export function load(name) {
  const folder = join(INSTALLED, "node_modules", name);
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const entry = exports?.["."]?.import;
  return import(pathToFileURL(entry ? join(folder, entry) : resolve(name)).href);
}
