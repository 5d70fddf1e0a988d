//! Where the readers of feeds stand, how they fare, and who reads: one reader per connection and feed, by a lease with
//! a fence.

use cpq_domain::Result;
use cpq_domain::change::{FeedState, Position};
use cpq_domain::error::Report;
use cpq_domain::id::ConnectionName;
use jiff::Timestamp;

use crate::encode::{bounded, count, json};
use crate::limits::{FEEDS, MARK_BYTES, TEXT_BYTES};
use crate::row::Row;
use crate::tx::{Tx, params};

macro_rules! columns {
    () => {
        "f.connection, f.feed, f.mark, f.seen_until, f.state, f.updated_at, f.change_at, f.error, f.error_at, \
         f.lease_holder, f.lease_until"
    };
}

// A mark of another organisation is forgotten in the same breath: it would be taken for a place in the new one's feed.
const LEASE: &str = "INSERT INTO feed_positions (connection, feed, origin, state, updated_at, lease_fence, lease_holder,
  lease_until) VALUES ($1, $2, $3, 'behind', $5, 1, $4, $6)
  ON CONFLICT (connection, feed) DO UPDATE SET
    mark = CASE WHEN feed_positions.origin = excluded.origin THEN feed_positions.mark END,
    seen_until = CASE WHEN feed_positions.origin = excluded.origin THEN feed_positions.seen_until END,
    origin = excluded.origin, lease_fence = feed_positions.lease_fence + 1, lease_holder = excluded.lease_holder,
    lease_until = excluded.lease_until
    WHERE feed_positions.lease_until IS NULL OR feed_positions.lease_until <= $5 OR feed_positions.lease_holder = $4
  RETURNING lease_fence, mark, seen_until";
const RENEW: &str = "UPDATE feed_positions SET lease_until = $4
  WHERE connection = $1 AND feed = $2 AND lease_fence = $3 AND lease_holder IS NOT NULL";
const RELEASE: &str = "UPDATE feed_positions SET lease_holder = NULL, lease_until = NULL
  WHERE connection = $1 AND feed = $2 AND lease_fence = $3";
const PUT: &str = "UPDATE feed_positions SET mark = $4, seen_until = $5, state = $6, updated_at = $7
  WHERE connection = $1 AND feed = $2 AND lease_fence = $3 AND lease_holder IS NOT NULL";
const CHANGED: &str = "UPDATE feed_positions SET change_at = $4
  WHERE connection = $1 AND feed = $2 AND lease_fence = $3 AND lease_holder IS NOT NULL";
const NOTE: &str = "UPDATE feed_positions SET state = $4, error = COALESCE($5, error),
  error_at = CASE WHEN $5 IS NULL THEN error_at ELSE $6 END, updated_at = $6
  WHERE connection = $1 AND feed = $2 AND lease_fence = $3 AND lease_holder IS NOT NULL";
const GET: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM feed_positions f WHERE f.connection = $1 AND f.feed = $2"
);
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM feed_positions f JOIN grants g ON g.connection = f.connection AND g.removed = 0
  ORDER BY f.connection, f.feed LIMIT $1"
);

pub(crate) const STATEMENTS: &[&str] = &[LEASE, RENEW, RELEASE, PUT, CHANGED, NOTE, GET, LIST];

/// Bytes of a feed's name.
const NAME_BYTES: usize = 80;

/// A feed and the right to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// Name of the feed.
    pub feed: String,
    /// Number of the lease; a later one takes the right away.
    pub fence: u64,
}

/// How a feed is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// Name of the feed.
    pub feed: String,
    /// Where its reader stands; `None` before the first answer of the CRM.
    pub position: Option<Position>,
    /// How it fares.
    pub state: FeedState,
    /// When its reader wrote down something last.
    pub updated_at: Timestamp,
    /// When it told of a change last.
    pub change_at: Option<Timestamp>,
    /// The last failure, and when it was.
    pub error: Option<(Report, Timestamp)>,
    /// The process that reads it, and until when it has the right to.
    pub lease: Option<(String, Timestamp)>,
}

