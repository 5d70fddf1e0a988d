//! Dead letters and replays in words.

use std::time::Duration;

use cpq_domain::dead_letter::{DeadLetter, LetterGroup};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value as Json;

use crate::cli::output::table;

/// A JSON text, or nothing.
pub fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Json) -> u64 {
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

/// A plan with what it foretells.
pub fn plan(plan: &Json) -> String {
    let sum = &plan["prediction"];
    let head = format!(
        "plan={} state={} digest={}",
        text(&plan["id"]),
        text(&plan["state"]),
        text(&plan["digest"])
    );
    let count = |name: &str| number(&sum[name]).to_string();
    let rows = [
        ("dead letters", count("letters")),
        ("opportunities", count("opportunities")),
        ("syncs", count("syncs")),
        ("left: synced since", count("syncedSince")),
        ("left: both sides agree", count("agree")),
        ("left: would fail again", count("wouldFail")),
        ("quotes created", count("creates")),
        ("values to the CRM", count("crmWrites")),
        ("values to the CPQ", count("cpqWrites")),
        ("CRM calls, at most", count("apiCalls")),
        ("fields that will wait for a person", count("conflicts")),
        ("duration, about", duration(number(&sum["milliseconds"]))),
    ];
    let rows = rows.map(|(what, value)| vec![what.to_owned(), value]);
    let seen = number(&sum["lookedAt"]) + number(&sum["syncedSince"]);
    let sampled = match seen < number(&sum["opportunities"]) {
        true => format!(
            "\nscaled up from a sample of {} opportunities",
            number(&sum["lookedAt"])
        ),
        false => String::new(),
    };
    format!("{head}\n\n{}{sampled}", table(&["FORETOLD", ""], rows))
}

/// A row for each opportunity of a plan.
pub fn items(items: &Json) -> String {
    let rows = items.as_array().into_iter().flatten().map(|item| {
        let foreseen = &item["foreseen"];
        vec![
            text(&item["opportunity"]).to_owned(),
            number(&item["letters"]).to_string(),
            text(&item["deed"]).replace('_', " "),
            number(&foreseen["crmWrites"]).to_string(),
            number(&foreseen["cpqWrites"]).to_string(),
            number(&foreseen["calls"]).to_string(),
            text(&item["state"]).to_owned(),
            text(&item["why"]).to_owned(),
        ]
    });
    table(
        &[
            "OPPORTUNITY",
            "LETTERS",
            "TO DO",
            "TO CRM",
            "TO CPQ",
            "CALLS",
            "STATE",
            "WHY",
        ],
        rows,
    )
}

/// A row for each plan.
pub fn plans(page: &Json) -> String {
    let rows = page["plans"].as_array().into_iter().flatten().map(|plan| {
        vec![
            text(&plan["id"]).to_owned(),
            text(&plan["state"]).to_owned(),
            text(&plan["createdAt"]).to_owned(),
            number(&plan["prediction"]["letters"]).to_string(),
            number(&plan["prediction"]["syncs"]).to_string(),
            number(&plan["progress"]["succeeded"]).to_string(),
            number(&plan["progress"]["failed"]).to_string(),
            text(&plan["progress"]["reason"]).to_owned(),
        ]
    });
    table(
        &[
            "PLAN",
            "STATE",
            "MADE",
            "LETTERS",
            "SYNCS",
            "SUCCEEDED",
            "FAILED",
            "WHY",
        ],
        rows,
    )
}

/// What a replay did, beside what was foretold.
pub fn result(plan: &Json, was_done: bool) -> String {
    let (sum, done) = (&plan["prediction"], &plan["progress"]);
    let head = format!("plan={} state={}", text(&plan["id"]), text(&plan["state"]));
    if was_done {
        return format!(
            "{head} written=0\nit was carried out before: there was nothing left to do, and nothing was written"
        );
    }
    let both = |what: &str, foretold: &str, happened: &str| {
        vec![
            what.to_owned(),
            number(&sum[foretold]).to_string(),
            number(&done[happened]).to_string(),
        ]
    };
    let rows = [
        both("syncs", "syncs", "succeeded"),
        both("quotes created", "creates", "created"),
        both("values to the CRM", "crmWrites", "crmWrites"),
        both("values to the CPQ", "cpqWrites", "cpqWrites"),
        both("CRM calls", "apiCalls", "apiCalls"),
        both("fields that wait for a person", "conflicts", "conflicts"),
        vec![
            "failed".into(),
            String::new(),
            number(&done["failed"]).to_string(),
        ],
        vec![
            "parked".into(),
            String::new(),
            number(&done["parked"]).to_string(),
        ],
        vec![
            "duration".into(),
            duration(number(&sum["milliseconds"])),
            duration(number(&done["workedMs"])),
        ],
    ];
    format!("{head}\n\n{}", table(&["", "FORETOLD", "HAPPENED"], rows))
}

fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..=999 => format!("{milliseconds} ms"),
        1_000..=119_999 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min", milliseconds / 60_000),
    }
}

/// A bar on a terminal; shown only when it takes longer than a second.
pub struct Progress {
    bar: ProgressBar,
    begun: tokio::time::Instant,
}

impl Progress {
    /// A bar that is not shown yet.
    pub fn new() -> Progress {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        let bar = ProgressBar::hidden();
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Progress {
            bar,
            begun: tokio::time::Instant::now(),
        }
    }

    /// How far the plan has come.
    pub fn show(&self, plan: &Json) {
        if self.begun.elapsed() < Duration::from_secs(1) {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        let done = &plan["progress"];
        self.bar.set_length(number(&plan["prediction"]["syncs"]));
        self.bar
            .set_position(number(&done["succeeded"]) + number(&done["failed"]) + number(&done["parked"]));
        let canary = if done["canaryPassed"] == true {
            ""
        } else {
            "canary "
        };
        self.bar
            .set_message(format!("{canary}failed {}", number(&done["failed"])));
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
