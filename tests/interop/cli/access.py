"""Ways for the CLI to log in, and what it then knows of the org."""

import json
import sys
from pathlib import Path

from checking import check, equal, holds, matches
from command import SCRATCH, log_in, org, refusal, result, text
from control import expire_sessions, info, requests, token

AT = ["--instance-url", info()["tlsInstanceUrl"]]


@check("logs in by JWT")
def jwt():
    matches(log_in(), {
        "orgId": info()["organizationId"], "username": info()["username"], "isDevHub": False, "isSandbox": False,
        "instanceUrl": info()["tlsInstanceUrl"], "name": "Aurora Automation Inc.", "instanceApiVersion": "68.0",
        "orgEdition": "Developer Edition", "namespacePrefix": None,
    })


@check("shows the org as connected")
def display():
    told = result(*org("org", "display"))
    matches(told, {
        "id": info()["organizationId"], "connectedStatus": "Connected", "apiVersion": "68.0", "alias": "interop",
        "username": info()["username"], "instanceUrl": info()["tlsInstanceUrl"],
    })


@check("gets a new session when the old one ended")
def expired():
    expire_sessions()
    with requests() as seen:
        rows = result(*org("data", "query", "--query", "SELECT COUNT() FROM Product2"))
    equal(rows["totalSize"], 4)
    holds("/services/oauth2/token" in [request["path"] for request in seen], seen)


@check("shows the user and the profile")
def display_user():
    told = result(*org("org", "display", "user"))
    matches(told, {"username": info()["username"], "profileName": "System Administrator", "orgId": info()["organizationId"]})


@check("is refused a JWT of an unknown user")
def jwt_of_unknown_user():
    words = ["--client-id", info()["clientId"], "--jwt-key-file", info()["jwtPrivateKeyPath"]]
    told = refusal("org", "login", "jwt", "--username", "nobody@example.com", *words, *AT)
    equal(told["name"], "JwtGrantError")
    holds("user hasn't approved this consumer" in told["message"], told["message"])


@check("logs in with an access token")
def access_token():
    session = token("client_credentials")["access_token"]
    told = result("org", "login", "access-token", "--no-prompt", *AT, more={"SF_ACCESS_TOKEN": session})
    matches(told, {"orgId": info()["organizationId"], "username": info()["username"]})
    # The same user by another way now; the way of the other checks is taken again.
    log_in()


@check("is refused an access token that is dead")
def dead_access_token():
    session = token("client_credentials")["access_token"]
    expire_sessions()
    words = ["org", "login", "access-token", "--no-prompt", *AT, "--json"]
    told = json.loads(text(*words, status=1, more={"SF_ACCESS_TOKEN": session}))
    holds("Bad_OAuth_Token" in told["message"], told["message"])


@check("logs in through a browser, with PKCE")
def web():
    browser = SCRATCH / "browser"
    browser.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("browser.py")}" "$@"\n')
    browser.chmod(0o755)
    # The CLI asks xdg-open, and on no desktop in particular that starts this.
    browsing = {"BROWSER": str(browser), "XDG_CURRENT_DESKTOP": "X-Generic"}
    told = result("org", "login", "web", *AT, "--alias", "by-web", more=browsing)
    matches(told, {"orgId": info()["organizationId"], "clientId": "PlatformCLI", "username": info()["username"]})
    rows = result("data", "query", "--query", "SELECT COUNT() FROM Product2", "--target-org", "by-web")
    equal(rows["totalSize"], 4)


@check("refreshes what it got through the browser, without a secret")
def web_refresh():
    expire_sessions()
    with requests() as seen:
        rows = result("data", "query", "--query", "SELECT COUNT() FROM Product2", "--target-org", "by-web")
    equal(rows["totalSize"], 4)
    holds("/services/oauth2/token" in [request["path"] for request in seen], seen)


@check("logs in with the address that it shows itself")
def sfdx_url():
    url = result("org", "auth", "show-sfdx-auth-url", "--target-org", "by-web", "--no-prompt")["sfdxAuthUrl"]
    host = info()["tlsInstanceUrl"].removeprefix("https://")
    holds(url.startswith("force://PlatformCLI::") and url.endswith(f"@{host}"), url)
    file = SCRATCH / "sfdx-url.txt"
    file.write_text(url)
    told = result("org", "login", "sfdx-url", "--sfdx-url-file", str(file), "--alias", "by-url")
    matches(told, {"orgId": info()["organizationId"], "username": info()["username"]})


@check("lists the org once, with its alias")
def list_orgs():
    log_in()
    told = result("org", "list")
    equal([(entry["username"], entry["connectedStatus"]) for entry in told["nonScratchOrgs"]], [(info()["username"], "Connected")])
    equal((told["scratchOrgs"], told["sandboxes"], told["devHubs"]), ([], [], []))


@check("makes an address that opens the org in a browser")
def open_org():
    told = result(*org("org", "open", "--url-only"))
    equal(told["orgId"], info()["organizationId"])
    holds(told["url"].startswith(f"{info()['tlsInstanceUrl']}/secur/frontdoor.jsp?otp="), told)
