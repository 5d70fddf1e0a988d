//! SOAP login, which jsforce and simple-salesforce use unless told otherwise ("SOAP API Developer Guide", login()).
//! The envelope is read as text: clients' envelopes differ in prefixes only, and nothing else of XML is needed.

use crate::door::Visit;
use crate::oauth::{Session, authenticate};
use crate::org::User;
use crate::state::{Sandbox, Shared, lock};
use crate::wire::escaped;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use http::{StatusCode, header};

/// login() is not offered by newer versions.
const LAST_VERSION: f32 = 64.0;

/// Partner (`u`) and enterprise (`c`) endpoints.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/services/Soap/{kind}/{version}", post(call))
        .route(
            "/services/Soap/{kind}/{version}/{organization}",
            post(call_of_org),
        )
}

/// A SOAP fault; always with HTTP 500.
struct Fault(&'static str, &'static str);

/// Which WSDL, which version.
struct Endpoint {
    kind: String,
    version: String,
}

async fn call(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path((kind, version)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    dispatch(
        &sandbox,
        &visit,
        &Endpoint { kind, version },
        &String::from_utf8_lossy(&body),
    )
}

async fn call_of_org(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path((kind, version, _)): Path<(String, String, String)>,
    body: Bytes,
) -> Response {
    dispatch(
        &sandbox,
        &visit,
        &Endpoint { kind, version },
        &String::from_utf8_lossy(&body),
    )
}

fn dispatch(sandbox: &Sandbox, visit: &Visit, endpoint: &Endpoint, envelope: &str) -> Response {
    let answer = if !matches!(endpoint.kind.as_str(), "u" | "c") {
        Err(Fault(
            "UNSUPPORTED_API_VERSION",
            "Only the partner and enterprise APIs are served",
        ))
    } else if endpoint.version.parse::<f32>().is_err() {
        Err(Fault(
            "UNSUPPORTED_API_VERSION",
            "Invalid Api version specified on URL",
        ))
    } else if let Some(login) = inside(envelope, "login") {
        log_in(sandbox, visit, endpoint, login)
    } else if element(envelope, "getUserInfo").is_some() {
        session_user(sandbox, visit, envelope).map(|user| {
            (
                "getUserInfoResponse",
                format!("<result>{}</result>", user_info(sandbox, &user)),
            )
        })
    } else if element(envelope, "logout").is_some() {
        session_user(sandbox, visit, envelope).map(|_| {
            lock(&sandbox.access).end_session(&element(envelope, "sessionId").unwrap_or_default());
            ("logoutResponse", String::new())
        })
    } else {
        Err(Fault(
            "INVALID_OPERATION",
            "This sandbox serves login, logout and getUserInfo",
        ))
    };
    match answer {
        Ok((name, content)) => enveloped(StatusCode::OK, endpoint, &format!("<{name}>{content}</{name}>")),
        Err(fault) => fault.written(endpoint),
    }
}

fn log_in(
    sandbox: &Sandbox,
    visit: &Visit,
    endpoint: &Endpoint,
    login: &str,
) -> Result<(&'static str, String), Fault> {
    if endpoint
        .version
        .parse::<f32>()
        .is_ok_and(|version| version > LAST_VERSION)
    {
        return Err(Fault(
            "INVALID_OPERATION",
            "SOAP API login() is not available in this API version",
        ));
    }
    let invalid = || {
        Fault(
            "INVALID_LOGIN",
            "Invalid username, password, security token; or user locked out.",
        )
    };
    let username = element(login, "username").ok_or_else(invalid)?;
    let password = element(login, "password").ok_or_else(invalid)?;
    let now = visit.now(sandbox);
    let user = authenticate(sandbox, &username, &password, now).map_err(|_| invalid())?;
    let organization = lock(&sandbox.org).organization_id().to_owned();
    let lifetime = sandbox.session_lifetime();
    let session = Session::new(&user.id, None, vec!["full".to_owned()], now);
    let session_id = lock(&sandbox.access).add_session(&organization, session, lifetime);
    sandbox.touch();
    let soap = format!("{}/services/Soap", visit.base_url);
    let short = organization.get(..15).unwrap_or(&organization);
    let Endpoint { kind, version } = endpoint;
    let info = user_info(sandbox, &user);
    Ok((
        "loginResponse",
        format!(
            "<result><metadataServerUrl>{soap}/m/{version}/{short}</metadataServerUrl>\
             <passwordExpired>false</passwordExpired><sandbox>true</sandbox>\
             <serverUrl>{soap}/{kind}/{version}/{short}</serverUrl><sessionId>{session_id}</sessionId>\
             <userId>{id}</userId><userInfo>{info}</userInfo></result>",
            id = user.id
        ),
    ))
}

fn session_user(sandbox: &Sandbox, visit: &Visit, envelope: &str) -> Result<User, Fault> {
    let session = element(envelope, "sessionId").and_then(|token| sandbox.session(visit, &token));
    let user = session.and_then(|session| lock(&sandbox.org).user(&session.user_id));
    let text =
        "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash";
    user.ok_or(Fault("INVALID_SESSION_ID", text))
}

/// The elements of GetUserInfoResult, in the order of the WSDL.
fn user_info(sandbox: &Sandbox, user: &User) -> String {
    let organization = lock(&sandbox.org).organization_id().to_owned();
    let lifetime = sandbox.settings().session_lifetime_seconds.to_string();
    let pairs = [
        ("accessibilityMode", "false"),
        ("currencySymbol", "$"),
        ("orgAttachmentFileSizeLimit", "5242880"),
        ("orgDefaultCurrencyIsoCode", "USD"),
        ("orgDisallowHtmlAttachments", "false"),
        ("orgHasPersonAccounts", "false"),
        ("organizationId", organization.as_str()),
        ("organizationMultiCurrency", "false"),
        ("organizationName", "Sandbox"),
        ("profileId", user.profile_id.as_str()),
        ("roleId", ""),
        ("sessionSecondsValid", lifetime.as_str()),
        ("userDefaultCurrencyIsoCode", ""),
        ("userEmail", user.email.as_str()),
        ("userFullName", user.name.as_str()),
        ("userId", user.id.as_str()),
        ("userLanguage", user.language.as_str()),
        ("userLocale", user.locale.as_str()),
        ("userName", user.username.as_str()),
        ("userTimeZone", user.time_zone.as_str()),
        ("userType", "Standard"),
        ("userUiSkin", "Theme3"),
    ];
    let written = |(name, value): (&str, &str)| match value {
        "" => format!("<{name} xsi:nil=\"true\"/>"),
        value => format!("<{name}>{}</{name}>", escaped(value)),
    };
    pairs.into_iter().map(written).collect()
}

impl Fault {
    fn written(&self, endpoint: &Endpoint) -> Response {
        let Self(code, text) = self;
        let kind = if *code == "INVALID_LOGIN" {
            "LoginFault"
        } else {
            "UnexpectedErrorFault"
        };
        // Clients look for `sf:exceptionCode` with exactly this prefix.
        let body = format!(
            "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {text}</faultstring><detail>\
             <sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
             <sf:exceptionMessage>{text}</sf:exceptionMessage></sf:{kind}></detail></soapenv:Fault>"
        );
        enveloped(StatusCode::INTERNAL_SERVER_ERROR, endpoint, &body)
    }
}

fn enveloped(status: StatusCode, endpoint: &Endpoint, body: &str) -> Response {
    let api = if endpoint.kind == "c" {
        "enterprise"
    } else {
        "partner"
    };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:{api}.soap.sforce.com\" \
         xmlns:sf=\"urn:fault.{api}.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    );
    (status, [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], text).into_response()
}

/// The decoded text of the first element with this local name, whatever its prefix and attributes.
fn element(xml: &str, name: &str) -> Option<String> {
    inside(xml, name).map(unescaped)
}

/// What stands between its tags, as it stands.
fn inside<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = xml;
    loop {
        rest = &rest[rest.find('<')? + 1..];
        let end = rest.find('>')?;
        let tag = &rest[..end];
        let full = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        if full.rsplit(':').next() != Some(name) || tag.starts_with(['/', '?', '!']) {
            continue;
        }
        let content = &rest[end + 1..];
        if tag.ends_with('/') {
            return Some("");
        }
        let close = content.find(&format!("</{full}"))?;
        return Some(&content[..close]);
    }
}

fn unescaped(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&#x27;", "'"),
    ];
    // The ampersand comes last, so that `&amp;lt;` stays `&lt;`.
    pairs
        .into_iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn garbage_is_survived(xml in "[<>/a:&; é]{0,60}", name in "[aé]{1,2}") {
            let _ = element(&xml, &name);
        }
    }

    #[test]
    fn elements_are_found_whatever_their_prefix() {
        let xml = "<?xml version='1.0'?><se:Envelope><se:Body><n1:login xmlns:n1=\"urn\"><n1:username>a&amp;lt;b</n1:username>\
                   <n1:password>x&lt;y</n1:password><empty/></n1:login></se:Body></se:Envelope>";
        assert_eq!(element(xml, "username").as_deref(), Some("a&lt;b"));
        assert_eq!(element(xml, "empty").as_deref(), Some(""));
        assert_eq!(element(xml, "absent"), None);
        assert_eq!(element("<", "x"), None);
        assert_eq!(element("<x>unclosed", "x"), None);
    }
}
