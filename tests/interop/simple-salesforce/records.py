"""One record after the other: create, read, update, delete."""

from checking import check, equal, holds, matches, raises
from connection import salesforce
from simple_salesforce import SalesforceMalformedRequest, SalesforceResourceNotFound


def make(name, **values):
    """Id of a new robot."""
    made = salesforce().Robot__c.create({"Name": name, **values})
    equal(dict(made), {"id": made["id"], "success": True, "errors": []})
    return made["id"]


@check("creates a record and reads it back")
def create_and_get():
    id = make("Ada", Serial__c="ADA-1", Color__c="Green")
    equal((len(id), id[:3]), (18, "a00"))
    row = salesforce().Robot__c.get(id)
    equal(dict(row["attributes"]), {"type": "Robot__c", "url": f"/services/data/v68.0/sobjects/Robot__c/{id}"})
    matches(row, {"Id": id, "Name": "Ada", "Serial__c": "ADA-1", "Color__c": "Green", "Active__c": False, "IsDeleted": False})


@check("reads only the fields that it asks for, in their order")
def get_fields():
    id = make("Bea", Serial__c="BEA-1")
    row = salesforce().Robot__c.get(id, params={"fields": "Serial__c,Name"})
    equal(list(row), ["attributes", "Serial__c", "Name", "Id"])


@check("reads a record by its 15 characters")
def get_by_short_id():
    id = make("Cy")
    equal(salesforce().Robot__c.get(id[:15])["Id"], id)


@check("updates a record: 204, and only what was named changes")
def update():
    id = make("Dan", Serial__c="DAN-1", Color__c="Red")
    equal(salesforce().Robot__c.update(id, {"Color__c": "Blue"}), 204)
    matches(salesforce().Robot__c.get(id), {"Name": "Dan", "Serial__c": "DAN-1", "Color__c": "Blue"})


@check("tells times and users of a change")
def audit_fields():
    id = make("Eve")
    row = salesforce().Robot__c.get(id)
    me = salesforce().query("SELECT Id FROM User WHERE Username LIKE 'integration@%'")["records"][0]["Id"]
    matches(row, {"CreatedById": me, "LastModifiedById": me, "OwnerId": me})
    holds(row["CreatedDate"].endswith(".000+0000") and len(row["CreatedDate"]) == 28, row["CreatedDate"])
    holds(row["CreatedDate"] <= row["LastModifiedDate"] <= row["SystemModstamp"], row)


@check("deletes a record: 204, then ENTITY_IS_DELETED with 404")
def delete():
    id = make("Flo")
    equal(salesforce().Robot__c.delete(id), 204)
    error = raises(SalesforceResourceNotFound, lambda: salesforce().Robot__c.delete(id))
    equal(error.content, [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}])


@check("does not find an id that was never given out")
def never_was():
    error = raises(SalesforceResourceNotFound, lambda: salesforce().Account.get("001000000000001AAA"))
    equal(error.content[0]["errorCode"], "NOT_FOUND")
    equal(error.resource_name, "Account")


@check("is refused an id of another object")
def wrong_object():
    id = make("Gus")
    error = raises(SalesforceMalformedRequest, lambda: salesforce().Account.update(id, {"Name": "x"}))
    equal(error.content[0]["errorCode"], "MALFORMED_ID")


@check("follows relationships from a record")
def relationship():
    account = salesforce().Account.create({"Name": "Owner of robots"})["id"]
    id = make("Hal", Account__c=account)
    equal(salesforce().restful(f"sobjects/Robot__c/{id}/Account__r")["Name"], "Owner of robots")
    children = salesforce().restful(f"sobjects/Account/{account}/Robots__r", params={"fields": "Name"})
    equal([row["Name"] for row in children["records"]], ["Hal"])


@check("writes a line, and the opportunity's amount follows")
def rollup():
    deal = salesforce().query("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")["records"][0]["Id"]
    before = salesforce().Opportunity.get(deal)["Amount"]
    entry = salesforce().query(
        "SELECT Id FROM PricebookEntry WHERE Pricebook2.Name = 'Enterprise 2026' AND ProductCode = 'VC-210'"
    )["records"][0]["Id"]
    line = {"OpportunityId": deal, "PricebookEntryId": entry, "Quantity": 2, "UnitPrice": 100.25, "Discount": 10}
    made = salesforce().OpportunityLineItem.create(line)["id"]
    equal(salesforce().OpportunityLineItem.get(made)["TotalPrice"], 180.45)
    equal(round(salesforce().Opportunity.get(deal)["Amount"] - before, 2), 180.45)
    equal(salesforce().OpportunityLineItem.delete(made), 204)
    equal(salesforce().Opportunity.get(deal)["Amount"], before)
