/** What objects and fields say of themselves. */

import { check, equal, holds, matches, rejects } from "../checks/checking.mjs";
import { requestsOf } from "../checks/control.mjs";
import { salesforce } from "./connection.mjs";

check("lists the objects of the org", async () => {
  const { sobjects, encoding, maxBatchSize } = await salesforce.describeGlobal();
  equal([encoding, maxBatchSize], ["UTF-8", 200]);
  matches(sobjects.find(({ name }) => name === "Robot__c"), {
    label: "Robot", labelPlural: "Robots", custom: true, keyPrefix: "a00", createable: true, queryable: true,
  });
});

check("describes fields of each kind", async () => {
  const { fields } = await salesforce.describe("Robot__c");
  const told = Object.fromEntries(fields.map((field) => [field.name, field]));
  matches(told.Serial__c, { type: "string", length: 40, externalId: true, unique: true, nillable: true });
  matches(told.Price__c, { type: "currency", precision: 18, scale: 2, soapType: "xsd:double" });
  matches(told.Skills__c, { type: "multipicklist" });
  matches(told.Account__c, { type: "reference", referenceTo: ["Account"], relationshipName: "Account__r" });
  equal(told.Color__c.picklistValues.map(({ value }) => value), ["Red", "Green", "Blue"]);
});

check("describes once and remembers", async () => {
  salesforce.cache.clear();
  const seen = await requestsOf(async () => {
    await salesforce.describe$("Robot__c");
    equal(salesforce.describe$$("Robot__c").name, "Robot__c");
    await salesforce.sobject("Robot__c").describe$();
  });
  equal(seen.map(({ path }) => path), ["/services/data/v68.0/sobjects/Robot__c/describe"]);
});

check("finds relationships, up and down", async () => {
  const { childRelationships } = await salesforce.describe("Account");
  const robots = childRelationships.find(({ childSObject }) => childSObject === "Robot__c");
  matches(robots, { field: "Account__c", relationshipName: "Robots__r" });
});

check("does not find the description of nothing", async () => {
  matches(await rejects(salesforce.describe("Nothing__c")), { errorCode: "NOT_FOUND" });
});

check("lists the versions, newest last", async () => {
  const versions = await salesforce.request("/services/data");
  equal(versions.at(-1), { label: "Winter '27", url: "/services/data/v68.0", version: "68.0" });
  holds(versions.length > 30, versions.length);
});
