"""How the client reaches the sandbox.

simple-salesforce writes `https://login.salesforce.com` and the like by itself. The session that it is given sends
those to the sandbox, as a line in the hosts file would; the client's code is untouched.
"""

import re
from functools import cache

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

from control import info

LOGIN_HOSTS = re.compile(r"^https://[^/]+\.salesforce\.com")


class HostsFile(HTTPAdapter):
    """Leads every host of Salesforce to the sandbox's HTTPS address."""

    def send(self, request, **options):
        request.url = LOGIN_HOSTS.sub(info()["tlsInstanceUrl"], request.url)
        return super().send(request, **options)


def session():
    """A session that finds the sandbox. Whom it trusts is in its environment, REQUESTS_CA_BUNDLE."""
    made = requests.Session()
    made.mount("https://", HostsFile())
    return made


def with_password(**options):
    """A new login with user name, password and security token."""
    user, password = info()["username"], info()["password"]
    return Salesforce(username=user, password=password, security_token="SANDBOXTOKEN", session=session(), **options)


def with_token(token, **options):
    """A session somebody else logged in; it cannot be refreshed."""
    return Salesforce(session_id=token, instance_url=info()["tlsInstanceUrl"], session=session(), **options)


def with_app(**options):
    """A new login with user name and password through an OAuth app; SOAP has no login from version 65 on."""
    user, password = info()["username"], info()["password"]
    key, secret = info()["clientId"], info()["clientSecret"]
    return Salesforce(username=user, password=password, consumer_key=key, consumer_secret=secret, session=session(), **options)


@cache
def salesforce():
    """The connection that checks share. It logs in again by itself when the session ended."""
    return with_app(version="68.0")
