//! What a reconcile writes down. Each function is one commit, and each says whether the reconcile is still ours.

use cpq_domain::certificate::{Object, Verdict, hour_end};
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ConnectionName, RunId};
use cpq_domain::reconcile::{Differing, Order, Reconciliation, State};
use cpq_domain::{Result, certificate};
use cpq_store::certificates::{self, Certificate, Hours};
use cpq_store::reconcile_records::{self, Parts};
use cpq_store::{Store, Tx, reconciliations};
use jiff::{SignedDuration, Timestamp};

/// How long a reconcile is taken to be alive after its last sign. It gives one with every page, and more often while a
/// page takes long.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Reconciles whose records are kept; older ones keep their report.
const KEPT: u32 = 20;

/// What became of the wish for a reconcile.
pub(super) enum Opened {
    New(Reconciliation),
    /// One that does the same is running.
    Running(Reconciliation),
}

/// What changes together with the mark.
#[derive(Default)]
pub(super) struct Page {
    pub(super) add: Hours,
    pub(super) take_out: Hours,
    pub(super) records: Vec<(Differing, Parts)>,
}

impl Page {
    /// Adds to what is added.
    pub(super) fn add_all(&mut self, more: Hours) {
        for (key, tally) in more {
            let hour = self.add.entry(key).or_default();
            *hour = hour.plus(tally);
        }
    }
}

/// Starts a reconcile, if none of the connection runs.
pub(super) async fn open(store: &Store, fresh: Reconciliation) -> Result<Opened> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let (connection, now) = (fresh.order.connection.clone(), fresh.started_at);
                let last = reconciliations::newest(tx, Some(&connection), None, 1)
                    .await?
                    .pop();
                if let Some(running) = last.filter(|last| is_alive(last, now)) {
                    return same_or_refused(running, &fresh.order);
                }
                reconciliations::abandon(tx, &connection, now).await?;
                reconciliations::insert(tx, &fresh).await?;
                Ok(Opened::New(fresh))
            })
        })
        .await
}

fn is_alive(one: &Reconciliation, now: Timestamp) -> bool {
    one.state == State::Running && one.lease_until > now
}

fn same_or_refused(running: Reconciliation, wanted: &Order) -> Result<Opened> {
    if (running.order.since, running.order.repair) == (wanted.since, wanted.repair) {
        return Ok(Opened::Running(running));
    }
    let message = format!(
        "a reconcile of {} runs since {} and does something else; one at a time",
        wanted.connection, running.started_at
    );
    Err(Error::new(Code::Overloaded, message)
        .connection(wanted.connection.as_str())
        .fact("reconciliation", running.id.to_string())
        .retry_after_ms(60_000)
        .next("wait for it (`cpq reconcile list`), or take it over with `cpq reconcile --resume`"))
}

/// Takes up the last reconcile of the connection where it stands.
pub(super) async fn take_up(
    store: &Store,
    connection: &ConnectionName,
    now: Timestamp,
    matrix_version: &str,
) -> Result<Reconciliation> {
    let (connection, matrix_version) = (connection.clone(), matrix_version.to_owned());
    store
        .write(move |tx| {
            Box::pin(async move {
                let last = reconciliations::newest(tx, Some(&connection), None, 1).await?.pop();
                let last = last.ok_or_else(|| nothing_to_resume(&connection))?;
                if last.matrix_version != matrix_version {
                    let message = "the ownership matrix has changed since this reconcile began, so what it found so \
                                   far was judged by other rules";
                    return Err(Error::new(Code::RequestInvalid, message)
                        .connection(connection.as_str())
                        .next("start a new one with `cpq reconcile`"));
                }
                let taken = reconciliations::take_up(tx, last.id, now, now + LEASE, &matrix_version).await?;
                taken.ok_or_else(|| nothing_to_resume(&connection))
            })
        })
        .await
}

fn nothing_to_resume(connection: &ConnectionName) -> Error {
    let message = format!("the last reconcile of {connection} has ended, or there was none");
    Error::new(Code::RequestInvalid, message)
        .connection(connection.as_str())
        .next("start one with `cpq reconcile`")
}

