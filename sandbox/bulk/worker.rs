//! The queue: one step of one job at a time, so that jobs end in the order in which they were closed, others get
//! their turn at the org between steps, and whoever polls sees a job go through its states.

use super::Bulk;
use super::classic::failed_query;
use super::extract::{self, Extract};
use super::job::{Ingest, Job, State, Work};
use super::limits::{BATCH_ROWS, BYTES_KEPT, CHUNK_ROWS, DAILY_RESULT_KILOBYTES, DAILY_ROWS};
use super::load::Loading;
use crate::clock::stopwatch;
use crate::faults::Call;
use crate::org::{ApiError, Hand, Id, Origin};
use crate::rest::NEWEST;
use crate::state::{Sandbox, Shared, lock};
use http::StatusCode;
use std::time::Duration;

/// What comes after a step.
enum Next {
    /// Another one at once.
    Now,
    /// One after this time.
    Later(Duration),
    /// None until somebody says that something changed.
    Idle,
}

/// Works jobs off until the sandbox stops.
pub async fn work(sandbox: Shared) {
    while !sandbox.stop.is_cancelled() {
        let pause = match step(&sandbox) {
            Next::Now => {
                tokio::task::yield_now().await;
                continue;
            }
            Next::Later(pause) => pause,
            Next::Idle => Duration::MAX,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = sandbox.bulk.changed() => {}
            () = sandbox.stop.cancelled() => {}
        }
    }
}

/// Lets the first job of the queue that is due take its next step. The book is locked meanwhile, so that a reset
/// comes either before or after it.
fn step(sandbox: &Sandbox) -> Next {
    let settings = sandbox.settings();
    if settings.bulk_hold {
        return Next::Idle;
    }
    let pause = Duration::from_millis(settings.bulk_delay_millis);
    let mut book = lock(&sandbox.bulk.book);
    let waits = |job: &Job| pause.saturating_sub(job.stepped.elapsed());
    let soonest = book.queued().map(|job| (waits(job), job.turn, job.id)).min();
    let Some((wait, _, id)) = soonest else {
        return Next::Idle;
    };
    if !wait.is_zero() {
        return Next::Later(wait);
    }
    let free = BYTES_KEPT.saturating_sub(book.weight());
    let Some(job) = book.job_mut(id) else {
        return Next::Idle;
    };
    let began = stopwatch();
    advance(sandbox, job, free);
    job.stepped = stopwatch();
    job.micros += u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    sandbox.touch();
    Next::Now
}

fn advance(sandbox: &Sandbox, job: &mut Job, free: usize) {
    let now = sandbox.clock.now();
    match (job.state, &job.work) {
        (State::InProgress, Work::Ingest(_)) => load(sandbox, job, free),
        (State::InProgress, Work::Query(_)) => query(sandbox, job, free),
        _ => {
            doom(sandbox, job);
            job.enter(State::InProgress, now);
        }
    }
}

/// What fault rules see of the writes of a job: the request that brought its data, made by who made the job.
fn call_of(job: &Job) -> Call {
    let kind = if job.is_ingest() { "ingest" } else { "query" };
    let (method, target) = match &job.batch {
        Some(batch) => (
            "POST",
            format!("/services/async/{}.0/job/{}/batch", job.version, batch.job),
        ),
        None => (
            "PUT",
            format!("/services/data/v{}.0/jobs/{kind}/{}/batches", job.version, job.id),
        ),
    };
    Call {
        method: method.to_owned(),
        target,
        client: job.client.clone().unwrap_or_default(),
        body: axum::body::Bytes::new(),
        topic: None,
    }
}

/// Asks the fault rules whether the job is to fail, and when.
fn doom(sandbox: &Sandbox, job: &mut Job) {
    let Some((after, message)) = sandbox.faults.judge_job(&call_of(job), &job.object) else {
        return;
    };
    match &mut job.work {
        Work::Ingest(ingest) => {
            let rows = ingest.upload.as_ref().map_or(0, |upload| upload.rows());
            ingest.stop = Some((after.unwrap_or(rows / 2), message));
        }
        Work::Query(extract) => extract.doomed = true,
    }
}

/// One transaction of an ingest job, or its end.
fn load(sandbox: &Sandbox, job: &mut Job, free: usize) {
    let now = sandbox.clock.now();
    let call = call_of(job);
    let (whose, counted) = ((job.user, job.origin()), job.batch.is_some());
    let Work::Ingest(ingest) = &mut job.work else {
        return;
    };
    // A file without rows still has a header that can be wrong.
    let outcome = chunk(sandbox, ingest, counted, free).and_then(|rows| {
        transact(sandbox, &call, whose, &job.object, job.dialect, ingest, rows)?;
        Ok(rows == 0)
    });
    match outcome {
        Ok(true) => job.enter(State::JobComplete, now),
        Ok(false) => {}
        Err(why) => job.fail(why, now),
    }
}

