"""Bulk API 1.0 through the client: batches of JSON, what became of each record, and queries."""

from checking import check, equal, holds, matches, raises
from connection import salesforce, with_token
from fleet import make_fleet
from simple_salesforce import SalesforceMalformedRequest
from simple_salesforce.exceptions import SalesforceGeneralError

# Seconds between two looks at a query; the client's own are five.
QUICK = {"wait": 0.05}


def robots():
    return salesforce().bulk.Robot__c


def read(fields, batch):
    found = salesforce().query(f"SELECT {fields} FROM Robot__c WHERE Batch__c = '{batch}' ORDER BY Name")["records"]
    return [tuple(row[field.strip()] for field in fields.split(",")) for row in found]


@check("classic bulk: inserts records, and says of each what became of it")
def insert():
    data = [
        {"Name": "C 1", "Batch__c": "CBI", "Color__c": "Red", "Price__c": 19.9, "Active__c": True, "Axes__c": 6},
        {"Name": "C 2", "Batch__c": "CBI", "Color__c": "Pink"},
        {"Name": 'C 3, "ü"\nline', "Batch__c": "CBI", "Color__c": None},
    ]
    first, second, third = robots().insert(data)
    matches(first, {"success": True, "created": True, "errors": []})
    matches(second, {"success": False, "created": False, "id": None})
    [error] = second["errors"]
    matches(error, {"statusCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "fields": ["Color__c"]})
    equal(read("Id, Name, Color__c, Price__c, Active__c", "CBI"), [
        (first["id"], "C 1", "Red", 19.9, True), (third["id"], 'C 3, "ü"\nline', None, None, False),
    ])


@check("classic bulk: upserts by external id, in several batches, with the request beside each result")
def upsert():
    make_fleet("CBU", 1)
    data = [{"Serial__c": f"CBU-00{number}", "Name": f"U {number}", "Batch__c": "CBU"} for number in range(3)]
    told = robots().upsert(data, "Serial__c", batch_size=2, use_serial=True, include_detailed_results=True)
    equal([(row["Serial__c"], row["success"], row["created"]) for row in told], [
        ("CBU-000", True, False), ("CBU-001", True, True), ("CBU-002", True, True),
    ])
    equal(read("Name", "CBU"), [("U 0",), ("U 1",), ("U 2",)])


@check("classic bulk: updates, and clears with null")
def update():
    ids = make_fleet("CBP", 2)
    data = [{"Id": id, "Axes__c": None, "Color__c": "Blue"} for id in ids]
    told = salesforce().bulk.submit_dml("Robot__c", "update", data, batch_size="auto")
    equal([(row["id"], row["success"], row["created"]) for row in told], [(id, True, False) for id in ids])
    equal(read("Axes__c, Color__c", "CBP"), [(None, "Blue")] * 2)


@check("classic bulk: deletes, and deletes for good")
def delete():
    ids = make_fleet("CBD", 3)
    told = robots().delete([{"Id": id} for id in [*ids[:2], ids[0]]])
    equal([row["success"] for row in told], [True, True, False])
    equal(read("Id", "CBD"), [(ids[2],)])
    robots().hard_delete([{"Id": ids[2]}])
    left = "SELECT Id FROM Robot__c WHERE Batch__c = 'CBD'"
    equal(salesforce().query_all(left, include_deleted=True)["totalSize"], 2)
    equal(len(robots().query_all(left, **QUICK)), 2)
    equal(robots().query(left, **QUICK), [])


@check("classic bulk: queries records with their types")
def query():
    make_fleet("CBQ", 450)
    rows = robots().query(
        "SELECT Serial__c, Axes__c, Built__c, CreatedDate, Account__r.Name FROM Robot__c WHERE Batch__c = 'CBQ' ORDER BY Serial__c",
        **QUICK,
    )
    equal(len(rows), 450)
    matches(rows[449], {"Serial__c": "CBQ-449", "Axes__c": 449.0, "Built__c": None, "Account__r": None})
    equal(rows[0]["attributes"]["type"], "Robot__c")
    holds(isinstance(rows[0]["CreatedDate"], int), rows[0])


@check("classic bulk: is told of an object, a query, a column and a session that do not exist")
def refused():
    error = raises(SalesforceMalformedRequest, lambda: salesforce().bulk.Nothing__c.insert([{"Name": "x"}]))
    equal(error.content, {"exceptionCode": "InvalidJob", "exceptionMessage": "Unable to find object: Nothing__c"})
    error = raises(SalesforceGeneralError, lambda: robots().query("SELECT Bacon__c FROM Robot__c", **QUICK))
    holds(error.content.startswith("InvalidBatch : Failed to process query: INVALID_FIELD: "), error.content)
    error = raises(SalesforceMalformedRequest, lambda: robots().insert([{"Bacon__c": "x"}]))
    equal(error.content, {"exceptionCode": "InvalidBatch", "exceptionMessage": "Records not processed"})
    error = raises(SalesforceMalformedRequest, lambda: with_token("00D000000000001!no").bulk.Robot__c.insert([{"Name": "x"}]))
    equal(error.content, {"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid session id"})
