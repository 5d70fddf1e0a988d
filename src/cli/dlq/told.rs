//! Dead letters in words.

use cpq_domain::dead_letter::{DeadLetter, LetterGroup};
use serde_json::Value as Json;

use crate::cli::output::table;

/// A JSON text, or nothing.
pub fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// A JSON number, or 0.
pub fn number(value: &Json) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// A row for each letter.
pub fn letters(letters: &[DeadLetter]) -> String {
    let rows = letters.iter().map(|letter| {
        vec![
            letter.correlation.to_string(),
            letter.opportunity.to_string(),
            letter.state.as_str().into(),
            letter.signature.code.to_string(),
            letter.signature.id.clone(),
            letter.died_at.to_string(),
            letter.signature.cause.clone(),
        ]
    });
    table(
        &[
            "LETTER",
            "OPPORTUNITY",
            "STATE",
            "CODE",
            "SIGNATURE",
            "DIED",
            "CAUSE",
        ],
        rows,
    )
}

/// A row for each signature.
pub fn groups(groups: &[LetterGroup]) -> String {
    let rows = groups.iter().map(|group| {
        vec![
            group.count.to_string(),
            group.opportunities.to_string(),
            group.signature.code.to_string(),
            group.signature.id.clone(),
            group.first_seen.to_string(),
            group.last_seen.to_string(),
            group.example.to_string(),
            group.retry.words().into(),
            group.signature.cause.clone(),
            group.next.clone(),
        ]
    });
    table(
        &[
            "LETTERS",
            "OPPS",
            "CODE",
            "SIGNATURE",
            "FIRST",
            "LAST",
            "EXAMPLE",
            "RETRY",
            "CAUSE",
            "DO",
        ],
        rows,
    )
}

/// A letter as a whole.
pub fn letter(report: &Json) -> String {
    let letter = &report["letter"];
    let signature = &letter["signature"];
    let mut lines = vec![
        format!(
            "letter={} opportunity={} state={} code={} signature={}",
            text(&letter["correlation"]),
            text(&letter["opportunity"]),
            text(&letter["state"]),
            text(&signature["code"]),
            text(&signature["id"])
        ),
        format!("cause: {}", text(&signature["cause"])),
        format!("retry: {}", text(&letter["retry"]).replace('_', " ")),
        format!("do: {}", text(&letter["next"])),
    ];
    let closed = &letter["closed"];
    if !closed.is_null() {
        let sync = closed["sync"]
            .as_str()
            .map(|sync| format!(", by {sync}"))
            .unwrap_or_default();
        lines.push(format!(
            "closed: {} by {}: {}{sync}",
            text(&closed["at"]),
            text(&closed["by"]),
            text(&closed["reason"])
        ));
    }
    let rows = report["stages"].as_array().into_iter().flatten().map(|stage| {
        vec![
            text(&stage["name"]).to_owned(),
            text(&stage["status"]).to_owned(),
            text(&stage["startedAt"]).to_owned(),
            text(&stage["error"]["message"]).to_owned(),
        ]
    });
    format!(
        "{}\n\n{}",
        lines.join("\n"),
        table(&["STAGE", "STATUS", "STARTED", "ERROR"], rows)
    )
}
