//! Lists of runs, newest first.
//!
//! The text is chosen by the narrowest filter that is given, because a statement that must fit all filters at once
//! would walk the whole history.

use std::collections::BTreeMap;

use cpq_domain::Result;
use cpq_domain::id::{ConnectionName, OpportunityKey, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::run::{Run, RunState};
use jiff::Timestamp;

use super::{columns, read};
use crate::tx::{Param, Tx, params};

/// `$1` connection, `$2` opportunity, `$3` state, `$4` since, `$5` before; each may be NULL.
macro_rules! page {
    ($narrowest:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM runs WHERE ",
            $narrowest,
            " AND (CAST($1 AS TEXT) IS NULL OR connection = $1)
  AND (CAST($2 AS TEXT) IS NULL OR opportunity = $2)
  AND (CAST($3 AS TEXT) IS NULL OR state = $3)
  AND (CAST($4 AS BIGINT) IS NULL OR created_at >= $4)
  AND id < COALESCE($5, 'g') ORDER BY id DESC LIMIT $6"
        )
    };
}

// 'g' is above every hexadecimal digit, so above every id.
const ALL: &str = page!("TRUE");
const OF_OPPORTUNITY: &str = page!("opportunity = $2");
const OF_STATE: &str = page!("state = $3");
const OF_CONNECTION: &str = page!("connection = $1");
const COUNTS: &str = "SELECT state, COUNT(*) FROM runs GROUP BY state ORDER BY state";

pub(super) const STATEMENTS: &[&str] = &[ALL, OF_OPPORTUNITY, OF_STATE, OF_CONNECTION, COUNTS];

/// Which runs to list; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub state: Option<RunState>,
    /// Of this connection.
    pub connection: Option<ConnectionName>,
    /// Of the opportunity that goes by this name.
    pub opportunity: Option<OpportunityKey>,
    /// Accepted at this moment or later.
    pub since: Option<Timestamp>,
    /// Older than this run: the last one of the page before.
    pub before: Option<RunId>,
    /// Rows of the page, at most [`PAGE_ROWS`].
    pub limit: u32,
}

/// A page of runs, newest first.
pub async fn list(tx: &mut dyn Tx, filter: &Filter) -> Result<Vec<Run>> {
    let sql = match filter {
        Filter {
            opportunity: Some(_), ..
        } => OF_OPPORTUNITY,
        Filter { state: Some(_), .. } => OF_STATE,
        Filter {
            connection: Some(_), ..
        } => OF_CONNECTION,
        _ => ALL,
    };
    let values: &[Param<'_>] = params![
        filter.connection.as_ref(),
        filter.opportunity.as_ref(),
        filter.state.map(RunState::as_str),
        filter.since,
        filter.before,
        filter.limit.min(PAGE_ROWS),
    ];
    tx.query(sql, values).await?.into_iter().map(read).collect()
}

/// How many runs are in each state; a state without runs is missing.
pub async fn counts_by_state(tx: &mut dyn Tx) -> Result<BTreeMap<String, u64>> {
    let rows = tx.query(COUNTS, &[]).await?;
    rows.into_iter()
        .map(|mut row| Ok((row.take()?, row.take()?)))
        .collect()
}
