//! One call: read, let in, carried out, answered.

use super::dialect::{Dialect, Endpoint};
use super::envelope::{self, Envelope, SOAP, XSI};
use super::fault::Fault;
use super::headers::Headers;
use super::operation::{self, Operation};
use super::xml::Xml;
use super::{encoding, login};
use crate::door::Visit;
use crate::oauth::Session;
use crate::state::{Sandbox, lock};
use aws_lc_rs::digest;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, StatusCode, header};
use roxmltree::Node;

/// A call, read.
pub struct Call<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// Base URL, time and the like of this request.
    pub visit: &'a Visit,
    /// Which WSDL, which version.
    pub endpoint: Endpoint,
    /// Its header.
    pub headers: Headers,
    /// Its element in the body.
    pub node: Node<'a, 'a>,
}

/// What it came to.
pub struct Answer {
    /// Name of the element in the body.
    pub name: String,
    /// What stands in it.
    pub content: Xml,
    /// API calls used and allowed; none for calls that are not counted.
    pub usage: Option<(u64, u64)>,
}

/// Answers a request.
pub fn answer(
    sandbox: &Sandbox,
    visit: &Visit,
    kind: &str,
    version: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    match answered(sandbox, visit, (kind, version), headers, body) {
        Ok((endpoint, answer)) => answer.written(endpoint.dialect),
        Err(fault) => fault.written(Endpoint::dialect_of(kind)),
    }
}

fn answered(
    sandbox: &Sandbox,
    visit: &Visit,
    (kind, version): (&str, &str),
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Endpoint, Answer), Fault> {
    let endpoint = Endpoint::of(kind, version)?;
    let text = encoding::text(headers, body)?;
    let document = envelope::parse(&text)?;
    let envelope = Envelope::of(&document)?;
    let name = envelope.operation(endpoint.dialect)?;
    let call = Call {
        sandbox,
        visit,
        endpoint,
        headers: Headers::read(&envelope, endpoint.dialect)?,
        node: envelope.call,
    };
    if name == "login" {
        return Ok((endpoint, login::log_in(&call)?));
    }
    let operation = Operation::named(name).ok_or_else(|| operation::unserved(call.node))?;
    Ok((endpoint, call.counted(name, operation)?))
}

impl Call<'_> {
    /// Carries the operation out for whoever the session is, and counts it.
    fn counted(&self, name: &str, operation: Operation) -> Result<Answer, Fault> {
        let session = self.session()?;
        let now = self.visit.now(self.sandbox);
        let max = self.sandbox.settings().daily_api_requests;
        if self.sandbox.calls_are_used_up(now) {
            return Err(Fault::api(
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ));
        }
        let outcome = operation::carry_out(self, &session, operation);
        self.visit.spent(1);
        self.sandbox.limits.spend(now, 1);
        Ok(Answer {
            name: format!("{name}Response"),
            content: outcome?,
            usage: Some((self.sandbox.limits.used(now), max)),
        })
    }

    /// The session of the header. Tokens in JWT format and those of other scopes are none here.
    ///
    /// # Errors
    /// `INVALID_SESSION_ID`.
    fn session(&self) -> Result<Session, Fault> {
        let token = self.headers.session_id.as_deref().unwrap_or_default();
        let session = self.sandbox.session(self.visit, token);
        let fits = |session: &Session| !session.is_jwt() && session.reaches_api();
        session.filter(fits).ok_or_else(|| no_session(token))
    }
}

/// Salesforce tells a digest of what it got, so that logs of both sides can be compared without the token.
pub fn no_session(token: &str) -> Fault {
    let hash = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, token.as_bytes()));
    Fault::api(
        "INVALID_SESSION_ID",
        format!(
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash: \
             {hash}\nThis error usually occurs after a session expires or a user logs out."
        ),
    )
}

impl Answer {
    fn written(self, dialect: Dialect) -> Response {
        let mut xml = Xml::default();
        let (own, records) = (dialect.namespace(), dialect.of_records());
        xml.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        xml.open(&format!(
            "soapenv:Envelope xmlns:soapenv=\"{SOAP}\" xmlns=\"{own}\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
             xmlns:xsi=\"{XSI}\" xmlns:sf=\"{records}\""
        ));
        if let Some((used, max)) = self.usage {
            limit_info(&mut xml, used, max);
        }
        // Without attributes: clients take the first thing in here for the answer.
        xml.open("soapenv:Body");
        xml.open(&self.name);
        xml.0.push_str(&self.content.0);
        xml.close(&self.name);
        xml.close("soapenv:Body");
        xml.close("soapenv:Envelope");
        let head = [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")];
        (StatusCode::OK, head, xml.0).into_response()
    }
}

/// "LimitInfoHeader": what the header `Sforce-Limit-Info` is to REST.
fn limit_info(xml: &mut Xml, used: u64, max: u64) {
    xml.open("soapenv:Header");
    xml.open("LimitInfoHeader");
    xml.open("limitInfo");
    xml.leaf("current", &used.to_string());
    xml.leaf("limit", &max.to_string());
    xml.leaf("type", "API REQUESTS");
    xml.close("limitInfo");
    xml.close("LimitInfoHeader");
    xml.close("soapenv:Header");
}

/// Ends the session of the header.
pub fn log_out(call: &Call<'_>) {
    let token = call.headers.session_id.as_deref().unwrap_or_default();
    lock(&call.sandbox.access).end_session(token);
    call.sandbox.touch();
}
