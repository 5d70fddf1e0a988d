//! Every workflow dies at every point that it passes, alone and a second time while it recovers, and every call of it
//! has every outcome. The end is always that of a workflow which nothing disturbed.
//!
//! No point is listed by hand. What a workflow must pass is: the tests fail when a call or a step of that list was not
//! reached, and when one was reached that the list does not have.

#![allow(clippy::print_stdout, reason = "the tests tell how many points they covered")]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::event::EventKind;
use cpq_domain::id::RunId;
use futures_util::FutureExt;

use crate::bench::Process;
use crate::fakes::{Fate, Image, Place};
use crate::workflows::{End, Stage, Workflow};

/// Longer than the lease of a run, of a feed and of a reconcile.
const EVERY_LEASE: Duration = Duration::from_secs(61);

/// Where processes died: `crm.write after`, or `write.crm recorded` once its row is durable.
type Reached = BTreeSet<String>;
/// How many rows the journal of each run has.
type Rows = BTreeMap<RunId, usize>;

/// Runs the workflow until it is done, or its process dies. Whoever waits in a process dies with it.
async fn drive(stage: &Stage, workflow: Workflow, process: Process) -> Process {
    process.engine.start();
    let driven = AssertUnwindSafe(stage.drive(workflow, &process))
        .catch_unwind()
        .await;
    if let (Err(panic), false) = (driven, process.life.is_over()) {
        resume_unwind(panic);
    }
    process.life.end();
    process.engine.stop(Duration::from_secs(1)).await;
    process
}

async fn undisturbed(workflow: Workflow) -> End {
    let stage = workflow.set().await;
    drive(&stage, workflow, stage.bench.process("a")).await;
    stage.rest(workflow).await
}

async fn recover(stage: &Stage, workflow: Workflow) -> End {
    stage.bench.land.clock.advance(EVERY_LEASE);
    stage.rest(workflow).await
}

/// What of the workflow had come to pass when its process died.
async fn reached(stage: &Stage, before: &Rows, place: Option<Place>, into: &mut Reached) {
    let calls = place.filter(|(call, _)| *call != "world");
    into.extend(calls.map(|(call, moment)| format!("{call} {moment}")));
    for run in stage.bench.runs().await {
        let known = before.get(&run.id).copied().unwrap_or(0);
        for row in stage.bench.journal(run.id).await.into_iter().skip(known) {
            if row.kind == EventKind::Done {
                into.insert(format!("{} recorded", row.step));
            }
        }
    }
}

async fn rows(stage: &Stage) -> Rows {
    let mut rows = Rows::new();
    for run in stage.bench.runs().await {
        rows.insert(run.id, stage.bench.journal(run.id).await.len());
    }
    rows
}

/// What must be reached, by the list of the workflow.
fn expected(workflow: Workflow) -> Reached {
    let (calls, steps) = workflow.passes();
    let moments = calls.iter().flat_map(|call| {
        let moments: &[&str] = if call.starts_with("feed.") {
            &["before"]
        } else {
            &["before", "after"]
        };
        moments.iter().map(move |moment| format!("{call} {moment}"))
    });
    moments
        .chain(steps.iter().map(|step| format!("{step} recorded")))
        .collect()
}

/// A workflow whose process dies at the point `at`; `None` when it was done before.
async fn died(workflow: Workflow, at: usize) -> Option<(Stage, Rows, Process)> {
    let stage = workflow.set().await;
    let before = rows(&stage).await;
    let process = stage.bench.doomed("a", at);
    let (life, process) = (process.life.clone(), drive(&stage, workflow, process).await);
    (life.passed().len() == at + 1).then_some((stage, before, process))
}

async fn crash(workflow: Workflow) -> usize {
    let end = undisturbed(workflow).await;
    let mut seen = Reached::new();
    for at in 0.. {
        let Some((stage, before, process)) = died(workflow, at).await else {
            assert_eq!(
                seen,
                expected(workflow),
                "{workflow:?}: reached, and what must be"
            );
            println!(
                "{workflow:?}: died at {at} points, {} of which are of its own",
                seen.len()
            );
            return at;
        };
        reached(&stage, &before, process.life.places().last().copied(), &mut seen).await;
        assert_eq!(recover(&stage, workflow).await, end, "{workflow:?}, point {at}");
    }
    unreachable!("a workflow ends")
}

