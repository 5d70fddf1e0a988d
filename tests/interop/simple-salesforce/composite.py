"""Several requests in one: composite, batch, tree and graph."""

from checking import check, equal, matches, raises
from connection import salesforce
from simple_salesforce import SalesforceMalformedRequest

BASE = "/services/data/v68.0/sobjects"


def composite(*requests, **options):
    """The answers, by reference."""
    body = {**options, "compositeRequest": list(requests)}
    told = salesforce().restful("composite", method="POST", json=body)["compositeResponse"]
    return {answer["referenceId"]: answer for answer in told}


def request(method, path, reference, body=None):
    made = {"method": method, "url": BASE + path, "referenceId": reference}
    return made if body is None else {**made, "body": body}


@check("creates a parent and its child in one composite, and reads both")
def references():
    told = composite(
        request("POST", "/Account", "account", {"Name": "Composite Ltd"}),
        request("POST", "/Robot__c", "robot", {"Name": "Child", "Account__c": "@{account.id}"}),
        request("GET", "/Robot__c/@{robot.id}?fields=Name,Account__c", "read"),
    )
    equal([told[name]["httpStatusCode"] for name in ("account", "robot", "read")], [201, 201, 200])
    account = told["account"]["body"]["id"]
    equal(told["account"]["httpHeaders"]["Location"], f"{BASE}/Account/{account}")
    matches(told["read"]["body"], {"Name": "Child", "Account__c": account})


@check("rolls a composite back, and says who was to blame")
def rolled_back():
    told = composite(
        request("POST", "/Account", "good", {"Name": "Rolled back"}),
        request("POST", "/Account", "bad", {}),
        allOrNone=True,
    )
    equal(told["good"]["httpStatusCode"], 400)
    equal(told["good"]["body"], [{
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the same transaction failed.",
    }])
    equal(told["bad"]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING")
    equal(salesforce().query("SELECT COUNT() FROM Account WHERE Name = 'Rolled back'")["totalSize"], 0)


@check("halts what refers to a failed part, and goes on with the rest")
def halted():
    told = composite(
        request("POST", "/Account", "bad", {}),
        request("POST", "/Robot__c", "halted", {"Name": "x", "Account__c": "@{bad.id}"}),
        request("POST", "/Robot__c", "free", {"Name": "Free of references"}),
    )
    equal([told[name]["httpStatusCode"] for name in ("bad", "halted", "free")], [400, 400, 201])
    equal(told["halted"]["body"][0]["errorCode"], "PROCESSING_HALTED")


@check("upserts, updates and deletes in one composite")
def all_methods():
    told = composite(
        request("PATCH", "/Robot__c/Serial__c/COMP-1", "upserted", {"Name": "Compo"}),
        request("PATCH", "/Robot__c/@{upserted.id}", "updated", {"Color__c": "Red"}),
        request("DELETE", "/Robot__c/@{upserted.id}", "deleted"),
    )
    equal([told[name]["httpStatusCode"] for name in ("upserted", "updated", "deleted")], [201, 204, 204])
    equal((told["updated"]["body"], told["deleted"]["body"]), (None, None))


@check("is refused an illegal reference")
def illegal_reference():
    error = raises(SalesforceMalformedRequest, lambda: composite(request("GET", "/Account", "a[1]")))
    equal(error.content[0]["errorCode"], "JSON_PARSER_ERROR")


@check("sends a batch, each part on its own")
def batch():
    body = {"batchRequests": [
        {"method": "POST", "url": "v68.0/sobjects/Account", "richInput": {"Name": "Of a batch"}},
        {"method": "GET", "url": "v68.0/sobjects/Account/001000000000001AAA"},
        {"method": "GET", "url": "v68.0/query?q=SELECT+COUNT()+FROM+Product2"},
    ]}
    told = salesforce().restful("composite/batch", method="POST", json=body)
    equal(told["hasErrors"], True)
    equal([part["statusCode"] for part in told["results"]], [201, 404, 200])
    equal(told["results"][1]["result"][0]["errorCode"], "NOT_FOUND")
    equal(told["results"][2]["result"]["totalSize"], 4)


@check("plants a tree of records")
def tree():
    body = {"records": [{
        "attributes": {"type": "Account", "referenceId": "root"}, "Name": "Tree",
        "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "leaf"}, "LastName": "Leaf"}]},
    }]}
    told = salesforce().restful("composite/tree/Account", method="POST", json=body)
    equal((told["hasErrors"], [row["referenceId"] for row in told["results"]]), (False, ["root", "leaf"]))
    leaf = salesforce().Contact.get(told["results"][1]["id"])
    equal(leaf["AccountId"], told["results"][0]["id"])


@check("plants no tree when one leaf is bad")
def bad_tree():
    body = {"records": [{
        "attributes": {"type": "Account", "referenceId": "root"}, "Name": "Bad tree",
        "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "leaf"}, "LastName": "L", "Email": "123"}]},
    }]}
    error = raises(
        SalesforceMalformedRequest, lambda: salesforce().restful("composite/tree/Account", method="POST", json=body)
    )
    equal(error.content["hasErrors"], True)
    equal([(row["referenceId"], row["errors"][0]["statusCode"]) for row in error.content["results"]], [
        ("leaf", "INVALID_EMAIL_ADDRESS"),
    ])
    equal(salesforce().query("SELECT COUNT() FROM Account WHERE Name = 'Bad tree'")["totalSize"], 0)


@check("saves one graph and refuses the other")
def graphs():
    def graph(name, second):
        return {"graphId": name, "compositeRequest": [
            request("POST", "/Account", "a", {"Name": f"Graph {name}"}), request("POST", "/Robot__c", "b", second),
        ]}

    body = {"graphs": [graph("good", {"Name": "x", "Account__c": "@{a.id}"}), graph("bad", {"Color__c": "Pink"})]}
    told = salesforce().restful("composite/graph", method="POST", json=body)["graphs"]
    equal([(graph["graphId"], graph["isSuccessful"]) for graph in told], [("good", True), ("bad", False)])
    equal([part["httpStatusCode"] for part in told[0]["graphResponse"]["compositeResponse"]], [201, 201])
    names = salesforce().query("SELECT Name FROM Account WHERE Name LIKE 'Graph %'")["records"]
    equal([row["Name"] for row in names], ["Graph good"])
