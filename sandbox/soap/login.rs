//! `login`, which jsforce and simple-salesforce use unless told otherwise. Salesforce does not offer it beyond
//! version 64.0 and retires it in Summer '27.

use super::call::{Answer, Call};
use super::envelope::text_of;
use super::fault::Fault;
use super::user;
use super::xml::Xml;
use crate::oauth::{Rejected, Session, admit, authenticate};
use crate::state::lock;

/// The last version that has it.
const LAST_VERSION: u16 = 64;

const INVALID: Fault = Fault::Login(
    "INVALID_LOGIN",
    "Invalid username, password, security token; or user locked out.",
);

/// Begins a session that opens everything.
///
/// # Errors
/// `INVALID_LOGIN` and its kin.
pub fn log_in(call: &Call<'_>) -> Result<Answer, Fault> {
    if call.endpoint.version > LAST_VERSION {
        return Err(Fault::Login(
            "INVALID_OPERATION",
            "SOAP API login() is not available in this API version",
        ));
    }
    let (sandbox, now) = (call.sandbox, call.visit.now(call.sandbox));
    let username = text_of(call.node, "username").unwrap_or_default();
    let password = text_of(call.node, "password").unwrap_or_default();
    let organization = lock(&sandbox.org).organization_id().to_owned();
    let scope = call.headers.organization_id.as_deref();
    if scope.is_some_and(|id| id != organization && Some(id) != organization.get(..15)) {
        return Err(INVALID);
    }
    let user = authenticate(sandbox, username.trim(), &password, now).map_err(|why| match why {
        Rejected::Wrong | Rejected::Inactive => INVALID,
        Rejected::TokenMissing => Fault::Login(
            "LOGIN_MUST_USE_SECURITY_TOKEN",
            "Invalid username, password, security token; or user locked out. Append the security token to the \
             password.",
        ),
    })?;
    admit(sandbox, &user.id, now).map_err(|barrier| {
        let (code, text) = barrier.in_soap();
        Fault::Login(code, text)
    })?;
    let session = Session::new(&user.id, None, vec!["full".to_owned()], now);
    let lifetime = sandbox.session_lifetime();
    let session_id = lock(&sandbox.access).add_session(&organization, session, lifetime);
    sandbox.touch();
    let mut xml = Xml::default();
    let (letter, version) = (call.endpoint.dialect.letter(), call.endpoint.version_text());
    let short = organization.get(..15).unwrap_or(&organization);
    let url = |kind: &str| format!("{}/services/Soap/{kind}/{version}/{short}", call.visit.base_url);
    xml.open("result");
    xml.leaf("metadataServerUrl", &url("m"));
    xml.leaf("passwordExpired", "false");
    xml.leaf("sandbox", user::is_sandbox(sandbox));
    xml.leaf("serverUrl", &url(letter));
    xml.leaf("sessionId", &session_id);
    xml.leaf("userId", &user.id);
    xml.open("userInfo");
    user::info(&mut xml, sandbox, &user);
    xml.close("userInfo");
    xml.close("result");
    Ok(Answer {
        name: "loginResponse".to_owned(),
        content: xml,
        usage: None,
    })
}
