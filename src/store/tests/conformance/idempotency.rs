//! The ledger of idempotency keys.

use cpq_domain::limits::{IDEMPOTENCY_DAYS, IDEMPOTENCY_TOMBSTONE_DAYS};
use cpq_store::Store;
use cpq_store::idempotency::{self, Answer, Begin, Purged};

use crate::sample::{at, client, idempotency_key, run_id};
use crate::write;

const DAY: i64 = 86_400;

async fn begin_at(store: &Store, key: &str, fingerprint: &'static [u8], seconds: i64) -> Begin {
    let key = idempotency_key(key);
    let begun = write!(store, |tx| idempotency::begin(
        tx,
        &client(),
        &key,
        fingerprint,
        None,
        at(seconds)
    ));
    begun.expect("answered")
}

async fn begin(store: &Store, key: &str) -> Begin {
    begin_at(store, key, b"print", 0).await
}

fn answer() -> Answer {
    let headers = [("location".to_owned(), "/api/v1/quotes/1".to_owned())];
    Answer {
        status: 201,
        headers: headers.into(),
        body: b"{\"a\" : 1.50}\xff".to_vec(),
    }
}

async fn finish(store: &Store, key: &str) -> bool {
    let key = idempotency_key(key);
    write!(store, |tx| idempotency::finish(tx, &client(), &key, &answer())).expect("answered")
}

/// Whoever is told that a key is fresh has its row, also while others take and release the same key.
pub async fn a_fresh_key_has_its_row(store: Store) {
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = 0;
                for _ in 0..40 {
                    if begin(&store, "contested").await == Begin::Fresh {
                        mine += 1;
                        let key = idempotency_key("contested");
                        let released = write!(store, |tx| idempotency::release(tx, &client(), &key));
                        assert!(released.expect("answered"), "a fresh key had no row");
                    }
                }
                mine
            })
        })
        .collect();
    let mut fresh = 0;
    for task in tasks {
        fresh += task.await.expect("no panic");
    }
    assert!(fresh > 0);
}

pub async fn one_of_many_is_fresh(store: Store) {
    for round in 0..20 {
        let key = format!("k-{round}");
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (store, key) = (store.clone(), key.clone());
                tokio::spawn(async move { begin(&store, &key).await })
            })
            .collect();
        let mut fresh = 0;
        for task in tasks {
            match task.await.expect("no panic") {
                Begin::Fresh => fresh += 1,
                other => assert!(
                    matches!(
                        other,
                        Begin::Running {
                            accepted_202: false,
                            ..
                        }
                    ),
                    "{other:?}"
                ),
            }
        }
        assert_eq!(fresh, 1);
    }
}

pub async fn an_answer_is_kept_to_the_byte(store: Store) {
    assert!(!finish(&store, "k").await, "it was never begun");
    assert_eq!(begin(&store, "k").await, Begin::Fresh);
    assert!(finish(&store, "k").await);
    assert_eq!(begin(&store, "k").await, Begin::Done(answer()));
    assert!(!finish(&store, "k").await, "the first answer stays");
    let other = cpq_domain::id::ClientId::new("other").expect("valid");
    let theirs = write!(store, |tx| idempotency::begin(
        tx,
        &other,
        &idempotency_key("k"),
        b"x",
        None,
        at(0)
    ));
    assert_eq!(theirs.expect("answered"), Begin::Fresh, "keys belong to a client");
}

pub async fn another_request_is_told_nothing(store: Store) {
    begin(&store, "k").await;
    assert_eq!(begin_at(&store, "k", b"other", 0).await, Begin::Reused);
    finish(&store, "k").await;
    assert_eq!(begin_at(&store, "k", b"other", 0).await, Begin::Reused);
    assert_eq!(begin_at(&store, "k", b"other", 31 * DAY).await, Begin::Reused);
}

pub async fn a_released_key_is_new(store: Store) {
    begin(&store, "k").await;
    assert!(
        write!(store, |tx| idempotency::release(
            tx,
            &client(),
            &idempotency_key("k")
        ))
        .expect("released")
    );
    assert_eq!(begin_at(&store, "k", b"other", 1).await, Begin::Fresh);
    finish(&store, "k").await;
    let kept = write!(store, |tx| idempotency::release(
        tx,
        &client(),
        &idempotency_key("k")
    ))
    .expect("answered");
    assert!(!kept, "a finished key is not given back");
}

pub async fn keys_hang_on_runs(store: Store) {
    for key in ["a", "b", "c"] {
        begin(&store, key).await;
    }
    for key in ["a", "b"] {
        let attached = write!(store, |tx| idempotency::attach(
            tx,
            &client(),
            &idempotency_key(key),
            run_id(1)
        ));
        assert!(attached.expect("attached"));
    }
    assert!(
        write!(store, |tx| idempotency::mark_accepted(
            tx,
            &client(),
            &idempotency_key("a")
        ))
        .expect("marked")
    );
    let running = Begin::Running {
        run_id: Some(run_id(1)),
        accepted_202: true,
        since: at(0),
    };
    assert_eq!(begin(&store, "a").await, running);
    assert_eq!(
        write!(store, |tx| idempotency::move_to_run(tx, run_id(1), run_id(2))).expect("moved"),
        2
    );
    assert_eq!(
        write!(store, |tx| idempotency::finish_run(tx, run_id(1), &answer())).expect("finished"),
        0
    );
    assert_eq!(
        write!(store, |tx| idempotency::finish_run(tx, run_id(2), &answer())).expect("finished"),
        2
    );
    assert_eq!(begin(&store, "b").await, Begin::Done(answer()));
    assert!(matches!(
        begin(&store, "c").await,
        Begin::Running { run_id: None, .. }
    ));
}

pub async fn answers_expire_then_keys(store: Store) {
    begin(&store, "k").await;
    finish(&store, "k").await;
    begin(&store, "still-running").await;
    let end = IDEMPOTENCY_DAYS * DAY;
    assert_eq!(
        begin_at(&store, "k", b"print", end - 1).await,
        Begin::Done(answer())
    );
    assert_eq!(
        begin_at(&store, "k", b"print", end).await,
        Begin::Expired { run_id: None }
    );
    let purge = async |seconds| write!(store, |tx| idempotency::purge(tx, at(seconds))).expect("purged");
    assert_eq!(purge(end - 1).await, Purged::default());
    assert_eq!(purge(end).await, Purged { answers: 1, keys: 0 });
    assert_eq!(
        begin_at(&store, "k", b"print", end).await,
        Begin::Expired { run_id: None }
    );
    let forgotten = IDEMPOTENCY_TOMBSTONE_DAYS * DAY;
    assert_eq!(purge(forgotten - 1).await, Purged::default());
    assert_eq!(purge(forgotten).await, Purged { answers: 0, keys: 1 });
    assert_eq!(begin_at(&store, "k", b"print", forgotten).await, Begin::Fresh);
    let running = begin_at(&store, "still-running", b"print", forgotten).await;
    assert!(
        matches!(running, Begin::Running { .. }),
        "what runs is never forgotten: {running:?}"
    );
}
