//! Jobs that share a commit.

use std::sync::{Arc, Mutex, mpsc};

use cpq_domain::{Code, Error};
use cpq_store::{Store, counters};
use futures_util::future::{BoxFuture, join_all};

use crate::{count, counted, open};

/// Holds the writer inside a job, starts `jobs` behind it, then lets go: they form one group.
async fn as_one_group<T>(store: &Store, jobs: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let (let_go, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let (inside, mut is_inside) = tokio::sync::mpsc::unbounded_channel();
    let blocker = store.write(move |_| {
        inside.send(()).ok();
        held.lock().expect("one holder").recv().ok();
        Box::pin(async { Ok(()) })
    });
    let start = async {
        is_inside.recv().await.expect("the writer took the job");
        // Polled once, a job is in the line; the line is longer than this group. Unconstrained, because the runtime
        // would stop a task after so many sends to let others run.
        let mut all = Box::pin(tokio::task::unconstrained(join_all(jobs)));
        assert!(futures_util::poll!(&mut all).is_pending());
        let_go.send(()).expect("the writer waits");
        all.await
    };
    let (held, answers) = tokio::join!(blocker, start);
    held.expect("the blocker ends well");
    answers
}

fn next(store: &Store) -> BoxFuture<'_, cpq_domain::Result<i64>> {
    Box::pin(count(store))
}

fn next_then_fail(store: &Store) -> BoxFuture<'_, cpq_domain::Result<i64>> {
    Box::pin(store.write(|tx| {
        Box::pin(async move {
            counters::next(tx, "a").await?;
            Err(Error::new(Code::RequestInvalid, "planted"))
        })
    }))
}

#[tokio::test]
async fn waiting_jobs_share_a_commit() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(&directory.path().join("cpq.db")).await;
    let answers = as_one_group(&store, (0..64).map(|_| next(&store)).collect()).await;
    let numbers: Vec<i64> = answers
        .into_iter()
        .map(|answer| answer.expect("counted"))
        .collect();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>(), "in the order of the line");
    let stats = store.stats();
    assert_eq!((stats.jobs, stats.commits, stats.largest_group), (65, 2, 64));
}

#[tokio::test]
async fn a_group_is_bounded() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(&directory.path().join("cpq.db")).await;
    let jobs = cpq_store::limits::GROUP_JOBS + 1;
    as_one_group(&store, (0..jobs).map(|_| next(&store)).collect()).await;
    assert_eq!(store.stats().largest_group, cpq_store::limits::GROUP_JOBS as u64);
    assert_eq!(store.stats().commits, 3);
}

#[tokio::test]
async fn a_failing_job_leaves_its_group_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    let store = open(&path).await;
    let mixed = (0..20).map(|number| {
        if number % 3 == 1 {
            next_then_fail(&store)
        } else {
            next(&store)
        }
    });
    let answers = as_one_group(&store, mixed.collect()).await;
    let numbers: Vec<i64> = answers.into_iter().flatten().collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>(), "failed jobs left no gap");
    assert_eq!(store.stats().refused, 7);
    assert_eq!(counted(&open(&path).await).await, 13);
}

#[tokio::test]
async fn a_lone_job_waits_for_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(&directory.path().join("cpq.db")).await;
    for number in 1..=3 {
        assert_eq!(count(&store).await.expect("counted"), number);
    }
    assert_eq!(store.stats().commits, 3);
}
