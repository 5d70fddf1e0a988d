//! A sync that stopped between its writes, and what happens before it goes on.

use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::run::{Run, RunState};
use cpq_orchestrator::Engine;

use crate::bench::{Bench, LONG, look_at, run_of, succeeded};
use crate::conflicts::{FIELD, conflicts, held, text};
use crate::fakes::{Fate, NUMBER};

const NAME: &str = "opportunity.name";

/// Both sides agree, and an hour is over.
async fn agreed(bench: &Bench) {
    bench.land.rep(FIELD, text("old"));
    succeeded(&bench.process("before").engine).await;
    bench.land.clock.advance(Duration::from_secs(3_600));
}

/// A sync that was parked, and will be tried again later.
async fn parked(engine: &Engine) -> Run {
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let run = engine
        .wait(run.id, Duration::from_millis(10))
        .await
        .expect("known");
    assert_eq!(run.state, RunState::Parked);
    run
}

/// A rep's edit arrived in the CPQ, the sync that sent it was parked and does not know, and the rep edits once more.
async fn in_doubt() -> (Bench, Engine, Run) {
    let bench = Bench::new().await;
    bench.land.rule(FIELD, "crm", "review");
    agreed(&bench).await;
    bench.land.rep(FIELD, text("new"));
    bench.land.script("cpq.write", [Fate::LostApplied]);
    let engine = bench.service("a");
    let first = parked(&engine).await;
    bench.land.rep(FIELD, text("newer"));
    (bench, engine, first)
}

/// The write to the CPQ arrived, and nobody knows. Whoever goes by takes what it left there for no edit of a seller.
#[tokio::test(start_paused = true)]
async fn what_a_parked_sync_has_written_is_nobodys_edit() {
    let (bench, engine, first) = in_doubt().await;
    let second = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let second = engine.wait(second.id, LONG).await.expect("known");
    assert_eq!(bench.run(first.id).await.state, RunState::Parked, "it goes first");
    assert_eq!(second.state, RunState::Succeeded);
    engine.wait(first.id, LONG).await.expect("known");
    assert_eq!(held(&bench.land), (Some(text("newer")), Some(text("newer"))));
    assert_eq!(conflicts(&engine).await, []);
}

/// Once both sides have agreed anew, a value that a parked sync has sent is an edit like any other.
#[tokio::test(start_paused = true)]
async fn an_old_value_that_a_seller_brings_back_is_an_edit() {
    let (bench, engine, first) = in_doubt().await;
    for _ in 0..2 {
        let other = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
        engine.wait(other.id, LONG).await.expect("known");
        assert_eq!(bench.run(first.id).await.state, RunState::Parked);
        bench.land.seller_sets(FIELD, text("new"));
    }
    engine.wait(first.id, LONG).await.expect("known");
    assert_eq!(held(&bench.land), (Some(text("new")), Some(text("new"))));
}

/// The rules are changed between the two looks of a sync: what the second one would send to the CPQ is sent, and not taken
/// for agreed.
#[tokio::test(start_paused = true)]
async fn a_sync_whose_rules_are_changed_starts_over() {
    let bench = Bench::new().await;
    agreed(&bench).await;
    bench.land.rep(NAME, text("Acme, renamed"));
    bench.land.seller_sets(FIELD, text("seller's"));
    bench
        .land
        .script("cpq.write", [Fate::Refused(Code::CpqUnavailable)]);
    let engine = bench.service("a");
    let run = parked(&engine).await;
    bench.land.rule(FIELD, "crm", "always");
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!((run.state, run.restarts), (RunState::Succeeded, 1));
    assert_eq!(held(&bench.land), (Some(text("old")), Some(text("old"))));
}

/// A parked sync was to carry an edit to the CRM. Under the rules that hold by now the next one has corrected it.
#[tokio::test(start_paused = true)]
async fn what_was_decided_under_old_rules_is_not_sent_after_the_contrary_was_done() {
    let bench = Bench::new().await;
    bench.land.rule(FIELD, "crm", "newest");
    agreed(&bench).await;
    bench.land.seller_sets(FIELD, text("seller's"));
    bench
        .land
        .script("crm.write", [Fate::Refused(Code::CrmUnavailable)]);
    let engine = bench.service("a");
    let first = parked(&engine).await;
    bench.land.rule(FIELD, "crm", "always");
    let second = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    engine.wait(second.id, LONG).await.expect("known");
    assert_eq!(held(&bench.land), (Some(text("old")), Some(text("old"))));
    let first = engine.wait(first.id, LONG).await.expect("known");
    assert_eq!((first.state, first.restarts), (RunState::Succeeded, 1));
    assert_eq!(held(&bench.land), (Some(text("old")), Some(text("old"))));
}
