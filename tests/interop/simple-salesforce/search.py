"""SOSL through the client."""

from checking import check, equal, raises
from connection import salesforce
from simple_salesforce import SalesforceMalformedRequest


@check("search: finds a word wherever it is")
def quick():
    told = salesforce().quick_search("Lakeside")["searchRecords"]
    kinds = sorted(row["attributes"]["type"] for row in told)
    equal(kinds, ["Account", "Opportunity"])


@check("search: returns fields of chosen objects, filtered and limited")
def returning():
    told = salesforce().search(
        "FIND {north*} IN ALL FIELDS RETURNING Contact(LastName, Email WHERE Title LIKE '%Engineer' LIMIT 5), Account(Name)"
    )["searchRecords"]
    equal([row.get("LastName") or row["Name"] for row in told], ["Tanaka", "Northwind Robotics"])


@check("search: is told MALFORMED_SEARCH")
def malformed():
    error = raises(SalesforceMalformedRequest, lambda: salesforce().search("FIND Northwind"))
    equal(error.content[0]["errorCode"], "MALFORMED_SEARCH")
