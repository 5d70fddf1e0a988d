//! What Salesforce says when it refuses, in the words of the house.
//!
//! Sources: REST API Developer Guide, "Status Codes and Error Responses"; SOAP API Developer Guide, "Core Data Types
//! Used in API Calls" (StatusCode, ExceptionCode). Codes are an open list and messages are translated and reworded,
//! so the code decides, then the status, and the text only where the code means two things.

use cpq_domain::error::LimitKind;
use cpq_domain::{Code, Error};

use crate::limits;

mod catalogue;
mod dialects;

pub(crate) use dialects::{read, said};

/// One thing that Salesforce said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// `errorCode` or `statusCode`; empty for a text, a page of HTML or no body.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) fields: Vec<String>,
    /// Ids of records that stand in the way, from a duplicate rule.
    pub(crate) matches: Vec<String>,
}

/// What the failed call was about, for the message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About<'a> {
    pub(crate) connection: &'a str,
    /// Object, e.g. `Opportunity`; empty where the call is about no object.
    pub(crate) object: &'a str,
    /// Record id or number; empty where the call is about none.
    pub(crate) record: &'a str,
    /// What we did, e.g. `read`.
    pub(crate) verb: &'a str,
}

/// The error of a refused call: status, `Retry-After` in seconds if one was sent, and the body.
pub(crate) fn refusal(about: About, status: u16, retry_after: Option<u64>, body: &[u8]) -> Error {
    let mut error = of(about, status, &read(body));
    if let Some(seconds) = retry_after {
        let floor = seconds.saturating_mul(1_000);
        error.retry_after_ms = Some(error.retry_after_ms.unwrap_or(0).max(floor));
    }
    error
}

/// The error of everything that was said about one request or row. Entries that only say "something else failed"
/// give way to the one that says what.
pub(crate) fn of(about: About, status: u16, said: &[Said]) -> Error {
    let nothing = Said::default();
    let culprit = said.iter().find(|said| !is_collateral(&said.code));
    let main = culprit.or(said.first()).unwrap_or(&nothing);
    let verdict = catalogue::verdict(status, main);
    let mut error = Error::new(verdict.code, sentence(about, status, main, &verdict))
        .connection(about.connection)
        .upstream(status, main.code.as_str(), main.message.trim());
    place(&mut error, about, main, &verdict);
    error.retry_after_ms = verdict.retry_after_ms;
    error.next = verdict.next.map(str::to_owned);
    if let Some(kind) = verdict.limit {
        error = error.limit(kind);
    }
    if said.len() > 1 {
        let all = said
            .iter()
            .map(|said| format!("{}: {}", said.code, first_line(&said.message)));
        error = error.fact("errors", all.collect::<Vec<_>>());
    }
    match verdict.existing {
        existing if existing.is_empty() => error,
        existing => error.fact("existing", existing),
    }
}

/// Whether a refusal says that nothing was done.
pub(crate) fn did_nothing(body: &[u8]) -> bool {
    let said = read(body);
    let culprit = said.iter().find(|said| !is_collateral(&said.code));
    culprit.or(said.first()).is_some_and(catalogue::did_nothing)
}

/// Whether a code only says that a neighbour failed.
pub(crate) fn is_collateral(code: &str) -> bool {
    matches!(
        code,
        "PROCESSING_HALTED" | "ALL_OR_NONE_OPERATION_ROLLED_BACK" | "BATCH_PROCESSING_HALTED"
    )
}

/// How one said thing is treated.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) code: Code,
    pub(crate) retry_after_ms: Option<u64>,
    /// Which call limit it is about, where that is known.
    pub(crate) limit: Option<LimitKind>,
    pub(crate) next: Option<&'static str>,
    pub(crate) object: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) existing: Vec<String>,
}

fn place(error: &mut Error, about: About, main: &Said, verdict: &Verdict) {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    error.place.object = verdict.object.clone().or_else(|| given(about.object));
    error.place.record = given(about.record);
    error.place.field = verdict.field.clone().or_else(|| main.fields.first().cloned());
}

fn sentence(about: About, status: u16, main: &Said, verdict: &Verdict) -> String {
    let what = [about.verb, about.object, about.record]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let why = match (first_line(&main.message), main.code.as_str()) {
        ("", "") => format!("HTTP status {status}"),
        ("", code) => code.to_owned(),
        (text, "") => format!("{text} (HTTP status {status})"),
        (text, code) => format!("{text} ({code})"),
    };
    match verdict.code {
        Code::CrmUnavailable => format!("Salesforce could not {what} just now: {why}"),
        Code::CrmLimit => format!("Salesforce did not {what}, because a call limit is used up: {why}"),
        Code::CrmLocked => format!("Salesforce could not {what}, because the record is locked: {why}"),
        Code::CrmConflict => {
            format!("Salesforce did not {what}, because it was changed since it was read: {why}")
        }
        _ => format!("Salesforce refused to {what}: {why}"),
    }
}

/// The line that says something: SOQL errors begin with the query and a caret.
fn first_line(message: &str) -> &str {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let after = message
        .split_once("ERROR at Row:")
        .and_then(|(_, rest)| rest.split_once('\n'));
    after
        .and_then(|(_, rest)| rest.lines().next())
        .map_or(first, str::trim)
}

/// Which limit `REQUEST_LIMIT_EXCEEDED` means: the code is the same for the day's total and for the calls at the same
/// time, and only the text tells them apart.
fn limit_kind(message: &str) -> Option<LimitKind> {
    match message {
        text if text.contains("TotalRequests") => Some(LimitKind::Daily),
        text if text.contains("Concurrent") => Some(LimitKind::Concurrent),
        _ => None,
    }
}

/// How long to wait after a limit of that kind.
pub(crate) fn limit_wait(kind: Option<LimitKind>) -> u64 {
    match kind {
        Some(LimitKind::Daily) => limits::DAILY_LIMIT_RETRY_MS,
        Some(LimitKind::Concurrent) => limits::CONCURRENT_LIMIT_RETRY_MS,
        None => limits::LIMIT_RETRY_MS,
    }
}

#[cfg(test)]
mod tests;
