//! The cases that the conditions of some rules can tell apart.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::ownership::{Condition, Facts};
use crate::quote::Status;

/// More cases than this are not tried; a matrix that tells so many apart is beyond its readers too.
const MOST: usize = 200_000;

/// One representative of every case; none when there are too many.
pub(super) fn all(conditions: &[&Condition]) -> Option<Vec<Facts>> {
    let stages = named(conditions, |when| &when.stage);
    let types = named(conditions, |when| &when.record_type);
    let (quotes, days) = (quotes(), days(conditions));
    let count = stages.len() * types.len() * quotes.len() * days.len();
    if count > MOST {
        return None;
    }
    let mut cases = Vec::with_capacity(count);
    for stage in &stages {
        for record_type in &types {
            for (quote_status, primary) in &quotes {
                for today in &days {
                    cases.push(Facts {
                        stage: stage.clone(),
                        record_type: record_type.clone(),
                        quote_status: *quote_status,
                        primary: *primary,
                        today: *today,
                    });
                }
            }
        }
    }
    Some(cases)
}

/// The values that conditions name, and one that none of them does.
fn named<'a>(
    conditions: &[&'a Condition],
    list: fn(&'a Condition) -> &'a Vec<String>,
) -> Vec<Option<String>> {
    let mut values: Vec<Option<String>> = vec![None];
    for value in conditions.iter().flat_map(|when| list(when)) {
        if !values.contains(&Some(value.clone())) {
            values.push(Some(value.clone()));
        }
    }
    values
}

/// No quote yet, or one in any state that is the primary one or not.
fn quotes() -> Vec<(Option<Status>, Option<bool>)> {
    let of_status = |status: &Status| [(Some(*status), Some(true)), (Some(*status), Some(false))];
    let some = Status::ALL.iter().flat_map(of_status);
    std::iter::once((None, None)).chain(some).collect()
}

/// A day before, in and after each interval.
fn days(conditions: &[&Condition]) -> Vec<Date> {
    let mut edges: Vec<Date> = Vec::new();
    for when in conditions {
        let before = when.from.and_then(|day| day.checked_sub(1.day()).ok());
        let after = when.until.and_then(|day| day.checked_add(1.day()).ok());
        edges.extend([before, when.from, when.until, after].into_iter().flatten());
    }
    edges.sort();
    edges.dedup();
    if edges.is_empty() {
        edges.push(Date::default());
    }
    edges
}

/// A case in words, without what makes no difference.
pub(super) struct Told<'a>(pub(super) &'a Facts, pub(super) &'a [&'a Condition]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told(facts, conditions) = self;
        let asked = |looks: fn(&Condition) -> bool| conditions.iter().any(|when| looks(when));
        let mut parts = Vec::new();
        if asked(|when| !when.stage.is_empty()) {
            let stage = facts
                .stage
                .as_deref()
                .map_or("any other stage".to_owned(), |s| format!("stage {s:?}"));
            parts.push(stage);
        }
        if asked(|when| !when.record_type.is_empty()) {
            let other = "any other record type".to_owned();
            parts.push(
                facts
                    .record_type
                    .as_deref()
                    .map_or(other, |t| format!("record type {t:?}")),
            );
        }
        if asked(|when| !when.quote_status.is_empty() || when.primary.is_some()) {
            parts.push(match (facts.quote_status, facts.primary) {
                (None, _) => "no quote yet".to_owned(),
                (Some(status), Some(true)) => format!("a primary quote that is {status}"),
                (Some(status), _) => format!("a quote that is {status} and not primary"),
            });
        }
        if asked(|when| when.from.is_some() || when.until.is_some()) {
            parts.push(format!("day {}", facts.today));
        }
        f.write_str(&if parts.is_empty() {
            "every case".to_owned()
        } else {
            parts.join(", ")
        })
    }
}
