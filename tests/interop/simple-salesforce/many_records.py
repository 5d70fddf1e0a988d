"""Collections: many records in one call."""

from checking import check, equal, matches, raises
from connection import salesforce
from fleet import make_fleet
from simple_salesforce import SalesforceMalformedRequest


def collection(method, path="", **body):
    return salesforce().restful("composite/sobjects" + path, method=method, json=body)


def robot(**values):
    return {"attributes": {"type": "Robot__c"}, **values}


@check("creates what is good of a collection, and reports the rest by place")
def partial():
    told = collection("POST", records=[robot(Name="One"), robot(Name="Two", Color__c="Pink"), robot(Name="Three")])
    equal([row["success"] for row in told], [True, False, True])
    equal("id" in told[1], False)
    matches(told[1]["errors"][0], {"statusCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "fields": ["Color__c"]})


@check("creates all of a collection or none")
def all_or_none():
    told = collection("POST", allOrNone=True, records=[robot(Name="Alone"), robot(Name="x", Color__c="Pink")])
    equal([row["errors"][0]["statusCode"] for row in told], [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    ])
    equal(salesforce().query("SELECT COUNT() FROM Robot__c WHERE Name = 'Alone'")["totalSize"], 0)


@check("updates and reads a collection, in the order asked, with None for what is not there")
def update_and_read():
    first, second = make_fleet("COLL", 2)
    told = collection("PATCH", records=[robot(id=first, Color__c="Red"), robot(id=second, Color__c="Blue")])
    equal([dict(row) for row in told], [{"id": id, "success": True, "errors": []} for id in (first, second)])
    ids = [second, "a0000000000zzzz", first]
    read = collection("POST", "/Robot__c", ids=ids, fields=["Color__c"])
    equal([row and row["Color__c"] for row in read], ["Blue", None, "Red"])


@check("upserts a collection, and says what was created")
def upsert():
    make_fleet("MIX", 1)
    told = collection("PATCH", "/Robot__c/Serial__c", records=[
        robot(Serial__c="MIX-000", Name="Old"), robot(Serial__c="MIX-001", Name="New"),
    ])
    equal([row["created"] for row in told], [False, True])


@check("deletes a collection")
def delete():
    ids = make_fleet("GONE", 3)
    told = salesforce().restful("composite/sobjects", method="DELETE", params={"ids": ",".join(ids), "allOrNone": "true"})
    equal([(row["id"], row["success"]) for row in told], [(id, True) for id in ids])
    equal(salesforce().query("SELECT COUNT() FROM Robot__c WHERE Batch__c = 'GONE'")["totalSize"], 0)


@check("is refused more than 200 records in one call")
def too_many():
    error = raises(SalesforceMalformedRequest, lambda: collection("POST", records=[robot(Name="x")] * 201))
    equal(error.content[0]["errorCode"], "EXCEEDED_ID_LIMIT")
