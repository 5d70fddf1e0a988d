//! A disk without space.

use cpq_domain::error::Written;
use cpq_domain::{Code, Result};
use cpq_store::{Store, settings};

use crate::{count, counted, open};

/// Lets the file grow to `pages`, as a full disk would.
async fn limit(store: &Store, sql: &'static str) {
    store
        .write(move |tx| Box::pin(async move { tx.query(sql, &[]).await.map(drop) }))
        .await
        .expect("limited");
}

async fn fill(store: &Store, number: usize) -> Result<()> {
    store
        .write(move |tx| {
            Box::pin(async move { settings::put(tx, &format!("s-{number}"), &"x".repeat(20_000)).await })
        })
        .await
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    let store = open(&path).await;
    count(&store).await.expect("counted");
    limit(&store, "PRAGMA max_page_count = 120").await;
    let mut kept = 0;
    let error = loop {
        match fill(&store, kept).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1_000, "the limit is not in force");
    };
    assert_eq!((error.code, error.written), (Code::StoreUnavailable, Written::No));
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(counted(&store).await, 1, "readers go on");
    assert_eq!(count(&store).await.expect("what fits still fits"), 2);
    fill(&store, kept).await.expect_err("still full");
    limit(&store, "PRAGMA max_page_count = 100000").await;
    fill(&store, kept).await.expect("space is back");
    drop(store);
    let reopened = open(&path).await;
    for number in 0..=kept {
        let name = format!("s-{number}");
        let value = reopened.read(move |tx| Box::pin(async move { settings::get(tx, &name).await }));
        assert_eq!(
            value.await.expect("read").map(|value| value.len()),
            Some(20_000),
            "{number}"
        );
    }
}
