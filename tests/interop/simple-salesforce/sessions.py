"""What the client makes of a session that ends."""

from checking import check, equal, holds, raises
from connection import salesforce, with_app, with_password, with_token
from control import expire_sessions, faults, requests
from fleet import make_fleet
from simple_salesforce import SalesforceExpiredSession

COUNT = "SELECT COUNT() FROM Product2"


@check("raises SalesforceExpiredSession when it cannot log in again")
def expired():
    borrowed = with_token(with_password().session_id)
    equal(borrowed.query(COUNT)["totalSize"], 4)
    expire_sessions()
    error = raises(SalesforceExpiredSession, lambda: borrowed.query(COUNT))
    equal(error.status, 401)
    equal(error.content, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])


@check("logs in again by itself and repeats a query")
def refreshed_query():
    for connection, path in [(with_password(), "/services/Soap/u/59.0"), (with_app(), "/services/oauth2/token")]:
        before = connection.session_id
        expire_sessions()
        with requests() as seen:
            equal(connection.query(COUNT)["totalSize"], 4)
        equal([request["status"] for request in seen], [401, 200, 200])
        equal(seen[1]["path"], path)
        holds(connection.session_id != before, connection.session_id)


@check("logs in again by itself and repeats a create, once")
def refreshed_create():
    expire_sessions()
    made = salesforce().Account.create({"Name": "Made after a new login"})
    equal(made["success"], True)
    rows = salesforce().query("SELECT Id FROM Account WHERE Name = 'Made after a new login'")["records"]
    equal([row["Id"] for row in rows], [made["id"]])


@check("is refused with a token that never was")
def unknown_token():
    error = raises(SalesforceExpiredSession, lambda: with_token("00D000000000001!nonsense").query(COUNT))
    equal(error.content, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])


@check("gets over a session that ends between two pages")
def ends_while_paging():
    made = make_fleet("PAGING", 450)
    soql = "SELECT Id FROM Robot__c WHERE Batch__c = 'PAGING' ORDER BY Serial__c"
    with faults({"when": {"path": "/query/01g", "nth": [1]}, "fault": {"kind": "session_expired"}}) as fired:
        rows = list(salesforce().query_all_iter(soql, headers={"Sforce-Query-Options": "batchSize=200"}))
        equal(fired(), [1])
    equal([row["Id"] for row in rows], made)
