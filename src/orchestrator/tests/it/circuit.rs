//! A CRM that is away is left alone, whoever asks and whatever restarts.

use std::time::Duration;

use cpq_domain::breaker::Circuit;
use cpq_domain::error::Hold;
use cpq_domain::id::{ConnectionName, RunId};
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_domain::{Code, adapter::CallBudget};
use cpq_orchestrator::{Standing, Submission, Submitted};

use crate::bench::{Bench, look_at, run_of};
use crate::fakes::{Fate, NUMBER};

/// More than open the circuit.
const LANES: usize = 14;

fn number(n: usize) -> String {
    format!("OPP-{n:04}")
}

async fn standing(bench: &Bench) -> Standing {
    let engine = bench.process("looks").engine;
    let crm = ConnectionName::new("crm").expect("a name");
    engine.standings(vec![crm]).await.expect("read").remove(0)
}

/// Opens the circuit: many opportunities are synced while nobody answers.
async fn outage(bench: &Bench, node: &str) -> Vec<RunId> {
    bench
        .land
        .wire()
        .forever("crm.read", Some(Fate::Refused(Code::CrmUnavailable)));
    bench
        .land
        .wire()
        .forever("crm.probe", Some(Fate::Refused(Code::CrmUnavailable)));
    let engine = bench.process(node).engine;
    let mut ids = Vec::new();
    for n in 0..LANES {
        bench.land.add(&number(n));
        let run = run_of(engine.submit(look_at(&number(n))).await.expect("accepted"));
        engine
            .wait(run.id, Duration::from_millis(1))
            .await
            .expect("known");
        ids.push(run.id);
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn while_it_is_open_runs_are_parked_untried_and_nobody_is_called() {
    let bench = Bench::new().await;
    let ids = outage(&bench, "a").await;
    let calls = bench.land.calls("crm.read");
    assert!(calls < LANES, "the circuit opened before all were tried");
    let told = standing(&bench).await.breaker.expect("it is open");
    assert_eq!(
        (told.circuit, told.hold, told.openings),
        (Circuit::Open, Hold::Circuit, 1)
    );
    let held = bench.run(*ids.last().expect("some")).await;
    assert_eq!((held.state, held.tries, held.attempt), (RunState::Parked, 0, 0));
    assert_eq!(held.due_at, told.due_at);
    let report = held.error.expect("a reason");
    assert_eq!(
        (report.code, &report.details.facts["held"]),
        (Code::CrmUnavailable, &"circuit".into())
    );
    // A process that starts now knows it too, and what was held is joined, not heaped up.
    let other = bench.process("b").engine;
    let again = other.submit(look_at(&number(LANES - 1))).await.expect("accepted");
    assert!(matches!(again, Submitted::Joined(run) if run.id == held.id));
    assert_eq!(bench.land.calls("crm.read"), calls);
    assert_eq!(bench.land.calls("crm.probe"), 0);
}

/// Looks until the run has ended, and skips the time in between.
async fn ends(bench: &Bench, id: RunId) -> Run {
    let engine = bench.process("watches").engine;
    for _ in 0..1_000 {
        let run = engine.wait(id, Duration::from_secs(2)).await.expect("known");
        if run.state.is_terminal() {
            return run;
        }
    }
    panic!("the run does not end");
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_shows_whether_it_is_back_and_then_all_goes_on() {
    let bench = Bench::new().await;
    let ids = outage(&bench, "a").await;
    let calls = bench.land.calls("crm.read");
    let services = [bench.service("b"), bench.service("c")];
    while standing(&bench).await.breaker.expect("it stays open").openings < 3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(bench.land.calls("crm.read"), calls, "a probe is all that is sent");
    assert_eq!(bench.land.calls("crm.probe"), 2, "of two services one makes it");
    bench.land.wire().forever("crm.read", None);
    bench.land.wire().forever("crm.probe", None);
    for id in ids {
        let run = ends(&bench, id).await;
        assert_eq!(run.state, RunState::Succeeded);
        assert!(run.tries <= 1, "{} tries", run.tries);
    }
    assert_eq!(standing(&bench).await.breaker, None);
    assert_eq!(bench.land.calls("crm.probe"), 3);
    drop(services);
}

/// A command without a service beside it makes the probe that is due itself.
#[tokio::test(start_paused = true)]
async fn a_single_command_finds_out_that_it_is_back() {
    let bench = Bench::new().await;
    outage(&bench, "a").await;
    bench.land.wire().forever("crm.read", None);
    bench.land.wire().forever("crm.probe", None);
    bench.land.clock.advance(Duration::from_secs(10));
    let engine = bench.process("b").engine;
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let run = engine.wait(run.id, Duration::from_secs(1)).await.expect("known");
    assert_eq!(run.state, RunState::Succeeded);
    assert_eq!(standing(&bench).await.breaker, None);
}

/// What can wait stops with words before it eats what live work has not had yet; live work goes on.
#[tokio::test(start_paused = true)]
async fn background_work_leaves_live_its_share() {
    let bench = Bench::new().await;
    bench.land.crm().budget = Some(CallBudget {
        used: 600,
        max: 1_000,
    });
    let engine = bench.process("a").engine;
    let lane = look_at(NUMBER).lane;
    let replay = run_of(
        engine
            .submit(Submission::of(lane, Trigger::Replay))
            .await
            .expect("accepted"),
    );
    let replay = engine
        .wait(replay.id, Duration::from_millis(1))
        .await
        .expect("known");
    assert_eq!((replay.state, replay.tries), (RunState::Parked, 0));
    let report = replay.error.expect("a reason");
    assert_eq!(
        (report.code, &report.details.facts["held"]),
        (Code::CrmLimit, &"share".into())
    );
    assert!(
        report.message.contains("kept for live work"),
        "{}",
        report.message
    );
    assert_eq!(bench.land.calls("crm.read"), 0);
    let live = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let live = engine.wait(live.id, Duration::from_secs(1)).await.expect("known");
    assert_eq!(live.state, RunState::Succeeded);
}
