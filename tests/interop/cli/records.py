"""Records, one at a time."""

from checking import check, equal, holds, matches
from command import org, refusal, result
from control import faults


def robot(verb, *words):
    return result(*org("data", verb, "record", "--sobject", "Robot__c"), *words)


def count(condition):
    return result(*org("data", "query", "--query", f"SELECT COUNT() FROM Robot__c WHERE {condition}"))["totalSize"]


@check("creates a record, gets, updates and deletes it")
def life():
    values = "Name='Ada \\'the\\' robot' Serial__c=CLI-1 Price__c=19.9 Active__c=true Built__c=2028-02-29 Notes__c='ünï — 馬'"
    made = robot("create", "--values", values)
    equal(made, {"id": made["id"], "success": True, "errors": []})
    matches(robot("get", "--record-id", made["id"]), {
        "Id": made["id"], "Serial__c": "CLI-1", "Price__c": 19.9, "Active__c": True, "Built__c": "2028-02-29",
        "Notes__c": "ünï — 馬", "Color__c": None,
    })
    robot("update", "--record-id", made["id"], "--values", "Color__c=Blue")
    equal(robot("get", "--where", "Serial__c=CLI-1")["Color__c"], "Blue")
    robot("update", "--where", "Serial__c=CLI-1", "--values", "Color__c=Red Price__c=20")
    matches(robot("get", "--record-id", made["id"]), {"Color__c": "Red", "Price__c": 20})
    robot("delete", "--where", "Serial__c=CLI-1")
    equal(count("Serial__c = 'CLI-1'"), 0)


@check("is told why a record was refused")
def refused():
    told = refusal(*org("data", "create", "record", "--sobject", "Robot__c"), "--values", "Name=x Color__c=Pink")
    equal((told["name"], told["message"]), (
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Color: bad value for restricted picklist field: Pink",
    ))
    equal(told["data"]["fields"], ["Color__c"])


@check("is told that several records match")
def several():
    for name in ["Twin", "Twin"]:
        robot("create", "--values", f"Name={name} Batch__c=CLI-TWINS")
    told = refusal(*org("data", "get", "record", "--sobject", "Robot__c"), "--where", "Batch__c=CLI-TWINS")
    holds("2 records" in told["message"], told["message"])


@check("is told UNABLE_TO_LOCK_ROW")
def row_lock():
    with faults({"when": {"object": "Robot__c"}, "times": 1, "fault": {"kind": "row_lock"}}):
        told = refusal(*org("data", "create", "record", "--sobject", "Robot__c"), "--values", "Name=Locked")
    equal(told["name"], "UNABLE_TO_LOCK_ROW")
    equal(count("Name = 'Locked'"), 0)
