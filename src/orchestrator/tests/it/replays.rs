//! Plans of replays: what they take in, when they are refused, and that a second run writes nothing.

use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::dead_letter::LetterState;
use cpq_domain::replay::{Plan, PlanId, PlanState, Selection, Wanted};
use cpq_domain::run::{Run, RunState};
use cpq_orchestrator::{Engine, EngineSettings, ReplaySettings, ReplayStart};
use cpq_store::dead_letters::Filter;
use cpq_store::replays;

use crate::bench::{Bench, LONG, look_at, run_of};
use crate::fakes::{Fate, NUMBER};

const OTHER: &str = "OPP-4490";

/// A sync that died, as the CRM refused it.
async fn dead(bench: &Bench, engine: &Engine, number: &str) -> Run {
    bench.land.script("crm.read", [Fate::Refused(Code::CrmRejected)]);
    let run = run_of(engine.submit(look_at(number)).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(run.state, RunState::Dead);
    run
}

/// The plan once it is in another state.
async fn leaves(engine: &Engine, id: PlanId, state: PlanState) -> Plan {
    loop {
        let plan = engine.replay_plan(id).await.expect("known");
        if plan.state != state {
            return plan;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn planned(engine: &Engine, selection: Selection) -> Plan {
    let plan = engine.plan_replay(selection, "erin".into()).await.expect("begun");
    let plan = leaves(engine, plan.id, PlanState::Planning).await;
    assert_eq!(plan.state, PlanState::Planned, "{plan:?}");
    plan
}

async fn carried_out(engine: &Engine, plan: &Plan, start: ReplayStart) -> Plan {
    engine.start_replay(plan.id, start).await.expect("begun");
    leaves(engine, plan.id, PlanState::Running).await
}

async fn refusal(engine: &Engine, plan: &Plan) -> String {
    let refused = engine.start_replay(plan.id, ReplayStart::default()).await;
    let error = refused.expect_err("refused");
    assert_eq!(error.code, Code::RequestInvalid);
    error.message
}

/// Numbers of the opportunities of letters in a state, the last that died first.
async fn letters(engine: &Engine, state: LetterState) -> Vec<String> {
    let filter = Filter {
        state: Some(state),
        limit: 200,
        ..Filter::default()
    };
    let found = engine.dead_letters(filter).await.expect("read");
    found
        .into_iter()
        .map(|letter| letter.opportunity.to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_plan_grows_too_old_unless_it_was_begun() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    dead(&bench, &engine, NUMBER).await;
    let day = Duration::from_secs(24 * 3_600 + 60);
    let old = planned(&engine, Selection::default()).await;
    bench.land.clock.advance(day);
    let why = refusal(&engine, &old).await;
    assert!(why.contains("24 hours are allowed"), "{why}");
    assert_eq!(letters(&engine, LetterState::Open).await, [NUMBER]);

    let fresh = planned(&engine, Selection::default()).await;
    // Not the error of the letter, so it stops.
    bench.land.script("crm.read", [Fate::Refused(Code::CrmForbidden)]);
    let stopped = carried_out(&engine, &fresh, ReplayStart::default()).await;
    assert_eq!(stopped.state, PlanState::Stopped, "{stopped:?}");
    bench.land.clock.advance(day);
    let done = carried_out(&engine, &fresh, ReplayStart::default()).await;
    assert_eq!(done.state, PlanState::Done, "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_changed_is_refused() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    dead(&bench, &engine, NUMBER).await;
    let plan = planned(&engine, Selection::default()).await;
    let items = engine.replay_items(plan.id, None, 0, 10).await.expect("read");
    let mut slipped_in = items[0].item.clone();
    slipped_in.position += 1;
    let id = plan.id;
    let add = bench
        .store
        .write(move |tx| Box::pin(async move { replays::add_item(tx, id, &slipped_in).await }));
    add.await.expect("stored");
    let calls = bench.land.wire().calls();
    let why = refusal(&engine, &plan).await;
    assert!(why.contains("was changed after it was made"), "{why}");
    assert_eq!(bench.land.wire().calls(), calls, "nothing was asked or sent");
    assert_eq!(letters(&engine, LetterState::Open).await, [NUMBER]);
}

#[tokio::test(start_paused = true)]
async fn a_second_run_asks_and_writes_nothing() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    dead(&bench, &engine, NUMBER).await;
    let plan = planned(&engine, Selection::default()).await;
    let done = carried_out(&engine, &plan, ReplayStart::default()).await;
    assert_eq!(done.state, PlanState::Done, "{done:?}");
    assert_eq!((done.progress.succeeded, done.progress.letters_closed), (1, 1));
    let (facts, runs) = (bench.land.facts(), bench.runs().await.len());
    let calls = bench.land.wire().calls();
    let digest = Some(plan.digest.clone());
    let start = ReplayStart {
        digest,
        ..ReplayStart::default()
    };
    let again = carried_out(&engine, &plan, start).await;
    assert_eq!((again.state, &again.progress), (PlanState::Done, &done.progress));
    assert_eq!(bench.land.wire().calls(), calls);
    assert_eq!((bench.land.facts(), bench.runs().await.len()), (facts, runs));
}

#[tokio::test(start_paused = true)]
async fn what_died_later_is_not_in_the_plan() {
    let bench = Bench::new().await;
    bench.land.add(OTHER);
    let engine = bench.service("a");
    dead(&bench, &engine, NUMBER).await;
    dead(&bench, &engine, NUMBER).await;
    let plan = planned(&engine, Selection::default()).await;
    dead(&bench, &engine, NUMBER).await;
    dead(&bench, &engine, OTHER).await;
    bench.land.clock.advance(Duration::from_secs(1));
    let done = carried_out(&engine, &plan, ReplayStart::default()).await;
    assert_eq!((done.state, done.progress.succeeded), (PlanState::Done, 1));
    assert_eq!(letters(&engine, LetterState::Replayed).await, [NUMBER, NUMBER]);
    assert_eq!(letters(&engine, LetterState::Open).await, [OTHER, NUMBER]);
    // The third letter of the first one died before a sync of it succeeded.
    let rest = planned(&engine, Selection::default()).await;
    let sum = &rest.content.prediction;
    assert_eq!((sum.opportunities, sum.synced_since, sum.syncs), (2, 1, 1));
    let done = carried_out(&engine, &rest, ReplayStart::default()).await;
    assert_eq!((done.state, done.progress.letters_closed), (PlanState::Done, 2));
    assert_eq!(letters(&engine, LetterState::Settled).await, [NUMBER]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_aborted_never_begins() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    let none = engine.plan_replay(Selection::default(), "erin".into()).await;
    assert_eq!(none.expect_err("no letter").code, Code::RequestInvalid);
    dead(&bench, &engine, NUMBER).await;
    let plan = planned(&engine, Selection::default()).await;
    let aborted = engine.stop_replay(plan.id, Wanted::Abort).await.expect("aborted");
    assert_eq!(aborted.state, PlanState::Aborted);
    let why = refusal(&engine, &plan).await;
    assert!(why.contains("was aborted"), "{why}");
    let paused = engine.stop_replay(plan.id, Wanted::Pause).await;
    assert_eq!(paused.expect_err("over").code, Code::RequestInvalid);
    assert_eq!(letters(&engine, LetterState::Open).await, [NUMBER]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_to_its_rate() {
    let bench = Bench::new().await;
    let settings = EngineSettings {
        replay: ReplaySettings {
            syncs_per_second: 2,
            ..ReplaySettings::default()
        },
        ..EngineSettings::named("a")
    };
    let engine = bench.process_with(settings, None).engine;
    engine.start();
    for number in 0..9 {
        let number = format!("OPP-{}", 5_000 + number);
        bench.land.add(&number);
        dead(&bench, &engine, &number).await;
    }
    let plan = planned(&engine, Selection::default()).await;
    let done = carried_out(&engine, &plan, ReplayStart::default()).await;
    assert_eq!((done.state, done.progress.succeeded), (PlanState::Done, 9));
    assert!(
        done.progress.worked_ms >= 4_000,
        "eight waits of half a second: {done:?}"
    );
}
