/** Every page, in light and dark: it opens, nothing complains, nobody is kept out, and it fits into a narrow window. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { group, PICTURES } from "../land/checking.mjs";
import { livedIn } from "../land/lives.mjs";
import { isOf, listed, pages } from "../land/pages.mjs";

/** Width of a small telephone. */
const NARROW = 400;

const looks = group("looks", livedIn);
export default looks;

looks.check("no page is left out", async ({ house }) => {
  const paths = pages(house).map(({ path }) => path);
  const missing = listed().filter((page) => !paths.some((path) => isOf(page, path)));
  assert.deepEqual(missing, []);
  assert.ok(listed().length > 15, "the list of pages was not found");
});

const names = pages({}).map(({ name }) => name);
for (const [at, name] of names.entries()) {
  looks.check(`the page ${name} opens in light and dark, and has no barriers`, async ({ house, sit }) => {
    const { path, shows, status } = pages(house)[at];
    for (const dark of [false, true]) {
      const person = await sit({ dark, loggedIn: name !== "login" });
      await person.open(path, status);
      await person.sees(shows);
      const picture = join(PICTURES, `${name}-${dark ? "dark" : "light"}.png`);
      await person.page.screenshot({ path: picture, fullPage: true });
      assert.deepEqual(await person.barriers(), []);
    }
  });
}

looks.check("no page is wider than a narrow window", async ({ house, sit }) => {
  const person = await sit({ width: NARROW });
  const wide = [];
  for (const { name, path, status } of pages(house)) {
    await person.open(path, status);
    await person.page.screenshot({ path: join(PICTURES, `${name}-narrow.png`), fullPage: true });
    const pixels = await person.overhang();
    if (pixels > 0) wide.push(`${name}: ${pixels} px too wide`);
  }
  assert.deepEqual(wide, []);
});
