//! Following a feed: what it tells becomes runs, and its position is never ahead of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cpq_domain::change::{FeedState, Hint};
use cpq_domain::event::EventKind;
use cpq_domain::id::{ConnectionName, OpportunityKey};
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_orchestrator::{Engine, EngineSettings, FeedSettings, Follow, LookAgain, Subscription};
use cpq_store::positions::{self, Standing};
use cpq_store::{bases, links};
use jiff::SignedDuration;

use crate::bench::{Bench, LONG, Process, look_at, run_of, succeeded};
use crate::fakes::{Fate, Gate, Life, NUMBER, Tape};
use crate::scenes::LEASE;

/// The opportunity of most tests as the CRM names it.
pub const ID: &str = "OPP4482";

pub fn connection() -> ConnectionName {
    ConnectionName::new("crm").expect("a name")
}

pub fn subscription(tape: &Arc<Tape>, life: &Arc<Life>, follow: Follow) -> Subscription {
    let feed = tape.feed(life.clone());
    Subscription {
        connection: connection(),
        origin: "00D1".into(),
        sweep: feed.clone(),
        feed,
        trigger: Trigger::Event,
        settings: FeedSettings {
            follow,
            overlap: SignedDuration::from_secs(900),
            backlog_max: 1_000,
        },
        live: None,
    }
}

pub fn follow(tape: &Arc<Tape>, process: &Process) -> tokio_util::sync::CancellationToken {
    process
        .engine
        .follow(subscription(tape, &process.life, Follow::All))
}

pub async fn standing(bench: &Bench) -> Option<Standing> {
    let found = bench
        .store
        .read(|tx| Box::pin(async move { positions::get(tx, &connection(), "tape").await }));
    found.await.expect("read")
}

/// How many events lie before the stored position.
pub async fn stored(bench: &Bench) -> Option<usize> {
    let position = standing(bench).await?.position?;
    let text = String::from_utf8(position.mark).expect("text");
    Some(text.parse().expect("a number"))
}

/// Lets time pass until that many events lie before the stored position.
pub async fn read_to(bench: &Bench, events: usize) {
    until(async || stored(bench).await == Some(events)).await;
}

/// Lets time pass until it holds; time is free here.
pub async fn until(holds: impl AsyncFn() -> bool) {
    for _ in 0..100_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("it never came");
}

/// The events that some run has been told of.
pub async fn hinted(bench: &Bench) -> Vec<String> {
    let mut events = Vec::new();
    for run in bench.runs().await {
        for row in bench.journal(run.id).await {
            if row.kind == EventKind::Hint {
                let hint: Hint = row.data.read().expect("a hint");
                events.extend(hint.event);
            }
        }
    }
    events.sort();
    events
}

pub fn events(count: usize) -> BTreeSet<String> {
    (0..count).map(|n| format!("event {n}")).collect()
}

async fn opportunities(bench: &Bench, count: usize) -> Vec<String> {
    let number = |n| format!("OPP-{n}");
    (1..=count).for_each(|n| bench.land.add(&number(n)));
    (1..=count).map(|n| number(n).replace('-', "")).collect()
}

/// The first position is stored at once, and what comes later becomes a run of each opportunity.
#[tokio::test(start_paused = true)]
async fn a_change_becomes_a_sync() {
    let bench = Bench::new().await;
    let (tape, process) = (Arc::new(Tape::default()), bench.process("a"));
    tape.tell(&["OPP1"]);
    process.engine.start();
    follow(&tape, &process);
    read_to(&bench, 1).await;
    assert!(bench.runs().await.is_empty(), "what was before is not told");
    tape.tell(&[ID]);
    read_to(&bench, 2).await;
    let run = bench.runs().await.remove(0);
    let run = process.engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
    assert_eq!(
        (run.trigger, run.lane.opportunity.as_str()),
        (Trigger::Event, NUMBER)
    );
    let standing = standing(&bench).await.expect("it stands");
    assert_eq!(standing.state, FeedState::Live);
    assert!(standing.change_at.is_some() && standing.error.is_none());
}