/// A sign of life.
pub(super) async fn touch(store: &Store, id: RunId, attempt: u32, until: Timestamp) -> Result<bool> {
    store
        .write(move |tx| Box::pin(async move { reconciliations::touch(tx, id, attempt, until).await }))
        .await
}

/// How far the reconcile has come, with everything that belongs to it.
pub(super) async fn save(
    store: &Store,
    one: &Reconciliation,
    digest: Option<Vec<u8>>,
    page: Page,
) -> Result<bool> {
    let one = one.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                if !reconciliations::update(tx, &one, digest.as_deref()).await? {
                    return Ok(false);
                }
                certificates::take_out(tx, one.id, &page.take_out).await?;
                certificates::add(tx, one.id, &page.add).await?;
                for (record, parts) in &page.records {
                    reconcile_records::put(tx, one.id, record, parts).await?;
                }
                Ok(true)
            })
        })
        .await
}

/// The next records that differ, behind an opportunity's id.
pub(super) async fn records(
    store: &Store,
    id: RunId,
    after: &str,
    limit: u32,
) -> Result<Vec<(Differing, Parts)>> {
    let after = after.to_owned();
    store
        .read(move |tx| Box::pin(async move { reconcile_records::page(tx, id, &after, limit).await }))
        .await
}

/// Issues the certificates that were in the making, page by page, and ends the reconcile with the last.
pub(super) async fn certify(store: &Store, ended: &Reconciliation) -> Result<bool> {
    let mut after: Option<(Object, Timestamp)> = None;
    loop {
        let one = ended.clone();
        let next = store
            .write(move |tx| Box::pin(async move { certify_page(tx, &one, after).await }))
            .await?;
        match next {
            Some(key) => after = Some(key),
            None => break,
        }
    }
    let one = ended.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                let (connection, since) = (&one.order.connection, one.order.since);
                certificates::drop_old(tx, connection, one.id, since).await?;
                reconciliations::update(tx, &one, Some(&[])).await
            })
        })
        .await
}

async fn certify_page(
    tx: &mut dyn Tx,
    one: &Reconciliation,
    after: Option<(Object, Timestamp)>,
) -> Result<Option<(Object, Timestamp)>> {
    let drafts = certificates::drafts(tx, one.id, after).await?;
    let last = drafts.last().map(|(key, _)| *key);
    for ((object, hour), tally) in drafts {
        let in_window = one.order.since.is_none_or(|since| hour >= since);
        let verdict = tally.verdict();
        // Of an hour before the window only some records were seen: that they agree says nothing of the others.
        if !in_window && verdict == Verdict::Green {
            continue;
        }
        let certificate = Certificate {
            hour,
            object,
            tally,
            complete: in_window && hour_end(hour) <= one.started_at,
            verdict,
            matrix_version: one.matrix_version.clone(),
            made_at: one.updated_at,
            reconciliation: one.id,
        };
        certificates::put(tx, &one.order.connection, &certificate).await?;
    }
    Ok(last)
}

/// Takes away the records of old reconciles.
pub(super) async fn purge(store: &Store) -> Result<()> {
    let kept = store
        .read(|tx| Box::pin(reconciliations::newest(tx, None, None, KEPT)))
        .await?;
    let Some(oldest) = kept
        .last()
        .filter(|_| kept.len() == KEPT as usize)
        .map(|one| one.id)
    else {
        return Ok(());
    };
    loop {
        let gone = store
            .write(move |tx| {
                Box::pin(async move {
                    let records = reconcile_records::purge(tx, oldest).await?;
                    Ok(records + certificates::purge(tx, oldest).await?)
                })
            })
            .await?;
        if gone == 0 {
            return Ok(());
        }
    }
}

/// The whole hour that a wish for "since" begins with.
pub(super) fn window_start(since: Option<Timestamp>) -> Option<Timestamp> {
    since.map(certificate::hour_of)
}
