//! What whoever watches the service wants to know, read at once. All of it comes out of indexes over what has not ended, or
//! from the newest few rows, so that a long history costs nothing.

use cpq_domain::Result;
use cpq_domain::breaker::Breaker;
use cpq_domain::call_budget::Spent;
use cpq_domain::id::{ConnectionName, RunId};
use cpq_domain::reconcile::{Reconciliation, State};
use cpq_domain::vault::StoredGrant;
use jiff::Timestamp;

use crate::call_budgets::{self, Heard};
use crate::limits::{CERTIFICATES_COUNTED, RECONCILES_WATCHED, RUNS_WATCHED};
use crate::positions::{self, Standing};
use crate::row::Row;
use crate::tx::{Tx, params};
use crate::{circuits, grants, reconciliations};

const UNFINISHED: &str = "SELECT connection, state, COUNT(*), MIN(created_at) FROM runs
  WHERE state IN ('queued', 'running', 'parked', 'waiting') GROUP BY connection, state";
const LAST_ACCEPTED: &str = "SELECT created_at FROM runs WHERE connection = $1 ORDER BY id DESC LIMIT 1";
// The newest only: where one fails after the other, the last that did not is far back.
const LAST_SUCCEEDED: &str = "SELECT MAX(updated_at) FROM
  (SELECT state, updated_at FROM runs WHERE connection = $1 ORDER BY id DESC LIMIT $2) AS newest
  WHERE state = 'succeeded'";
const DEAD_LETTERS: &str = "SELECT connection, code, COUNT(*), MIN(died_at) FROM dead_letters
  WHERE state = 'open' GROUP BY connection, code";
const CONFLICTS: &str =
    "SELECT connection, field, COUNT(*) FROM conflicts WHERE state = 'open' GROUP BY connection, field";
const CERTIFICATES: &str = "SELECT verdict, COUNT(*) FROM
  (SELECT verdict FROM certificates WHERE connection = $1 ORDER BY hour DESC, object DESC LIMIT $2) AS newest
  GROUP BY verdict";
const RECONCILES: &str =
    "SELECT id, since, state FROM reconciliations WHERE connection = $1 ORDER BY id DESC LIMIT $2";

pub(crate) const STATEMENTS: &[&str] = &[
    UNFINISHED,
    LAST_ACCEPTED,
    LAST_SUCCEEDED,
    DEAD_LETTERS,
    CONFLICTS,
    CERTIFICATES,
    RECONCILES,
];

/// Rows of a kind, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The connection.
    pub connection: ConnectionName,
    /// The kind: a state, a code or a field.
    pub kind: String,
    /// How many there are.
    pub count: u64,
    /// Since when there is one; `None` for conflicts, of which this is not counted.
    pub oldest: Option<Timestamp>,
}

/// How a connection stands.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its grant.
    pub grant: StoredGrant,
    /// Its circuit breaker; `None` while it is closed.
    pub breaker: Option<Breaker>,
    /// What the CRM said last about our calls.
    pub heard: Option<Heard>,
    /// Calls that we made in the last 24 hours, by purpose.
    pub spent: Spent,
    /// When the last run was accepted; `None` if there never was one.
    pub last_accepted: Option<Timestamp>,
    /// When a run last succeeded; `None` if none of the newest did.
    pub last_succeeded: Option<Timestamp>,
    /// Its certificates by verdict, the newest [`CERTIFICATES_COUNTED`].
    pub certificates: Vec<(String, u64)>,
    /// Its last reconciles that came to their end: one that looked at everything, and one at what had changed.
    pub reconciled: Vec<Reconciliation>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Runs that have not ended, by state.
    pub unfinished: Vec<Counted>,
    /// Dead letters that are open, by code.
    pub dead_letters: Vec<Counted>,
    /// Conflicts that are open, by field.
    pub conflicts: Vec<Counted>,
    /// Connections that there are.
    pub connections: Vec<Watched>,
    /// Their feeds.
    pub feeds: Vec<Standing>,
}

/// Reads everything.
pub async fn read(tx: &mut dyn Tx, now: Timestamp) -> Result<Reading> {
    let mut circuits = circuits::list(tx).await?;
    let mut connections = Vec::new();
    for grant in grants::list(tx).await? {
        let name = &grant.settings.name;
        let open = circuits.iter().position(|(connection, _)| connection == name);
        let breaker = open.map(|at| circuits.swap_remove(at).1);
        connections.push(connection(tx, grant, breaker, now).await?);
    }
    Ok(Reading {
        unfinished: counted(tx, UNFINISHED, true).await?,
        dead_letters: counted(tx, DEAD_LETTERS, true).await?,
        conflicts: counted(tx, CONFLICTS, false).await?,
        connections,
        feeds: positions::list(tx).await?,
    })
}

async fn connection(
    tx: &mut dyn Tx,
    grant: StoredGrant,
    breaker: Option<Breaker>,
    now: Timestamp,
) -> Result<Watched> {
    let name = &grant.settings.name;
    let certificates = tx
        .query(CERTIFICATES, params![name, CERTIFICATES_COUNTED])
        .await?;
    let by_verdict = |mut row: Row| Ok((row.take()?, row.take()?));
    Ok(Watched {
        breaker,
        heard: call_budgets::get(tx, name).await?,
        spent: call_budgets::spent(tx, name, now).await?,
        last_accepted: moment(tx.first(LAST_ACCEPTED, params![name]).await?)?,
        last_succeeded: moment(tx.first(LAST_SUCCEEDED, params![name, RUNS_WATCHED]).await?)?,
        certificates: certificates.into_iter().map(by_verdict).collect::<Result<_>>()?,
        reconciled: reconciled(tx, name).await?,
        grant,
    })
}

/// The last of each scope. Their reports may be long, so only these two are read.
async fn reconciled(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<Vec<Reconciliation>> {
    let mut last: [Option<RunId>; 2] = [None, None];
    for mut row in tx
        .query(RECONCILES, params![connection, RECONCILES_WATCHED])
        .await?
    {
        let (id, since): (RunId, Option<Timestamp>) = (row.take()?, row.take()?);
        if row.word::<State>()? == State::Done {
            last[usize::from(since.is_some())].get_or_insert(id);
        }
    }
    let mut found = Vec::new();
    for id in last.into_iter().flatten() {
        found.extend(reconciliations::by_id(tx, id).await?);
    }
    Ok(found)
}

async fn counted(tx: &mut dyn Tx, sql: &'static str, with_oldest: bool) -> Result<Vec<Counted>> {
    let rows = tx.query(sql, &[]).await?;
    let one = |mut row: Row| {
        Ok(Counted {
            connection: row.take()?,
            kind: row.take()?,
            count: row.take()?,
            oldest: if with_oldest { row.take()? } else { None },
        })
    };
    rows.into_iter().map(one).collect()
}

fn moment(row: Option<Row>) -> Result<Option<Timestamp>> {
    row.map_or(Ok(None), |mut row| row.take::<Option<Timestamp>>())
}
