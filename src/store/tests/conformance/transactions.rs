//! What a job does is kept together or not at all.

use std::sync::Arc;

use cpq_domain::{Code, Error, Result};
use cpq_store::{Store, Tx, counters, settings};
use tokio::sync::Notify;

use crate::{read, write};

async fn count_then_fail(tx: &mut dyn Tx) -> Result<i64> {
    counters::next(tx, "a").await?;
    Err(Error::new(Code::RequestInvalid, "no"))
}

pub async fn a_failed_job_leaves_nothing(store: Store) {
    write!(store, |tx| counters::next(tx, "a")).expect("counted");
    let error = write!(store, |tx| count_then_fail(tx)).expect_err("it fails");
    assert_eq!(error.code, Code::RequestInvalid);
    assert_eq!(read!(store, |tx| counters::peek(tx, "a")).expect("read"), 1);
    assert_eq!(store.stats().refused, 1);
}

async fn count_then_panic(tx: &mut dyn Tx) -> Result<i64> {
    counters::next(tx, "a").await?;
    panic!("planted")
}

async fn look_then_panic(tx: &mut dyn Tx) -> Result<i64> {
    counters::peek(tx, "a").await?;
    panic!("planted")
}

pub async fn a_panic_fails_alone(store: Store) {
    let error = write!(store, |tx| count_then_panic(tx)).expect_err("it fails");
    assert_eq!(error.code, Code::Internal);
    assert!(error.to_string().contains("planted"), "{error}");
    let error = read!(store, |tx| look_then_panic(tx)).expect_err("it fails");
    assert!(error.to_string().contains("planted"), "{error}");
    assert_eq!(
        write!(store, |tx| counters::next(tx, "a")).expect("the store lives on"),
        1
    );
    assert_eq!(
        read!(store, |tx| counters::peek(tx, "a")).expect("readers live on"),
        1
    );
}

async fn count_then_wait(tx: &mut dyn Tx) -> Result<i64> {
    counters::next(tx, "a").await?;
    std::future::pending().await
}

pub async fn a_job_that_waits_is_refused(store: Store) {
    let error = write!(store, |tx| count_then_wait(tx)).expect_err("it fails");
    assert_eq!(error.code, Code::Internal);
    assert_eq!(read!(store, |tx| counters::peek(tx, "a")).expect("read"), 0);
}

pub async fn a_reader_cannot_write(store: Store) {
    let error = read!(store, |tx| counters::next(tx, "a")).expect_err("it is refused");
    assert_eq!(error.code, Code::Internal);
    assert_eq!(read!(store, |tx| counters::peek(tx, "a")).expect("read"), 0);
    assert_eq!(
        write!(store, |tx| counters::next(tx, "a")).expect("writers still write"),
        1
    );
}

pub async fn a_dropped_caller_does_not_undo_its_job(store: Store) {
    let begun = Arc::new(Notify::new());
    let started = begun.clone();
    let job = store.write(move |tx| {
        started.notify_one();
        Box::pin(counters::next(tx, "a"))
    });
    // The caller goes away once the job has begun; on some engines it is over by then.
    tokio::select! { biased; () = begun.notified() => {}, _ = job => {} }
    assert_eq!(write!(store, |tx| counters::next(tx, "a")).expect("counted"), 2);
}

pub async fn an_oversized_value_is_refused(store: Store) {
    let value = "x".repeat(cpq_store::limits::TEXT_BYTES + 1);
    let error = write!(store, |tx| settings::put(tx, "a", &value)).expect_err("it is refused");
    assert_eq!(error.code, Code::RequestTooLarge);
    assert_eq!(read!(store, |tx| settings::get(tx, "a")).expect("read"), None);
}
