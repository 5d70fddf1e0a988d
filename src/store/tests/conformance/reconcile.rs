//! What a reconcile keeps.

use cpq_domain::certificate::{Object, Tally, Verdict};
use cpq_domain::compare::{Cause, Difference};
use cpq_domain::id::{OpportunityKey, RecordId};
use cpq_domain::quote::Quote;
use cpq_domain::reconcile::{AskedBy, Differing, Fate, Mark, Order, Phase, Reconciliation, State, Told};
use cpq_domain::run::{Run, RunState};
use cpq_store::certificates::{self, Certificate, Filter, Hours};
use cpq_store::quotes::{self, Behind};
use cpq_store::reconcile_records::{self, Parts};
use cpq_store::{Store, journal, reconciliations, runs};

use crate::journal::event;
use crate::sample::{at, connection, key, queue, quote, record, run_id};
use crate::{read, write};

pub fn one(number: u128) -> Reconciliation {
    Reconciliation {
        id: run_id(number),
        order: Order {
            connection: connection(),
            since: Some(at(0)),
            repair: true,
            asked_by: AskedBy::Schedule,
        },
        state: State::Running,
        attempt: 1,
        started_at: at(1),
        updated_at: at(1),
        ended_at: None,
        lease_until: at(60),
        mark: Mark::default(),
        told: Told::default(),
        matrix_version: "m1".into(),
        error: None,
    }
}

pub async fn one_reconcile_of_a_connection_runs(store: Store) {
    write!(store, |tx| reconciliations::insert(tx, &one(1))).expect("stored");
    assert_eq!(
        read!(store, |tx| reconciliations::by_id(tx, run_id(1))).expect("read"),
        Some(one(1))
    );
    let second = write!(store, |tx| reconciliations::insert(tx, &one(2)));
    assert!(second.is_err(), "two of a connection run");
    write!(store, |tx| reconciliations::abandon(tx, &connection(), at(2))).expect("abandoned");
    write!(store, |tx| reconciliations::insert(tx, &one(2))).expect("stored");
    let newest = read!(store, |tx| reconciliations::newest(
        tx,
        Some(&connection()),
        None,
        10
    ))
    .expect("read");
    let states: Vec<_> = newest.iter().map(|one| (one.id, one.state)).collect();
    assert_eq!(
        states,
        [(run_id(2), State::Running), (run_id(1), State::Abandoned)]
    );
    let older = read!(store, |tx| reconciliations::newest(tx, None, Some(run_id(2)), 10)).expect("read");
    assert_eq!(older.len(), 1);
}

pub async fn a_lost_reconcile_writes_nothing_more(store: Store) {
    write!(store, |tx| reconciliations::insert(tx, &one(1))).expect("stored");
    let mut kept = one(1);
    kept.mark = Mark {
        phase: Phase::Cpq,
        after: Some("0061".into()),
    };
    kept.told.looked_at = 7;
    let update = kept.clone();
    assert!(write!(store, |tx| reconciliations::update(tx, &update, Some(b"digest"))).expect("kept"));
    let taken = write!(store, |tx| reconciliations::take_up(
        tx,
        run_id(1),
        at(9),
        at(99),
        "m1"
    ));
    let taken = taken.expect("taken up").expect("it has not ended");
    assert_eq!(
        (taken.attempt, &taken.mark, taken.told.looked_at),
        (2, &kept.mark, 7)
    );
    assert!(!write!(store, |tx| reconciliations::update(tx, &one(1), None)).expect("asked"));
    assert!(!write!(store, |tx| reconciliations::touch(tx, run_id(1), 1, at(999))).expect("asked"));
    assert!(write!(store, |tx| reconciliations::touch(tx, run_id(1), 2, at(999))).expect("asked"));
    let digest = read!(store, |tx| reconciliations::digest(tx, run_id(1))).expect("read");
    assert_eq!(digest, b"digest", "a mark without a digest leaves the one before");
    let mut ended = taken;
    ended.state = State::Done;
    assert!(write!(store, |tx| reconciliations::update(tx, &ended, Some(&[]))).expect("kept"));
    let again = write!(store, |tx| reconciliations::take_up(
        tx,
        run_id(1),
        at(9),
        at(99),
        "m1"
    ));
    assert_eq!(again.expect("asked"), None);
}

