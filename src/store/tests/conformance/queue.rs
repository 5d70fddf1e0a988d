//! Runs as a queue.

use std::collections::BTreeSet;

use cpq_domain::event::{Data, EventKind, SyncEvent};
use cpq_domain::run::{Run, RunState};
use cpq_store::links::Link;
use cpq_store::{Store, journal, links, runs};

use crate::journal::event;
use crate::sample::{at, connection, key, lane, queue, quote_id, quote_number, record, run, run_id};
use crate::{read, write};

/// Claims up to `limit` runs, `now` seconds after the start; the lease ends at 1,000.
async fn claim(store: &Store, now: i64, limit: u32) -> Vec<Run> {
    write!(store, |tx| runs::claim(tx, "node-1", at(now), at(1_000), limit)).expect("claimed")
}

async fn end(store: &Store, run: Run, state: RunState) {
    let run = Run { state, ..run };
    assert!(write!(store, |tx| runs::update(tx, &run)).expect("updated"));
}

fn numbers(runs: &[Run]) -> Vec<u128> {
    runs.iter().map(|run| run.id.0.as_u128()).collect()
}

pub async fn due_runs_are_claimed_oldest_first(store: Store) {
    queue(&store, &["OPP-1", "OPP-2", "OPP-3", "OPP-4"]).await;
    assert!(claim(&store, 0, 9).await.is_empty(), "nothing is due yet");
    let claimed = claim(&store, 3, 2).await;
    assert_eq!(numbers(&claimed), [1, 2]);
    assert!(
        claimed
            .iter()
            .all(|run| run.state == RunState::Running && run.attempt == 1)
    );
    assert_eq!(numbers(&claim(&store, 3, 9).await), [3]);
    let node = read!(store, |tx| runs::node(tx, run_id(3))).expect("read");
    assert_eq!(node.as_deref(), Some("node-1"));
}

pub async fn a_lane_runs_one_at_a_time(store: Store) {
    queue(&store, &["OPP-1", "OPP-1", "OPP-2", "OPP-1"]).await;
    let claimed = claim(&store, 9, 9).await;
    assert_eq!(numbers(&claimed), [1, 3], "the oldest of each lane");
    assert!(claim(&store, 9, 9).await.is_empty());
    assert!(read!(store, |tx| runs::lane_busy(tx, &lane("OPP-1"))).expect("read"));
    let first = claimed.into_iter().next().expect("there");
    end(
        &store,
        Run {
            due_at: at(50),
            ..first
        },
        RunState::Parked,
    )
    .await;
    assert!(!read!(store, |tx| runs::lane_busy(tx, &lane("OPP-1"))).expect("read"));
    assert_eq!(
        numbers(&claim(&store, 9, 9).await),
        [2],
        "a parked run holds up nobody"
    );
    let second = Run {
        state: RunState::Running,
        ..run(7, "OPP-1")
    };
    write!(store, |tx| runs::insert(tx, &second)).expect_err("the lane is taken");
}

pub async fn lanes_never_run_twice_under_load(store: Store) {
    let lanes: Vec<String> = (0..60).map(|number| format!("OPP-{}", number % 7)).collect();
    queue(&store, &lanes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let workers = (0..8).map(|_| tokio::spawn(work(store.clone())));
    let mut done = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        done.extend(worker.await.expect("no worker panicked"));
    }
    assert_eq!(done.len(), 60, "each run once");
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>().len(), 60);
}

/// Claims and ends runs until none is left; the unique index fails the claim if a lane would run twice.
async fn work(store: Store) -> Vec<u128> {
    let mut done = Vec::new();
    loop {
        let claimed = claim(&store, 999, 3).await;
        let lanes: BTreeSet<_> = claimed.iter().map(|run| run.lane.clone()).collect();
        assert_eq!(lanes.len(), claimed.len());
        for run in claimed {
            done.push(run.id.0.as_u128());
            end(&store, run, RunState::Succeeded).await;
        }
        let counts = read!(store, |tx| runs::counts_by_state(tx)).expect("read");
        if !counts.contains_key("queued") {
            return done;
        }
        tokio::task::yield_now().await;
    }
}