/// The points of a process at which something durable differs from every point before.
fn distinct(process: &Process) -> Vec<usize> {
    let mut seen: BTreeSet<Image> = BTreeSet::new();
    let images = process.life.passed().into_iter().enumerate();
    images
        .filter(|(_, image)| seen.insert(*image))
        .map(|(at, _)| at)
        .collect()
}

/// Dies twice: at a point of the workflow, and at one of the process that recovers it.
async fn crash_twice(workflow: Workflow) -> usize {
    let end = undisturbed(workflow).await;
    let stage = workflow.set().await;
    let whole = drive(&stage, workflow, stage.bench.process("a")).await;
    let mut pairs = 0;
    for first in distinct(&whole) {
        let Some((stage, ..)) = died(workflow, first).await else {
            continue;
        };
        stage.bench.land.clock.advance(EVERY_LEASE);
        let second = drive(&stage, workflow, stage.bench.process("b")).await;
        for second in distinct(&second) {
            let Some((stage, ..)) = died(workflow, first).await else {
                continue;
            };
            stage.bench.land.clock.advance(EVERY_LEASE);
            drive(&stage, workflow, stage.bench.doomed("b", second)).await;
            assert_eq!(
                recover(&stage, workflow).await,
                end,
                "{workflow:?}, {first} then {second}"
            );
            pairs += 1;
        }
    }
    println!("{workflow:?}: died twice in {pairs} ways");
    pairs
}

/// The seven outcomes of a foreign call.
fn outcomes() -> [(&'static str, Fate); 7] {
    [
        ("ok", Fate::Ok),
        ("refused", Fate::Refused(Code::CrmUnavailable)),
        ("lost, not done", Fate::LostUnapplied),
        ("lost, done", Fate::LostApplied),
        ("lost, done later", Fate::LostLate),
        ("done twice", Fate::Twice),
        ("stale", Fate::Stale),
    ]
}

/// Every call of the workflow, each time that it is made, with every outcome.
async fn every_outcome(workflow: Workflow) -> usize {
    let end = undisturbed(workflow).await;
    let stage = workflow.set().await;
    let calls = workflow
        .passes()
        .0
        .iter()
        .filter(|call| !call.starts_with("feed."));
    let before: Vec<usize> = calls.clone().map(|call| stage.bench.land.calls(call)).collect();
    drive(&stage, workflow, stage.bench.process("a")).await;
    let mut cases = 0;
    for (call, before) in calls.zip(before) {
        let made = stage.bench.land.calls(call) - before;
        assert!(made > 0, "{workflow:?} does not call {call}");
        for nth in 0..made {
            for (name, fate) in outcomes() {
                let stage = workflow.set().await;
                let fates = std::iter::repeat_n(Fate::Ok, nth).chain([fate]);
                stage.bench.land.wire().script(call, fates);
                drive(&stage, workflow, stage.bench.process("a")).await;
                stage.bench.land.wire().forget();
                assert_eq!(
                    stage.rest(workflow).await,
                    end,
                    "{workflow:?}, {call} number {nth}: {name}"
                );
                cases += 1;
            }
        }
    }
    println!("{workflow:?}: {cases} outcomes");
    cases
}

/// Gives each workflow a test of its own, so that they run beside each other.
macro_rules! everywhere {
    ($($name:ident: $workflow:ident, $points:literal, $pairs:literal, $cases:literal;)*) => {
        $(mod $name {
            use super::*;

            #[tokio::test(start_paused = true)]
            async fn dies_at_every_point() {
                assert!(crash(Workflow::$workflow).await >= $points);
            }

            #[tokio::test(start_paused = true)]
            async fn dies_again_while_it_recovers() {
                assert!(crash_twice(Workflow::$workflow).await >= $pairs);
            }

            #[tokio::test(start_paused = true)]
            async fn meets_every_outcome_of_every_call() {
                assert!(every_outcome(Workflow::$workflow).await >= $cases);
            }
        })*

        #[test]
        fn every_workflow_is_tested() {
            assert_eq!([$(Workflow::$workflow),*], Workflow::ALL);
        }
    };
}

everywhere! {
    first_quote: FirstQuote, 45, 50, 28;
    both_changed: BothChanged, 45, 50, 28;
    lifecycle: Lifecycle, 40, 30, 21;
    staged_lines: StagedLines, 40, 40, 28;
    ruling: Ruling, 45, 45, 28;
    deletion: Deletion, 60, 50, 49;
    reconcile: Reconcile, 70, 110, 70;
    feed_batch: FeedBatch, 80, 110, 42;
    undo: Undo, 45, 50, 28;
}