fn tally(count: i64, sum: u128) -> Tally {
    Tally {
        crm_count: count,
        cpq_count: count,
        crm_sum: sum,
        cpq_sum: sum,
        ..Tally::default()
    }
}

pub async fn certificates_add_up_and_page(store: Store) {
    let big = u128::MAX - 1;
    let first: Hours = [
        ((Object::Opportunity, at(0)), tally(2, big)),
        ((Object::QuoteLines, at(0)), tally(6, 1)),
        ((Object::Opportunity, at(3600)), tally(1, 9)),
    ]
    .into();
    let again = first.clone();
    write!(store, |tx| certificates::add(tx, run_id(1), &first)).expect("added");
    write!(store, |tx| certificates::add(tx, run_id(1), &again)).expect("added");
    let less: Hours = [((Object::Opportunity, at(3600)), tally(2, 18))].into();
    write!(store, |tx| certificates::take_out(tx, run_id(1), &less)).expect("taken out");
    let drafts = read!(store, |tx| certificates::drafts(tx, run_id(1), None)).expect("read");
    let expected = [
        ((Object::Opportunity, at(0)), tally(4, big.wrapping_add(big))),
        ((Object::QuoteLines, at(0)), tally(12, 2)),
    ];
    assert_eq!(drafts, expected, "an hour without records has no certificate");
    let behind = read!(store, |tx| certificates::drafts(
        tx,
        run_id(1),
        Some((Object::Opportunity, at(0)))
    ));
    assert_eq!(behind.expect("read"), expected[1..]);
    certificates_page(store).await;
}

async fn certificates_page(store: Store) {
    let big = u128::MAX - 1;
    let certificate = |hour, verdict, by| Certificate {
        hour: at(hour),
        object: Object::Opportunity,
        tally: tally(4, big),
        complete: true,
        verdict,
        matrix_version: "m1".into(),
        made_at: at(9),
        reconciliation: run_id(by),
    };
    for one in [
        certificate(0, Verdict::Green, 1),
        certificate(3600, Verdict::Green, 1),
        certificate(3600, Verdict::Red, 2),
        certificate(7200, Verdict::Green, 2),
    ] {
        write!(store, |tx| certificates::put(tx, &connection(), &one)).expect("put");
    }
    let filter = |since: Option<i64>, verdict, after: Option<i64>| Filter {
        connection: connection(),
        since: since.map(at),
        verdict,
        after: after.map(|hour| (at(hour), Object::Opportunity)),
        limit: 10,
    };
    let list = |filter: Filter| {
        let store = store.clone();
        async move { read!(store, |tx| certificates::list(tx, &filter)).expect("read") }
    };
    let hours = |list: Vec<Certificate>| list.iter().map(|one| (one.hour, one.verdict)).collect::<Vec<_>>();
    let (green, red) = (Verdict::Green, Verdict::Red);
    assert_eq!(
        hours(list(filter(None, None, None)).await),
        [(at(0), green), (at(3600), red), (at(7200), green)]
    );
    assert_eq!(hours(list(filter(Some(3600), None, None)).await).len(), 2);
    assert_eq!(
        hours(list(filter(None, Some(red), None)).await),
        [(at(3600), red)]
    );
    assert_eq!(
        hours(list(filter(None, None, Some(3600))).await),
        [(at(7200), green)]
    );
    assert_eq!(
        list(filter(Some(7200), None, None)).await,
        [certificate(7200, green, 2)]
    );
    write!(store, |tx| certificates::drop_old(
        tx,
        &connection(),
        run_id(2),
        None
    ))
    .expect("dropped");
    assert_eq!(
        hours(list(filter(None, None, None)).await),
        [(at(3600), red), (at(7200), green)]
    );
    assert_eq!(
        write!(store, |tx| certificates::purge(tx, run_id(2))).expect("purged"),
        2
    );
}

fn differing(id: &str) -> Differing {
    Differing {
        opportunity_id: record(id),
        opportunity: Some(key("OPP-1")),
        quote: None,
        state: Fate::Open,
        differences: vec![Difference::of_record(Cause::NeverSynced, true, false)],
        correlation_id: None,
        reason: None,
    }
}

