/** What a person does in a browser: opens the page that an app sent them to, fills in the form, follows the redirect. */

import { info } from "../checks/control.mjs";

/** Where the browser ends up. `decision` is the button that is pressed. */
export async function decide(authorizationUrl, decision) {
  const page = await fetch(authorizationUrl);
  const html = await page.text();
  const form = new URLSearchParams(hiddenInputs(html));
  form.set("username", info.username);
  form.set("password", info.password);
  form.set("decision", decision);
  const action = html.match(/<form method="post" action="([^"]+)"/)[1];
  const answer = await fetch(new URL(action, authorizationUrl), { method: "POST", body: form, redirect: "manual" });
  if (answer.status !== 302) throw new Error(`no redirect: ${answer.status} ${await answer.text()}`);
  return new URL(answer.headers.get("location"));
}

function hiddenInputs(html) {
  const inputs = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  return inputs.map(([, name, value]) => [unescaped(name), unescaped(value)]);
}

function unescaped(text) {
  const entities = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };
  return text.replace(/&(lt|gt|quot|#39|amp);/g, (entity) => entities[entity]);
}