/// A process dies at each point of reading. What lies before the position that it leaves behind has led to a run, and
/// the next process reads the rest.
#[tokio::test(start_paused = true)]
async fn a_position_is_never_ahead_of_its_runs() {
    let mut deaths = 0;
    for at in 0.. {
        let bench = Bench::new().await;
        let ids = opportunities(&bench, 6).await;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let tape = Arc::new(Tape::default());
        let first = bench.process("first");
        let stop = follow(&tape, &first);
        read_to(&bench, 0).await;
        stop.cancel();
        until(async || {
            standing(&bench)
                .await
                .is_some_and(|standing| standing.lease.is_none())
        })
        .await;

        tape.tell(&ids);
        let doomed = bench.doomed("doomed", at);
        let reader = follow(&tape, &doomed);
        until(async || doomed.life.is_over() || stored(&bench).await == Some(6)).await;
        let died = doomed.life.is_over();
        doomed.life.end();
        reader.cancel();
        let (before, seen) = (stored(&bench).await.expect("a position"), hinted(&bench).await);
        let seen: BTreeSet<String> = seen.into_iter().collect();
        assert!(events(before).is_subset(&seen), "point {at}: {before}, {seen:?}");

        bench.land.clock.advance(LEASE);
        follow(&tape, &bench.process("next"));
        read_to(&bench, 6).await;
        let seen = hinted(&bench).await;
        assert_eq!(
            seen.iter().cloned().collect::<BTreeSet<_>>(),
            events(6),
            "point {at}"
        );
        // One transaction holds both, so nothing is even told twice.
        assert_eq!(seen.len(), 6, "point {at}: {seen:?}");
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 10, "it died {deaths} times only");
}

/// Repeats and changes out of order are one look.
#[tokio::test(start_paused = true)]
async fn changes_of_one_opportunity_share_the_run_that_waits() {
    let bench = Bench::new().await;
    // Nothing works here, so that runs wait.
    let (tape, process) = (Arc::new(Tape::default()), bench.process("a"));
    follow(&tape, &process);
    read_to(&bench, 0).await;
    tape.tell(&[ID, ID, "OPP1", ID, "OPP1", ID, ID]);
    read_to(&bench, 7).await;
    let lanes = bench.runs().await.into_iter().map(|run| run.lane.to_string());
    // Ids made within one millisecond have no order.
    let lanes: BTreeSet<String> = lanes.collect();
    assert_eq!(lanes, ["crm/OPP1", "crm/OPP4482"].map(str::to_owned).into());
    assert_eq!(bench.runs().await.len(), 2);
    let hints: BTreeSet<String> = hinted(&bench).await.into_iter().collect();
    assert_eq!(hints, events(7));
}

/// A person's name for an opportunity and the CRM's are one lane once a quote links them.
#[tokio::test(start_paused = true)]
async fn only_opportunities_with_a_quote_are_followed_unless_all_are_wanted() {
    let bench = Bench::new().await;
    bench.land.add("OPP-1");
    let (tape, process) = (Arc::new(Tape::default()), bench.process("a"));
    succeeded(&process.engine).await;
    process
        .engine
        .follow(subscription(&tape, &process.life, Follow::Quoted));
    read_to(&bench, 0).await;
    tape.tell(&["OPP1", ID]);
    read_to(&bench, 2).await;
    let waiting: Vec<Run> = bench
        .runs()
        .await
        .into_iter()
        .filter(|run| run.state == RunState::Queued)
        .collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].lane.opportunity.as_str(), NUMBER);
    assert_eq!(hinted(&bench).await, ["event 1"]);
}

/// The first sync of an opportunity has read it, and its quote is not linked yet: a change of now must not be lost.
#[tokio::test(start_paused = true)]
async fn a_change_during_the_first_sync_is_followed() {
    let bench = Bench::new().await;
    let (tape, process) = (Arc::new(Tape::default()), bench.process("a"));
    process.engine.start();
    process
        .engine
        .follow(subscription(&tape, &process.life, Follow::Quoted));
    read_to(&bench, 0).await;
    let gate = Arc::new(Gate::default());
    bench.land.script("crm.write", [Fate::Held(gate.clone())]);
    let first = run_of(process.engine.submit(look_at(NUMBER)).await.expect("accepted"));
    gate.arrival().await;
    tape.tell(&[ID]);
    read_to(&bench, 1).await;
    gate.open();
    until(async || {
        bench
            .runs()
            .await
            .iter()
            .all(|run| run.state == RunState::Succeeded)
    })
    .await;
    let runs = bench.runs().await;
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(runs[1].lane, bench.run(first.id).await.lane);
    let link = bench.store.read(|tx| {
        Box::pin(async move {
            let key = OpportunityKey::new(NUMBER).expect("a key");
            links::by_opportunity(tx, &connection(), &key).await
        })
    });
    assert!(link.await.expect("read").is_some());
}

/// Two processes on one store: one reads, and the other takes over where it stops.
#[tokio::test(start_paused = true)]
async fn one_process_reads_a_feed_and_another_takes_over() {
    let bench = Bench::new().await;
    let tape = Arc::new(Tape::default());
    let (a, b) = (bench.process("a"), bench.process("b"));
    let reads = follow(&tape, &a);
    read_to(&bench, 0).await;
    follow(&tape, &b);
    tape.tell(&["OPP1", "OPP2"]);
    read_to(&bench, 2).await;
    tokio::time::sleep(3 * LEASE).await;
    assert_eq!(tape.count("open"), 1, "{:?}", tape.asked());
    let holder =
        |standing: Option<Standing>| standing.and_then(|standing| standing.lease).map(|lease| lease.0);
    assert_eq!(holder(standing(&bench).await).as_deref(), Some("a"));
    reads.cancel();
    tape.tell(&["OPP3"]);
    read_to(&bench, 3).await;
    assert_eq!(holder(standing(&bench).await).as_deref(), Some("b"));
    assert_eq!(hinted(&bench).await.len(), 3);
}

