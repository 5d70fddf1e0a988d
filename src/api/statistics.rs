//! How many syncs there were, hour by hour.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use cpq_domain::id::ConnectionName;
use cpq_store::{Store, runs};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer;
use crate::failure::Failure;
use crate::input::{Params, invalid};
use crate::limits::STATISTICS_HOURS;
use crate::reach::Reach;
use crate::state::ApiState;

/// Syncs by the hour in which they were accepted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SyncStatistics {
    /// The hours, oldest first; none is missing.
    pub hours: Vec<SyncHour>,
}

/// Syncs that were accepted in an hour.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SyncHour {
    /// Start of the hour.
    #[schema(value_type = String, format = DateTime)]
    pub hour: Timestamp,
    /// How many are in which state now; a state without syncs is missing.
    pub states: BTreeMap<String, u64>,
}

/// Hours before the last one that have to be known before silence means anything.
const KNOWN: usize = 48;
/// Syncs an hour that are usual enough for their absence to be strange.
const USUAL: u64 = 3;

impl SyncHour {
    /// All of them, whatever their state.
    pub fn all(&self) -> u64 {
        self.states.values().sum()
    }
}

impl SyncStatistics {
    /// What is strange about the last hour that is over: nothing came, while it usually does at that hour of the day. Wants
    /// the hours of a week.
    pub fn silence(&self) -> Option<String> {
        let (_, over) = self.hours.split_last()?;
        let (last, before) = over.split_last()?;
        let known = before.iter().skip_while(|hour| hour.all() == 0).count();
        if last.all() > 0 || known < KNOWN {
            return None;
        }
        let same: Vec<u64> = before
            .iter()
            .rev()
            .skip(23)
            .step_by(24)
            .map(SyncHour::all)
            .collect();
        let (all, days) = (same.iter().sum::<u64>(), same.len() as u64);
        (days > 0 && all >= USUAL * days).then(|| {
            let usual = (all + days / 2) / days;
            let hour = last.hour.strftime("%H:%M");
            format!(
                "no sync was asked for in the hour from {hour} UTC; at that hour there were {usual} on an average day of the \
                 last week"
            )
        })
    }
}

/// How far back.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Window {
    /// Hours up to this one, at most 168, usually 24.
    #[param(minimum = 1, maximum = 168)]
    hours: Option<i64>,
    /// Of this connection.
    #[param(value_type = Option<ConnectionName>)]
    connection: Option<ConnectionName>,
}

/// Count syncs by the hour
#[utoipa::path(
    get,
    path = "/api/v1/statistics/sync",
    operation_id = "countSyncs",
    tag = "sync",
    params(Window),
    responses((status = 200, description = "Hour by hour", body = SyncStatistics))
)]
pub(crate) async fn syncs(
    State(api): State<ApiState>,
    reach: Reach,
    Params(window): Params<Window>,
) -> Result<Response, Failure> {
    let hours = window.hours.unwrap_or(24);
    if !(1..=STATISTICS_HOURS).contains(&hours) {
        let message = format!("hours is {hours}; it must be 1 to {STATISTICS_HOURS}");
        return Err(invalid(message).field("hours").into());
    }
    let connection = reach.part(window.connection)?;
    let counted = count_syncs(&api.store, api.world.now(), hours, connection).await?;
    Ok(answer::of(200, &counted)?)
}

/// Syncs of the last hours up to the one of `now`, by the hour in which they were accepted.
///
/// # Errors
/// Those of the store.
pub async fn count_syncs(
    store: &Store,
    now: Timestamp,
    hours: i64,
    connection: Option<ConnectionName>,
) -> cpq_domain::Result<SyncStatistics> {
    let this = now.as_second().div_euclid(3_600);
    let starts: Vec<Timestamp> = (this - hours + 1..=this)
        .filter_map(|hour| Timestamp::from_second(hour * 3_600).ok())
        .collect();
    let since = starts.first().copied().unwrap_or(Timestamp::UNIX_EPOCH);
    let found = store.read(move |tx| {
        let connection = connection.clone();
        Box::pin(async move { runs::hours(tx, since, connection.as_ref()).await })
    });
    let found = found.await?;
    let mut counted: BTreeMap<Timestamp, BTreeMap<String, u64>> =
        starts.into_iter().map(|hour| (hour, BTreeMap::new())).collect();
    for one in found {
        if let Some(states) = counted.get_mut(&one.hour) {
            states.insert(one.state, one.count);
        }
    }
    let hours = counted
        .into_iter()
        .map(|(hour, states)| SyncHour { hour, states });
    let hours = hours.collect();
    Ok(SyncStatistics { hours })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(counts: &[u64]) -> SyncStatistics {
        let hour = |(at, count): (i64, &u64)| SyncHour {
            hour: Timestamp::from_second(at * 3_600).expect("a moment"),
            states: BTreeMap::from([("succeeded".to_owned(), *count)]),
        };
        SyncStatistics {
            hours: (0..).zip(counts).map(hour).collect(),
        }
    }

    #[test]
    fn silence_is_told_where_there_usually_is_something() {
        let mut counts = vec![10; 168];
        assert_eq!(hours(&counts).silence(), None, "as usual");
        counts[166] = 0;
        assert!(
            hours(&counts).silence().is_some(),
            "the hour that is over is empty"
        );
        for day in 0..6 {
            counts[166 - 24 * (day + 1)] = 0;
        }
        assert_eq!(hours(&counts).silence(), None, "it is empty every day");
        assert_eq!(hours(&[0; 168]).silence(), None, "nothing is known yet");
    }
}
