//! Runs as records.

use cpq_domain::run::{Effect, Outcome, Run, RunState};
use cpq_domain::{Code, Error};
use cpq_store::Store;
use cpq_store::runs::{self, Filter};

use crate::sample::{at, connection, correlation, key, queue, run, run_id};
use crate::{read, write};

/// A run with something in every field.
fn full() -> Run {
    Run {
        caller_correlation: Some(correlation("order-7")),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        state: RunState::Succeeded,
        tries: 2,
        restarts: 1,
        outcome: Some(Outcome {
            effect: Effect::Written,
            quote_number: "Q-1".into(),
            quote_id: "qte-1".into(),
            revision: 1,
            quote_status: "draft".into(),
            created: true,
            crm_writes: 3,
            cpq_writes: 4,
            open_conflicts: 0,
            warnings: vec!["a field is missing".into()],
            undone: Vec::new(),
        }),
        error: Some(
            Error::new(Code::CrmLocked, "locked")
                .object("Opportunity")
                .report(Some("csync-001")),
        ),
        superseded_by: Some(run_id(9)),
        ..run(1, "OPP-1")
    }
}

pub async fn a_run_reads_back_as_it_was(store: Store) {
    let run = full();
    let stored = run.clone();
    write!(store, |tx| runs::insert(tx, &stored)).expect("stored");
    assert_eq!(
        read!(store, |tx| runs::by_id(tx, run_id(1))).expect("read"),
        Some(run)
    );
    assert_eq!(read!(store, |tx| runs::by_id(tx, run_id(2))).expect("read"), None);
    let bare = self::run(2, "OPP-1");
    write!(store, |tx| runs::insert(tx, &bare)).expect("stored");
    let changed = Run {
        id: run_id(2),
        attempt: 0,
        ..full()
    };
    let update = changed.clone();
    assert!(write!(store, |tx| runs::update(tx, &update)).expect("updated"));
    let back = read!(store, |tx| runs::by_id(tx, run_id(2)))
        .expect("read")
        .expect("there");
    assert_eq!(
        (back.state, back.outcome, back.error),
        (changed.state, changed.outcome, changed.error)
    );
    assert_eq!(
        (back.tries, back.restarts, back.superseded_by),
        (2, 1, Some(run_id(9)))
    );
}

pub async fn correlation_finds_ours_and_the_callers(store: Store) {
    let first = Run {
        caller_correlation: Some(correlation("order-7")),
        ..run(1, "OPP-1")
    };
    let second = Run {
        correlation: first.correlation.clone(),
        ..run(2, "OPP-1")
    };
    write!(store, |tx| runs::insert(tx, &first)).expect("stored");
    write!(store, |tx| runs::insert(tx, &second)).expect("stored");
    let ids = |runs: Vec<Run>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    let ours = read!(store, |tx| runs::by_correlation(tx, &correlation("csync-001"))).expect("read");
    assert_eq!(ids(ours), [run_id(2), run_id(1)]);
    let callers = read!(store, |tx| runs::by_correlation(tx, &correlation("order-7"))).expect("read");
    assert_eq!(ids(callers), [run_id(1)]);
}

pub async fn a_page_follows_the_page_before(store: Store) {
    queue(&store, &["OPP-1", "OPP-2", "OPP-1", "OPP-2", "OPP-1"]).await;
    let list = async |filter: Filter| {
        let runs = read!(store, |tx| runs::list(tx, &filter)).expect("read");
        runs.into_iter().map(|run| run.id.0.as_u128()).collect::<Vec<_>>()
    };
    let page = Filter {
        limit: 2,
        ..Filter::default()
    };
    assert_eq!(list(page.clone()).await, [5, 4]);
    assert_eq!(
        list(Filter {
            before: Some(run_id(4)),
            ..page.clone()
        })
        .await,
        [3, 2]
    );
    assert_eq!(
        list(Filter {
            opportunity: Some(key("OPP-2")),
            ..page.clone()
        })
        .await,
        [4, 2]
    );
    assert_eq!(
        list(Filter {
            since: Some(at(5)),
            ..page.clone()
        })
        .await,
        [5]
    );
    assert_eq!(
        list(Filter {
            connection: Some(connection()),
            ..page.clone()
        })
        .await,
        [5, 4]
    );
    assert_eq!(
        list(Filter {
            state: Some(RunState::Dead),
            ..page
        })
        .await,
        [0; 0]
    );
}

pub async fn states_are_counted(store: Store) {
    queue(&store, &["OPP-1", "OPP-2", "OPP-3"]).await;
    write!(store, |tx| runs::claim(tx, "n", at(9), at(99), 1)).expect("claimed");
    let counts = read!(store, |tx| runs::counts_by_state(tx)).expect("read");
    assert_eq!(counts, [("queued".into(), 2), ("running".into(), 1)].into());
}

pub async fn an_update_with_an_old_attempt_is_refused(store: Store) {
    let stale = queue(&store, &["OPP-1"]).await.remove(0);
    let claimed = write!(store, |tx| runs::claim(tx, "n", at(9), at(99), 1))
        .expect("claimed")
        .remove(0);
    let stale = Run {
        state: RunState::Cancelled,
        ..stale
    };
    assert!(!write!(store, |tx| runs::update(tx, &stale)).expect("answered"));
    let done = Run {
        state: RunState::Succeeded,
        ..claimed
    };
    assert!(write!(store, |tx| runs::update(tx, &done)).expect("answered"));
    let back = read!(store, |tx| runs::by_id(tx, run_id(1)))
        .expect("read")
        .expect("there");
    assert_eq!(back.state, RunState::Succeeded);
    assert_eq!(
        read!(store, |tx| runs::next_expiry(tx)).expect("read"),
        None,
        "the lease was given back"
    );
}
