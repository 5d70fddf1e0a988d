"""Values of every kind, out and back."""

from decimal import Decimal

from checking import check, equal, matches, raises
from connection import salesforce, with_app
from records import make
from simple_salesforce import SalesforceMalformedRequest


def back(id, field):
    """What the client reads."""
    return salesforce().Robot__c.get(id)[field]


@check("keeps every script, emoji and quotation mark")
def unicode():
    name = "Žluťoučký кінь 馬 🤖 \"quoted\" 'single' \\ <b>&amp;</b>"
    id = make(name, Notes__c="erste Zeile\r\nzweite\tZeile\nSchluss")
    equal(back(id, "Name"), name)
    equal(back(id, "Notes__c"), "erste Zeile\r\nzweite\tZeile\nSchluss")


@check("takes an empty text for none, and trims")
def empty_text():
    id = make("  Ivy \n", Contact__c="", Manual__c="https://example.com/ivy?x=1&y=2")
    matches(salesforce().Robot__c.get(id), {"Name": "Ivy", "Contact__c": None, "Manual__c": "https://example.com/ivy?x=1&y=2"})


@check("clears with None")
def null():
    id = make("Jo", Color__c="Red", Price__c=5, Built__c="2026-01-02", Active__c=True)
    equal(salesforce().Robot__c.update(id, {"Color__c": None, "Price__c": None, "Built__c": None}), 204)
    matches(salesforce().Robot__c.get(id), {"Color__c": None, "Price__c": None, "Built__c": None, "Active__c": True})


@check("reads numbers with a fraction, and rounds to the scale of the field")
def numbers():
    id = make("Kim", Price__c=1234.565, Wear__c=12.5, Payload__c=0.0005, Axes__c=6)
    row = salesforce().Robot__c.get(id)
    equal([row["Price__c"], row["Wear__c"], row["Payload__c"], row["Axes__c"]], [1234.57, 12.5, 0.001, 6.0])


@check("keeps large amounts to the cent, read as Decimal")
def decimals():
    id = make("Lou", Price__c=1234567890123.45, Payload__c=-9876543210123.125)
    # The client reads by this function in queries only.
    exact = with_app(parse_float=Decimal)
    row = exact.query(f"SELECT Price__c, Payload__c FROM Robot__c WHERE Id = '{id}'")["records"][0]
    equal((row["Price__c"], row["Payload__c"]), (Decimal("1234567890123.45"), Decimal("-9876543210123.125")))


@check("takes numbers as text")
def numbers_as_text():
    id = make("Mo", Price__c="19.90", Axes__c="7")
    matches(salesforce().Robot__c.get(id), {"Price__c": 19.9, "Axes__c": 7.0})


@check("keeps dates, leap days too")
def dates():
    id = make("Nia", Built__c="2028-02-29")
    equal(back(id, "Built__c"), "2028-02-29")


@check("tells times in UTC, without milliseconds, whatever the offset was")
def times():
    id = make("Oz", Serviced__c="2026-03-29T01:30:15.789+02:00")
    equal(back(id, "Serviced__c"), "2026-03-28T23:30:15.000+0000")
    salesforce().Robot__c.update(id, {"Serviced__c": "2026-12-31T23:59:59Z"})
    equal(back(id, "Serviced__c"), "2026-12-31T23:59:59.000+0000")


@check("keeps several choices")
def multipicklist():
    id = make("Pia", Skills__c="Weld;Lift")
    equal(back(id, "Skills__c"), "Weld;Lift")


@check("reads a compound address, and writes its parts")
def address():
    parts = {"BillingStreet": "Hauptstraße 1\nHinterhaus", "BillingCity": "Köln", "BillingPostalCode": "50667", "BillingCountry": "Germany"}
    id = salesforce().Account.create({"Name": "Address", **parts})["id"]
    equal(dict(salesforce().Account.get(id)["BillingAddress"]), {
        "city": "Köln", "country": "Germany", "geocodeAccuracy": None, "latitude": None, "longitude": None,
        "postalCode": "50667", "state": None, "street": "Hauptstraße 1\nHinterhaus",
    })


@check("keeps a long text of 32,000 characters, and refuses one more")
def long_text():
    text = "ä" * 32_000
    id = make("Quin", Notes__c=text)
    equal(back(id, "Notes__c"), text)
    error = raises(SalesforceMalformedRequest, lambda: make("Quin II", Notes__c=text + "x"))
    matches(error.content[0], {"errorCode": "STRING_TOO_LONG", "fields": ["Notes__c"]})


@check("reads what a formula computes, and cannot write it")
def formula():
    account = salesforce().Account.create({"Name": "Formula & Co."})["id"]
    id = make("Rex", Account__c=account)
    equal(back(id, "Label__c"), "Rex of Formula & Co.")
    rows = salesforce().query("SELECT Id FROM Robot__c WHERE Label__c = 'rex of formula & co.'")["records"]
    equal([row["Id"] for row in rows], [id])
    error = raises(SalesforceMalformedRequest, lambda: salesforce().Robot__c.update(id, {"Label__c": "x"}))
    equal(error.content[0]["errorCode"], "INVALID_FIELD_FOR_INSERT_UPDATE")