pub async fn a_lost_lease_is_fenced(store: Store) {
    queue(&store, &["OPP-1"]).await;
    claim(&store, 1, 1).await;
    let kept = write!(store, |tx| runs::fence(tx, run_id(1), 1, at(10), at(2_000))).expect("answered");
    assert_eq!(kept, Some(0));
    assert_eq!(
        read!(store, |tx| runs::next_expiry(tx)).expect("read"),
        Some(at(2_000))
    );
    assert_eq!(
        write!(store, |tx| runs::fence(tx, run_id(1), 0, at(10), at(9_000))).expect("answered"),
        None
    );
    write!(store, |tx| runs::expire_leases(tx, at(2_000))).expect("expired");
    assert_eq!(
        write!(store, |tx| runs::fence(tx, run_id(1), 1, at(2_001), at(9_000))).expect("answered"),
        None
    );
    let again = write!(store, |tx| runs::claim(tx, "node-2", at(2_001), at(3_000), 1)).expect("claimed");
    assert_eq!(again[0].attempt, 2);
    let mut rows = [event("read.crm"), event("read.cpq")];
    write!(store, |tx| journal::append(tx, run_id(1), &mut rows)).expect("appended");
    assert_eq!(
        write!(store, |tx| runs::fence(tx, run_id(1), 1, at(2_002), at(9_000))).expect("answered"),
        None
    );
    let kept = write!(store, |tx| runs::fence(tx, run_id(1), 2, at(2_002), at(9_000))).expect("answered");
    assert_eq!(kept, Some(2), "the rows of the journal");
}

pub async fn a_lost_lease_is_queued_and_counted(store: Store) {
    queue(&store, &["OPP-1"]).await;
    for crash in 1..=3 {
        let (begun, over) = (at(crash * 10), at(crash * 10 + 5));
        write!(store, |tx| runs::claim(tx, "n", begun, over, 1)).expect("claimed");
        assert!(
            write!(store, |tx| runs::expire_leases(tx, begun))
                .expect("looked")
                .is_empty()
        );
        let expired = write!(store, |tx| runs::expire_leases(tx, over)).expect("expired");
        assert_eq!(expired.len(), 1);
        assert_eq!(
            (expired[0].run.state, expired[0].run.due_at),
            (RunState::Queued, at(1))
        );
        assert_eq!(i64::from(expired[0].crashes), crash);
    }
    assert_eq!(read!(store, |tx| runs::crashes(tx, run_id(1))).expect("read"), 3);
}

pub async fn runs_that_two_processes_died_on_run_one_at_a_time(store: Store) {
    queue(&store, &["OPP-1", "OPP-2", "OPP-3"]).await;
    for crash in [10, 20] {
        let taken = write!(store, |tx| runs::claim(tx, "n", at(crash), at(crash + 5), 9)).expect("claimed");
        assert_eq!(taken.len(), 3, "one death may be anybody's");
        write!(store, |tx| runs::expire_leases(tx, at(crash + 5))).expect("expired");
    }
    let fresh = run(4, "OPP-4");
    write!(store, |tx| runs::insert(tx, &fresh)).expect("stored");
    let mut suspects = Vec::new();
    for round in [30, 40, 50] {
        let taken = write!(store, |tx| runs::claim(tx, "n", at(round), at(round + 5), 9)).expect("claimed");
        let lanes = taken.iter().map(|run| run.lane.opportunity.as_str().to_owned());
        let lanes: Vec<_> = lanes.filter(|lane| lane != "OPP-4").collect();
        assert_eq!(lanes.len(), 1, "{taken:?}");
        assert_eq!(
            taken.len(),
            if round == 30 { 2 } else { 1 },
            "a fresh run goes beside it"
        );
        suspects.extend(lanes);
        let none = write!(store, |tx| runs::claim(tx, "n", at(round), at(round + 5), 9)).expect("claimed");
        assert_eq!(none, vec![], "while a suspect runs no other does");
        for mut run in taken {
            run.state = RunState::Succeeded;
            write!(store, |tx| runs::update(tx, &run)).expect("ended");
        }
    }
    assert_eq!(suspects, ["OPP-1", "OPP-2", "OPP-3"]);
}

pub async fn a_waiting_run_is_shared(store: Store) {
    let find = async || {
        let found = read!(store, |tx| runs::waiting_in_lane(tx, &lane("OPP-1"))).expect("read");
        found.first().map(|run| run.id)
    };
    assert_eq!(find().await, None);
    queue(&store, &["OPP-1", "OPP-1"]).await;
    assert_eq!(find().await, Some(run_id(1)));
    claim(&store, 9, 1).await;
    assert_eq!(
        find().await,
        Some(run_id(2)),
        "a run that began may have looked already"
    );
    let expired = write!(store, |tx| runs::expire_leases(tx, at(5_000))).expect("expired");
    let second = write!(store, |tx| runs::claim_run(
        tx,
        run_id(2),
        "n",
        at(5_000),
        at(6_000)
    ));
    assert_eq!(second.expect("answered"), None, "another one is due before it");
    let again = claim(&store, 9, 1).await;
    assert_eq!(
        (again.len(), again[0].id),
        (1, expired[0].run.id),
        "who died comes first"
    );
    end(&store, again[0].clone(), RunState::Succeeded).await;
    claim(&store, 9, 1).await;
    write!(store, |tx| runs::expire_leases(tx, at(6_000))).expect("expired");
    assert_eq!(find().await, None, "runs that began once remember what they read");
}

