//! A sync in which nothing goes wrong.

use cpq_domain::run::{Effect, RunState};
use cpq_domain::value::{Money, Value};
use cpq_orchestrator::EngineSettings;
use cpq_store::{Store, StoreOptions};
use rust_decimal::Decimal;

use crate::bench::{Bench, LONG, lane, look_at, run_of, succeeded};
use crate::fakes::{LINE, NUMBER};

fn dollars(amount: i64) -> Option<Value> {
    Some(Value::Money(
        Money::new(Decimal::from(amount), "USD").to_minor_unit(),
    ))
}

#[tokio::test(start_paused = true)]
async fn the_first_sync_writes_both_sides_once() {
    let bench = Bench::new().await;
    let run = succeeded(&bench.process("a").engine).await;
    let outcome = run.outcome.expect("it succeeded");
    assert_eq!((outcome.effect, outcome.created), (Effect::Written, true));
    assert_eq!(
        (outcome.quote_number.as_str(), outcome.crm_writes),
        ("Q-2026-0137", 3)
    );
    let calls = bench.land.wire().calls();
    assert_eq!(calls, ["crm.read", "cpq.find", "cpq.write", "crm.write"]);
    let facts = bench.land.facts();
    assert_eq!(facts.crm.text("quote.number"), Some("Q-2026-0137"));
    assert_eq!(facts.crm.text("quote.status"), Some("draft"));
    assert_eq!(facts.crm.get("quote.net_total").cloned(), dollars(250));
    assert_eq!(facts.cpq.text("account.name"), Some("Acme"));
    assert_eq!(
        facts.cpq.lines[&cpq_domain::id::LineKey::new(LINE).unwrap()].len(),
        9
    );
}

#[tokio::test(start_paused = true)]
async fn the_second_sync_changes_nothing_and_sends_nothing() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    let (before, writes) = (bench.land.facts(), bench.land.calls("cpq.write"));
    let run = succeeded(&engine).await;
    assert_eq!(run.outcome.expect("it succeeded").effect, Effect::NoChange);
    assert_eq!(bench.land.facts(), before);
    assert_eq!((writes, bench.land.calls("cpq.write")), (1, 1));
    assert_eq!(bench.land.calls("crm.write"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_on_either_side_reaches_the_other() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    bench.land.rep_wants(12);
    bench.land.seller_gives(10);
    let outcome = succeeded(&engine).await.outcome.expect("it succeeded");
    assert_eq!((outcome.cpq_writes, outcome.crm_writes), (1, 1));
    assert_eq!(
        bench.land.facts().crm.get("quote.net_total").cloned(),
        dollars(270)
    );
    assert_eq!(bench.land.facts().quotes, 1);
}

#[tokio::test(start_paused = true)]
async fn the_journal_tells_every_step_in_order() {
    let bench = Bench::new().await;
    let run = succeeded(&bench.process("a").engine).await;
    let story = [
        "accepted run",
        "done read.crm",
        "done read.cpq",
        "done read.base",
        "done decide",
        "intent write.cpq",
        "done write.cpq",
        "done decide.back",
        "intent write.crm",
        "done write.crm",
        "succeeded run",
    ];
    assert_eq!(bench.story(run.id).await, story);
    crate::bench::assert_gap_free(&bench.journal(run.id).await);
}

/// Accept; intent of the first write; its outcome with the intent of the next; the last outcome with the end. A fifth
/// would cost every sync a flush of the disk.
#[tokio::test]
async fn a_sync_is_four_transactions() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = Store::open(StoreOptions::at(directory.path().join("cpq.db")));
    let memory = Store::open(StoreOptions::memory());
    for store in [memory.await.expect("opened"), file.await.expect("opened")] {
        let bench = Bench::over(store);
        let engine = bench.process("a").engine;
        let before = bench.store.stats();
        succeeded(&engine).await;
        let after = bench.store.stats();
        assert_eq!((after.jobs - before.jobs, after.commits - before.commits), (4, 4));
    }
}

/// A command that works alone pays no more: while its run is in hand there is nothing to claim.
#[tokio::test(start_paused = true)]
async fn a_single_command_needs_four_transactions_too() {
    let bench = Bench::new().await;
    let alone = EngineSettings {
        works_backlog: false,
        ..EngineSettings::named("a")
    };
    let engine = bench.process_with(alone, None).engine;
    succeeded(&engine).await;
    assert_eq!(bench.store.stats().jobs, 4);
}

#[tokio::test(start_paused = true)]
async fn a_sync_without_a_difference_is_two_transactions() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    let before = bench.store.stats().jobs;
    succeeded(&engine).await;
    assert_eq!(bench.store.stats().jobs - before, 2);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_touches_nothing() {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    let before = bench.land.facts();
    let plan = engine.dry_run(&lane(NUMBER)).await.expect("planned");
    assert_eq!(
        (plan.effect, plan.priced, plan.quote_number),
        (Effect::Written, true, None)
    );
    assert_eq!(plan.calls.iter().filter(|call| call.writes).count(), 2);
    assert_eq!(bench.land.facts(), before);
    assert_eq!(bench.land.wire().calls(), ["crm.read", "cpq.find"]);
    assert_eq!(bench.store.stats().jobs, 0);
    assert!(bench.runs().await.is_empty());
    // It has not even used up a number.
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    assert_eq!(run.correlation.as_str(), "csync-001");
    assert_eq!(
        engine.wait(run.id, LONG).await.expect("known").state,
        RunState::Succeeded
    );
}
