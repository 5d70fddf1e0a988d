//! Dead letters: one row for each run that died, and how it was dealt with.

use cpq_domain::dead_letter::{DeadLetter, LetterGroup, LetterState, Signature};
use cpq_domain::id::{ConnectionName, CorrelationId, Lane, OpportunityKey, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::replay::Selection;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use crate::counters;
use crate::encode::json;
use crate::limits::{LETTERS_LOOKED_AT, LETTERS_OF_LANE, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Param, Tx, params};

/// Counter that numbers deaths.
const COUNTER: &str = "dead_letter";

/// `$1` connection, `$2` signature, `$3` code, `$4` since, `$5` up to; each may be NULL.
macro_rules! selected {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " state = 'open' AND (CAST($1 AS TEXT) IS NULL OR connection = $1)
  AND (CAST($2 AS TEXT) IS NULL OR signature = $2) AND (CAST($3 AS TEXT) IS NULL OR code = $3)
  AND (CAST($4 AS BIGINT) IS NULL OR died_at >= $4) AND (CAST($5 AS BIGINT) IS NULL OR number <= $5) ",
            $after
        )
    };
}

const PUT: &str =
    "INSERT INTO dead_letters (run_id, number, connection, opportunity, state, code, signature, cause, died_at, body)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  ON CONFLICT (run_id) DO UPDATE SET number = excluded.number, state = excluded.state, code = excluded.code,
  signature = excluded.signature, cause = excluded.cause, died_at = excluded.died_at, body = excluded.body";
const BY_RUN: &str = "SELECT body FROM dead_letters WHERE run_id = $1 FOR UPDATE";
const BY_NUMBER: &str = "SELECT body FROM dead_letters WHERE number = $1";
const PAGE_OPEN: &str = "SELECT body FROM dead_letters WHERE state = 'open'
  AND (CAST($1 AS TEXT) IS NULL OR state = $1) AND (CAST($2 AS TEXT) IS NULL OR opportunity = $2)
  AND (CAST($3 AS TEXT) IS NULL OR signature = $3) AND (CAST($4 AS TEXT) IS NULL OR code = $4)
  AND number < $5
  AND (CAST($7 AS TEXT) IS NULL OR connection = $7) ORDER BY number DESC LIMIT $6";
const PAGE_OF_STATE: &str = "SELECT body FROM dead_letters WHERE state = $1
  AND (CAST($2 AS TEXT) IS NULL OR opportunity = $2) AND (CAST($3 AS TEXT) IS NULL OR signature = $3)
  AND (CAST($4 AS TEXT) IS NULL OR code = $4) AND number < $5
  AND (CAST($7 AS TEXT) IS NULL OR connection = $7) ORDER BY number DESC LIMIT $6";
const PAGE_OF_OPPORTUNITY: &str = "SELECT body FROM dead_letters WHERE opportunity = $2
  AND (CAST($1 AS TEXT) IS NULL OR state = $1) AND (CAST($3 AS TEXT) IS NULL OR signature = $3)
  AND (CAST($4 AS TEXT) IS NULL OR code = $4) AND number < $5
  AND (CAST($7 AS TEXT) IS NULL OR connection = $7) ORDER BY number DESC LIMIT $6";
const PAGE_OF_ALL: &str = "SELECT body FROM dead_letters WHERE (CAST($1 AS TEXT) IS NULL OR state = $1)
  AND (CAST($2 AS TEXT) IS NULL OR opportunity = $2) AND (CAST($3 AS TEXT) IS NULL OR signature = $3)
  AND (CAST($4 AS TEXT) IS NULL OR code = $4) AND number < $5
  AND (CAST($7 AS TEXT) IS NULL OR connection = $7) ORDER BY number DESC LIMIT $6";
