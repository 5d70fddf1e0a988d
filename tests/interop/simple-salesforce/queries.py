"""SOQL through the client."""

from datetime import date, datetime, timezone

from checking import check, equal, matches, raises
from connection import salesforce
from fleet import make_fleet
from records import make
from simple_salesforce import SalesforceMalformedRequest
from simple_salesforce.format import format_soql

PAGES_OF_200 = {"Sforce-Query-Options": "batchSize=200"}


@check("queries records, in the order of fields and rows")
def plain():
    got = salesforce().query("SELECT ProductCode, Name FROM Product2 ORDER BY ProductCode DESC LIMIT 2")
    equal((got["totalSize"], got["done"]), (2, True))
    equal([list(row)[1:] for row in got["records"]], [["ProductCode", "Name"]] * 2)
    equal([row["ProductCode"] for row in got["records"]], ["VC-210", "SVC-INSTALL"])


@check("reads parents and children in one query")
def relationships():
    row = salesforce().query(
        "SELECT Name, Account.Name, Account.Owner.Username, (SELECT Product2.ProductCode, Quantity FROM "
        "OpportunityLineItems ORDER BY SortOrder), (SELECT Id FROM Quotes) FROM Opportunity WHERE "
        "Opportunity_Number__c = 'OPP-4482'"
    )["records"][0]
    equal(row["Account"]["Name"], "Northwind Robotics")
    equal(row["Account"]["Owner"]["Username"], "integration@aurora-automation.example")
    lines = row["OpportunityLineItems"]
    equal((lines["totalSize"], lines["done"]), (3, True))
    equal([(l["Product2"]["ProductCode"], l["Quantity"]) for l in lines["records"]], [
        ("RX-900", 6.0), ("VC-210", 2.0), ("LCS-ANNUAL", 3.0),
    ])
    equal(row["Quotes"], None)


@check("reads a missing parent as None")
def missing_parent():
    row = salesforce().query("SELECT Account.Name FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4484'")["records"][0]
    equal(row["Account"], None)


@check("counts")
def counts():
    got = salesforce().query("SELECT COUNT() FROM PricebookEntry")
    equal((got["totalSize"], got["done"], got["records"]), (8, True, []))


@check("groups, with and without an alias")
def groups():
    rows = salesforce().query(
        "SELECT Family, COUNT(Id) parts, MAX(ProductCode) FROM Product2 GROUP BY Family ORDER BY MAX(ProductCode) DESC"
    )["records"]
    equal([dict(row) for row in rows], [
        {"attributes": {"type": "AggregateResult"}, "Family": "Hardware", "parts": 2, "expr0": "VC-210"},
        {"attributes": {"type": "AggregateResult"}, "Family": "Services", "parts": 1, "expr0": "SVC-INSTALL"},
        {"attributes": {"type": "AggregateResult"}, "Family": "Software", "parts": 1, "expr0": "LCS-ANNUAL"},
    ])


@check("pages through a large result by itself")
def all_pages():
    made = make_fleet("ALL", 450)
    soql = "SELECT Id FROM Robot__c WHERE Batch__c = 'ALL' ORDER BY Serial__c"
    equal([row["Id"] for row in salesforce().query_all_iter(soql, headers=PAGES_OF_200)], made)
    got = salesforce().query_all(soql, headers=PAGES_OF_200)
    equal((got["totalSize"], [row["Id"] for row in got["records"]]), (450, made))


@check("pages step by step, by URL and by id")
def step_by_step():
    make_fleet("STEP", 450)
    first = salesforce().query("SELECT Axes__c FROM Robot__c WHERE Batch__c = 'STEP' ORDER BY Axes__c", headers=PAGES_OF_200)
    equal((first["totalSize"], first["done"], len(first["records"])), (450, False, 200))
    second = salesforce().query_more(first["nextRecordsUrl"], identifier_is_url=True)
    equal((second["totalSize"], second["done"], second["records"][0]["Axes__c"]), (450, False, 200.0))
    third = salesforce().query_more(second["nextRecordsUrl"].split("/")[-1])
    equal((third["done"], len(third["records"]), third.get("nextRecordsUrl")), (True, 50, None))


