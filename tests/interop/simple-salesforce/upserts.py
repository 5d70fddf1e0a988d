"""Upsert by external id."""

from checking import check, equal, matches, raises
from connection import salesforce, with_app
from records import make
from simple_salesforce import (
    SalesforceMalformedRequest, SalesforceMoreThanOneRecord, SalesforceResourceNotFound, format_external_id,
)


@check("upserts by external id: 201 with created, then 200 without")
def upsert():
    robot = salesforce().Robot__c
    made = robot.upsert("Serial__c/UP-1", {"Name": "Rae"}, raw_response=True)
    equal(made.status_code, 201)
    id = made.json()["id"]
    equal(made.json(), {"id": id, "success": True, "errors": [], "created": True})
    again = robot.upsert("Serial__c/UP-1", {"Name": "Rae II"}, raw_response=True)
    equal((again.status_code, again.json()), (200, {"id": id, "success": True, "errors": [], "created": False}))
    equal(robot.get_by_custom_id("Serial__c", "UP-1")["Name"], "Rae II")


@check("answers an upsert that updates with 204 before version 46")
def upsert_of_old():
    robot = with_app(version="45.0").Robot__c
    equal(robot.upsert("Serial__c/UP-2", {"Name": "Sam"}), 201)
    equal(robot.upsert("Serial__c/UP-2", {"Name": "Sam II"}), 204)


@check("upserts keys with slashes, spaces and umlauts")
def awkward_key():
    key = format_external_id("Serial__c", "Größe 1/2 & 50%?#x")
    equal(salesforce().Robot__c.upsert(key, {"Name": "Tom"}), 201)
    equal(salesforce().Robot__c.get(key)["Serial__c"], "Größe 1/2 & 50%?#x")
    equal(salesforce().Robot__c.upsert(key, {"Name": "Tom II"}), 200)


@check("raises SalesforceMoreThanOneRecord with the URLs of all")
def several():
    ids = [make("Uma", Batch__c="TWINS"), make("Vic", Batch__c="TWINS")]
    error = raises(
        SalesforceMoreThanOneRecord,
        lambda: salesforce().Robot__c.upsert("Batch__c/TWINS", {"Color__c": "Red"}),
    )
    equal(sorted(error.content), sorted(f"/services/data/v68.0/sobjects/Robot__c/{id}" for id in ids))
    equal([salesforce().Robot__c.get(id)["Color__c"] for id in ids], [None, None])


@check("upserts contacts by their e-mail address")
def by_email():
    key = "Email/lena.hoffmann@northwind-robotics.example"
    equal(salesforce().Contact.upsert(key, {"Title": "COO"}), 200)
    equal(salesforce().Contact.get(key)["LastName"], "Hoffmann")


@check("sets a parent by the parent's external id")
def parent_by_external_id():
    line = salesforce().Task.create({"Subject": "Call", "What": {
        "attributes": {"type": "Opportunity"}, "Opportunity_Number__c": "OPP-4484",
    }})["id"]
    deal = salesforce().Opportunity.get_by_custom_id("Opportunity_Number__c", "OPP-4484")["Id"]
    equal(salesforce().Task.get(line)["WhatId"], deal)


@check("does not upsert by a field that is no key")
def no_key():
    error = raises(
        SalesforceResourceNotFound,
        lambda: salesforce().Robot__c.upsert("Color__c/Red", {"Name": "Wes"}),
    )
    equal(error.content, [{
        "message": "Provided external ID field does not exist or is not accessible: Color__c",
        "errorCode": "NOT_FOUND",
    }])


@check("is told DUPLICATE_VALUE with the id of the other record")
def duplicate():
    id = make("Xia", Serial__c="DUP-1")
    error = raises(
        SalesforceMalformedRequest,
        lambda: salesforce().Robot__c.create({"Name": "Yan", "Serial__c": "DUP-1"}),
    )
    matches(error.content[0], {
        "errorCode": "DUPLICATE_VALUE",
        "message": f"duplicate value found: Serial__c duplicates value on record with id: {id}",
    })


@check("finds the case of an external id unimportant")
def case_of_key():
    id = make("Zoe", Serial__c="MiXed-1")
    equal(salesforce().Robot__c.get_by_custom_id("Serial__c", "mixed-1")["Id"], id)
