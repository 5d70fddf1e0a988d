"""SOQL in every shape that the CLI prints."""

import csv
import io

from checking import check, equal, holds, matches
from command import SCRATCH, org, refusal, result, text

LINES = (
    "SELECT Product2.ProductCode, Quantity, UnitPrice, ServiceDate FROM OpportunityLineItem "
    "WHERE Opportunity.Opportunity_Number__c = 'OPP-4482' ORDER BY SortOrder"
)


def query(soql, *words):
    return result(*org("data", "query", "--query", soql), *words)


@check("queries as JSON")
def as_json():
    told = query(LINES)
    equal((told["totalSize"], told["done"]), (3, True))
    equal([(row["Product2"]["ProductCode"], row["Quantity"], row["ServiceDate"]) for row in told["records"]], [
        ("RX-900", 6, None), ("VC-210", 2, None), ("LCS-ANNUAL", 3, None),
    ])


@check("queries as CSV, by the metadata of the columns")
def as_csv():
    rows = list(csv.reader(io.StringIO(text(*org("data", "query", "--query", LINES), "--result-format", "csv"))))
    equal(rows, [
        ["Product2.ProductCode", "Quantity", "UnitPrice", "ServiceDate"],
        ["RX-900", "6", "46250", ""], ["VC-210", "2", "12400", ""], ["LCS-ANNUAL", "3", "9120.5", ""],
    ])


@check("queries children and aggregates as CSV")
def nested_csv():
    soql = "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Name = 'Northwind Robotics'"
    rows = list(csv.reader(io.StringIO(text(*org("data", "query", "--query", soql), "--result-format", "csv"))))
    # The CLI says the number of children before each child.
    children = [name for at in range(3) for name in ("Contacts.totalSize", f"Contacts.records.{at}.LastName")]
    equal(rows, [["Name", *children], ["Northwind Robotics", "3", "Dvořák", "3", "Hoffmann", "3", "Tanaka"]])
    soql = "SELECT Family, COUNT(Id), MAX(ProductCode) FROM Product2 GROUP BY Family ORDER BY MAX(ProductCode) DESC"
    rows = list(csv.reader(io.StringIO(text(*org("data", "query", "--query", soql), "--result-format", "csv"))))
    equal(rows[0], ["Family", "count(Id)", "max(ProductCode)"])
    equal(rows[1], ["Hardware", "2", "VC-210"])


@check("prints a table for people")
def as_table():
    table = text(*org("data", "query", "--query", "SELECT ProductCode, Name FROM Product2 ORDER BY ProductCode LIMIT 1"))
    holds("LCS-ANNUAL" in table and "LineControl Suite, annual" in table, table)
    holds("Total number of records retrieved: 1." in table, table)


@check("reads a query from a file, and deleted rows too")
def from_file():
    made = result(*org("data", "create", "record", "--sobject", "Robot__c"), "--values", "Name=Ghost Batch__c=CLI-GHOSTS")
    result(*org("data", "delete", "record", "--sobject", "Robot__c"), "--record-id", made["id"])
    file = SCRATCH / "ghosts.soql"
    file.write_text("SELECT Id, IsDeleted\nFROM Robot__c\nWHERE Batch__c = 'CLI-GHOSTS'\n")
    equal(result(*org("data", "query", "--file", str(file)))["totalSize"], 0)
    rows = result(*org("data", "query", "--file", str(file), "--all-rows"))["records"]
    equal([(row["Id"], row["IsDeleted"]) for row in rows], [(made["id"], True)])


@check("queries the tooling API")
def tooling():
    told = query("SELECT Id, Name FROM ApexClass", "--use-tooling-api")
    equal((told["totalSize"], told["done"], told["records"]), (0, True, []))


@check("is shown where a query is wrong")
def wrong():
    told = refusal(*org("data", "query", "--query", "SELECT Bacon__c FROM Account"))
    equal(told["name"], "INVALID_FIELD")
    holds("No such column 'Bacon__c' on entity 'Account'" in told["message"], told["message"])
    told = refusal(*org("data", "query", "--query", "SELEKT Id FROM Account"))
    matches(told, {"name": "MALFORMED_QUERY", "message": "unexpected token: SELEKT"})


@check("search: finds words")
def search():
    told = result(*org("data", "search", "--query", "FIND {Lakeside} IN NAME FIELDS RETURNING Account(Name)"))
    equal([row["Name"] for row in told["searchRecords"]], ["Lakeside Packaging"])
