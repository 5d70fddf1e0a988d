/** The packages of the group. They are installed beside what cargo builds, not beside this file. */

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.INTEROP_PACKAGES}/`);

/** Where a package begins, by name. */
export const resolve = (name) => require.resolve(name);

/** A package by name. */
export const load = (name) => import(pathToFileURL(resolve(name)).href);
