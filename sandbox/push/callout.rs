//! What a callout sends: made when the transaction is committed, so that repetitions repeat it.

use super::moment::Moment;
use super::{Callout, merge};
use crate::oauth::random;
use crate::org::ChangeKind;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Largest body, that of a synchronous Apex callout (Apex Developer Guide, Callout Limits and Limitations).
pub const MAX_BODY: usize = 6 * 1024 * 1024;
/// What Apex's HTTP client says it accepts, as observed.
const ACCEPT: &str = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";

/// A request, ready but for its time and signature.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// JSON text.
    pub body: Arc<str>,
    /// The rule's headers, filled in.
    pub headers: Vec<(String, String)>,
    /// `webhook-id`, if it is going to be signed; the same at each repetition.
    pub message_id: String,
}

/// The request that a rule makes of a change.
///
/// # Errors
/// When it would be too large.
pub fn request(rule: &Callout, moment: &Moment) -> Result<Request, String> {
    let guid = random::uuid();
    let body = match &rule.body {
        Some(template) => merge::fill(template, moment, &guid),
        None => default_body(rule, moment),
    };
    let body = body.to_string();
    if body.len() > MAX_BODY {
        return Err(format!("the body is longer than {MAX_BODY} bytes"));
    }
    let header =
        |(name, text): (&String, &String)| (name.clone(), one_line(&merge::fill_text(text, moment, &guid)));
    Ok(Request {
        body: body.into(),
        headers: rule.headers.iter().map(header).collect(),
        message_id: format!("msg_{}", guid.replace('-', "")),
    })
}

/// The three parts that Standard Webhooks recommends.
fn default_body(rule: &Callout, moment: &Moment) -> Json {
    let mut data = Map::new();
    for name in std::iter::once("Id").chain(rule.fields.iter().map(String::as_str)) {
        if let Some((field, value)) = moment.after(name) {
            data.insert(field.name.clone(), value.to_json(field.kind));
        }
    }
    let verb = match moment.kind() {
        ChangeKind::Create => "created",
        ChangeKind::Update => "updated",
        ChangeKind::Delete => "deleted",
        ChangeKind::Undelete => "undeleted",
    };
    json!({
        "type": format!("{}.{verb}", moment.object.name),
        "timestamp": moment.commit.at.to_string(),
        "data": data,
    })
}

/// A header's value must not begin a new line.
fn one_line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), " ")
}

impl Request {
    /// Headers as Apex sends them, and the rule's own, which win.
    pub fn header_map(&self) -> HeaderMap {
        let user_agent = format!("SFDC-Callout/{}", crate::state::API_VERSION);
        let mut map = HeaderMap::new();
        let mut set = |name: &[u8], value: &str| {
            let name = HeaderName::from_bytes(name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                map.insert(name, value);
            }
        };
        set(header::USER_AGENT.as_str().as_bytes(), &user_agent);
        set(b"sfdc_stack_depth", "1");
        set(header::ACCEPT.as_str().as_bytes(), ACCEPT);
        set(header::CACHE_CONTROL.as_str().as_bytes(), "no-cache");
        set(header::PRAGMA.as_str().as_bytes(), "no-cache");
        set(header::CONTENT_TYPE.as_str().as_bytes(), "application/json");
        for (name, value) in &self.headers {
            set(name.as_bytes(), value);
        }
        map
    }
}
