//! Calls of a CRM's day: as it counts them, and as we made them.

use cpq_domain::adapter::CallBudget;
use cpq_domain::call_budget::{Purpose, Spent};
use cpq_domain::id::ConnectionName;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use crate::encode::count;
use crate::row::Row;
use crate::tx::{Tx, params};

const PUT: &str = "INSERT INTO call_budgets (connection, used, max, heard_at, exhausted_at)
  VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (connection) DO UPDATE SET used = excluded.used, max = excluded.max, heard_at = excluded.heard_at,
    exhausted_at = excluded.exhausted_at WHERE call_budgets.heard_at <= excluded.heard_at";
const GET: &str =
    "SELECT connection, used, max, heard_at, exhausted_at FROM call_budgets WHERE connection = $1";
const ADD: &str = "INSERT INTO call_counts (connection, purpose, hour, calls) VALUES ($1, $2, $3, $4)
  ON CONFLICT (connection, purpose, hour) DO UPDATE SET calls = call_counts.calls + excluded.calls";
// Numbers of an hour are few: a day has 24 for each purpose.
const SPENT: &str = "SELECT purpose, calls FROM call_counts WHERE connection = $1 AND hour > $2";
const PURGE: &str = "DELETE FROM call_counts WHERE connection = $1 AND hour <= $2";

pub(crate) const STATEMENTS: &[&str] = &[PUT, GET, ADD, SPENT, PURGE];

/// Seconds of an hour.
const HOUR: i64 = 3_600;
/// Hours of the CRM's window.
const HOURS: i64 = 24;

/// What a CRM said last about our calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The connection.
    pub connection: ConnectionName,
    /// Calls used and allowed.
    pub budget: CallBudget,
    /// When it said so.
    pub at: Timestamp,
    /// When all will be used up if it goes on like this; `None` if they will not be.
    pub exhausted_at: Option<Timestamp>,
}

/// Stores what was heard, unless something newer is stored.
pub async fn put(tx: &mut dyn Tx, heard: &Heard) -> Result<()> {
    let values = params![
        &heard.connection,
        count("calls", heard.budget.used)?,
        count("calls", heard.budget.max)?,
        heard.at,
        heard.exhausted_at,
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// What was heard last of a connection.
pub async fn get(tx: &mut dyn Tx, connection: &ConnectionName) -> Result<Option<Heard>> {
    tx.first(GET, params![connection]).await?.map(read).transpose()
}

/// Adds calls that were made, and forgets those that count no more.
pub async fn add(tx: &mut dyn Tx, connection: &ConnectionName, made: &Spent, now: Timestamp) -> Result<()> {
    for (purpose, calls) in made {
        let values = params![connection, purpose.as_str(), hour(now), count("calls", *calls)?];
        tx.execute(ADD, values).await?;
    }
    let old = hour(now) - HOURS;
    tx.execute(PURGE, params![connection, old]).await.map(drop)
}

/// Calls that were made in the last day, by purpose.
pub async fn spent(tx: &mut dyn Tx, connection: &ConnectionName, now: Timestamp) -> Result<Spent> {
    let rows = tx.query(SPENT, params![connection, hour(now) - HOURS]).await?;
    let mut spent = Spent::new();
    for mut row in rows {
        let (name, calls): (String, u64) = (row.take()?, row.take()?);
        let purpose = Purpose::parse(&name)
            .ok_or_else(|| Error::new(Code::StoreTooNew, format!("the store counts calls for {name}")))?;
        *spent.entry(purpose).or_default() += calls;
    }
    Ok(spent)
}

fn hour(now: Timestamp) -> i64 {
    now.as_second().div_euclid(HOUR)
}

fn read(mut row: Row) -> Result<Heard> {
    Ok(Heard {
        connection: row.take()?,
        budget: CallBudget {
            used: row.take()?,
            max: row.take()?,
        },
        at: row.take()?,
        exhausted_at: row.take()?,
    })
}
