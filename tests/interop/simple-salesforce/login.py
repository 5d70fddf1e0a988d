"""Every way to log in that the client has."""

import warnings
from pathlib import Path

from checking import check, equal, matches, raises
from connection import session, with_app, with_password
from control import info
from simple_salesforce import Salesforce, SalesforceAuthenticationFailed, SalesforceLogin

WHO = "SELECT Id, Username FROM User WHERE Username = 'integration@aurora-automation.example'"


def app(**more):
    return {"consumer_key": info()["clientId"], "session": session(), **more}


def sees_its_user(salesforce):
    """The session works, and is of the user."""
    equal([row["Username"] for row in salesforce.query(WHO)["records"]], [info()["username"]])


@check("logs in by SOAP with password and security token")
def soap_login():
    salesforce = with_password()
    equal(salesforce.sf_instance, info()["tlsInstanceUrl"].removeprefix("https://"))
    equal(salesforce.session_id.split("!")[0], info()["organizationId"][:15])
    sees_its_user(salesforce)


@check("logs in by SOAP within an organization")
def soap_login_with_organization():
    user, password = info()["username"], info()["password"]
    organization = info()["organizationId"]
    sees_its_user(Salesforce(username=user, password=password, organizationId=organization, session=session()))


@check("logs in by SOAP at a given address")
def soap_login_at_address():
    token, instance = SalesforceLogin(
        username=info()["username"], password=info()["password"], security_token="",
        scratch_url=info()["tlsInstanceUrl"], session=session(), client_id="interop",
    )
    sees_its_user(Salesforce(session_id=token, instance=instance, session=session()))


@check("is told INVALID_LOGIN for a wrong password")
def wrong_password():
    def log_in():
        Salesforce(username=info()["username"], password="wrong", security_token="", session=session())

    error = raises(SalesforceAuthenticationFailed, log_in)
    equal(error.code, "INVALID_LOGIN")
    equal(error.auth_message, "Invalid username, password, security token; or user locked out.")


@check("is told that SOAP has no login from version 65 on")
def login_retired():
    error = raises(SalesforceAuthenticationFailed, lambda: with_password(version="65.0"))
    equal(error.code, "INVALID_OPERATION")
    sees_its_user(with_password(version="64.0"))


@check("sends a password with XML characters to the letter")
def password_with_markup():
    def log_in():
        Salesforce(username=info()["username"], password="<&>\"'", security_token="", session=session())

    equal(raises(SalesforceAuthenticationFailed, log_in).code, "INVALID_LOGIN")


@check("logs in by JWT bearer with a key file")
def jwt_from_file():
    sees_its_user(Salesforce(**app(username=info()["username"], privatekey_file=info()["jwtPrivateKeyPath"])))


@check("logs in by JWT bearer with a key")
def jwt_from_key():
    key = Path(info()["jwtPrivateKeyPath"]).read_text()
    sees_its_user(Salesforce(**app(username=info()["username"], privatekey=key, domain="test")))


@check("is told invalid_grant for a JWT of an unknown user")
def jwt_of_unknown_user():
    def log_in():
        Salesforce(**app(username="nobody@example.com", privatekey_file=info()["jwtPrivateKeyPath"]))

    # The client advises to let the user approve the app.
    with warnings.catch_warnings(record=True) as told:
        error = raises(SalesforceAuthenticationFailed, log_in)
    equal((error.code, error.auth_message), ("invalid_grant", "user hasn't approved this consumer"))
    equal(len(told), 1)


@check("logs in by client credentials at My Domain")
def client_credentials():
    sees_its_user(Salesforce(**app(consumer_secret=info()["clientSecret"], domain="aurora.my")))


@check("is told invalid_client for a wrong secret")
def wrong_secret():
    error = raises(
        SalesforceAuthenticationFailed,
        lambda: Salesforce(**app(consumer_secret="wrong", domain="aurora.my")),
    )
    equal(error.code, "invalid_client")
    equal(error.auth_message, "invalid client credentials")


@check("logs in by user name and password of an OAuth app")
def oauth_password():
    sees_its_user(with_app())


@check("reads who it is from userinfo")
def userinfo():
    told = with_password().oauth2("userinfo")
    matches(told, {
        "preferred_username": info()["username"], "organization_id": info()["organizationId"],
        "email": "integration@aurora-automation.example", "name": "Integration User", "active": True,
    })