pub async fn a_reconnect_wakes_its_connection(store: Store) {
    queue(&store, &["OPP-1", "OPP-2", "OPP-3"]).await;
    for run in claim(&store, 9, 2).await {
        end(&store, run, RunState::Waiting).await;
    }
    assert_eq!(numbers(&claim(&store, 9, 9).await), [3]);
    let other = cpq_domain::id::ConnectionName::new("other").expect("valid");
    assert!(
        write!(store, |tx| runs::requeue_waiting(tx, &other, at(20)))
            .expect("woken")
            .is_empty()
    );
    let woken = write!(store, |tx| runs::requeue_waiting(tx, &connection(), at(20))).expect("woken");
    assert_eq!(woken, [run_id(1), run_id(2)]);
    assert!(claim(&store, 19, 9).await.is_empty());
    assert_eq!(numbers(&claim(&store, 20, 9).await), [1, 2]);
}

pub async fn an_answer_wakes_its_lane(store: Store) {
    queue(&store, &["OPP-1", "OPP-2"]).await;
    for run in claim(&store, 9, 2).await {
        end(&store, run, RunState::Waiting).await;
    }
    let woken = write!(store, |tx| runs::requeue_waiting_in(tx, &lane("OPP-1"), at(20))).expect("woken");
    assert_eq!(woken, [run_id(1)]);
    assert!(claim(&store, 19, 9).await.is_empty());
    assert_eq!(numbers(&claim(&store, 20, 9).await), [1]);
}

pub async fn the_next_due_run_is_known(store: Store) {
    let next = async || read!(store, |tx| runs::next_due(tx)).expect("read");
    assert_eq!(next().await, None);
    queue(&store, &["OPP-1", "OPP-1", "OPP-2"]).await;
    assert_eq!(next().await, Some(at(1)));
    claim(&store, 1, 1).await;
    assert_eq!(
        next().await,
        Some(at(3)),
        "the second run of a busy lane is not next"
    );
    assert_eq!(
        read!(store, |tx| runs::next_expiry(tx)).expect("read"),
        Some(at(1_000))
    );
}

pub async fn one_run_can_be_taken(store: Store) {
    queue(&store, &["OPP-1", "OPP-1"]).await;
    let take = async |number, now| {
        let taken = write!(store, |tx| runs::claim_run(
            tx,
            run_id(number),
            "n",
            at(now),
            at(99)
        ));
        taken.expect("answered").map(|run| run.attempt)
    };
    assert_eq!(take(1, 0).await, None, "not due");
    assert_eq!(take(2, 2).await, None, "another one is due before it");
    assert_eq!(take(1, 2).await, Some(1));
    assert_eq!(take(1, 2).await, None, "it runs");
    assert_eq!(take(2, 2).await, None, "its lane runs");
    write!(store, |tx| runs::expire_leases(tx, at(99))).expect("expired");
    let first = write!(store, |tx| runs::claim_lane_of(tx, run_id(2), "n", at(2), at(99)));
    assert_eq!(first.expect("answered").map(|run| run.id), Some(run_id(1)));
}

pub async fn a_heartbeat_keeps_only_living_leases(store: Store) {
    queue(&store, &["OPP-1", "OPP-2"]).await;
    write!(store, |tx| runs::claim(tx, "node-1", at(5), at(10), 1)).expect("claimed");
    write!(store, |tx| runs::claim(tx, "node-2", at(5), at(10), 1)).expect("claimed");
    assert_eq!(
        write!(store, |tx| runs::heartbeat(tx, "node-1", at(9), at(20))).expect("beaten"),
        1
    );
    assert_eq!(
        write!(store, |tx| runs::heartbeat(tx, "node-2", at(10), at(20))).expect("beaten"),
        0,
        "too late"
    );
    let expired = write!(store, |tx| runs::expire_leases(tx, at(10))).expect("expired");
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].run.id, run_id(2));
}

async fn enter(store: &Store, number: u128, name: &'static str, id: &'static str) -> bool {
    let held = (run_id(number), 1);
    write!(store, |tx| runs::enter_lane(
        tx,
        held,
        &key(name),
        &record(id),
        at(8)
    ))
    .expect("answered")
}

