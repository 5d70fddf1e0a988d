/** Several requests in one. The client has no words of its own for these. */

import { check, equal, matches, rejects } from "../checks/checking.mjs";
import { salesforce } from "./connection.mjs";
import { robots } from "./records.mjs";

const BASE = "/services/data/v68.0/sobjects";

async function composite(compositeRequest, options = {}) {
  const { compositeResponse } = await salesforce.requestPost("/composite", { ...options, compositeRequest });
  return Object.fromEntries(compositeResponse.map((answer) => [answer.referenceId, answer]));
}

check("creates a parent and its child in one composite, and reads both", async () => {
  const told = await composite([
    { method: "POST", url: `${BASE}/Account`, referenceId: "account", body: { Name: "Composite Ltd" } },
    { method: "POST", url: `${BASE}/Robot__c`, referenceId: "robot", body: { Name: "Child", Account__c: "@{account.id}" } },
    { method: "GET", url: `${BASE}/Robot__c/@{robot.id}?fields=Name,Account__c`, referenceId: "read" },
  ]);
  equal(Object.values(told).map(({ httpStatusCode }) => httpStatusCode), [201, 201, 200]);
  matches(told.read.body, { Name: "Child", Account__c: told.account.body.id });
});

check("rolls a composite back, and says who was to blame", async () => {
  const told = await composite([
    { method: "POST", url: `${BASE}/Robot__c`, referenceId: "good", body: { Name: "Rolled back" } },
    { method: "POST", url: `${BASE}/Robot__c`, referenceId: "bad", body: { Color__c: "Pink" } },
  ], { allOrNone: true });
  equal(told.good.body[0].errorCode, "PROCESSING_HALTED");
  equal(told.bad.body[0].errorCode, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
  equal(await robots.count({ Name: "Rolled back" }), 0);
});

check("sends a batch, each part on its own", async () => {
  const told = await salesforce.requestPost("/composite/batch", { batchRequests: [
    { method: "POST", url: "v68.0/sobjects/Account", richInput: { Name: "Of a batch" } },
    { method: "GET", url: "v68.0/sobjects/Account/001000000000001AAA" },
  ] });
  equal([told.hasErrors, told.results.map(({ statusCode }) => statusCode)], [true, [201, 404]]);
});

check("plants a tree, or nothing of it", async () => {
  const tree = (email) => ({ records: [{
    attributes: { type: "Account", referenceId: "root" }, Name: "Tree",
    Contacts: { records: [{ attributes: { type: "Contact", referenceId: "leaf" }, LastName: "Leaf", Email: email }] },
  }] });
  const told = await salesforce.requestPost("/composite/tree/Account", tree("leaf@example.com"));
  equal([told.hasErrors, told.results.map(({ referenceId }) => referenceId)], [false, ["root", "leaf"]]);
  const error = await rejects(salesforce.requestPost("/composite/tree/Account", tree("123")));
  equal(error.errorCode, "ERROR_HTTP_400");
  const body = JSON.parse(error.message);
  equal(body.results.map((row) => [row.referenceId, row.errors[0].statusCode]), [["leaf", "INVALID_EMAIL_ADDRESS"]]);
  equal(await salesforce.sobject("Account").count({ Name: "Tree" }), 1);
});

check("saves a graph", async () => {
  const told = await salesforce.requestPost("/composite/graph", { graphs: [{ graphId: "g", compositeRequest: [
    { method: "POST", url: `${BASE}/Account`, referenceId: "a", body: { Name: "Graph" } },
    { method: "PATCH", url: `${BASE}/Robot__c/Serial__c/GRAPH-1`, referenceId: "b", body: { Name: "x", Account__c: "@{a.id}" } },
  ] }] });
  const [graph] = told.graphs;
  equal([graph.graphId, graph.isSuccessful], ["g", true]);
  const [account, robot] = graph.graphResponse.compositeResponse.map(({ body }) => body.id);
  equal((await robots.retrieve(robot)).Account__c, account);
});
