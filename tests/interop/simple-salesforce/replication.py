"""What changed since when, and requests that depend on it."""

from datetime import timedelta

from checking import check, equal, holds, raises
from connection import salesforce
from control import advance_clock
from records import make
from simple_salesforce import SalesforceGeneralError


def window():
    """The hour before now, two minutes after what was written; the feeds cover whole minutes only."""
    now = advance_clock(120)
    return now - timedelta(hours=1), now


@check("lists what was updated")
def updated():
    id = make("Fresh")
    told = salesforce().Robot__c.updated(*window())
    holds(id in told["ids"], told)
    holds(told["latestDateCovered"].endswith(".000+0000"), told["latestDateCovered"])


@check("lists what was deleted, with the time")
def deleted():
    id = make("Stale")
    salesforce().Robot__c.delete(id)
    told = salesforce().Robot__c.deleted(*window())
    rows = [row for row in told["deletedRecords"] if row["id"] == id]
    equal(len(rows), 1)
    holds(rows[0]["deletedDate"].endswith(".000+0000"), rows)
    holds(told["earliestDateAvailable"] <= told["latestDateCovered"], told)


@check("updates only what nobody changed in between")
def conditional():
    id = make("Watched")
    equal(salesforce().Robot__c.update(id, {"Color__c": "Red"}, headers={"If-Unmodified-Since": "Fri, 31 Dec 2100 00:00:00 GMT"}), 204)
    error = raises(
        SalesforceGeneralError,
        lambda: salesforce().Robot__c.update(id, {"Color__c": "Blue"}, headers={"If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}),
    )
    equal(error.status, 412)
    equal(salesforce().Robot__c.get(id)["Color__c"], "Red")


@check("reads nothing when nothing changed")
def not_modified():
    id = make("Quiet")
    error = raises(
        SalesforceGeneralError,
        lambda: salesforce().Robot__c.get(id, headers={"If-Modified-Since": "Fri, 31 Dec 2100 00:00:00 GMT"}),
    )
    equal(error.status, 304)
