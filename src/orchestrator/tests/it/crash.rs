//! A process dies at every point of a sync, and the next one brings it to the same end.

use std::collections::BTreeSet;

use cpq_domain::value::Value;

use crate::bench::Bench;
use crate::fakes::{Facts, Image, Land};
use crate::scenes::{LEASE, Scene, ask, come_to_rest};

/// What a person does between the crash and the restart; `false` if there is no quote yet to do it to.
type Edit = fn(&Land) -> bool;

const EDITS: [Edit; 4] = [
    |_| true,
    |land| {
        land.rep_wants(15);
        true
    },
    |land| {
        land.rep("opportunity.name", Value::text("Acme, renamed"));
        true
    },
    |land| {
        let there = land.facts().quotes > 0;
        there.then(|| land.seller_gives(20)).is_some()
    },
];

/// The same work without a crash: the points it passes, and how it ends.
async fn undisturbed(scene: Scene, edit: Edit) -> (Vec<Image>, Facts, usize) {
    let bench = scene.set().await;
    let process = bench.process("a");
    ask(process.engine).await;
    let points = process.life.passed();
    assert!(edit(&bench.land));
    let facts = come_to_rest(&bench).await;
    let effects = bench.land.crm().effects.len();
    (points, facts, effects)
}

/// Runs a process that dies at that point; `false` if it reached its end before.
async fn dies(bench: &Bench, node: &str, at: usize, background: bool) -> (bool, Vec<Image>) {
    let process = bench.doomed(node, at);
    if background {
        process.engine.start();
    }
    // The caller dies with the process; how it notices does not matter.
    let _ = tokio::spawn(ask(process.engine.clone())).await;
    let over = process.life.is_over();
    process.life.end();
    process.engine.stop(LEASE).await;
    (over, process.life.passed())
}

async fn recover(bench: &Bench, edit: Edit) -> Facts {
    bench.land.clock.advance(LEASE);
    let done = edit(&bench.land);
    ask(bench.service("recovering")).await;
    assert!(done || edit(&bench.land));
    come_to_rest(bench).await
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_point_leads_to_the_same_end() {
    for scene in Scene::ALL {
        for (number, edit) in EDITS.into_iter().enumerate() {
            let (points, facts, effects) = undisturbed(scene, edit).await;
            for at in 0..points.len() {
                let bench = scene.set().await;
                let (over, passed) = dies(&bench, "a", at, false).await;
                assert!(over, "point {at} was skipped");
                assert_eq!(passed, points[..=at], "the way to point {at} differs");
                assert_eq!(
                    recover(&bench, edit).await,
                    facts,
                    "{scene:?}, edit {number}, point {at}"
                );
                if number == 0 {
                    assert_eq!(bench.land.crm().effects.len(), effects);
                }
            }
            let images: BTreeSet<_> = points.iter().collect();
            println!(
                "{scene:?}, edit {number}: died at {} points in {} durable states",
                points.len(),
                images.len()
            );
        }
    }
}

/// Every state that a crash can leave behind is among the points: before and after each transaction and each effect.
#[tokio::test(start_paused = true)]
async fn the_points_cover_every_transaction_and_every_effect() {
    let (points, ..) = undisturbed(Scene::Create, EDITS[0]).await;
    let images: Vec<_> = points.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let expected = [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
        (2, 0, 1),
        (3, 0, 1),
        (3, 1, 1),
        (4, 1, 1),
    ];
    assert_eq!(images, expected);
}

/// The process that recovers dies too, at every point of its own, and a third one brings the sync to the same end.
#[tokio::test(start_paused = true)]
async fn a_crash_during_recovery_changes_nothing() {
    for scene in Scene::ALL {
        let (points, facts, effects) = undisturbed(scene, EDITS[0]).await;
        let mut pairs = 0;
        let mut seen = BTreeSet::new();
        let firsts = (0..points.len()).filter(|at| seen.insert(points[*at]));
        for first in firsts {
            for second in 0.. {
                let bench = scene.set().await;
                dies(&bench, "a", first, false).await;
                bench.land.clock.advance(LEASE);
                let (over, _) = dies(&bench, "b", second, true).await;
                assert_eq!(
                    recover(&bench, EDITS[0]).await,
                    facts,
                    "{scene:?}, {first} then {second}"
                );
                assert_eq!(bench.land.crm().effects.len(), effects, "{first} then {second}");
                if !over {
                    break;
                }
                pairs += 1;
            }
        }
        println!("{scene:?}: died twice in {pairs} ways");
        assert!(pairs > points.len());
    }
}
