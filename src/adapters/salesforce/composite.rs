//! Several requests in one call.
//!
//! Source: REST API Developer Guide, "Composite". The call answers 200 even when every part failed, so each part has a
//! status and an error body of its own.

use std::collections::BTreeMap;

use cpq_domain::adapter::Call;
use cpq_domain::{Code, Error, Result};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::rest::{Effect, Request, Rest};
use crate::json::Node;

/// Fields of a record with their values.
pub(crate) type Body = BTreeMap<String, Box<RawValue>>;

/// One part.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) reference_id: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) http_headers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Body>,
}

impl Part {
    /// A part that reads.
    pub(crate) fn get(url: String, reference_id: impl Into<String>) -> Part {
        Part {
            method: "GET",
            url,
            reference_id: reference_id.into(),
            http_headers: BTreeMap::new(),
            body: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    all_or_none: bool,
    /// Parts run one after the other, as written: a read must see the writes before it.
    collate_subrequests: bool,
    composite_request: &'a [Part],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answers<'a> {
    #[serde(borrow)]
    composite_response: Vec<PartAnswer<'a>>,
}

/// What came back for one part.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartAnswer<'a> {
    #[serde(borrow, default)]
    pub(crate) body: Option<&'a RawValue>,
    #[serde(rename = "httpStatusCode")]
    pub(crate) status: u16,
}

impl PartAnswer<'_> {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body; `Null` where there is none.
    pub(crate) fn node(&self) -> Result<Node> {
        self.body
            .map_or(Ok(Node::Null), |body| Node::parse(body.get().as_bytes()))
    }
}

/// How the parts belong together.
pub(crate) struct Manner {
    pub(crate) all_or_none: bool,
    pub(crate) effect: Effect,
    /// Name in metrics and messages.
    pub(crate) operation: &'static str,
}

/// Sends the parts and hands the answers, in their order, to `take`.
pub(crate) async fn send<T>(
    rest: &Rest,
    calls: &[&Call],
    manner: Manner,
    parts: &[Part],
    take: impl FnOnce(&[PartAnswer]) -> Result<T>,
) -> Result<T> {
    let whole = Whole {
        all_or_none: manner.all_or_none,
        collate_subrequests: false,
        composite_request: parts,
    };
    let body = serde_json::to_vec(&whole)
        .map_err(|cause| Error::new(Code::Internal, "a composite request cannot be written").cause(cause))?;
    let request = Request {
        method: Method::POST,
        path: &rest.data("composite"),
        body: Some(body),
        unmodified_since: None,
        effect: manner.effect,
        operation: manner.operation,
        object: "",
        record: "",
    };
    let answer = rest.send(calls, &request).await?;
    let answers = answers(&answer.body, parts.len()).map_err(|why| unreadable(rest, manner.effect, why))?;
    take(&answers.composite_response)
}

fn answers(body: &[u8], expected: usize) -> Result<Answers<'_>, String> {
    let answers: Answers = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match answers.composite_response.len() {
        found if found == expected => Ok(answers),
        found => Err(format!("{found} parts where {expected} were asked for")),
    }
}

/// An answer that we cannot read to a write that was taken: the outcome is not known.
fn unreadable(rest: &Rest, effect: Effect, why: String) -> Error {
    let (code, written) = match effect {
        Effect::Read => (Code::ProtocolViolation, cpq_domain::error::Written::No),
        Effect::Write => (Code::OutcomeUnknown, cpq_domain::error::Written::Unknown),
    };
    let message = "Salesforce's answer to a composite request is not one";
    Error::new(code, message)
        .written(written)
        .connection(rest.connection())
        .cause(why)
}
