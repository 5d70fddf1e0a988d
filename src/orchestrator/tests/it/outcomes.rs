//! Every outcome that a foreign call can have, for every write, alone and twice in a row.

use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::conflict::ConflictState;
use cpq_domain::run::RunState;
use cpq_domain::value::{Money, Value};

use crate::bench::{LONG, look_at, run_of, succeeded};
use crate::conflicts::{FIELD, conflicts, held, text};
use crate::fakes::{Fate, Land, NUMBER};
use crate::scenes::{Scene, ask, come_to_rest};

/// Done; refused; lost, not done; lost, done; lost, done later; done twice; answered with what was true before. And a
/// person who is faster than us.
fn outcomes() -> [(&'static str, Fate); 8] {
    [
        ("ok", Fate::Ok),
        ("refused", Fate::Refused(Code::CrmUnavailable)),
        ("lost, not done", Fate::LostUnapplied),
        ("lost, done", Fate::LostApplied),
        ("lost, done later", Fate::LostLate),
        ("done twice", Fate::Twice),
        ("refused as changed", Fate::Refused(Code::CrmConflict)),
        (
            "a person was faster",
            Fate::Edited(|land: &Land| land.rep_wants(12)),
        ),
    ]
}

/// Runs a scene with two fates for the call, on a CPQ that remembers keys or one that does not.
async fn tried(scene: Scene, call: &'static str, fates: [Fate; 2], forgets: bool) {
    let bench = scene.set().await;
    bench.land.cpq().forgets_keys = forgets;
    bench.land.script(call, fates);
    ask(bench.service("a")).await;
    // What did not come about, because the first fate left nothing to send, does not count.
    bench.land.wire().forget();
    let facts = come_to_rest(&bench).await;
    assert_eq!(facts.quotes, 1);
}

#[tokio::test(start_paused = true)]
async fn every_outcome_of_every_write_leads_to_agreement() {
    let mut cases = 0;
    for scene in Scene::ALL {
        for call in ["cpq.write", "crm.write"] {
            for (first, fate) in outcomes() {
                println!("{scene:?} {call}: {first}, on a CPQ that forgets keys");
                tried(scene, call, [fate.clone(), Fate::Ok], true).await;
                for (second, next) in outcomes() {
                    println!("{scene:?} {call}: {first}, then {second}");
                    tried(scene, call, [fate.clone(), next], false).await;
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} pairs of outcomes");
    assert_eq!(cases, 3 * 2 * 8 * 8);
}

#[tokio::test(start_paused = true)]
async fn every_outcome_of_every_read_leads_to_agreement() {
    let fates = [
        Fate::Stale,
        Fate::Refused(Code::CrmUnavailable),
        Fate::LostUnapplied,
        Fate::Edited(|land: &Land| land.rep_wants(15)),
    ];
    for scene in Scene::ALL {
        for call in ["crm.read", "cpq.find"] {
            for fate in &fates {
                for lost in ["cpq.write", "crm.write"] {
                    let bench = scene.set().await;
                    bench.land.script(call, [fate.clone()]);
                    ask(bench.service("a")).await;
                    come_to_rest(&bench).await;
                    // The same for the read that looks whether a lost write was done.
                    let bench = scene.set().await;
                    bench.land.script(call, [Fate::Ok, fate.clone()]);
                    bench.land.script(lost, [Fate::LostApplied]);
                    ask(bench.service("a")).await;
                    bench.land.wire().forget();
                    come_to_rest(&bench).await;
                }
            }
        }
    }
}

/// A write whose answer was lost is looked for before anything is sent again, and not sent again where it is found.
#[tokio::test(start_paused = true)]
async fn a_lost_write_that_was_done_is_not_repeated() {
    for scene in [Scene::Create, Scene::Change] {
        for (call, look) in [("cpq.write", "cpq.find"), ("crm.write", "crm.read")] {
            let bench = scene.set().await;
            let before = (bench.land.calls(call), bench.land.calls(look));
            bench.land.script(call, [Fate::LostApplied]);
            ask(bench.service("a")).await;
            let after = (bench.land.calls(call), bench.land.calls(look));
            assert_eq!(after, (before.0 + 1, before.1 + 2), "{scene:?} {call}");
        }
    }
}

/// A value that either side may change is sent again if it was lost, although nothing but the last agreement tells
/// that it was: both sides have a value, and the rule prefers neither.
#[tokio::test(start_paused = true)]
async fn a_lost_write_of_a_field_without_a_master_is_sent_again() {
    for policy in ["review", "newest", "always"] {
        let bench = Scene::Create.set().await;
        bench.land.rule("opportunity.name", "crm", policy);
        ask(bench.service("before")).await;
        let renamed = cpq_domain::value::Value::text("Acme, renamed");
        bench.land.rep("opportunity.name", renamed.clone());
        bench.land.script("cpq.write", [Fate::LostUnapplied]);
        let facts = come_to_rest(&bench).await;
        assert_eq!(facts.cpq.get("opportunity.name"), Some(&renamed), "{policy}");
    }
}

/// A person edits the field whose write was lost, before it is looked for. Neither edit is taken for the other: both are
/// shown, whether the lost write was done or not.
#[tokio::test(start_paused = true)]
async fn an_edit_in_the_place_of_a_lost_write_is_not_taken_for_it() {
    for fate in [Fate::LostUnapplied, Fate::LostApplied] {
        let bench = Scene::Create.set().await;
        bench.land.rule(FIELD, "crm", "review");
        bench.land.rep(FIELD, text("old"));
        let process = bench.process("a");
        ask(process.engine.clone()).await;
        bench.land.rep(FIELD, text("rep's"));
        bench.land.script("cpq.write", [fate]);
        let run = run_of(process.engine.submit(look_at(NUMBER)).await.expect("accepted"));
        let parked = process.engine.wait(run.id, Duration::ZERO).await.expect("known");
        assert_ne!(parked.state, RunState::Succeeded);
        while bench.run(run.id).await.state != RunState::Parked {
            tokio::task::yield_now().await;
        }
        bench.land.seller_sets(FIELD, text("seller's"));
        process.engine.start();
        process.engine.wait(run.id, LONG).await.expect("known");
        // The event of the seller's edit.
        succeeded(&process.engine).await;
        let (crm, cpq) = held(&bench.land);
        let shown = conflicts(&process.engine).await;
        let open = shown.iter().any(|one| one.state == ConflictState::Open);
        assert!(
            open || crm == cpq,
            "{crm:?} and {cpq:?} are shown to nobody: {shown:#?}"
        );
    }
}

/// A sync is parked, another one goes by, and a rep edits what it wrote: the parked one must not put what it remembers in
/// the place of the newer agreement, or the edit looks like the first look at the field and loses without a word.
#[tokio::test(start_paused = true)]
async fn a_parked_sync_does_not_undo_a_newer_agreement() {
    let bench = Scene::Create.set().await;
    let process = bench.process("a");
    bench.land.script("crm.write", [Fate::LostUnapplied]);
    let parked = run_of(process.engine.submit(look_at(NUMBER)).await.expect("accepted"));
    while bench.run(parked.id).await.state != RunState::Parked {
        tokio::task::yield_now().await;
    }
    succeeded(&process.engine).await;
    let mine = Value::Money(Money::new(5.into(), "USD"));
    bench.land.rep("quote.net_total", mine.clone());
    process.engine.start();
    let ended = process.engine.wait(parked.id, LONG).await.expect("known");
    assert_eq!(ended.state, RunState::Succeeded);
    let shown = conflicts(&process.engine).await;
    assert!(shown.iter().any(|one| one.crm.value == mine), "{shown:#?}");
}
