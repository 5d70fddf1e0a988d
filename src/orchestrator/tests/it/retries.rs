//! When a run is tried again, and when it has been tried enough.

use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::event::EventKind;
use cpq_domain::limits::SUPERSEDE_MAX;
use cpq_domain::retry::RetryPolicy;
use cpq_domain::run::{Run, RunState};
use cpq_orchestrator::Engine;

use crate::bench::{Bench, count, keyed, look_at, run_of};
use crate::fakes::{Fate, NUMBER};

/// Follows a run to its end, and skips the time in which it is parked.
async fn follow(bench: &Bench, engine: &Engine, run: Run) -> Run {
    for _ in 0..1_000 {
        let run = engine.wait(run.id, Duration::from_secs(2)).await.expect("known");
        match run.state {
            RunState::Parked => bench.land.clock.advance_to(run.due_at),
            state if state.is_terminal() => return run,
            _ => {}
        }
    }
    panic!("the run does not end");
}

#[tokio::test(start_paused = true)]
async fn tries_come_to_an_end_and_the_key_stays_good() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    bench
        .land
        .wire()
        .forever("crm.read", Some(Fate::Refused(Code::CrmUnavailable)));
    let run = run_of(engine.submit(keyed("k-1", NUMBER)).await.expect("accepted"));
    let ended = follow(&bench, &engine, run).await;
    let told = ended.error.as_ref().map(|report| report.code);
    assert_eq!((ended.state, told), (RunState::Dead, Some(Code::CrmUnavailable)));
    let journal = bench.journal(ended.id).await;
    let policy = RetryPolicy::default();
    assert_eq!(count(&journal, EventKind::Parked), policy.tries_max as usize);
    assert_eq!(bench.land.calls("crm.read"), policy.tries_max as usize + 1);
    // The caller was told to try again later, and later it works.
    bench.land.wire().forever("crm.read", None);
    let again = run_of(engine.submit(keyed("k-1", NUMBER)).await.expect("accepted"));
    assert_ne!(again.id, ended.id);
    assert_eq!(follow(&bench, &engine, again).await.state, RunState::Succeeded);
}

/// A record that changes faster than we can read it costs a few tries at once, then waits, and ends.
#[tokio::test(start_paused = true)]
async fn a_storm_of_changes_is_bounded() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    bench
        .land
        .wire()
        .forever("crm.write", Some(Fate::Refused(Code::CrmConflict)));
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let parked = engine
        .wait(run.id, Duration::from_millis(1))
        .await
        .expect("known");
    assert_eq!(
        (parked.state, parked.restarts),
        (RunState::Parked, SUPERSEDE_MAX + 1)
    );
    let ended = follow(&bench, &engine, parked).await;
    let told = ended.error.as_ref().map(|report| report.code);
    assert_eq!((ended.state, told), (RunState::Dead, Some(Code::CrmConflict)));
    let most = (RetryPolicy::default().tries_max + 1) * (SUPERSEDE_MAX + 1);
    assert_eq!(ended.restarts, most);
    assert_eq!(bench.land.calls("crm.write"), most as usize);
    assert_eq!(bench.land.cpq().effects.len(), 1);
    crate::bench::assert_gap_free(&bench.journal(ended.id).await);
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_asks_for_is_a_floor_with_a_limit() {
    let limit = RetryPolicy::default().retry_after_max_ms;
    for (asked, at_least) in [(90_000, 90_000), (10 * limit, limit)] {
        let bench = Bench::new().await;
        let engine = bench.process("a").engine;
        bench
            .land
            .script("crm.read", [Fate::RefusedFor(Code::CrmLimit, asked)]);
        let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
        let run = engine
            .wait(run.id, Duration::from_millis(1))
            .await
            .expect("known");
        let wait = run.due_at.as_millisecond() - run.updated_at.as_millisecond();
        let at_least = i64::try_from(at_least).expect("short");
        assert!(
            (at_least..=at_least + at_least / 10 + 2_000).contains(&wait),
            "asked {asked}, waits {wait}"
        );
    }
}

/// A parked run holds neither a worker nor its lane.
#[tokio::test(start_paused = true)]
async fn a_parked_run_blocks_nobody() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    bench
        .land
        .script("crm.read", [Fate::RefusedFor(Code::CrmUnavailable, 600_000)]);
    let parked = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    engine
        .wait(parked.id, Duration::from_secs(1))
        .await
        .expect("known");
    let later = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    assert_ne!(later.id, parked.id);
    assert_eq!(follow(&bench, &engine, later).await.state, RunState::Succeeded);
    let ended = follow(&bench, &engine, parked).await;
    assert_eq!(ended.state, RunState::Succeeded);
    assert_eq!(bench.land.crm().effects.len(), 1);
}

/// A run that was parked and started over decided several times; people who ask later find each decision once.
#[tokio::test(start_paused = true)]
async fn decisions_are_kept_once_however_often_a_run_was_tried() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    let fates = [
        Fate::Refused(Code::CrmLocked),
        Fate::Refused(Code::CrmConflict),
        Fate::Refused(Code::CrmLocked),
    ];
    bench.land.wire().script("crm.write", fates);
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let ended = follow(&bench, &engine, run).await;
    assert_eq!(ended.state, RunState::Succeeded);
    let id = ended.id;
    let kept = bench
        .store
        .read(move |tx| Box::pin(cpq_store::decisions::of_run(tx, id)))
        .await
        .expect("decisions");
    let mut places: Vec<_> = kept
        .iter()
        .map(|one| (one.decision.field.clone(), one.decision.line.clone()))
        .collect();
    let all = places.len();
    places.sort();
    places.dedup();
    assert!(all > 0);
    assert_eq!(places.len(), all, "a decision was kept twice");
}
