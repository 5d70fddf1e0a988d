//! Completeness certificates: in the making, and the last one of each object and hour.

use std::collections::BTreeMap;

use cpq_domain::certificate::{Object, Tally, Verdict};
use cpq_domain::id::{ConnectionName, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use crate::limits::PURGE_ROWS;
use crate::row::Row;
use crate::tx::{Param, Tx, params};

const DRAFT: &str = "SELECT crm_count, cpq_count, crm_sum, cpq_sum, differing, in_flight, excluded
  FROM certificate_drafts WHERE reconciliation = $1 AND object = $2 AND hour = $3";
const PUT_DRAFT: &str =
    "INSERT INTO certificate_drafts (reconciliation, object, hour, crm_count, cpq_count, crm_sum,
  cpq_sum, differing, in_flight, excluded) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  ON CONFLICT (reconciliation, object, hour) DO UPDATE SET crm_count = excluded.crm_count,
    cpq_count = excluded.cpq_count, crm_sum = excluded.crm_sum, cpq_sum = excluded.cpq_sum,
    differing = excluded.differing, in_flight = excluded.in_flight, excluded = excluded.excluded";
const DROP_DRAFT: &str =
    "DELETE FROM certificate_drafts WHERE reconciliation = $1 AND object = $2 AND hour = $3";
const DRAFTS: &str = "SELECT crm_count, cpq_count, crm_sum, cpq_sum, differing, in_flight, excluded, object, hour
  FROM certificate_drafts WHERE reconciliation = $1 AND (object, hour) > ($2, $3) ORDER BY object, hour LIMIT $4";
const PUT: &str =
    "INSERT INTO certificates (connection, hour, object, crm_count, cpq_count, crm_sum, cpq_sum,
  differing, in_flight, excluded, complete, verdict, matrix_version, made_at, reconciliation)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  ON CONFLICT (connection, hour, object) DO UPDATE SET crm_count = excluded.crm_count,
    cpq_count = excluded.cpq_count, crm_sum = excluded.crm_sum, cpq_sum = excluded.cpq_sum,
    differing = excluded.differing, in_flight = excluded.in_flight, excluded = excluded.excluded,
    complete = excluded.complete, verdict = excluded.verdict, matrix_version = excluded.matrix_version,
    made_at = excluded.made_at, reconciliation = excluded.reconciliation";
const LIST: &str =
    "SELECT crm_count, cpq_count, crm_sum, cpq_sum, differing, in_flight, excluded, object, hour,
  complete, verdict, matrix_version, made_at, reconciliation FROM certificates
  WHERE connection = $1 AND (hour, object) > ($2, $3) AND (CAST($4 AS TEXT) IS NULL OR verdict = $4)
  ORDER BY hour, object LIMIT $5";
// A full look shows every hour that has records; an older certificate speaks of records that have moved on.
const DROP_OLD: &str =
    "DELETE FROM certificates WHERE connection = $1 AND hour >= $3 AND reconciliation <> $2";
pub(crate) const PURGE: &str =
    "DELETE FROM certificate_drafts WHERE reconciliation < $1 AND (reconciliation, object, hour) IN
  (SELECT reconciliation, object, hour FROM certificate_drafts WHERE reconciliation < $1 LIMIT $2)";

pub(crate) const STATEMENTS: &[&str] = &[DRAFT, PUT_DRAFT, DROP_DRAFT, DRAFTS, PUT, LIST, DROP_OLD, PURGE];

/// Tallies by object and first moment of the hour.
pub type Hours = BTreeMap<(Object, Timestamp), Tally>;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// First moment of the hour (UTC) in which the CRM last changed the opportunities that it speaks of; for quotes
    /// whose opportunity the CRM does not have, the quote's own last change.
    pub hour: Timestamp,
    /// What it counts.
    pub object: Object,
    /// Counts and checksums.
    pub tally: Tally,
    /// Whether every record of the hour was looked at, or only those that changed in the CPQ.
    pub complete: bool,
    /// What it says.
    pub verdict: Verdict,
    /// The matrix by which it was judged.
    pub matrix_version: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The reconcile that made it.
    pub reconciliation: RunId,
}

/// Adds to the certificates that a reconcile has in the making.
pub async fn add(tx: &mut dyn Tx, id: RunId, more: &Hours) -> Result<()> {
    change(tx, id, more, Tally::plus).await
}

/// Takes out what was added before.
pub async fn take_out(tx: &mut dyn Tx, id: RunId, less: &Hours) -> Result<()> {
    change(tx, id, less, Tally::minus).await
}