const GROUPS: &str = selected!(
    "SELECT MAX(number), COUNT(*), COUNT(DISTINCT connection || '/' || opportunity), MIN(died_at), MAX(died_at)
  FROM dead_letters WHERE",
    "GROUP BY signature ORDER BY 2 DESC, 1 DESC LIMIT $6"
);
const COUNT: &str = selected!(
    "SELECT COUNT(*), COALESCE(MAX(number), 0) FROM dead_letters WHERE",
    ""
);
const LANE_COUNT: &str = selected!(
    "SELECT COUNT(*) FROM (SELECT 1 FROM dead_letters WHERE",
    "GROUP BY connection, opportunity) AS lanes"
);
const NTH: &str = selected!(
    "SELECT number FROM dead_letters WHERE",
    "ORDER BY number LIMIT 1 OFFSET $6"
);
// Folding is left to the engine, lane by lane along the index: no letter is held in memory.
const LANES: &str = selected!(
    "SELECT connection, opportunity, COUNT(*), MIN(number), MAX(number), MAX(died_at) FROM dead_letters
  WHERE (connection, opportunity) > ($6, $7) AND",
    "GROUP BY connection, opportunity ORDER BY connection, opportunity LIMIT $8"
);
const OF_LANE: &str = selected!(
    "SELECT body FROM dead_letters WHERE connection = $6 AND opportunity = $7 AND",
    "ORDER BY number DESC LIMIT $8 FOR UPDATE"
);
// Among the newest only, whatever their cause, so that an opportunity with thousands of letters costs no more.
const CRASHED: &str =
    "SELECT run_id FROM (SELECT run_id, connection, code FROM dead_letters WHERE opportunity = $2
  ORDER BY number DESC LIMIT $3) AS newest WHERE connection = $1 AND code = 'DEAD_LETTERED'";
const WITHOUT: &str = "SELECT r.id FROM runs r WHERE r.state = 'dead'
  AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.run_id = r.id) ORDER BY r.updated_at, r.id LIMIT $1";
const SYNCED_SINCE: &str = "SELECT correlation FROM runs WHERE opportunity = $2 AND connection = $1
  AND state = 'succeeded' AND updated_at > $3 ORDER BY id DESC LIMIT 1";

pub(crate) const STATEMENTS: &[&str] = &[
    PUT,
    BY_RUN,
    BY_NUMBER,
    PAGE_OPEN,
    PAGE_OF_STATE,
    PAGE_OF_OPPORTUNITY,
    PAGE_OF_ALL,
    GROUPS,
    COUNT,
    LANE_COUNT,
    NTH,
    LANES,
    OF_LANE,
    CRASHED,
    WITHOUT,
    SYNCED_SINCE,
];

/// Which letters to list. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this connection.
    pub connection: Option<ConnectionName>,
    /// In this state.
    pub state: Option<LetterState>,
    /// Of the opportunity that goes by this name.
    pub opportunity: Option<OpportunityKey>,
    /// Of this signature.
    pub signature: Option<String>,
    /// With this code.
    pub code: Option<Code>,
    /// That died before the letter of this number: the last one of the page before.
    pub before: Option<i64>,
    /// Rows of the page, at most [`PAGE_ROWS`].
    pub limit: u32,
}

/// The open letters of one lane, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The lane.
    pub lane: Lane,
    /// How many there are.
    pub letters: u64,
    /// Number of the oldest.
    pub oldest: i64,
    /// Number of the newest.
    pub newest: i64,
    /// When the newest died.
    pub died_at: Timestamp,
}

/// The number for the next death.
pub async fn next_number(tx: &mut dyn Tx) -> Result<i64> {
    counters::next(tx, COUNTER).await
}

