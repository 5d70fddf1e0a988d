//! How a reconcile is told to people.

use std::time::Duration;

use serde_json::Value as Json;

use crate::cli::output::table;

/// Characters of a value that a table shows; `--json` has all of them.
const SHOWN_CHARS: usize = 40;

/// Shows on a terminal how far a reconcile has come, once it takes longer than a second.
pub struct Progress {
    bar: indicatif::ProgressBar,
    begun: tokio::time::Instant,
}

impl Progress {
    pub fn new() -> Progress {
        let bar = indicatif::ProgressBar::new_spinner();
        Progress {
            bar,
            begun: tokio::time::Instant::now(),
        }
    }

    pub fn show(&self, now: &Json) {
        if self.begun.elapsed() < Duration::from_secs(1) {
            return;
        }
        let (report, number) = (&now["report"], |value: &Json| value.as_u64().unwrap_or(0));
        let found = number(&report["found"]["records"]);
        let words = match text(&now["phase"]) {
            "repair" => {
                let repair = &report["repair"];
                let ended = number(&repair["repaired"]) + number(&repair["remaining"]["records"]);
                format!("repairing: {ended} of {found}")
            }
            "cpq" => format!("counting quotes: {}", number(&report["quotesCounted"])),
            _ => format!(
                "comparing: {} looked at, {found} differ",
                number(&report["lookedAt"])
            ),
        };
        self.bar.set_message(words);
        self.bar.tick();
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// The text of a value; `-` where there is none.
pub fn text(value: &Json) -> &str {
    value.as_str().unwrap_or("-")
}

/// The whole report.
pub fn report(one: &Json, records: &[Json], dry_run: bool) -> String {
    let report = &one["report"];
    let mut parts = vec![head(one)];
    if let Some(fields) = report["found"]["fields"]
        .as_array()
        .filter(|fields| !fields.is_empty())
    {
        let rows = fields.iter().map(|count| {
            let field = count["field"].as_str().unwrap_or("(whole record)");
            vec![
                field.to_owned(),
                text(&count["cause"]).to_owned(),
                count["count"].to_string(),
            ]
        });
        parts.push(table(&["FIELD", "CAUSE", "VALUES"], rows));
    }
    let found = match report["repair"].is_null() {
        true => &report["found"],
        false => &report["repair"]["remaining"],
    };
    if let Some(causes) = found["causes"].as_array().filter(|causes| !causes.is_empty()) {
        let rows = causes.iter().map(|count| {
            let samples: Vec<&str> = count["samples"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect();
            vec![
                text(&count["cause"]).to_owned(),
                count["records"].to_string(),
                samples.join(", "),
                text(&count["next"]).to_owned(),
            ]
        });
        parts.push(table(&["STILL DIFFERS BY", "RECORDS", "E.G.", "NEXT"], rows));
    }
    if dry_run {
        parts.push(would_write(records));
    } else if !report["repair"].is_null() {
        parts.extend(remaining(records));
    }
    parts.join("\n\n")
}

fn head(one: &Json) -> String {
    let report = &one["report"];
    let number = |name: &str| report[name].as_u64().unwrap_or(0);
    let mut head = format!(
        "reconcile={} state={} looked={} differing={}",
        text(&one["id"]),
        text(&one["state"]),
        number("lookedAt"),
        one["differing"],
    );
    if let Some(repair) = report["repair"].as_object() {
        head += &format!(
            " found={} repaired={}",
            report["found"]["records"], repair["repaired"]
        );
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "milliseconds of a reconcile fit a float"
    )]
    let seconds = number("durationMs") as f64 / 1_000.0;
    head += &format!(
        "\nin flight {}, excluded {}, settled on a second look {}, stored differently {}; {} API calls, {seconds:.1} s, \
         at most {} opportunities in memory",
        number("inFlight"),
        number("excluded"),
        number("settledOnSecondLook"),
        number("storedDifferently"),
        number("apiCalls"),
        number("recordsHeld"),
    );
    head
}

/// What a repair would write, value by value.
fn would_write(records: &[Json]) -> String {
    let rows = records.iter().flat_map(|record| {
        let differences = record["differences"].as_array().into_iter().flatten();
        differences.map(move |difference| {
            let field = difference["field"].as_str().unwrap_or("(whole record)");
            let field = match difference["line"].as_str() {
                Some(line) => format!("{field} [{line}]"),
                None => field.to_owned(),
            };
            let sides = difference["writes"].as_array().into_iter().flatten();
            let to: Vec<String> = sides.map(|side| text(side).to_uppercase()).collect();
            let to = if to.is_empty() {
                "-".to_owned()
            } else {
                to.join(", ")
            };
            let cause = text(&difference["cause"]).to_owned();
            vec![
                name(record),
                field,
                short(&difference["crm"]),
                short(&difference["cpq"]),
                to,
                cause,
            ]
        })
    });
    let rows = table(
        &["OPPORTUNITY", "FIELD", "CRM", "CPQ", "WOULD WRITE TO", "CAUSE"],
        rows,
    );
    format!("dry run: nothing was repaired\n\n{rows}")
}

/// What still differs, and why.
fn remaining(records: &[Json]) -> Option<String> {
    let remaining = records.iter().filter(|record| record["state"] == "remains");
    let rows: Vec<Vec<String>> = remaining
        .map(|record| {
            vec![
                name(record),
                text(&record["quote"]).to_owned(),
                text(&record["reason"]).to_owned(),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| table(&["OPPORTUNITY", "QUOTE", "STILL DIFFERS BECAUSE"], rows))
}

fn name(record: &Json) -> String {
    let number = record["opportunity"].as_str();
    number.unwrap_or(text(&record["opportunityId"])).to_owned()
}

/// A value in a table: its first characters, on one line.
fn short(value: &Json) -> String {
    let value = serde_json::from_value::<cpq_domain::value::Value>(value.clone()).unwrap_or_default();
    let text = value.to_string().replace(['\n', '\r'], " ");
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// The last reconciles.
pub fn list(page: &Json) -> String {
    let rows = page["reconciliations"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            vec![
                text(&one["id"]).to_owned(),
                text(&one["connection"]).to_owned(),
                text(&one["state"]).to_owned(),
                text(&one["since"]).to_owned(),
                text(&one["startedAt"]).to_owned(),
                one["report"]["lookedAt"].to_string(),
                one["differing"].to_string(),
            ]
        });
    table(
        &[
            "RECONCILE",
            "CONNECTION",
            "STATE",
            "SINCE",
            "STARTED",
            "LOOKED AT",
            "DIFFERING",
        ],
        rows,
    )
}

/// Certificates, hour by hour.
pub fn certificates(all: &[Json]) -> String {
    let rows = all.iter().map(|one| {
        let sum = |name: &str| text(&one[name]).chars().take(12).collect::<String>();
        vec![
            text(&one["hour"]).to_owned(),
            text(&one["object"]).to_owned(),
            text(&one["verdict"]).to_owned(),
            if one["complete"] == true { "whole" } else { "part" }.to_owned(),
            one["crmCount"].to_string(),
            one["cpqCount"].to_string(),
            sum("crmChecksum"),
            sum("cpqChecksum"),
            one["differing"].to_string(),
            one["inFlight"].to_string(),
            text(&one["madeAt"]).to_owned(),
        ]
    });
    table(
        &[
            "HOUR", "OBJECT", "VERDICT", "HOUR IS", "CRM", "CPQ", "CRM SUM", "CPQ SUM", "DIFFER", "OPEN",
            "MADE",
        ],
        rows,
    )
}