async fn change(tx: &mut dyn Tx, id: RunId, by: &Hours, how: fn(Tally, Tally) -> Tally) -> Result<()> {
    for ((object, hour), part) in by {
        let key = params![id, object.as_str(), *hour];
        let known = tx
            .first(DRAFT, key)
            .await?
            .map(|mut row| tally(&mut row))
            .transpose()?;
        let now = how(known.unwrap_or_default(), *part);
        if now.is_empty() {
            tx.execute(DROP_DRAFT, key).await?;
            continue;
        }
        let (crm_sum, cpq_sum) = (now.crm_sum.to_be_bytes(), now.cpq_sum.to_be_bytes());
        let values = params![
            id,
            object.as_str(),
            *hour,
            now.crm_count,
            now.cpq_count,
            &crm_sum[..],
            &cpq_sum[..],
            now.differing,
            now.in_flight,
            now.excluded,
        ];
        tx.execute(PUT_DRAFT, values).await?;
    }
    Ok(())
}

/// A page of what a reconcile has in the making, behind this object and hour; at most [`PAGE_ROWS`].
pub async fn drafts(
    tx: &mut dyn Tx,
    id: RunId,
    after: Option<(Object, Timestamp)>,
) -> Result<Vec<((Object, Timestamp), Tally)>> {
    let (object, hour) = after.map_or(("", i64::MIN), |(object, hour)| {
        (object.as_str(), hour.as_microsecond())
    });
    let rows = tx.query(DRAFTS, params![id, object, hour, PAGE_ROWS]).await?;
    let draft = |mut row: Row| {
        let tally = tally(&mut row)?;
        Ok(((row.word()?, row.take()?), tally))
    };
    rows.into_iter().map(draft).collect()
}

/// Puts a certificate in the place of the one before.
pub async fn put(tx: &mut dyn Tx, connection: &ConnectionName, one: &Certificate) -> Result<()> {
    let (crm_sum, cpq_sum) = (one.tally.crm_sum.to_be_bytes(), one.tally.cpq_sum.to_be_bytes());
    let values = params![
        connection,
        one.hour,
        one.object.as_str(),
        one.tally.crm_count,
        one.tally.cpq_count,
        &crm_sum[..],
        &cpq_sum[..],
        one.tally.differing,
        one.tally.in_flight,
        one.tally.excluded,
        one.complete,
        one.verdict.as_str(),
        &one.matrix_version,
        one.made_at,
        one.reconciliation,
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// Takes away the certificates of hours from `since` on that this reconcile, which looked at all of them, did not make.
pub async fn drop_old(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    made_by: RunId,
    since: Option<Timestamp>,
) -> Result<u64> {
    let since = since.map_or(i64::MIN, Timestamp::as_microsecond);
    tx.execute(DROP_OLD, params![connection, made_by, since]).await
}

/// Which certificates to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of this connection.
    pub connection: ConnectionName,
    /// Of hours from this one on.
    pub since: Option<Timestamp>,
    /// That say this.
    pub verdict: Option<Verdict>,
    /// Behind this one: hour and object of the last one of the page before.
    pub after: Option<(Timestamp, Object)>,
    /// Rows of the page, at most [`PAGE_ROWS`].
    pub limit: u32,
}

/// A page of certificates, by hour and object.
pub async fn list(tx: &mut dyn Tx, filter: &Filter) -> Result<Vec<Certificate>> {
    let start = filter.since.map_or(i64::MIN, Timestamp::as_microsecond);
    // Every object sorts behind the empty name, so the first hour is included.
    let (hour, object) = filter.after.map_or((start, ""), |(hour, object)| {
        (hour.as_microsecond().max(start), object.as_str())
    });
    let values: &[Param<'_>] = params![
        &filter.connection,
        hour,
        object,
        filter.verdict.map(Verdict::as_str),
        filter.limit.min(PAGE_ROWS),
    ];
    tx.query(LIST, values).await?.into_iter().map(read).collect()
}

/// Takes away some of what reconciles older than this one had in the making. Returns how many; 0 when none is left.
pub async fn purge(tx: &mut dyn Tx, older_than: RunId) -> Result<u64> {
    tx.execute(PURGE, params![older_than, PURGE_ROWS]).await
}

fn tally(row: &mut Row) -> Result<Tally> {
    Ok(Tally {
        crm_count: row.take()?,
        cpq_count: row.take()?,
        crm_sum: sum(row)?,
        cpq_sum: sum(row)?,
        differing: row.take()?,
        in_flight: row.take()?,
        excluded: row.take()?,
    })
}

fn sum(row: &mut Row) -> Result<u128> {
    let bytes: Vec<u8> = row.take()?;
    let bytes = bytes
        .try_into()
        .map_err(|_| Error::new(Code::Internal, "a checksum in the store does not have 16 bytes"))?;
    Ok(u128::from_be_bytes(bytes))
}

fn read(mut row: Row) -> Result<Certificate> {
    Ok(Certificate {
        tally: tally(&mut row)?,
        object: row.word()?,
        hour: row.take()?,
        complete: row.take()?,
        verdict: row.word()?,
        matrix_version: row.take()?,
        made_at: row.take()?,
        reconciliation: row.take()?,
    })
}
