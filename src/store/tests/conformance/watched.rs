//! What is read for whoever watches.

use cpq_domain::certificate::{Object, Tally, Verdict};
use cpq_domain::error::{Code, Error};
use cpq_domain::reconcile::State;
use cpq_domain::run::{Run, RunState};
use cpq_store::certificates::{self, Certificate};
use cpq_store::watched::{self, Counted, Reading};
use cpq_store::{Store, reconciliations, runs};
use jiff::ToSpan as _;

use crate::sample::{at, connection, run, run_id};
use crate::{conflicts, dead_letters, grants, read, reconcile, write};

async fn look(store: &Store) -> Reading {
    read!(store, |tx| watched::read(tx, at(100))).expect("read")
}

fn counted(of: &[Counted]) -> Vec<(&str, u64, Option<i64>)> {
    let oldest = |one: &Counted| one.oldest.map(|at| at.as_second() - 1_800_000_000);
    let mut all: Vec<_> = of
        .iter()
        .map(|one| (one.kind.as_str(), one.count, oldest(one)))
        .collect();
    all.sort();
    all
}

pub async fn what_has_not_ended_is_counted(store: Store) {
    let nothing = look(&store).await;
    assert!(
        nothing.unfinished.is_empty() && nothing.connections.is_empty(),
        "{nothing:?}"
    );
    let states = [
        RunState::Queued,
        RunState::Queued,
        RunState::Parked,
        RunState::Waiting,
        RunState::Succeeded,
        RunState::Cancelled,
    ];
    for (number, state) in (1..).zip(states) {
        let run = Run {
            state,
            ..run(number, &format!("OPP-{number}"))
        };
        write!(store, |tx| runs::insert(tx, &run)).expect("stored");
    }
    for (number, code) in [
        (11, Code::CrmRejected),
        (12, Code::CrmRejected),
        (13, Code::Internal),
    ] {
        let run = Run {
            state: RunState::Dead,
            error: Some(Error::new(code, "no").report(None)),
            ..run(number, "OPP-9")
        };
        dead_letters::died(&store, run).await;
    }
    for (number, field) in [(1, "account.name"), (2, "quote.status"), (3, "account.name")] {
        let opportunity = u32::try_from(number).expect("small");
        let conflict = conflicts::conflict(number, opportunity, field, None);
        conflicts::stored(&store, &conflict).await.expect("stored");
    }
    let found = look(&store).await;
    let unfinished = [
        ("parked", 1, Some(3)),
        ("queued", 2, Some(1)),
        ("waiting", 1, Some(4)),
    ];
    assert_eq!(counted(&found.unfinished), unfinished);
    let letters = [("CRM_REJECTED", 2, Some(11)), ("INTERNAL", 1, Some(13))];
    assert_eq!(counted(&found.dead_letters), letters);
    assert_eq!(
        counted(&found.conflicts),
        [("account.name", 2, None), ("quote.status", 1, None)]
    );
}

pub async fn a_connection_is_known_by_its_newest_rows(store: Store) {
    grants::connect(&store).await;
    let fresh = look(&store).await.connections.remove(0);
    assert_eq!((fresh.last_accepted, fresh.last_succeeded), (None, None));
    assert!(fresh.reconciled.is_empty() && fresh.certificates.is_empty());
    for (number, state) in [
        (1, RunState::Succeeded),
        (2, RunState::Succeeded),
        (3, RunState::Dead),
    ] {
        let run = Run {
            state,
            ..run(number, "OPP-1")
        };
        write!(store, |tx| runs::insert(tx, &run)).expect("stored");
    }
    // Of the three the second looked at everything, and the last is under way.
    for (number, state, since) in [
        (1, State::Done, true),
        (2, State::Done, false),
        (3, State::Running, true),
    ] {
        let mut one = reconcile::one(number);
        one.order.since = since.then(|| at(0));
        one.state = state;
        write!(store, |tx| reconciliations::insert(tx, &one)).expect("stored");
    }
    for (hour, verdict) in [(0, Verdict::Green), (1, Verdict::Red), (2, Verdict::Green)] {
        let certificate = Certificate {
            hour: at(0) + hour.hours(),
            object: Object::Opportunity,
            tally: Tally::default(),
            complete: true,
            verdict,
            matrix_version: "m1".into(),
            made_at: at(9),
            reconciliation: run_id(2),
        };
        write!(store, |tx| certificates::put(tx, &connection(), &certificate)).expect("stored");
    }
    let mut known = look(&store).await.connections.remove(0);
    assert_eq!(
        (known.last_accepted, known.last_succeeded),
        (Some(at(3)), Some(at(2)))
    );
    let reconciled: Vec<_> = known
        .reconciled
        .iter()
        .map(|one| (one.id, one.order.since))
        .collect();
    assert_eq!(reconciled, [(run_id(2), None), (run_id(1), Some(at(0)))]);
    known.certificates.sort();
    assert_eq!(known.certificates, [("green".into(), 2), ("red".into(), 1)]);
}
