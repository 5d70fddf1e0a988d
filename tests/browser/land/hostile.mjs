/** What somebody may write into a CRM who wants more than a quote, and how a page shows it: as text, and as nothing else. */

import { readFileSync } from "node:fs";

const OVERRIDE = "\u202e";
/** Each calls for something else: an element, an attribute, a link, a template, a line that runs backwards. */
export const ATTACKS = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `'><svg/onload=alert(1)>`,
  `javascript:alert(1)`,
  `{{7*7}}\${7*7}{%raw%}`,
  `</td></table><h1>hi</h1>`,
  `&lt;b&gt;&#60;i&#62;`,
  `abc${OVERRIDE}evil`,
];

/** Fields of text that the CRM gives away and a person may write there: name, object and field. */
export function fields() {
  const text = readFileSync(new URL("../../../src/adapters/salesforce/fields.toml", import.meta.url), "utf8");
  const entries = text.split("[[field]]").slice(1).map((entry) => {
    const value = (key) => entry.match(new RegExp(`^${key} = "([^"]*)"`, "m"))?.[1];
    return { name: value("name"), path: value("path"), type: value("type"), ours: /^writable = true/m.test(entry) };
  });
  return entries.filter(({ type, ours }) => type === "text" && !ours);
}

/** How a page shows such a text: what would turn the letters around it is named. */
export const shownAs = (text) => text.replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, (letter) => `[U+${letter.codePointAt(0).toString(16).toUpperCase()}]`);

/** What in a page is none of its own: elements, attributes and links that no template has. */
export const strange = (person) => person.page.evaluate((crm) => {
  const scripts = ["htmx.min.js", "sse.min.js", "keys.js", "live.js"].map((name) => `/assets/${name}`);
  const never = ["iframe", "frame", "object", "embed", "base", "style", "video", "audio", "math", "template"];
  const links = ["href", "src", "action", "formaction", "xlink:href", "hx-get", "hx-post", "sse-connect"];
  // The one way out: the record in the CRM, by the CRM's own id.
  const isRecord = (element, value) => element.localName === "a" && element.rel === "noreferrer"
    && value.startsWith(`${crm}/`) && /^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$/.test(value.slice(crm.length + 1));
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    const tag = element.localName;
    const source = element.getAttribute("src");
    if (never.includes(tag)) found.push(element.outerHTML);
    if (tag === "script" && !scripts.includes(source)) found.push(element.outerHTML);
    if (tag === "img" && source !== "/assets/icon.svg") found.push(element.outerHTML);
    if (tag === "h1" && element.textContent === "hi") found.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      const leads = links.includes(name) && value !== "" && !/^(\/(?!\/)|#)/.test(value) && !isRecord(element, value);
      if (name.startsWith("on") || name === "style" || name === "srcdoc" || leads) found.push(`${tag} ${name}=${value}`);
    }
  }
  return found;
}, person.house.crmUrl());

/** Texts of the page that run from right to left, though no letter of theirs asks for it. */
export const backwards = (person) => person.page.evaluate(() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const edge = (node, at) => {
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + 1);
    return range.getBoundingClientRect();
  };
  for (let node; (node = walker.nextNode()); ) {
    const text = node.data.trimEnd();
    const first = text.search(/\S/);
    if (first < 0 || text.length < first + 2 || /[\u0590-\u08ff]/.test(text)) continue;
    for (const at of [first, text.length - 2]) {
      const [begin, next] = [edge(node, at), edge(node, at + 1)];
      if (begin.width > 0 && next.width > 0 && begin.y === next.y && next.x < begin.x) found.push(text);
    }
  }
  return found;
});
