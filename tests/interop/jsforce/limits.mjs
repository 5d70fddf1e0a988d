/** Limits, usage, identity and what else an org says of itself. */

import { check, equal, holds, matches } from "../checks/checking.mjs";
import { info } from "../checks/control.mjs";
import { salesforce } from "./connection.mjs";

check("reads the limits of the org", async () => {
  const told = await salesforce.limits();
  equal(told.DailyApiRequests.Max, 5_000_000);
  holds(told.DailyApiRequests.Remaining < 5_000_000, told.DailyApiRequests);
  equal(told.PermissionSets.CreateCustom.Max, 1000);
});

check("sees its usage grow by one a call", async () => {
  await salesforce.query("SELECT Id FROM Organization");
  const { used, limit } = salesforce.limitInfo.apiUsage;
  await salesforce.query("SELECT Id FROM Organization");
  equal(salesforce.limitInfo.apiUsage, { used: used + 1, limit });
  equal(limit, 5_000_000);
});

check("reads who it is", async () => {
  const me = await salesforce.identity();
  matches(me, {
    username: info.username, email: "integration@aurora-automation.example", display_name: "Integration User",
    organization_id: info.organizationId, user_type: "STANDARD", active: true,
  });
  equal(me.urls.rest, `${info.tlsInstanceUrl}/services/data/v{version}/`);
});

check("queries the tooling API", async () => {
  matches(await salesforce.tooling.query("SELECT Id, Name FROM ApexClass"), { totalSize: 0, done: true, records: [] });
});
