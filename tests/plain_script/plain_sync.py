#!/usr/bin/env python3
"""What a person would write in an afternoon: a quote record for each opportunity, with simple-salesforce.

    pip install simple-salesforce==1.12.10
    cpq seed --scenario crm-sync      # starts a sandbox whose org has the fields that this writes
    tests/plain_script/plain_sync.py http://127.0.0.1:7070 --opportunities 1000 --threads 1

For each opportunity it reads it with account and lines, upserts a quote record by its external id, and writes number,
state and total back: three calls, as the library's documentation shows them. It keeps no history, tries nothing again,
looks for no lost answer and writes over what somebody else wrote meanwhile. `cpq bench sync` does the same work and all
of that beside it; docs/performance.md has both figures. Loads its opportunities into that sandbox, and prints JSON.
"""

import argparse
import json
import statistics
import urllib.parse
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import requests
from simple_salesforce import Salesforce

CALL_MS = 20


def main():
    args = arguments()
    control(args.sandbox, "/sandbox/seed", {"add": True, "name": "plain", "generate": {"opportunities": args.opportunities}})
    info = control(args.sandbox, "/sandbox/info")
    latency = {"when": {"path": "/services/data/"}, "fault": {"kind": "latency", "millis": CALL_MS}}
    control(args.sandbox, "/sandbox/faults", {"rules": [latency]})
    # The library speaks TLS only.
    session = requests.Session()
    session.verify, session.trust_env = info["caCertificatePath"], False
    instance = {"instance_url": info["tlsInstanceUrl"], "version": info["apiVersion"]}
    sf = Salesforce(**instance, session_id=token(info), session=session)
    before = used(sf)
    begin = monotonic()
    with ThreadPoolExecutor(max_workers=args.threads) as pool:
        walls = list(pool.map(lambda number: timed(sf, number), range(1, args.opportunities + 1)))
    seconds = monotonic() - begin
    print(json.dumps({
        "opportunities": args.opportunities,
        "threads": args.threads,
        "callMillis": CALL_MS,
        "seconds": round(seconds, 2),
        "syncsPerSecond": round(args.opportunities / seconds, 1),
        "medianMillis": round(statistics.median(walls) * 1000, 1),
        # The second look is a call too.
        "apiCalls": used(sf) - before - 1,
    }))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sandbox", help="URL of a sandbox")
    parser.add_argument("--opportunities", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def timed(sf, number):
    begin = monotonic()
    sync(sf, f"LOAD-{number:06}")
    return monotonic() - begin


def sync(sf, number):
    found = sf.query(
        "SELECT Id, Name, Pricebook2Id, Account.Name, CloseDate, "
        "(SELECT Id, ProductCode, Quantity, UnitPrice, TotalPrice FROM OpportunityLineItems) "
        f"FROM Opportunity WHERE Opportunity_Number__c = '{number}'"
    )
    opportunity = found["records"][0]
    lines = (opportunity["OpportunityLineItems"] or {"records": []})["records"]
    total = sum(line["TotalPrice"] for line in lines)
    # The same key each time, so that a second run finds the same record.
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, number))
    sf.Quote.upsert(f"CPQ_Quote_Key__c/{key}", {
        "Name": opportunity["Name"],
        "OpportunityId": opportunity["Id"],
        "Pricebook2Id": opportunity["Pricebook2Id"],
        "Status": "Draft",
    })
    sf.Opportunity.update(opportunity["Id"], {
        "CPQ_Quote_Number__c": f"Q-{number}",
        "CPQ_Quote_Status__c": "draft",
        "CPQ_Quote_Revision__c": 1,
        "CPQ_Net_Total__c": total,
    })


def used(sf):
    day = sf.limits()["DailyApiRequests"]
    return day["Max"] - day["Remaining"]


def token(info):
    form = {"grant_type": "client_credentials", "client_id": info["clientId"], "client_secret": info["clientSecret"]}
    url = info["instanceUrl"] + "/services/oauth2/token"
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()) as answer:
        return json.load(answer)["access_token"]


def control(sandbox, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sandbox + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
