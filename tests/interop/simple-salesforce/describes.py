"""What objects and fields say of themselves."""

from checking import check, equal, holds, matches, raises
from connection import salesforce
from simple_salesforce import SalesforceResourceNotFound


def fields(name):
    """Fields by name."""
    return {field["name"]: field for field in getattr(salesforce(), name).describe()["fields"]}


@check("lists the objects of the org")
def all_objects():
    told = salesforce().describe()
    equal((told["encoding"], told["maxBatchSize"]), ("UTF-8", 200))
    robot = next(entry for entry in told["sobjects"] if entry["name"] == "Robot__c")
    matches(robot, {
        "label": "Robot", "labelPlural": "Robots", "custom": True, "keyPrefix": "a00", "createable": True,
        "queryable": True, "updateable": True, "deletable": True,
    })
    equal(robot["urls"]["sobject"], "/services/data/v68.0/sobjects/Robot__c")


@check("describes a custom object in full")
def custom_object():
    told = salesforce().Robot__c.describe()
    matches(told, {"name": "Robot__c", "label": "Robot", "custom": True, "keyPrefix": "a00"})
    names = [field["name"] for field in told["fields"]]
    holds({"Id", "OwnerId", "IsDeleted", "Name", "CreatedDate", "SystemModstamp", "Serial__c"} <= set(names), names)


@check("describes fields of each kind")
def kinds():
    told = fields("Robot__c")
    matches(told["Serial__c"], {
        "type": "string", "length": 40, "externalId": True, "unique": True, "nillable": True, "soapType": "xsd:string",
    })
    matches(told["Price__c"], {"type": "currency", "precision": 18, "scale": 2, "soapType": "xsd:double"})
    matches(told["Active__c"], {"type": "boolean", "nillable": False, "defaultedOnCreate": True})
    matches(told["Serviced__c"], {"type": "datetime", "soapType": "xsd:dateTime"})
    matches(told["Notes__c"], {"type": "textarea", "filterable": False, "sortable": False})
    matches(told["Account__c"], {
        "type": "reference", "referenceTo": ["Account"], "relationshipName": "Account__r", "custom": True,
    })
    equal([value["value"] for value in told["Color__c"]["picklistValues"]], ["Red", "Green", "Blue"])
    matches(told["Color__c"], {"type": "picklist", "restrictedPicklist": True})


@check("finds what a create must have")
def required():
    must = [
        name for name, field in fields("Opportunity").items()
        if field["createable"] and not field["nillable"] and not field["defaultedOnCreate"]
    ]
    equal(sorted(must), ["CloseDate", "Name", "StageName"])


@check("finds the relationships of an account")
def children():
    told = salesforce().Account.describe()["childRelationships"]
    by_name = {(child["childSObject"], child["field"]): child["relationshipName"] for child in told}
    equal(by_name[("Robot__c", "Account__c")], "Robots__r")
    equal(by_name[("Contact", "AccountId")], "Contacts")
    equal(by_name[("Opportunity", "AccountId")], "Opportunities")


@check("reads the basic information of an object")
def basic():
    told = salesforce().Robot__c.metadata()
    equal(told["objectDescribe"]["name"], "Robot__c")
    holds(isinstance(told["recentItems"], list), told["recentItems"])


@check("does not find the description of nothing")
def nothing():
    error = raises(SalesforceResourceNotFound, lambda: salesforce().Nothing__c.describe())
    equal(error.content[0]["errorCode"], "NOT_FOUND")
