/** Runs the groups of checks, some side by side, and sums up. */

import { clearPictures, PICTURES, verdicts } from "./land/checking.mjs";
import { leaveAll } from "./land/house.mjs";
import { chromium as browsers } from "./land/packages.mjs";

const NAMES = ["looks", "doors", "syncs", "letters", "conflicts", "reading", "hostile", "connections"];
/** Groups under way at a time: while one waits for the program, the browser works for the other. */
const AT_A_TIME = 2;

const begin = Date.now();
const groups = await Promise.all(NAMES.map(async (name) => (await import(`./checks/${name}.mjs`)).default));
const wanted = chosen(process.argv.slice(2));
if (wanted.length === groups.length) clearPictures();
// Who ends us must find nothing that still runs: the sandboxes are no children of ours.
const chromium = await browsers.launch({
  executablePath: process.env.CHROMIUM, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false,
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => Promise.all([leaveAll(), chromium.close()]).then(() => process.exit(130)));
}

const waiting = [...wanted];
const sums = [];
async function work() {
  for (let next; (next = waiting.shift()); ) sums.push(await verdicts(next.group, next.only, chromium));
}
await Promise.all(Array.from({ length: AT_A_TIME }, work));
await chromium.close();
await leaveAll();
sumUp();

/** The groups that begin with these words, or all. `doors:forged` is only the checks with `forged` in their name. */
function chosen(words) {
  if (words.length === 0) return groups.map((group) => ({ group, only: "" }));
  return words.flatMap((word) => {
    const [prefix, only = ""] = word.split(":");
    const found = groups.filter(({ name }) => name.startsWith(prefix));
    if (found.length === 0) refuse(`there is no group ${prefix}; there are: ${NAMES.join(" ")}`);
    return found.map((group) => ({ group, only }));
  });
}

function refuse(why) {
  console.log(`error: ${why}\ntest result: FAILED. 0 passed; 1 failed; 0 ignored`);
  process.exit(2);
}

function sumUp() {
  const passed = sums.reduce((sum, { passed }) => sum + passed, 0);
  const failed = sums.flatMap(({ failed }) => failed);
  if (failed.length > 0) console.log(`\nfailures:\n${failed.map((name) => `    ${name}`).join("\n")}`);
  const well = passed > 0 && failed.length === 0;
  console.log(`pictures: ${PICTURES}`);
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  console.log(`\ntest result: ${well ? "ok" : "FAILED"}. ${passed} passed; ${failed.length} failed; 0 ignored; finished in ${seconds}s`);
  process.exit(well ? 0 : 1);
}
