//! Plans and replays in words.

use serde_json::Value as Json;

use super::told::{number, text};
use crate::cli::output::table;

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
