/** SOQL through the client, written by hand and built by it. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { jsforce, salesforce } from "./connection.mjs";
import { make, robots } from "./records.mjs";

const PAGES_OF_200 = { headers: { "Sforce-Query-Options": "batchSize=200" } };

async function fleet(batch, count) {
  const rows = Array.from({ length: count }, (_, number) => ({ Name: `${batch} ${number}`, Batch__c: batch, Axes__c: number }));
  await robots.create(rows, { allowRecursive: true, allOrNone: true });
  return rows.map((row) => row.Axes__c);
}

check("queries records, in the order of fields and rows", async () => {
  const got = await salesforce.query("SELECT ProductCode, Name FROM Product2 ORDER BY ProductCode DESC LIMIT 2");
  matches(got, { totalSize: 2, done: true });
  equal(Object.keys(got.records[0]), ["attributes", "ProductCode", "Name"]);
  equal(got.records.map((row) => row.ProductCode), ["VC-210", "SVC-INSTALL"]);
});

check("reads parents and children in one query", async () => {
  const { records } = await salesforce.query(
    "SELECT Account.Name, (SELECT Product2.ProductCode, Quantity FROM OpportunityLineItems ORDER BY SortOrder), " +
      "(SELECT Id FROM Quotes) FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'",
  );
  const lines = records[0].OpportunityLineItems;
  matches(lines, { totalSize: 3, done: true });
  equal(lines.records.map((line) => [line.Product2.ProductCode, line.Quantity]), [["RX-900", 6], ["VC-210", 2], ["LCS-ANNUAL", 3]]);
  equal([records[0].Account.Name, records[0].Quotes], ["Northwind Robotics", null]);
});

check("counts and groups", async () => {
  equal(await salesforce.sobject("PricebookEntry").count(), 8);
  const { records } = await salesforce.query("SELECT Family, COUNT(Id) parts FROM Product2 GROUP BY Family ORDER BY MAX(ProductCode) DESC");
  equal(records, [
    { attributes: { type: "AggregateResult" }, Family: "Hardware", parts: 2 },
    { attributes: { type: "AggregateResult" }, Family: "Services", parts: 1 },
    { attributes: { type: "AggregateResult" }, Family: "Software", parts: 1 },
  ]);
});

check("pages step by step", async () => {
  await fleet("STEP", 450);
  const first = await salesforce.query("SELECT Axes__c FROM Robot__c WHERE Batch__c = 'STEP' ORDER BY Axes__c", PAGES_OF_200);
  equal([first.totalSize, first.done, first.records.length], [450, false, 200]);
  const second = await salesforce.queryMore(first.nextRecordsUrl);
  equal([second.totalSize, second.done, second.records[0].Axes__c], [450, false, 200]);
  const third = await salesforce.queryMore(second.nextRecordsUrl);
  equal([third.done, third.records.length, third.nextRecordsUrl], [true, 50, undefined]);
});

check("fetches all pages by itself, up to a limit", async () => {
  const axes = await fleet("AUTO", 450);
  const query = () => robots.find({ Batch__c: "AUTO" }, "Axes__c", PAGES_OF_200).sort("Axes__c");
  equal((await query().autoFetch(true)).map((row) => row.Axes__c), axes);
  equal((await query().autoFetch(true).maxFetch(300)).length, 300);
});

check("streams records of several pages", async () => {
  const axes = await fleet("STREAM", 401);
  const query = salesforce.query("SELECT Axes__c FROM Robot__c WHERE Batch__c = 'STREAM' ORDER BY Axes__c", PAGES_OF_200);
  const seen = [];
  await new Promise((resolve, reject) => {
    query.on("record", (row) => seen.push(row.Axes__c)).on("end", resolve).on("error", reject);
    query.run({ autoFetch: true, maxFetch: 1000 });
  });
  equal(seen, axes);
  equal(query.totalSize, 401);
});

check("is told INVALID_QUERY_LOCATOR for a page that is not there", async () => {
  matches(await rejects(salesforce.queryMore("01g000000000000AAA-2000")), { errorCode: "INVALID_QUERY_LOCATOR" });
});

check("sees deleted rows only when it scans all", async () => {
  const id = await make("Ghost", { Batch__c: "GHOSTS" });
  await robots.destroy(id);
  const soql = "SELECT Id, IsDeleted FROM Robot__c WHERE Batch__c = 'GHOSTS'";
  equal((await salesforce.query(soql)).totalSize, 0);
  const { records } = await salesforce.query(soql, { scanAll: true });
  equal(records.map((row) => [row.Id, row.IsDeleted]), [[id, true]]);
});

check("builds a query from conditions of every kind", async () => {
  // The client escapes apostrophes, and nothing else.
  const name = "O'Neill \"R2\" 100%";
  const id = await make(name, {
    Active__c: true, Price__c: 9.5, Built__c: "2026-05-01", Serviced__c: "2026-05-02T10:00:00Z", Color__c: "Green",
  });
  const rows = await robots.find({
    Name: name, Active__c: true, Price__c: { $gte: 9.5 }, Built__c: jsforce.SfDate.toDateLiteral("2026-05-01"),
    Serviced__c: jsforce.SfDate.toDateTimeLiteral("2026-05-02T10:00:00Z"), Color__c: { $in: ["Green", "Red"] },
    Batch__c: null, $or: [{ Wear__c: null }, { Wear__c: { $gt: 1 } }], Serial__c: { $exists: false },
    Skills__c: { $excludes: ["Paint"] },
  }, "Id, Name");
  equal(rows.map((row) => row.Id), [id]);
});

check("finds with all fields, parents and children that it looks up itself", async () => {
  const deal = await salesforce.sobject("Opportunity").findOne({ Opportunity_Number__c: "OPP-4482" }, "*, Account.*");
  matches(deal, { StageName: "Proposal/Price Quote", CloseDate: "2026-12-18" });
  matches(deal.Account, { Name: "Northwind Robotics", CPQ_Legal_Name__c: "Northwind Robotics GmbH & Co. KG" });
  const [account] = await salesforce.sobject("Account").find({ Name: "Northwind Robotics" }, "Id, Name")
    .include("Contacts").select("*").where({ LastName: { $like: "D%" } }).limit(1).end();
  equal(account.Contacts.records.map((row) => [row.LastName, row.Email]), [["Dvořák", "marek.dvorak@northwind-robotics.example"]]);
});

check("skips, limits and sorts", async () => {
  const rows = await salesforce.sobject("Product2").select("ProductCode").orderby("ProductCode", "DESC").limit(2).skip(1);
  equal(rows.map((row) => row.ProductCode), ["SVC-INSTALL", "RX-900"]);
});

check("asks for the plan of a query", async () => {
  const { plans } = await salesforce.query("SELECT Id FROM Account WHERE Name = 'x'").explain();
  holds(plans.length > 0 && typeof plans[0].relativeCost === "number", plans);
});

check("is shown where a query is wrong", async () => {
  const error = await rejects(salesforce.query("SELECT Bacon__c FROM Account"));
  equal(error.errorCode, "INVALID_FIELD");
  const shown = "\nSELECT Bacon__c FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'.";
  equal(error.message.slice(0, shown.length), shown);
  matches(await rejects(salesforce.query("SELEKT Id FROM Account")), { errorCode: "MALFORMED_QUERY", message: "unexpected token: SELEKT" });
  matches(await rejects(salesforce.query("SELECT Id FROM Nothing__c")), { errorCode: "INVALID_TYPE" });
});
