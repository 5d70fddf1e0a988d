//! What the embedded engine keeps beyond the common promises: groups, files, processes and full disks.

mod crash;
mod disk;
mod group;
mod opening;

use std::path::Path;

use cpq_store::{Store, StoreOptions, counters};

async fn open(path: &Path) -> Store {
    Store::open(StoreOptions::at(path))
        .await
        .expect("the store opens")
}

async fn count(store: &Store) -> cpq_domain::Result<i64> {
    store.write(|tx| Box::pin(counters::next(tx, "a"))).await
}

async fn counted(store: &Store) -> i64 {
    store
        .read(|tx| Box::pin(counters::peek(tx, "a")))
        .await
        .expect("read")
}
