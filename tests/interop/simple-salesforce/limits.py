"""Limits, usage and what else an org says of itself."""

from checking import check, equal, holds
from connection import salesforce
from simple_salesforce.util import Usage


@check("reads the limits of the org")
def limits():
    told = salesforce().limits()
    equal(told["DailyApiRequests"]["Max"], 5_000_000)
    holds(0 < told["DailyApiRequests"]["Remaining"] < 5_000_000, told["DailyApiRequests"])
    equal(told["PermissionSets"]["CreateCustom"]["Max"], 1000)


@check("sees its usage grow by one a call")
def usage():
    salesforce().query("SELECT Id FROM Organization")
    before = salesforce().api_usage["api-usage"]
    salesforce().query("SELECT Id FROM Organization")
    equal(salesforce().api_usage["api-usage"], Usage(used=before.used + 1, total=5_000_000))


@check("counts the records of objects")
def record_count():
    told = salesforce().restful("limits/recordCount", params={"sObjects": "Product2,Pricebook2,Nothing__c"})
    equal({row["name"]: row["count"] for row in told["sObjects"]}, {"Pricebook2": 2, "Product2": 4})


@check("lists versions and resources")
def resources():
    told = salesforce().restful("")
    equal(told["sobjects"], "/services/data/v68.0/sobjects")
    holds(told["identity"].split("/")[-2] == "00DSb0000000001MAA", told["identity"])


@check("queries the tooling API")
def tooling():
    told = salesforce().toolingexecute("query?q=SELECT+Id+FROM+ApexClass")
    equal((told["size"], told["records"]), (0, []))
