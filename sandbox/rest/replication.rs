//! `/sobjects/X/updated` and `/sobjects/X/deleted` (REST API Developer Guide, Get Updated, Get Deleted).

use super::door::{Ask, Door};
use super::{DataResponse, ok};
use crate::org::value::{parse_instant, wire_instant};
use crate::org::{ApiError, Id};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

/// How far back `updated` reaches.
const UPDATED_REACH: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How far back `deleted` reaches.
const DELETED_REACH: SignedDuration = SignedDuration::from_hours(15 * 24);
/// Shortest window; shorter ones vanish when both ends are cut to minutes.
const MINUTE: i64 = 60;

impl Door<'_> {
    /// Ids of live records stamped in the window.
    pub(super) fn updated(&self, ask: &Ask, at: usize) -> Result<DataResponse, ApiError> {
        let (from, until) = self.window(ask, at, UPDATED_REACH)?;
        let ids: Vec<Json> = self
            .stamped(at, from, until, false)
            .iter()
            .map(|(id, _)| id.to_string().into())
            .collect();
        Ok(ok(json!({"ids": ids, "latestDateCovered": wire_instant(until)})))
    }

    /// Ids of deleted records with the time of their deletion.
    pub(super) fn deleted(&self, ask: &Ask, at: usize) -> Result<DataResponse, ApiError> {
        let (from, until) = self.window(ask, at, DELETED_REACH)?;
        let row =
            |(id, when): &(Id, Timestamp)| json!({"id": id.to_string(), "deletedDate": wire_instant(*when)});
        let rows: Vec<Json> = self.stamped(at, from, until, true).iter().map(row).collect();
        let earliest = self.hand.now - DELETED_REACH;
        Ok(ok(json!({
            "deletedRecords": rows, "earliestDateAvailable": wire_instant(earliest),
            "latestDateCovered": wire_instant(until),
        })))
    }

    /// The window cut to whole minutes.
    fn window(
        &self,
        ask: &Ask,
        at: usize,
        reach: SignedDuration,
    ) -> Result<(Timestamp, Timestamp), ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let schema = self.schema();
        if !schema.at(at).can("replicate") {
            let message = format!("The entity {} is not replicateable", schema.at(at).name);
            return Err(ApiError::bad("INVALID_TYPE_FOR_OPERATION", message));
        }
        let read = |name: &str| {
            // A plus that was not percent-encoded arrives as a space.
            let text = ask.parameter(name).map(|t| t.replace(' ', "+"));
            text.as_deref()
                .and_then(parse_instant)
                .map(to_minute)
                .ok_or_else(|| {
                    ApiError::bad(
                        "INVALID_REPLICATION_DATE",
                        format!("{name} date is missing or malformed"),
                    )
                })
        };
        let (from, until) = (read("start")?, read("end")?);
        if until.as_second() - from.as_second() < MINUTE {
            return Err(ApiError::bad(
                "INVALID_REPLICATION_DATE",
                "endDate must be at least one minute greater than startDate",
            ));
        }
        if from < self.hand.now - reach {
            return Err(ApiError::bad(
                "INVALID_REPLICATION_DATE",
                "startDate before org replication enabled date",
            ));
        }
        // What was written a moment ago is not covered yet.
        let lag = SignedDuration::from_secs(self.around.settings().replication_lag_seconds.into());
        let covered = to_minute(self.hand.now - lag);
        Ok((from, until.min(covered)))
    }

    fn stamped(&self, at: usize, from: Timestamp, until: Timestamp, deleted: bool) -> Vec<(Id, Timestamp)> {
        let stamp = self.schema().at(at).system.stamp;
        let table = self.org.table(at);
        let ids = table.between(stamp, Some(from.as_second()), Some(until.as_second() - 1));
        let row = |id: Id| {
            let row = table.row(id).filter(|r| r.deleted == deleted)?;
            row.values[stamp].as_instant().map(|at| (id, at))
        };
        ids.unwrap_or_default().into_iter().filter_map(row).collect()
    }
}

fn to_minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(MINUTE)).unwrap_or(at)
}
