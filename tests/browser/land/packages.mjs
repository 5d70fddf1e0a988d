/** The packages of the checks. They are installed beside what cargo builds, not beside this file. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.BROWSER_PACKAGES}/`);

export const { chromium } = require("playwright-core");
/** What is run inside a page to look for barriers. */
export const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
