//! What a CPQ says when it refuses, in the words of the house.
//!
//! A CPQ that keeps the contract answers with a [`Report`]; whatever else comes is read by its status (RFC 9110).

use cpq_domain::error::{Class, Report, Written, redacted};
use cpq_domain::{Code, Error};

use crate::json::Node;

/// Characters of a body that is no report, kept as its message.
const TEXT_CHARS: usize = 200;

/// What the failed call was about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) connection: &'a str,
    /// What we did, e.g. `read quote Q1`.
    pub(super) what: &'a str,
    pub(super) writes: bool,
}

/// The error of a refused call.
pub(super) fn refusal(about: About, status: u16, retry_after: Option<u64>, body: &[u8]) -> Error {
    let mut error = match serde_json::from_slice::<Report>(body) {
        Ok(report) => reported(about, status, report),
        Err(_) => unreported(about, status, body),
    };
    error.place.connection = Some(about.connection.to_owned());
    if let Some(seconds) = retry_after {
        let floor = seconds.saturating_mul(1_000);
        error.retry_after_ms = Some(error.retry_after_ms.unwrap_or(0).max(floor));
    }
    if about.writes && status >= 500 && status != 503 {
        // A server that failed, or a gateway that gave up, does not say whether the write was applied. A repeat under
        // the same key is safe, and so is a look.
        error.code = Code::OutcomeUnknown;
        error.next = None;
        return error.written(Written::Unknown);
    }
    error
}

/// A failure of the other service is not ours: its store or its clients are not what our user can look after.
fn reported(about: About, status: u16, report: Report) -> Error {
    let (code, message) = (report.code, report.message.clone());
    let mut error = Error::from(report)
        .upstream(status, code.as_str(), message)
        .asked();
    error.message = redacted(&error.message);
    if matches!(code, Code::Unauthenticated | Code::ScopeInsufficient) {
        return error.next("give the connection a token of the CPQ with the scopes for quotes");
    }
    let theirs = matches!(code, Code::Internal | Code::StoreTooNew | Code::PortInUse) || status >= 500;
    if theirs || (code.class() == Class::Unavailable && code != Code::CpqUnavailable) {
        error.code = Code::CpqUnavailable;
        error.message = format!("the CPQ could not {} just now: {}", about.what, error.message);
        error.next = None;
    }
    error
}

fn unreported(about: About, status: u16, body: &[u8]) -> Error {
    let (code, said) = foreign(body);
    let ours = match status {
        401 => Code::Unauthenticated,
        403 => Code::ScopeInsufficient,
        404 => Code::QuoteNotFound,
        409 | 412 => Code::QuoteConflict,
        428 => Code::PreconditionRequired,
        429 => Code::Overloaded,
        408 | 420 | 425 => Code::CpqUnavailable,
        300..=399 | 405 | 406 | 410 | 414 | 415 | 431 => Code::ProtocolViolation,
        status if status >= 500 => Code::CpqUnavailable,
        _ => Code::CpqRejected,
    };
    let why = if said.is_empty() {
        format!("HTTP status {status}")
    } else {
        format!("{said} (HTTP status {status})")
    };
    let message = format!("the CPQ refused to {}: {why}", about.what);
    let error = Error::new(ours, message).upstream(status, code, said);
    match ours {
        Code::Unauthenticated | Code::ScopeInsufficient => {
            error.next("give the connection a token of the CPQ with the scopes for quotes")
        }
        _ => error,
    }
}

/// Code and message of another shape: `{"code","message"}`, problem details (RFC 9457), or a text.
fn foreign(body: &[u8]) -> (String, String) {
    let Ok(node) = Node::parse(body) else {
        let text = String::from_utf8_lossy(&body[..body.len().min(4_096)]);
        let text = text.trim();
        let shown = if text.starts_with('<') {
            "a page of HTML"
        } else {
            text
        };
        return (String::new(), redacted(shown).chars().take(TEXT_CHARS).collect());
    };
    let text = |names: [&str; 3]| {
        let found = names
            .into_iter()
            .find_map(|name| node.get(name).and_then(Node::text));
        found.unwrap_or_default().to_owned()
    };
    (
        text(["code", "type", "error"]),
        redacted(&text(["message", "detail", "title"])),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str, writes: bool) -> Error {
        refusal(
            About {
                connection: "cpq",
                what: "read quote q",
                writes,
            },
            status,
            None,
            body.as_bytes(),
        )
    }

    #[test]
    fn a_report_keeps_its_code_and_its_facts() {
        let sent =
            Error::new(Code::InvalidTransition, "a draft cannot be accepted").fact("allowed", vec!["submit"]);
        let body = serde_json::to_string(&sent.report(Some("c1"))).expect("it is JSON");
        let error = of(409, &body, true);
        assert_eq!(error.code, Code::InvalidTransition);
        assert_eq!(error.facts.expect("facts")["allowed"][0], "submit");
        assert_eq!(error.place.connection.as_deref(), Some("cpq"));
    }

    #[test]
    fn a_failure_of_the_service_is_unavailable_to_a_read_and_open_to_a_write() {
        for code in [Code::Internal, Code::StoreUnavailable] {
            let body = serde_json::to_string(&Error::new(code, "x").report(None)).expect("it is JSON");
            assert_eq!(of(500, &body, false).code, Code::CpqUnavailable);
            assert_eq!(of(500, &body, true).code, Code::OutcomeUnknown);
            assert_eq!(of(503, &body, true).code, Code::CpqUnavailable);
        }
    }

    #[test]
    fn other_shapes_go_by_their_status() {
        for (status, body, code) in [
            (
                400,
                r#"{"code":"quote.invalid","message":"no"}"#,
                Code::CpqRejected,
            ),
            (401, "", Code::Unauthenticated),
            (403, "<html></html>", Code::ScopeInsufficient),
            (404, r#"{"title":"Not Found","status":404}"#, Code::QuoteNotFound),
            (409, "{}", Code::QuoteConflict),
            (412, "", Code::QuoteConflict),
            (302, "", Code::ProtocolViolation),
            (
                422,
                r#"{"code":"SOMETHING_ELSE","message":"no","details":{}}"#,
                Code::CpqRejected,
            ),
            (428, "", Code::PreconditionRequired),
            (429, "slow down", Code::Overloaded),
            (502, "<html></html>", Code::CpqUnavailable),
            (503, "", Code::CpqUnavailable),
        ] {
            assert_eq!(of(status, body, false).code, code, "{status} {body}");
        }
    }
}
