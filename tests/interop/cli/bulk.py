"""Bulk API 2.0 through the CLI: files in, files out."""

import csv
import io

from checking import check, equal, holds, matches
from command import PROJECT, SCRATCH, org, refusal, result, text

WAIT = ["--wait", "5"]


def file(name, content):
    path = SCRATCH / name
    path.write_text(content)
    return str(path)


def rows(condition):
    soql = f"SELECT Id, Name, Serial__c, Color__c FROM Robot__c WHERE {condition} ORDER BY Serial__c"
    return result(*org("data", "query", "--query", soql))["records"]


@check("bulk: imports a file")
def import_bulk():
    lines = ["Name,Serial__c,Color__c,Notes__c", 'One,CI-1,Red,"ü, ""quoted"""', "Two,CI-2,,"]
    words = ["--sobject", "Robot__c", "--file", file("import.csv", "\n".join(lines) + "\n"), *WAIT]
    told = result(*org("data", "import", "bulk"), *words)
    matches(told, {"processedRecords": 2, "successfulRecords": 2, "failedRecords": 0})
    equal([(row["Name"], row["Color__c"]) for row in rows("Serial__c LIKE 'CI-%'")], [("One", "Red"), ("Two", None)])


@check("bulk: imports what is good, and shows what failed")
def failures():
    words = ["--sobject", "Robot__c", "--file", file("bad.csv", "Name,Color__c\nGood,Red\nBad,Pink\n"), *WAIT]
    told = refusal(*org("data", "import", "bulk"), *words)
    equal(told["data"]["state"], "JobComplete")
    job = told["data"]["jobId"]
    shown = result(*org("data", "bulk", "results", "--job-id", job))
    matches(shown, {"processedRecords": 2, "successfulRecords": 1, "failedRecords": 1, "status": "JobComplete"})
    holds("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" in (PROJECT / shown["failedFilePath"]).read_text(), shown)


@check("bulk: upserts and updates from files")
def upsert_and_update():
    words = ["--sobject", "Robot__c", "--external-id", "Serial__c", *WAIT]
    told = result(*org("data", "upsert", "bulk"), *words, "--file", file("first.csv", "Serial__c,Name\nCU-1,One\n"))
    equal(told["jobInfo"]["numberRecordsProcessed"], 1)
    result(*org("data", "upsert", "bulk"), *words, "--file", file("second.csv", "Serial__c,Name\nCU-1,One II\nCU-2,Two\n"))
    found = rows("Serial__c LIKE 'CU-%'")
    equal([row["Name"] for row in found], ["One II", "Two"])
    lines = "".join(f"{row['Id']},Green\n" for row in found)
    told = result(*org("data", "update", "bulk", "--sobject", "Robot__c"), "--file", file("update.csv", "Id,Color__c\n" + lines), *WAIT)
    matches(told, {"processedRecords": 2, "successfulRecords": 2, "failedRecords": 0})
    equal([row["Color__c"] for row in rows("Serial__c LIKE 'CU-%'")], ["Green", "Green"])


@check("bulk: exports as CSV and JSON, and deletes what it exported")
def export_and_delete():
    result(*org("data", "import", "bulk", "--sobject", "Robot__c"), "--file", file("out.csv", "Name,Serial__c\nÜ,CE-1\nV,CE-2\n"), *WAIT)
    soql = "SELECT Id, Name FROM Robot__c WHERE Serial__c LIKE 'CE-%' ORDER BY Serial__c"
    out = SCRATCH / "exported.csv"
    told = result(*org("data", "export", "bulk", "--query", soql), "--output-file", str(out), "--result-format", "csv", *WAIT)
    equal(told["totalSize"], 2)
    exported = list(csv.DictReader(io.StringIO(out.read_text())))
    equal([row["Name"] for row in exported], ["Ü", "V"])
    ids = file("delete.csv", "Id\n" + "".join(f"{row['Id']}\n" for row in exported))
    told = result(*org("data", "delete", "bulk", "--sobject", "Robot__c"), "--file", ids, *WAIT)
    equal(told["jobInfo"]["numberRecordsProcessed"], 2)
    equal(rows("Serial__c LIKE 'CE-%'"), [])


@check("bulk: starts an import, and resumes it by its id")
def resume():
    words = ["--sobject", "Robot__c", "--file", file("later.csv", "Name,Serial__c\nLater,CL-1\n")]
    job = result(*org("data", "import", "bulk"), *words)["jobId"]
    equal(job[:3], "750")
    told = result("data", "import", "resume", "--job-id", job, *WAIT)
    matches(told, {"processedRecords": 1, "successfulRecords": 1, "failedRecords": 0})
    equal([row["Name"] for row in rows("Serial__c = 'CL-1'")], ["Later"])