/// Gives `holder` the right to read the feed until `until`, and says where to go on; `None` while somebody else has it.
/// A position in another organisation than `origin` is forgotten.
pub async fn lease(
    tx: &mut dyn Tx,
    feed: (&ConnectionName, &str),
    origin: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<(Reader, Option<Position>)>> {
    let (connection, name) = feed;
    bounded("the name of a feed", name.len(), NAME_BYTES)?;
    let row = tx
        .first(LEASE, params![connection, name, origin, holder, now, until])
        .await?;
    let Some(mut row) = row else { return Ok(None) };
    let reader = Reader {
        connection: connection.clone(),
        feed: name.to_owned(),
        fence: row.take()?,
    };
    Ok(Some((reader, read_position(&mut row)?)))
}

/// Keeps the right until `until`. `false`: it is lost, and nothing more may be written about the feed. Call it first in
/// every transaction of a reader.
pub async fn renew(tx: &mut dyn Tx, reader: &Reader, until: Timestamp) -> Result<bool> {
    let values = params![&reader.connection, &reader.feed, fence(reader)?, until];
    Ok(tx.execute(RENEW, values).await? == 1)
}

/// Gives the right back.
pub async fn release(tx: &mut dyn Tx, reader: &Reader) -> Result<()> {
    let values = params![&reader.connection, &reader.feed, fence(reader)?];
    tx.execute(RELEASE, values).await.map(drop)
}

/// Stores where the reader stands. Belongs into the transaction that makes durable what came before. Returns whether
/// it was stored: a reader without the right stores nothing.
pub async fn put(
    tx: &mut dyn Tx,
    reader: &Reader,
    position: &Position,
    state: FeedState,
    now: Timestamp,
) -> Result<bool> {
    bounded("the mark of a feed", position.mark.len(), MARK_BYTES)?;
    let values = params![
        &reader.connection,
        &reader.feed,
        fence(reader)?,
        position.mark.as_slice(),
        position.seen_until,
        state.as_str(),
        now,
    ];
    Ok(tx.execute(PUT, values).await? == 1)
}

/// Notes that the feed told of a change.
pub async fn changed(tx: &mut dyn Tx, reader: &Reader, now: Timestamp) -> Result<()> {
    let values = params![&reader.connection, &reader.feed, fence(reader)?, now];
    tx.execute(CHANGED, values).await.map(drop)
}

/// Notes how the reader fares, and why; without an error the last one stays known. The position stays.
pub async fn note(
    tx: &mut dyn Tx,
    reader: &Reader,
    state: FeedState,
    error: Option<&Report>,
    now: Timestamp,
) -> Result<bool> {
    let error = error.map(|error| json("the error of a feed", error, TEXT_BYTES));
    let values = params![
        &reader.connection,
        &reader.feed,
        fence(reader)?,
        state.as_str(),
        error.transpose()?,
        now,
    ];
    Ok(tx.execute(NOTE, values).await? == 1)
}

/// How a feed is read, if anybody ever read it.
pub async fn get(tx: &mut dyn Tx, connection: &ConnectionName, feed: &str) -> Result<Option<Standing>> {
    let row = tx.first(GET, params![connection, feed]).await?;
    row.map(read).transpose()
}

/// All feeds of connections that there are, by name.
pub async fn list(tx: &mut dyn Tx) -> Result<Vec<Standing>> {
    let rows = tx.query(LIST, params![FEEDS]).await?;
    rows.into_iter().map(read).collect()
}

fn fence(reader: &Reader) -> Result<i64> {
    count("a fence", reader.fence)
}

fn read(mut row: Row) -> Result<Standing> {
    Ok(Standing {
        connection: row.take()?,
        feed: row.take()?,
        position: read_position(&mut row)?,
        state: row.word()?,
        updated_at: row.take()?,
        change_at: row.take()?,
        error: row.json_or_none()?.zip(row.take()?),
        lease: row.take::<Option<String>>()?.zip(row.take()?),
    })
}

fn read_position(row: &mut Row) -> Result<Option<Position>> {
    let (mark, seen_until) = (row.take::<Option<Vec<u8>>>()?, row.take()?);
    Ok(mark
        .zip(seen_until)
        .map(|(mark, seen_until)| Position { mark, seen_until }))
}
