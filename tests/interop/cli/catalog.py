"""What the org says of itself: objects, limits, counts, and plain REST."""

import json

from checking import check, equal, holds, matches
from command import SCRATCH, org, refusal, result, text
from control import info


@check("lists objects, and the custom ones")
def list_objects():
    custom = result(*org("sobject", "list", "--sobject", "custom"))
    equal(sorted(custom), ["CPQ_Quote_Changed__e", "Robot__ChangeEvent", "Robot__c"])
    every = result(*org("sobject", "list", "--sobject", "all"))
    holds({"Account", "Opportunity", "Quote", "Robot__c"} <= set(every), every)


@check("describes an object")
def describe():
    told = result(*org("sobject", "describe", "--sobject", "Robot__c"))
    matches(told, {"name": "Robot__c", "label": "Robot", "custom": True, "keyPrefix": "a00"})
    [color] = [field for field in told["fields"] if field["name"] == "Color__c"]
    equal([value["value"] for value in color["picklistValues"]], ["Red", "Green", "Blue"])


@check("is told that an object does not exist")
def describe_nothing():
    told = refusal(*org("sobject", "describe", "--sobject", "Nothing__c"))
    equal((told["name"], told["message"]), ("NOT_FOUND", "The requested resource does not exist"))


@check("shows limits")
def limits():
    told = {entry["name"]: entry for entry in result(*org("org", "list", "limits"))}
    equal(told["DailyApiRequests"]["max"], 5_000_000)
    holds(told["DailyApiRequests"]["remaining"] < 5_000_000, told["DailyApiRequests"])


@check("counts records, and those of all objects that have any")
def record_counts():
    told = result(*org("org", "list", "sobject", "record-counts", "--sobject", "Product2", "--sobject", "Pricebook2"))
    equal({row["name"]: row["count"] for row in told}, {"Pricebook2": 2, "Product2": 4})
    every = {row["name"]: row["count"] for row in result(*org("org", "list", "sobject", "record-counts"))}
    holds(every["Product2"] == 4 and every["OpportunityStage"] == 10 and "Task" not in every, every)


@check("sends plain REST requests")
def rest():
    told = json.loads(text(*org("api", "request", "rest", "/services/data/v68.0/sobjects/Robot__c"), "--method", "POST", "--body", '{"Name": "Plain"}'))
    equal(told["success"], True)
    read = json.loads(text(*org("api", "request", "rest", f"/services/data/v68.0/sobjects/Robot__c/{told['id']}?fields=Name")))
    equal(read["Name"], "Plain")
    shown = text(*org("api", "request", "rest", "/services/data/v68.0/limits", "--include"))
    holds(shown.startswith("HTTP/1.1 200") and "sforce-limit-info: api-usage=" in shown.lower(), shown[:300])


@check("is told by plain REST why a request was refused")
def rest_refused():
    told = text(*org("api", "request", "rest", "/services/data/v68.0/sobjects/Account/001000000000001AAA"), status=1)
    equal(json.loads(told)[0]["errorCode"], "NOT_FOUND")