pub async fn a_run_enters_the_lane_of_another_name(store: Store) {
    queue(&store, &["0061", "0062", "0063", "OPP-2"]).await;
    claim(&store, 3, 3).await;
    assert!(enter(&store, 1, "OPP-1", "0061").await);
    let busy = async |name| read!(store, |tx| runs::lane_busy(tx, &lane(name))).expect("read");
    assert!(busy("OPP-1").await && !busy("0061").await);
    let moved = read!(store, |tx| runs::by_id(tx, run_id(1))).expect("read");
    let moved = moved.expect("there");
    assert_eq!(
        (moved.lane, moved.state, moved.attempt),
        (lane("OPP-1"), RunState::Running, 1)
    );
    assert!(
        !enter(&store, 2, "OPP-1", "0062").await,
        "another run is at work there"
    );
    assert!(
        !enter(&store, 2, "OPP-2", "0062").await,
        "another run waits there"
    );
    write!(store, |tx| links::put(tx, &quote_of("0063"))).expect("stored");
    assert!(!enter(&store, 3, "OPP-3", "0063").await, "it has been written to");
    write!(store, |tx| runs::expire_leases(tx, at(1_000))).expect("expired");
    assert!(!enter(&store, 1, "OPP-9", "0061").await, "the lease is gone");
}

pub async fn a_run_lines_up_behind_others(store: Store) {
    queue(&store, &["0061", "OPP-1"]).await;
    claim(&store, 1, 1).await;
    let line_up = async |attempt| {
        let held = (run_id(1), attempt);
        write!(store, |tx| runs::line_up(tx, held, &key("OPP-1"), at(5))).expect("answered")
    };
    assert!(!line_up(0).await, "under an old attempt");
    assert!(line_up(1).await);
    assert!(!line_up(1).await, "it is no longer in hand");
    assert_eq!(read!(store, |tx| runs::next_expiry(tx)).expect("read"), None);
    let first = claim(&store, 9, 9).await.remove(0);
    assert_eq!(first.id, run_id(2), "though the other one is older");
    assert!(claim(&store, 9, 9).await.is_empty(), "they are one lane");
    end(&store, first, RunState::Succeeded).await;
    let second = claim(&store, 9, 9).await.remove(0);
    assert_eq!(
        (second.id, second.lane, second.attempt),
        (run_id(1), lane("OPP-1"), 2)
    );
}

pub async fn parked_runs_that_may_have_written_are_found(store: Store) {
    queue(&store, &["OPP-1", "OPP-1", "OPP-2"]).await;
    let begun = async || read!(store, |tx| runs::begun_in_lane(tx, &lane("OPP-1"))).expect("read");
    for (number, kind) in [
        (1, EventKind::Intent),
        (2, EventKind::Done),
        (3, EventKind::Intent),
    ] {
        let run = claim(&store, 9, 1).await.remove(0);
        let mut rows = vec![row(kind)];
        write!(store, |tx| journal::append(tx, run_id(number), &mut rows)).expect("written");
        assert_eq!(
            begun().await.len(),
            usize::from(number > 1),
            "one in hand is not meant"
        );
        let due_at = at(50);
        end(&store, Run { due_at, ..run }, RunState::Parked).await;
    }
    assert_eq!(begun().await, [run_id(1)]);
}

fn row(kind: EventKind) -> SyncEvent {
    SyncEvent {
        sequence: 0,
        kind,
        step: "write.cpq".into(),
        attempt: 1,
        at: at(9),
        duration_us: None,
        data: Data::NONE,
    }
}

fn quote_of(id: &str) -> Link {
    Link {
        connection: connection(),
        opportunity_id: record(id),
        opportunity_number: None,
        quote_root_id: quote_id("qte-1"),
        quote_number: quote_number("Q-1"),
        revision: 1,
    }
}

pub async fn who_holds_runs_is_known(store: Store) {
    queue(&store, &["OPP-1", "OPP-2", "OPP-3"]).await;
    claim(&store, 9, 2).await;
    let more = write!(store, |tx| runs::claim(tx, "node-2", at(9), at(2_000), 9)).expect("claimed");
    assert_eq!(more.len(), 1);
    let held = read!(store, |tx| runs::nodes(tx, at(10))).expect("read");
    let held: Vec<_> = held
        .iter()
        .map(|node| (node.name.as_str(), node.runs, node.lease_until))
        .collect();
    assert_eq!(held, [("node-1", 2, at(1_000)), ("node-2", 1, at(2_000))]);
    let later = read!(store, |tx| runs::nodes(tx, at(1_000))).expect("read");
    assert_eq!(later.len(), 1, "a lease that is over holds nothing");
}
