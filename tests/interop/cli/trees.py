"""Records as trees in files: export from one, import into the other."""

import json

from checking import check, equal, holds
from command import SCRATCH, org, refusal, result


def accounts(condition):
    soql = f"SELECT Name, (SELECT LastName, Email FROM Contacts ORDER BY LastName) FROM Account WHERE {condition}"
    return result(*org("data", "query", "--query", soql))["records"]


@check("exports a tree with children")
def export():
    soql = "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Northwind Robotics'"
    result(*org("data", "export", "tree", "--query", soql, "--output-dir", str(SCRATCH / "tree")))
    [file] = (SCRATCH / "tree").glob("*.json")
    [root] = json.loads(file.read_text())["records"]
    equal((root["Name"], root["attributes"]["type"]), ("Northwind Robotics", "Account"))
    equal([leaf["LastName"] for leaf in root["Contacts"]["records"]], ["Hoffmann", "Dvořák", "Tanaka"])


@check("imports a tree with children")
def import_tree():
    tree = {"records": [{
        "attributes": {"type": "Account", "referenceId": "root"}, "Name": "Planted",
        "Contacts": {"records": [
            {"attributes": {"type": "Contact", "referenceId": "a"}, "LastName": "Ash", "Email": "ash@example.com"},
            {"attributes": {"type": "Contact", "referenceId": "b"}, "LastName": "Birch"},
        ]},
    }]}
    file = SCRATCH / "planted.json"
    file.write_text(json.dumps(tree))
    told = result(*org("data", "import", "tree", "--files", str(file)))
    equal([(row["refId"], row["type"]) for row in told], [("root", "Account"), ("a", "Contact"), ("b", "Contact")])
    [planted] = accounts("Name = 'Planted'")
    equal(told[0]["id"], planted["attributes"]["url"].split("/")[-1])
    equal([(row["LastName"], row["Email"]) for row in planted["Contacts"]["records"]], [("Ash", "ash@example.com"), ("Birch", None)])


@check("imports what it exported with a plan")
def plan():
    soql = "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Northwind Robotics'"
    folder = SCRATCH / "plan"
    result(*org("data", "export", "tree", "--plan", "--query", soql, "--output-dir", str(folder)))
    [file] = folder.glob("*plan.json")
    told = result(*org("data", "import", "tree", "--plan", str(file)))
    equal(sorted(row["type"] for row in told), ["Account", "Contact", "Contact", "Contact"])
    equal([len(account["Contacts"]["records"]) for account in accounts("Name = 'Northwind Robotics'")], [3, 3])


@check("is told which leaf of a tree is bad, and plants nothing")
def bad():
    tree = {"records": [{"attributes": {"type": "Contact", "referenceId": "leaf"}, "LastName": "Bad", "Email": "123"}]}
    file = SCRATCH / "bad.json"
    file.write_text(json.dumps(tree))
    told = refusal(*org("data", "import", "tree", "--files", str(file)))
    holds("INVALID_EMAIL_ADDRESS" in json.dumps(told), told)
    equal(result(*org("data", "query", "--query", "SELECT COUNT() FROM Contact WHERE LastName = 'Bad'"))["totalSize"], 0)