@check("is told INVALID_QUERY_LOCATOR for a page that is not there")
def bad_locator():
    error = raises(SalesforceMalformedRequest, lambda: salesforce().query_more("01g000000000000AAA-2000"))
    equal(error.content[0]["errorCode"], "INVALID_QUERY_LOCATOR")


@check("sees deleted rows only when it asks for them")
def deleted_rows():
    id = make("Ghost", Batch__c="GHOSTS")
    salesforce().Robot__c.delete(id)
    soql = "SELECT Id, IsDeleted FROM Robot__c WHERE Batch__c = 'GHOSTS'"
    equal(salesforce().query(soql)["totalSize"], 0)
    rows = salesforce().query_all(soql, include_deleted=True)["records"]
    equal([(row["Id"], row["IsDeleted"]) for row in rows], [(id, True)])


@check("quotes values of every kind for SOQL")
def quoting():
    name = "O'Neill \\ \"R2\"\n100%"
    id = make(name, Active__c=True, Price__c=9.5, Built__c="2026-05-01", Serviced__c="2026-05-02T10:00:00Z")
    soql = format_soql(
        "SELECT Id FROM Robot__c WHERE Name = {} AND Active__c = {} AND Price__c = {} AND Built__c = {} AND "
        "Serviced__c = {} AND Color__c = {} AND Id IN {}",
        name, True, 9.5, date(2026, 5, 1), datetime(2026, 5, 2, 10, tzinfo=timezone.utc), None, [id, "a00000000000000"],
    )
    equal([row["Id"] for row in salesforce().query(soql)["records"]], [id])


@check("escapes wildcards in LIKE")
def like():
    ids = [make("50% off"), make("50 off")]
    literal = format_soql("SELECT Id FROM Robot__c WHERE Name LIKE '{:like}%'", "50%")
    equal([row["Id"] for row in salesforce().query(literal)["records"]], ids[:1])
    wild = "SELECT Id FROM Robot__c WHERE Name LIKE '50%off' ORDER BY Name DESC"
    equal([row["Id"] for row in salesforce().query(wild)["records"]], ids)


@check("is shown where a query is wrong")
def wrong_field():
    error = raises(SalesforceMalformedRequest, lambda: salesforce().query("SELECT Bacon__c FROM Account"))
    equal(error.content[0]["errorCode"], "INVALID_FIELD")
    message = error.content[0]["message"]
    equal(message.startswith(
        "\nSELECT Bacon__c FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Bacon__c' on entity 'Account'."
    ), True)


@check("is told MALFORMED_QUERY and INVALID_TYPE")
def wrong_query():
    error = raises(SalesforceMalformedRequest, lambda: salesforce().query("SELEKT Id FROM Account"))
    equal(dict(error.content[0]), {"message": "unexpected token: SELEKT", "errorCode": "MALFORMED_QUERY"})
    error = raises(SalesforceMalformedRequest, lambda: salesforce().query("SELECT Id FROM Nothing__c"))
    equal(error.content[0]["errorCode"], "INVALID_TYPE")


@check("selects and filters choices of several")
def multipicklist():
    id = make("Skilled", Skills__c="Weld;Paint", Batch__c="SKILLS")
    make("Other", Skills__c="Lift", Batch__c="SKILLS")
    soql = "SELECT Id FROM Robot__c WHERE Batch__c = 'SKILLS' AND Skills__c INCLUDES ('Weld;Paint', 'Nothing')"
    equal([row["Id"] for row in salesforce().query(soql)["records"]], [id])


@check("knows its own org")
def organization():
    equal(salesforce().is_sandbox(), False)
    row = salesforce().query("SELECT Name, OrganizationType, InstanceName FROM Organization")["records"][0]
    matches(row, {"Name": "Aurora Automation Inc.", "OrganizationType": "Developer Edition"})
