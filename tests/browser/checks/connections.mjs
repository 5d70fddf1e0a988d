/** A CRM is connected in the browser, and given up there. */

import assert from "node:assert/strict";

import { group } from "../land/checking.mjs";
import { DEAL, strangers } from "../land/lives.mjs";

const connections = group("connections", strangers);
export default connections;
/** The CRM's own page, and who comes back from there under our other name. */
const ELSEWHERE = /request to elsewhere/;

/** Another name of this machine: to a browser the CRM is another site then, as it is in life. */
const byName = (house) => house.url.replace("127.0.0.1", "localhost");

/** Fills in the form, and returns the page's link to the CRM. */
async function begin(person, house) {
  const info = await house.control("info");
  await person.page.getByLabel("Login host").fill(info.instanceUrl);
  await person.page.getByLabel("Consumer key of the app").fill(info.clientId);
  await person.page.getByLabel("Consumer secret, if the app has one").fill(info.clientSecret);
  await person.press("Connect");
  const link = person.page.getByRole("link", { name: /^Go on to / });
  assert.ok(!(await person.page.content()).includes(info.clientSecret), "the secret is in no page");
  return { link, user: info.username };
}

/** Goes to the CRM's page by the link, and agrees there at once as this user. */
async function agree(person, link, user) {
  await link.evaluate((anchor, user) => { anchor.href += `&sandbox_user=${encodeURIComponent(user)}`; }, user);
  await link.click();
}

connections.check("a login to the CRM comes back from its site, and is ended here", async ({ house, sit }) => {
  const person = await sit({ loggedIn: false });
  person.forgive(ELSEWHERE);
  await person.logIn(house.key, byName(house));
  await person.page.goto(`${byName(house)}/connections`);
  const { link, user } = await begin(person, house);
  assert.deepEqual(await person.barriers(), []);
  await agree(person, link, user);
  await person.page.getByRole("heading", { name: "Connected: crm" }).waitFor();
  assert.equal(new URL(person.page.url()).pathname, "/connections/finish");
  await person.sees(user, "api refresh_token");
  assert.deepEqual((await person.context.cookies(`${byName(house)}/connections/finish`)).map(({ name }) => name), ["cpq_session"]);
  await house.cpq("sync", "run", "--opportunity", DEAL);
});

connections.check("a login that somebody else began is not ended in this browser", async ({ house, sit }) => {
  const attacker = await sit();
  attacker.forgive(ELSEWHERE);
  await attacker.open("/connections");
  await attacker.page.getByText("Connect a CRM").click();
  const { link, user } = await begin(attacker, house);
  const url = `${await link.getAttribute("href")}&sandbox_user=${encodeURIComponent(user)}`;
  const back = (await fetch(url, { redirect: "manual" })).headers.get("location");
  const victim = await sit();
  victim.forgive(/status of 424 /);
  await victim.page.goto(back);
  await victim.page.waitForURL("**/connections/finish?*");
  await victim.sees("LOGIN_FAILED", "not begun in this browser");
});

connections.check("a connection is given up, and syncs wait for the next login", async ({ house, sit }) => {
  const person = await sit();
  await person.open("/connections");
  await person.page.getByText("Reconnect or disconnect").click();
  await person.press("Disconnect");
  await person.sees("No CRM is connected yet");
  const revoked = async () => (await house.control("requests")).routes["POST /services/oauth2/revoke"].requests;
  assert.equal(await revoked(), 2, "and the one with which the house was made");
});
