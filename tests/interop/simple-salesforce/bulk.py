"""Bulk API 2.0 through the client: jobs from lists and files, their results, and queries in pages."""

import csv
import os
from pathlib import Path

from checking import check, equal, holds, matches, raises
from connection import salesforce
from fleet import make_fleet
from simple_salesforce import SalesforceMalformedRequest
from simple_salesforce.bulk2 import ColumnDelimiter, LineEnding
from simple_salesforce.exceptions import SalesforceOperationError

# Seconds between two looks at a job; the client's own are five.
QUICK = {"wait": 0.05}


def robots():
    return salesforce().bulk2.Robot__c


def rows(text, delimiter=","):
    return list(csv.DictReader(text.splitlines(), delimiter=delimiter))


def count(batch):
    return salesforce().query(f"SELECT COUNT() FROM Robot__c WHERE Batch__c = '{batch}'")["totalSize"]


@check("bulk: inserts rows, and reports what failed and why")
def insert():
    data = [
        {"Name": "B 1", "Batch__c": "BULK", "Color__c": "Red", "Price__c": "19.9"},
        {"Name": "B 2", "Batch__c": "BULK", "Color__c": "Pink", "Price__c": "1"},
        {"Name": "B 3, \"ü\"\nline", "Batch__c": "BULK", "Color__c": "", "Price__c": ""},
    ]
    [job] = robots().insert(records=data, **QUICK)
    matches(job, {"numberRecordsFailed": 1, "numberRecordsProcessed": 3, "numberRecordsTotal": 3})
    [failed] = rows(robots().get_failed_records(job["job_id"]))
    matches(failed, {"sf__Id": "", "Name": "B 2", "Color__c": "Pink"})
    holds(failed["sf__Error"].startswith("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:"), failed)
    made = salesforce().query("SELECT Id, Name, Color__c, Price__c FROM Robot__c WHERE Batch__c = 'BULK' ORDER BY Name")
    equal([(row["Name"], row["Color__c"], row["Price__c"]) for row in made["records"]], [
        ("B 1", "Red", 19.9), ('B 3, "ü"\nline', None, None),
    ])
    good = robots().get_successful_records(job["job_id"])
    equal(sorted(row["sf__Id"] for row in csv.DictReader(good.splitlines(keepends=True))), sorted(row["Id"] for row in made["records"]))
    equal(rows(robots().get_unprocessed_records(job["job_id"])), [])


@check("bulk: upserts by external id, and says what was created")
def upsert():
    make_fleet("BUP", 1)
    data = [{"Serial__c": "BUP-000", "Name": "Old"}, {"Serial__c": "BUP-001", "Name": "New"}]
    [job] = robots().upsert(records=data, external_id_field="Serial__c", **QUICK)
    told = robots().get_all_ingest_records(job["job_id"])
    equal({row["Serial__c"]: row["sf__Created"] for row in told["successfulRecords"]}, {"BUP-000": "false", "BUP-001": "true"})
    equal((told["failedRecords"], told["unprocessedRecords"]), ([], []))
    equal(salesforce().Robot__c.get_by_custom_id("Serial__c", "BUP-000")["Name"], "Old")


@check("bulk: updates, clearing with #N/A, and deletes")
def update_and_delete():
    ids = make_fleet("BUD", 3)
    [job] = robots().update(records=[{"Id": id, "Axes__c": "#N/A", "Color__c": "Blue"} for id in ids], **QUICK)
    matches(job, {"numberRecordsFailed": 0, "numberRecordsProcessed": 3})
    read = salesforce().query("SELECT Axes__c, Color__c FROM Robot__c WHERE Batch__c = 'BUD'")["records"]
    equal([(row["Axes__c"], row["Color__c"]) for row in read], [(None, "Blue")] * 3)
    [job] = robots().delete(records=[{"Id": id} for id in [*ids, ids[0]]], **QUICK)
    matches(job, {"numberRecordsProcessed": 4, "numberRecordsFailed": 1})
    equal(count("BUD"), 0)
    [again] = rows(robots().get_failed_records(job["job_id"]))
    equal(again["sf__Id"], ids[0])


@check("bulk: deletes for good")
def hard_delete():
    ids = make_fleet("BHD", 2)
    robots().hard_delete(records=[{"Id": id} for id in ids], **QUICK)
    equal(salesforce().query_all("SELECT Id FROM Robot__c WHERE Batch__c = 'BHD'", include_deleted=True)["totalSize"], 0)


@check("bulk: splits a file into jobs, with another delimiter and line ending")
def from_file():
    file = Path(os.environ["INTEROP_SCRATCH"]) / "robots.csv"
    lines = ["Name|Batch__c", *(f"F {number}|BFILE" for number in range(450))]
    file.write_bytes("\r\n".join(lines).encode() + b"\r\n")
    jobs = robots().insert(
        csv_file=str(file), batch_size=200, column_delimiter=ColumnDelimiter.PIPE, line_ending=LineEnding.CRLF, **QUICK,
    )
    equal([job["numberRecordsProcessed"] for job in jobs], [200, 200, 50])
    equal(count("BFILE"), 450)


@check("bulk: queries in pages")
def query():
    make_fleet("BQ", 450)
    pages = list(robots().query(
        "SELECT Serial__c, Axes__c, Account__r.Name FROM Robot__c WHERE Batch__c = 'BQ' ORDER BY Serial__c", max_records=200, **QUICK,
    ))
    equal([len(rows(page)) for page in pages], [200, 200, 50])
    first = rows(pages[0])[0]
    equal(first, {"Serial__c": "BQ-000", "Axes__c": "0.0", "Account__r.Name": ""})


@check("bulk: downloads a query to files, deleted rows too")
def download():
    id = make_fleet("BD", 2)[0]
    salesforce().Robot__c.delete(id)
    folder = Path(os.environ["INTEROP_SCRATCH"]) / "download"
    folder.mkdir()
    [page] = robots().download("SELECT Id FROM Robot__c WHERE Batch__c = 'BD'", path=str(folder), **QUICK)
    equal((page["number_of_records"], len(rows(Path(page["file"]).read_text()))), (1, 1))
    [everything] = robots().query_all("SELECT Id, IsDeleted FROM Robot__c WHERE Batch__c = 'BD' ORDER BY Id", **QUICK)
    equal([row["IsDeleted"] for row in rows(everything)], ["true", "false"])


@check("bulk: is told of an object, a query and a column that do not exist")
def refused():
    error = raises(SalesforceMalformedRequest, lambda: salesforce().bulk2.Nothing__c.insert(records=[{"Name": "x"}], **QUICK))
    equal(error.content[0]["errorCode"], "INVALIDJOB")
    error = raises(SalesforceMalformedRequest, lambda: list(robots().query("SELECT Bacon__c FROM Robot__c", **QUICK)))
    equal(error.content[0]["errorCode"], "INVALID_FIELD")
    error = raises(SalesforceOperationError, lambda: robots().insert(records=[{"Bacon__c": "x"}], **QUICK))
    holds("Bacon__c" in str(error), str(error))