pub async fn differing_records_page_and_go(store: Store) {
    let parts = Parts {
        hour: at(0),
        of: vec![(Object::Opportunity, tally(1, u128::MAX))],
    };
    for id in ["0061", "0062", "0063"] {
        let (one, parts) = (differing(id), parts.clone());
        write!(store, |tx| reconcile_records::put(tx, run_id(1), &one, &parts)).expect("put");
    }
    let mut repaired = differing("0062");
    repaired.state = Fate::Repaired;
    let (put, of) = (repaired.clone(), parts.clone());
    write!(store, |tx| reconcile_records::put(tx, run_id(1), &put, &of)).expect("put");
    let page = read!(store, |tx| reconcile_records::page(tx, run_id(1), "0061", 2)).expect("read");
    assert_eq!(page, [(repaired, parts.clone()), (differing("0063"), parts)]);
    assert_eq!(
        write!(store, |tx| reconcile_records::purge(tx, run_id(1))).expect("purged"),
        0
    );
    assert_eq!(
        write!(store, |tx| reconcile_records::purge(tx, run_id(2))).expect("purged"),
        3
    );
}

pub async fn current_quotes_come_by_the_page(store: Store) {
    let all: Vec<Quote> = (1..=120).map(|number| quote(1_000 + number, 1)).collect();
    for one in all.iter().cloned().chain([quote(1_007, 2)]) {
        write!(store, |tx| quotes::insert(tx, &one)).expect("stored");
    }
    let ids: Vec<RecordId> = all
        .iter()
        .map(|quote| quote.opportunity.id.clone())
        .chain([record("0069999")])
        .collect();
    let found = read!(store, |tx| quotes::current_of_many(tx, "crm", &ids)).expect("read");
    assert_eq!(found.len(), 120, "one of each, and none twice");
    assert_eq!(found.iter().filter(|quote| quote.revision == 2).count(), 1);
    let nothing = read!(store, |tx| quotes::current_of_many(
        tx,
        "other",
        &[record("0061001")]
    ))
    .expect("read");
    assert_eq!(nothing, []);

    for start in [
        Behind::Opportunity(String::new()),
        Behind::Change(at(1_061).as_microsecond(), String::new()),
    ] {
        let (mut behind, mut seen) = (Some(start.clone()), Vec::new());
        while let Some(now) = behind {
            let page = read!(store, |tx| quotes::marks(tx, "crm", &now, 50)).expect("read");
            seen.extend(page.quotes.into_iter().map(|mark| mark.opportunity.id));
            behind = page.next;
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "{start:?} shows a quote twice");
        // Each changed a second after its number: 61 of them, and the seventh has no newer revision in the window.
        let expected = if matches!(start, Behind::Opportunity(_)) {
            120
        } else {
            61
        };
        assert_eq!(count, expected, "{start:?}");
    }
}

/// The end of the journal, once `rows` are in sight. It stays behind every transaction that is still open, also one of
/// another test on the same server.
async fn head(store: &Store, rows: i64) -> i64 {
    loop {
        let head = read!(store, |tx| journal::head(tx)).expect("read");
        if head >= rows {
            return head;
        }
        tokio::task::yield_now().await;
    }
}

pub async fn lanes_in_motion_are_known(store: Store) {
    let names: Vec<String> = (1..=60).map(|number| format!("OPP-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let queued = queue(&store, &names).await;
    let (first, others) = queued.split_first().expect("sixty runs");
    for run in others {
        let mut run = run.clone();
        run.state = RunState::Succeeded;
        write!(store, |tx| runs::update(tx, &run)).expect("stored");
    }
    let tell = async |run: &Run| {
        let (id, mut rows) = (run.id, [event("read.crm")]);
        write!(store, |tx| journal::append(tx, id, &mut rows)).expect("stored");
    };
    tell(first).await;
    tell(&others[0]).await;
    let since = head(&store, 2).await;
    tell(&others[57]).await;
    tell(&others[58]).await;
    let lanes: Vec<OpportunityKey> = names.iter().map(|name| key(name)).collect();
    let moving = read!(store, |tx| reconciliations::in_motion(
        tx,
        &connection(),
        &lanes,
        since
    ))
    .expect("read");
    let moving: std::collections::BTreeSet<_> = moving.iter().map(OpportunityKey::as_str).collect();
    // The first still waits; the journal tells of the last two since.
    assert_eq!(
        moving.into_iter().collect::<Vec<_>>(),
        ["OPP-1", "OPP-59", "OPP-60"]
    );
}