/// How many rows the next transaction may have; none when all are done. Batches of the older API were counted when
/// they came.
fn chunk(sandbox: &Sandbox, ingest: &Ingest, counted: bool, free: usize) -> Result<u64, String> {
    let Some(upload) = &ingest.upload else {
        return Ok(0);
    };
    let (done, now, daily) = (upload.processed(), sandbox.clock.now(), &sandbox.bulk.daily);
    let left = match &ingest.stop {
        Some((after, why)) if done >= *after => return Err(why.clone()),
        Some((after, _)) => upload.ready().min(after - done),
        None => upload.ready(),
    };
    if left == 0 {
        return upload.trouble().map_or(Ok(0), |why| Err(why.to_owned()));
    }
    if free == 0 {
        return Err("ExceededQuota : There is no room for more results of bulk jobs".to_owned());
    }
    if daily.rows.used(now) >= DAILY_ROWS {
        return Err("ExceededQuota : ApiBulkRecords Limit exceeded.".to_owned());
    }
    if done.is_multiple_of(BATCH_ROWS) && !counted {
        if daily.batches.used(now) >= sandbox.settings().daily_bulk_batches {
            return Err("ExceededQuota : ApiBatchItems Limit exceeded.".to_owned());
        }
        daily.batches.spend(now, 1);
    }
    Ok(left.min(CHUNK_ROWS).min(BATCH_ROWS - done % BATCH_ROWS))
}

fn transact(
    sandbox: &Sandbox,
    call: &Call,
    (user, origin): (Id, Origin),
    object: &str,
    dialect: super::dialect::Dialect,
    ingest: &mut Ingest,
    rows: u64,
) -> Result<(), String> {
    let Some(upload) = &mut ingest.upload else {
        return Ok(());
    };
    let now = sandbox.clock.now();
    let (rows, behind) = upload.take(dialect, usize::try_from(rows).unwrap_or(0));
    let before_write = |object: &str, id: Option<&str>| {
        let (error_code, message, status, _) = sandbox.faults.judge_write(call, object, id)?;
        Some(ApiError {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            ..ApiError::data(error_code, message, &[])
        })
    };
    let mut org = lock(&sandbox.org);
    let loading = Loading::prepare(
        org.schema(),
        object,
        ingest.operation,
        ingest.external_id.as_deref(),
        &upload.header(dialect),
    )?;
    let outcomes = loading.run(&mut org, &before_write, &Hand { user, now }, &origin, &rows);
    sandbox.announce(&mut org);
    loading.purge(&mut org, &outcomes);
    drop(org);
    sandbox
        .bulk
        .daily
        .rows
        .spend(now, u32::try_from(outcomes.len()).unwrap_or(u32::MAX));
    upload.note(outcomes, behind);
    Ok(())
}

/// The next rows of a query job, or its end.
fn query(sandbox: &Sandbox, job: &mut Job, free: usize) {
    let now = sandbox.clock.now();
    let (dialect, version) = (job.dialect, job.version);
    let object = job.batch.is_some().then_some(job.object.as_str());
    let Work::Query(extract) = &mut job.work else {
        return;
    };
    match render(sandbox, extract, dialect, (version, object), free) {
        Ok(true) => job.enter(State::JobComplete, now),
        Ok(false) => {}
        Err(why) => job.fail(why, now),
    }
}

fn render(
    sandbox: &Sandbox,
    extract: &mut Extract,
    dialect: super::dialect::Dialect,
    (version, object): (u16, Option<&str>),
    free: usize,
) -> Result<bool, String> {
    if extract.doomed {
        return Err("a fault rule ends this job".to_owned());
    }
    let (now, kilobytes) = (sandbox.clock.now(), &sandbox.bulk.daily.result_kilobytes);
    if free == 0 || kilobytes.used(now) >= DAILY_RESULT_KILOBYTES {
        let text = format!(
            "Max bulk v2 query result size stored ({DAILY_RESULT_KILOBYTES}) kb per 24 hrs has been exceeded"
        );
        return Err(text);
    }
    let before = extract.weight();
    let org = lock(&sandbox.org);
    // The older API has always kept the columns in the order of the query.
    let order = if object.is_some() { NEWEST } else { version };
    let prepared = extract::prepare(&org.schema(), &extract.soql, now, extract.all, order);
    let prepared = prepared.and_then(|prepared| prepared.of_object(&org.schema(), object));
    let done = prepared
        .and_then(|prepared| extract.advance(&org, &prepared, dialect, version))
        .map_err(|error| match object {
            Some(_) => failed_query(&error),
            None => error.message,
        })?;
    drop(org);
    let grown = extract.weight().saturating_sub(before).div_ceil(1024);
    kilobytes.spend(now, u32::try_from(grown).unwrap_or(u32::MAX));
    if done {
        extract.found = None;
    }
    Ok(done)
}

impl Bulk {
    async fn changed(&self) {
        self.wake.notified().await;
    }
}