/// Stores a letter, in the place of an earlier one of its run.
pub async fn put(tx: &mut dyn Tx, letter: &DeadLetter) -> Result<()> {
    let values = params![
        letter.run_id,
        letter.number,
        &letter.connection,
        &letter.opportunity,
        letter.state.as_str(),
        letter.signature.code.as_str(),
        &letter.signature.id,
        &letter.signature.cause,
        letter.died_at,
        json("a dead letter", letter, TEXT_BYTES)?,
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// The letter of a run, whatever its state.
pub async fn by_run(tx: &mut dyn Tx, run: RunId) -> Result<Option<DeadLetter>> {
    tx.first(BY_RUN, params![run])
        .await?
        .map(|mut row| row.json())
        .transpose()
}

/// Takes the words out of the letter of a run, if there is one: they may quote a value. `words` stand in their place.
pub(crate) async fn without_words(tx: &mut dyn Tx, run: &str, words: &str) -> Result<()> {
    let found = tx.first(BY_RUN, params![run]).await?;
    let Some(mut letter) = found.map(|mut row| row.json::<DeadLetter>()).transpose()? else {
        return Ok(());
    };
    words.clone_into(&mut letter.signature.cause);
    if let Some(closed) = &mut letter.closed {
        words.clone_into(&mut closed.reason);
    }
    put(tx, &letter).await
}

/// A page of letters, the last that died first.
pub async fn list(tx: &mut dyn Tx, filter: &Filter) -> Result<Vec<DeadLetter>> {
    let sql = match (&filter.opportunity, filter.state) {
        (Some(_), _) => PAGE_OF_OPPORTUNITY,
        (None, Some(LetterState::Open)) => PAGE_OPEN,
        (None, Some(_)) => PAGE_OF_STATE,
        (None, None) => PAGE_OF_ALL,
    };
    let values = params![
        filter.state.map(LetterState::as_str),
        filter.opportunity.as_ref(),
        filter.signature.as_ref(),
        filter.code.map(Code::as_str),
        filter.before.unwrap_or(i64::MAX),
        filter.limit.min(PAGE_ROWS),
        filter.connection.as_ref(),
    ];
    let rows = tx.query(sql, values).await?;
    rows.into_iter().map(|mut row| row.json()).collect()
}

/// Open letters by signature, the most frequent first; at most [`PAGE_ROWS`].
pub async fn groups(tx: &mut dyn Tx, selection: &Selection) -> Result<Vec<LetterGroup>> {
    let values = with(selection, &[Param::from(PAGE_ROWS)]);
    let mut groups = Vec::new();
    for mut row in tx.query(GROUPS, &values).await? {
        let newest: i64 = row.take()?;
        let (count, opportunities) = (row.take()?, row.take()?);
        let (first_seen, last_seen) = (row.take()?, row.take()?);
        let example = by_number(tx, newest).await?;
        groups.push(LetterGroup {
            signature: example.signature,
            count,
            opportunities,
            first_seen,
            last_seen,
            example: example.correlation,
            next: example.next,
            retry: example.retry,
        });
    }
    Ok(groups)
}

/// How many open letters a selection takes in, and the number of the newest; 0 and 0 when there are none.
pub async fn count(tx: &mut dyn Tx, selection: &Selection) -> Result<(u64, i64)> {
    let mut row = first(tx, COUNT, &with(selection, &[])).await?;
    Ok((row.take()?, row.take()?))
}

/// How many lanes a selection is about.
pub async fn count_lanes(tx: &mut dyn Tx, selection: &Selection) -> Result<u64> {
    first(tx, LANE_COUNT, &with(selection, &[])).await?.take()
}

/// The number of the `nth` open letter of a selection, the oldest being the first; `None` if there are fewer.
pub async fn nth(tx: &mut dyn Tx, selection: &Selection, nth: u32) -> Result<Option<i64>> {
    let values = with(selection, &[Param::from(nth.saturating_sub(1))]);
    tx.first(NTH, &values)
        .await?
        .map(|mut row| row.take())
        .transpose()
}

/// A page of lanes with open letters of a selection, behind `after`, in the order of their names.
pub async fn lanes(
    tx: &mut dyn Tx,
    selection: &Selection,
    after: Option<&Lane>,
    limit: u32,
) -> Result<Vec<Fold>> {
    let (connection, opportunity) = match after {
        Some(lane) => (lane.connection.as_str(), lane.opportunity.as_str()),
        None => ("", ""),
    };
    let more = [
        Param::from(connection),
        Param::from(opportunity),
        Param::from(limit.min(PAGE_ROWS)),
    ];
    let rows = tx.query(LANES, &with(selection, &more)).await?;
    let fold = |mut row: Row| {
        Ok(Fold {
            lane: Lane {
                connection: row.take::<ConnectionName>()?,
                opportunity: row.take::<OpportunityKey>()?,
            },
            letters: row.take()?,
            oldest: row.take()?,
            newest: row.take()?,
            died_at: row.take()?,
        })
    };
    rows.into_iter().map(fold).collect()
}

/// The runs of the lane that were put aside because processes died of them, newest first, be their letters closed or not;
/// among its newest [`LETTERS_LOOKED_AT`] letters. Nobody has told of what they wrote.
pub async fn crashed_in_lane(tx: &mut dyn Tx, lane: &Lane) -> Result<Vec<RunId>> {
    let values = params![&lane.connection, &lane.opportunity, LETTERS_LOOKED_AT];
    let rows = tx.query(CRASHED, values).await?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

/// The open letters of a selection in one lane, newest first; at most [`LETTERS_OF_LANE`].
pub async fn of_lane(tx: &mut dyn Tx, selection: &Selection, lane: &Lane) -> Result<Vec<DeadLetter>> {
    let more = [
        Param::from(&lane.connection),
        Param::from(&lane.opportunity),
        Param::from(LETTERS_OF_LANE),
    ];
    let rows = tx.query(OF_LANE, &with(selection, &more)).await?;
    rows.into_iter().map(|mut row| row.json()).collect()
}

/// Signatures of the open letters of a selection; at most [`PAGE_ROWS`], the most frequent first.
pub async fn signatures(tx: &mut dyn Tx, selection: &Selection) -> Result<Vec<Signature>> {
    let groups = groups(tx, selection).await?;
    Ok(groups.into_iter().map(|group| group.signature).collect())
}

/// Dead runs that have no letter, of a store that is older than letters are.
pub async fn runs_without(tx: &mut dyn Tx, limit: u32) -> Result<Vec<RunId>> {
    let rows = tx.query(WITHOUT, params![limit]).await?;
    rows.into_iter().map(|mut row| row.take()).collect()
}

/// The last sync of a lane that succeeded after a moment.
pub async fn synced_since(tx: &mut dyn Tx, lane: &Lane, moment: Timestamp) -> Result<Option<CorrelationId>> {
    let values = params![&lane.connection, &lane.opportunity, moment];
    tx.first(SYNCED_SINCE, values)
        .await?
        .map(|mut row| row.take())
        .transpose()
}

async fn by_number(tx: &mut dyn Tx, number: i64) -> Result<DeadLetter> {
    first(tx, BY_NUMBER, params![number]).await?.json()
}

async fn first(tx: &mut dyn Tx, sql: &'static str, values: &[Param<'_>]) -> Result<Row> {
    let missing = || {
        Error::new(
            Code::Internal,
            "the store lost a dead letter that it had just named",
        )
    };
    tx.first(sql, values).await?.ok_or_else(missing)
}

/// The parameters of [`selected!`], and more.
fn with<'a>(selection: &'a Selection, more: &[Param<'a>]) -> Vec<Param<'a>> {
    let up_to = (selection.up_to > 0).then_some(selection.up_to);
    let mut values = vec![
        Param::from(selection.connection.as_ref()),
        Param::from(selection.signature.as_ref()),
        Param::from(selection.code.map(Code::as_str)),
        Param::from(selection.since),
        Param::from(up_to),
    ];
    values.extend(more.iter().cloned());
    values
}
