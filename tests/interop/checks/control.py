"""The sandbox's control plane: what a client has to know, faults, the clock, the request log."""

import json
import os
import urllib.request
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

URL = os.environ["INTEROP_SANDBOX"]
# No proxy of this machine: the sandbox is on loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@cache
def info():
    """Addresses, ids, user, password and app."""
    return call("GET", "/sandbox/info")


def call(method, path, body=None):
    """One call, JSON in and out."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"}, method=method)
    with _OPENER.open(request) as answer:
        return json.loads(answer.read() or "null")


@contextmanager
def faults(*rules):
    """The rules hold within the block. Yields a function that tells how often they fired."""
    call("PUT", "/sandbox/faults", list(rules))
    try:
        yield lambda: [rule["fired"] for rule in call("GET", "/sandbox/faults")["rules"]]
    finally:
        call("DELETE", "/sandbox/faults")


def expire_sessions():
    """Every access token is dead from now on."""
    call("POST", "/sandbox/sessions/expire")


@contextmanager
def requests():
    """Collects what is called within the block, as `METHOD path`, without the control plane."""
    before = call("GET", "/sandbox/requests?limit=1")["total"]
    seen = []
    yield seen
    seen.extend(call("GET", f"/sandbox/requests?after={before}")["requests"])


def seed_robots():
    """Adds the custom object `Robot__c`, with a field of each kind."""
    call("POST", "/sandbox/seed", json.loads(Path(__file__).with_name("robots.json").read_text()))


def advance_clock(seconds):
    """Moves the sandbox's time forward, and returns it."""
    now = call("POST", "/sandbox/clock", {"advanceSeconds": seconds})["now"]
    return datetime.fromisoformat(now[:19] + "+00:00")


def token(grant_type, **more):
    """What the token endpoint answers to the app of `info`."""
    form = {"grant_type": grant_type, "client_id": info()["clientId"], "client_secret": info()["clientSecret"], **more}
    request = urllib.request.Request(info()["instanceUrl"] + "/services/oauth2/token", urlencode(form).encode())
    with _OPENER.open(request) as answer:
        return json.loads(answer.read())
