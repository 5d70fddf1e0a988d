/** SOSL through the client. */

import { check, equal, matches, rejects } from "../checks/checking.mjs";
import { salesforce } from "./connection.mjs";

check("search: finds words in names of several objects", async () => {
  const { searchRecords } = await salesforce.search("FIND {Northwind} IN NAME FIELDS RETURNING Account(Id, Name), Opportunity(Name)");
  equal(searchRecords.map((row) => [row.attributes.type, row.Name]).sort(), [
    ["Account", "Northwind Robotics"], ["Opportunity", "Northwind Robotics – Assembly line 4"],
  ]);
});

check("search: is told what is missing", async () => {
  matches(await rejects(salesforce.search("FIND Northwind")), { errorCode: "MALFORMED_SEARCH" });
});
