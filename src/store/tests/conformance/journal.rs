//! The journal.

use cpq_domain::event::{EventKind, SyncEvent};
use cpq_store::journal::Entry;
use cpq_store::{Store, journal};
use serde_json::json;

use crate::sample::{at, queue, run_id};
use crate::{read, write};

pub fn event(step: &str) -> SyncEvent {
    SyncEvent {
        sequence: 0,
        kind: EventKind::Done,
        step: step.into(),
        attempt: 1,
        at: at(1),
        duration_us: Some(1_500),
        data: json!({"name": "Ä", "nothing": null}).into(),
    }
}

async fn append(store: &Store, number: u128, steps: &[&str]) -> Vec<SyncEvent> {
    let mut events: Vec<SyncEvent> = steps.iter().map(|step| event(step)).collect();
    store
        .write(move |tx| {
            Box::pin(async move {
                journal::append(tx, run_id(number), &mut events).await?;
                Ok(events)
            })
        })
        .await
        .expect("appended")
}

pub async fn rows_are_numbered_per_run(store: Store) {
    queue(&store, &["OPP-1", "OPP-2"]).await;
    let mut written = append(&store, 1, &["read.crm", "read.cpq"]).await;
    append(&store, 2, &["read.crm"]).await;
    written.extend(append(&store, 1, &["decide"]).await);
    written.extend(append(&store, 1, &[]).await);
    assert_eq!(
        written.iter().map(|event| event.sequence).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(
        read!(store, |tx| journal::of_run(tx, run_id(1))).expect("read"),
        written
    );
    assert_eq!(
        read!(store, |tx| journal::of_run(tx, run_id(2))).expect("read")[0].sequence,
        1
    );
}

/// The next rows behind a position, as many as there are. A reader stays behind every transaction that is still open,
/// be it of another test on the same server, so rows come into sight a moment after they were written.
async fn following(store: &Store, position: i64, count: usize) -> Vec<Entry> {
    loop {
        let rows = read!(store, |tx| journal::after(tx, position, 2)).expect("read");
        if rows.len() >= count {
            return rows;
        }
        tokio::task::yield_now().await;
    }
}

pub async fn a_reader_follows_all_runs(store: Store) {
    queue(&store, &["OPP-1", "OPP-2"]).await;
    append(&store, 1, &["a", "b"]).await;
    append(&store, 2, &["c"]).await;
    let first = following(&store, 0, 2).await;
    let position = first[1].position;
    let rest = following(&store, position, 1).await;
    let seen: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|entry| (entry.run_id, entry.event.step.as_str()))
        .collect();
    assert_eq!(seen, [(run_id(1), "a"), (run_id(1), "b"), (run_id(2), "c")]);
    assert_eq!(rest[0].lane.to_string(), "crm/OPP-2");
    assert_eq!(
        read!(store, |tx| journal::head(tx)).expect("read"),
        rest[0].position
    );
}

pub async fn a_journal_belongs_to_a_run(store: Store) {
    let mut events = [event("a")];
    write!(store, |tx| journal::append(tx, run_id(1), &mut events)).expect_err("there is no such run");
}
