/** Every page, with something in place of its variables. */

import { readFileSync } from "node:fs";

import { DEAL, CONTESTED } from "./lives.mjs";

/** Nobody looks at these; the last two lead on at once, and are walked through by the check that connects a CRM. */
const NO_PAGES = ["/live", "/assets/{name}", "/oauth/callback", "/connections/finish"];

/** Name, path and a part of what it shows, for a house that was lived in. */
export function pages(house) {
  return [
    { name: "home", path: "/", shows: "Open conflicts" },
    { name: "syncs", path: "/syncs", shows: DEAL },
    { name: "sync", path: `/syncs/${house.good}`, shows: "write.crm" },
    { name: "undo", path: `/syncs/${house.changed}/undo`, shows: "left: changed since" },
    { name: "quote", path: "/quotes/Q-2026-0137", shows: "List price" },
    { name: "sync-dead", path: `/syncs/${house.dead}`, shows: "OPPORTUNITY_NOT_FOUND" },
    { name: "plan-empty", path: "/plan", shows: "Nothing is written anywhere" },
    { name: "plan", path: `/plan?opportunity=${DEAL}`, shows: "Decisions" },
    { name: "why-empty", path: "/why", shows: "Why a field has its value" },
    { name: "why", path: `/why?opportunity=${DEAL}&field=${CONTESTED}`, shows: "2027-01-31" },
    { name: "conflicts", path: "/conflicts", shows: "cf-001" },
    { name: "conflicts-empty", path: "/conflicts?state=resolved", shows: "No conflict fits" },
    { name: "conflict", path: "/conflicts/cf-001", shows: "Which value counts?" },
    { name: "ownership", path: "/ownership", shows: "opportunity.stage" },
    { name: "letters", path: "/dead-letters", shows: "OPPORTUNITY_NOT_FOUND" },
    { name: "letter-list", path: "/dead-letters/list", shows: house.dead },
    { name: "letter", path: `/dead-letters/${house.dead}`, shows: "Give up" },
    { name: "replays", path: "/replays", shows: house.plan },
    { name: "replay", path: `/replays/${house.plan}`, shows: "Foretold" },
    { name: "reconciles", path: "/reconciliations", shows: "Certificates" },
    { name: "reconcile", path: `/reconciliations/${house.compared}`, shows: "quote.net_total" },
    { name: "connections", path: "/connections", shows: "API calls" },
    { name: "sessions", path: "/sessions", shows: "this browser" },
    { name: "login", path: "/login", shows: "API token" },
    { name: "failed", path: "/syncs/csync-999", shows: "CORRELATION_NOT_FOUND", status: 404 },
  ];
}

/** The paths that the program says are pages. */
export function listed() {
  const text = readFileSync(new URL("../../../src/dashboard/doors.rs", import.meta.url), "utf8");
  const paths = [...text.matchAll(/^ {4}(?:page|open)\("GET", "([^"]+)"\)/gm)].map(([, path]) => path);
  return paths.filter((path) => !NO_PAGES.includes(path));
}

/** Whether a path is one of a page. */
export function isOf(listed, path) {
  const pattern = listed.replaceAll(/[.?]/g, "\\$&").replaceAll(/\{\w+\}/g, "[^/]+");
  return new RegExp(`^${pattern}$`).test(path.split("?")[0]);
}