/// A process that was away for longer than its lease, and wakes up, writes nothing more.
#[tokio::test(start_paused = true)]
async fn a_reader_that_lost_its_lease_writes_nothing() {
    let bench = Bench::new().await;
    let tape = Arc::new(Tape::default());
    let slow = EngineSettings {
        lease_ms: 3_600_000,
        ..EngineSettings::named("sleepy")
    };
    let sleepy = bench.process_with(slow, None);
    follow(&tape, &sleepy);
    read_to(&bench, 0).await;
    bench.land.clock.advance(Duration::from_secs(3_601));
    let awake = bench.process("awake");
    follow(&tape, &awake);
    until(async || tape.count("open") == 2).await;
    // Both have the feed open; the one without the lease reads as well, and must not store it.
    tape.tell(&["OPP1", "OPP2"]);
    read_to(&bench, 2).await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(hinted(&bench).await, ["event 0", "event 1"]);
    let lease = standing(&bench).await.and_then(|standing| standing.lease);
    assert_eq!(lease.map(|lease| lease.0).as_deref(), Some("awake"));
}

/// A reader waits while the workers are behind, so that a bulk load in the CRM does not fill the store.
#[tokio::test(start_paused = true)]
async fn a_reader_waits_for_the_workers() {
    let bench = Bench::new().await;
    let ids = opportunities(&bench, 10).await;
    let (tape, process) = (Arc::new(Tape::default()), bench.process("a"));
    let mut few = subscription(&tape, &process.life, Follow::All);
    few.settings.backlog_max = 3;
    process.engine.follow(few);
    read_to(&bench, 0).await;
    tape.tell(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    read_to(&bench, 4).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!((stored(&bench).await, bench.runs().await.len()), (Some(4), 4));
    process.engine.start();
    read_to(&bench, 10).await;
    until(async || {
        bench
            .runs()
            .await
            .iter()
            .all(|run| run.state == RunState::Succeeded)
    })
    .await;
    assert_eq!(bench.runs().await.len(), 10);
}

/// The name of a connection stands for another organisation now: its feed is opened anew.
#[tokio::test(start_paused = true)]
async fn a_position_in_another_organisation_counts_for_nothing() {
    let bench = Bench::new().await;
    let (tape, process) = (Arc::new(Tape::default()), bench.process("a"));
    let stop = follow(&tape, &process);
    read_to(&bench, 0).await;
    stop.cancel();
    until(async || {
        standing(&bench)
            .await
            .is_some_and(|standing| standing.lease.is_none())
    })
    .await;
    tape.tell(&["OPP1"]);
    let other = Subscription {
        origin: "00D2".into(),
        ..subscription(&tape, &process.life, Follow::All)
    };
    process.engine.follow(other);
    read_to(&bench, 1).await;
    assert_eq!(tape.asked().last().map(String::as_str), Some("read 1"));
    assert!(tape.asked().contains(&"open end".to_owned()));
    assert!(hinted(&bench).await.is_empty());
}

/// Opportunities that nobody looked at for long are looked at again, the oldest first, each once in that time.
#[tokio::test(start_paused = true)]
async fn the_schedule_looks_again() {
    let bench = Bench::new().await;
    let engine: Engine = bench.service("a");
    succeeded(&engine).await;
    let settings = LookAgain {
        after: SignedDuration::from_hours(2),
        every: Duration::from_secs(600),
        batch: 1,
    };
    engine.look_again(connection(), settings);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(bench.runs().await.len(), 1);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    let runs = bench.runs().await;
    assert_eq!(runs.len(), 2);
    assert_eq!(
        (runs[1].trigger, runs[1].state),
        (Trigger::Schedule, RunState::Succeeded)
    );
    assert_eq!(runs[1].lane, runs[0].lane);

    // One whose look fails for good does not come up at every batch.
    bench.land.wire().forever(
        "crm.read",
        Some(Fate::Refused(cpq_domain::Code::OpportunityNotFound)),
    );
    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    let runs = bench.runs().await;
    assert_eq!((runs.len(), runs[2].state), (3, RunState::Dead));
    let agreed = bench.store.read(|tx| {
        Box::pin(async move {
            let key = OpportunityKey::new(NUMBER).expect("a key");
            bases::get(tx, &connection(), &key).await
        })
    });
    assert!(agreed.await.expect("read").is_some());
}
