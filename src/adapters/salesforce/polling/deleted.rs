//! Deleted opportunities.
//!
//! Source: REST API Developer Guide, "Get Deleted": fifteen days back, whole minutes, and the next question begins where
//! the answer says that this one is covered to, which is Salesforce's own provision for late commits.

use cpq_domain::change::{Change, ChangeKind, Hint};
use cpq_domain::id::RecordId;
use cpq_domain::{Code, Error, Result};
use jiff::{SignedDuration, Timestamp};

use super::sources::{Row, Watched};
use super::window::Page;
use crate::json::Node;
use crate::salesforce::composite::Part;
use crate::salesforce::rest::Rest;
use crate::salesforce::values::instant;

/// How far back deletions can be asked for, less an hour for clocks and trimming.
const REACH: SignedDuration = SignedDuration::from_hours(15 * 24 - 1);
/// Shortest span: ends are cut to minutes and must lie more than one apart.
const SHORTEST: SignedDuration = SignedDuration::from_mins(2);

/// A span of time in whole minutes.
pub(super) struct Span {
    start: Timestamp,
    end: Timestamp,
    /// It should have begun before what can be asked for.
    is_cut: bool,
}

impl Span {
    pub(super) fn of(since: Timestamp, until: Timestamp) -> Span {
        let end = minute(until);
        let back = |by: SignedDuration| end.saturating_sub(by).unwrap_or(Timestamp::MIN);
        Span {
            start: minute(since).clamp(back(REACH), back(SHORTEST)),
            end,
            is_cut: since < back(REACH),
        }
    }

    pub(super) fn part(&self, rest: &Rest) -> Part {
        let (start, end) = (self.start, self.end);
        let path = format!("sobjects/Opportunity/deleted/?start={start:.0}&end={end:.0}");
        Part::get(rest.data(&path), "deleted")
    }

    pub(super) fn read(&self, answer: &Node, page: &mut Page) -> Result<()> {
        let moment = |node: &Node, name: &str| node.get(name).and_then(Node::text).and_then(instant);
        let earliest = moment(answer, "earliestDateAvailable");
        page.deletes_lost = self.is_cut || earliest.is_some_and(|earliest| earliest > self.start);
        page.deletes_covered = Some(moment(answer, "latestDateCovered").unwrap_or(self.start));
        let records = answer.get("deletedRecords").map(Node::list).unwrap_or_default();
        for record in records {
            let (Some(id), Some(at)) = (
                record.get("id").and_then(Node::text),
                moment(record, "deletedDate"),
            ) else {
                let message = "a deleted record has no id or no date";
                return Err(Error::new(Code::ProtocolViolation, message).object("Opportunity"));
            };
            page.rows.push(row(RecordId::new(id)?, at));
        }
        Ok(())
    }
}

fn row(opportunity: RecordId, at: Timestamp) -> Row {
    let hint = Hint {
        source: "poll".to_owned(),
        event: Some(format!("Opportunity {opportunity} deleted {at:.0}")),
        kind: ChangeKind::Deleted,
        at: Some(at),
        by: None,
        ours: false,
        fields: Vec::new(),
    };
    Row {
        watched: Watched::Opportunity,
        // A record that is deleted and restored within one second is two changes.
        id: format!("{opportunity} deleted"),
        stamp: at,
        change: Change { opportunity, hint },
    }
}

fn minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn a_span_is_whole_minutes_long_enough_and_not_too_far_back() {
        let until = at("2026-11-26T12:00:31Z");
        let short = Span::of(at("2026-11-26T12:00:05Z"), until);
        assert_eq!(
            (short.start, short.end),
            (at("2026-11-26T11:58:00Z"), at("2026-11-26T12:00:00Z"))
        );
        assert!(!short.is_cut);
        let long = Span::of(at("2026-01-01T00:00:00Z"), until);
        assert_eq!((long.start, long.is_cut), (at("2026-11-11T13:00:00Z"), true));
    }
}
