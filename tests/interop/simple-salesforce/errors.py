"""Refusals, as the client raises them."""

from checking import check, equal, matches, raises
from connection import salesforce
from control import faults
from records import make
from simple_salesforce import (
    SalesforceGeneralError, SalesforceMalformedRequest, SalesforceRefusedRequest, SalesforceResourceNotFound,
)


def refused(kind, call):
    """The error's status and first item."""
    error = raises(kind, call)
    equal(len(error.content), 1)
    return error.status, error.content[0]


@check("is told the missing fields of a create")
def missing():
    status, item = refused(SalesforceMalformedRequest, lambda: salesforce().Opportunity.create({"Name": "No stage"}))
    matches(item, {
        "errorCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [StageName, CloseDate]",
        "fields": ["StageName", "CloseDate"],
    })


@check("is told of a field that does not exist")
def unknown_field():
    _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Account.create({"Name": "x", "Bacon__c": 1}))
    equal(dict(item), {"message": "No such column 'Bacon__c' on sobject of type Account", "errorCode": "INVALID_FIELD"})


@check("is told of a field that cannot be written")
def read_only():
    _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Quote.create({"Name": "x", "GrandTotal": 1}))
    matches(item, {"errorCode": "INVALID_FIELD_FOR_INSERT_UPDATE", "fields": ["GrandTotal"]})


@check("is told of a value that is not on a restricted picklist")
def picklist():
    _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Robot__c.create({"Name": "x", "Color__c": "Pink"}))
    equal(dict(item), {
        "message": "Color: bad value for restricted picklist field: Pink",
        "errorCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "fields": ["Color__c"],
    })


@check("is told of a text that is too long")
def too_long():
    _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Robot__c.create({"Name": "x" * 81}))
    matches(item, {"errorCode": "STRING_TOO_LONG", "fields": ["Name"]})


@check("is told of an e-mail address that is none")
def email():
    _, item = refused(SalesforceMalformedRequest, lambda: make_contact("123"))
    equal(dict(item), {
        "message": "Email: invalid email address: 123", "errorCode": "INVALID_EMAIL_ADDRESS", "fields": ["Email"],
    })


def make_contact(email):
    return salesforce().Contact.create({"LastName": "Mail", "Email": email})


@check("is told of a date that is none")
def date():
    _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Robot__c.create({"Name": "x", "Built__c": "2026-02-30"}))
    equal(item["errorCode"], "JSON_PARSER_ERROR")


@check("does not find an object that does not exist")
def unknown_object():
    status, item = refused(SalesforceResourceNotFound, lambda: salesforce().Nothing__c.create({"Name": "x"}))
    equal((status, dict(item)), (404, {"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}))


@check("is told UNABLE_TO_LOCK_ROW, and succeeds afterwards")
def row_lock():
    id = make("Locked")
    lock = {"when": {"object": "Robot__c"}, "times": 1, "fault": {"kind": "row_lock"}}
    with faults(lock) as fired:
        _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Robot__c.update(id, {"Color__c": "Red"}))
        equal(item["errorCode"], "UNABLE_TO_LOCK_ROW")
        equal(salesforce().Robot__c.get(id)["Color__c"], None)
        equal(salesforce().Robot__c.update(id, {"Color__c": "Red"}), 204)
        equal(fired(), [1])


@check("raises SalesforceGeneralError for 503, and does not repeat")
def unavailable():
    down = {"when": {"path": "/limits"}, "times": 1, "fault": {"kind": "server_error", "status": 503, "body": "json"}}
    with faults(down):
        error = raises(SalesforceGeneralError, lambda: salesforce().limits())
    equal((error.status, error.content[0]["errorCode"]), (503, "SERVER_UNAVAILABLE"))


@check("hands out the page of a server error that is no JSON")
def html():
    down = {"when": {"path": "/limits"}, "times": 1, "fault": {"kind": "server_error", "status": 500, "body": "html"}}
    with faults(down):
        error = raises(SalesforceGeneralError, lambda: salesforce().limits())
    equal((error.status, "<html" in error.content.lower()), (500, True))


@check("raises SalesforceRefusedRequest when the daily allowance is used up")
def allowance():
    limit = {"when": {"path": "/limits"}, "times": 1, "fault": {"kind": "request_limit", "scope": "daily"}}
    with faults(limit):
        status, item = refused(SalesforceRefusedRequest, lambda: salesforce().limits())
    equal((status, dict(item)), (403, {
        "message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED",
    }))


@check("is told a validation rule's own words")
def validation():
    _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Robot__c.create({"Name": "x", "Axes__c": 9001}))
    equal(dict(item), {
        "message": "Too many axes.", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Axes__c"],
    })


@check("is told of duplicates with their ids, and saves all the same when it insists")
def duplicates():
    id = make("Original", Contact__c="same@example.com")
    twin = {"Name": "Copy", "Contact__c": "same@example.com"}
    _, item = refused(SalesforceMalformedRequest, lambda: salesforce().Robot__c.create(twin))
    equal((item["errorCode"], item["message"]), ("DUPLICATES_DETECTED", "Is it one of these?"))
    result = item["duplicateResult"]
    matches(result, {"allowSave": True, "duplicateRule": "Robots_DR", "duplicateRuleEntityType": "Robot__c"})
    equal([match["record"]["Id"] for match in result["matchResults"][0]["matchRecords"]], [id])
    made = salesforce().Robot__c.create(twin, headers={"Sforce-Duplicate-Rule-Header": "allowSave=true"})
    equal(made["success"], True)
