//! A bad import over many opportunities is taken back: what people changed since stays, whatever it is.

use std::time::Duration;

use cpq_domain::id::OpportunityKey;
use cpq_domain::purge::Purged;
use cpq_domain::resolve::undo::{Fate, Undone};
use cpq_domain::run::{Effect, Run, RunState};
use cpq_domain::value::Value;
use cpq_orchestrator::{Engine, Undo, UndoWhich};
use cpq_store::purge::{self, Task};
use jiff::Timestamp;

use crate::bench::{Bench, LONG, look_at, run_of};
use crate::conflicts::{FIELD, text};

const ALL: usize = 200;
const EDITED: usize = ALL / 10;

fn number(at: usize) -> String {
    format!("OPP-{}", at + 10_000)
}

fn key(at: usize) -> OpportunityKey {
    OpportunityKey::new(number(at)).expect("a key")
}

/// The CRM's value of an opportunity.
fn in_crm(bench: &Bench, at: usize, value: &str) {
    let now = bench.land.clock.now();
    bench.land.crm().change(&key(at), now, |view| {
        view.fields.insert(FIELD.into(), text(value));
    });
}

async fn sync(engine: &Engine, at: usize) -> Run {
    let run = run_of(engine.submit(look_at(&number(at))).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    run
}

async fn sync_all(engine: &Engine) {
    for at in 0..ALL {
        sync(engine, at).await;
    }
}

/// Takes back what was accepted since, and waits. How many values each fate has, and how many syncs wrote something.
async fn undo(engine: &Engine, since: Timestamp, until: Timestamp) -> (Vec<Fate>, usize) {
    let which = UndoWhich::Between {
        connection: None,
        opportunity: None,
        since,
        until,
    };
    let wish = Undo {
        which,
        field: Some(FIELD.into()),
        both_sides: false,
        by: "tests".into(),
        reason: "a bad import".into(),
    };
    let (mut fates, mut wrote) = (Vec::new(), 0);
    for item in engine.to_undo(wish).await.expect("there is something") {
        let run = engine.undo(item).await.expect("accepted");
        let run = engine.wait(run.id, LONG).await.expect("known");
        let outcome = run.outcome.expect("it succeeded");
        wrote += usize::from(outcome.effect == Effect::Written);
        fates.extend(outcome.undone.iter().map(|one| one.fate));
    }
    (fates, wrote)
}

#[tokio::test(start_paused = true)]
async fn a_bad_import_is_taken_back_and_nobodys_later_edit_is_touched() {
    let bench = Bench::new().await;
    bench.land.rule(FIELD, "crm", "always");
    (0..ALL).for_each(|at| bench.land.add(&number(at)));
    (0..ALL).for_each(|at| in_crm(&bench, at, "right"));
    let engine = bench.process("a").engine;
    sync_all(&engine).await;
    bench.land.clock.advance(Duration::from_secs(60));
    let since = bench.land.clock.now();
    (0..ALL).for_each(|at| in_crm(&bench, at, "imported"));
    sync_all(&engine).await;
    bench.land.clock.advance(Duration::from_secs(60));
    let until = bench.land.clock.now();
    for at in 0..EDITED {
        let now = bench.land.clock.now();
        bench.land.cpq().change(&key(at), now, |quote| {
            quote.context.insert(FIELD.into(), text("a person's"));
        });
    }
    bench.land.rule(FIELD, "cpq", "always");
    let (fates, _) = undo(&engine, since, until).await;
    let count = |fate| fates.iter().filter(|one| **one == fate).count();
    assert_eq!(count(Fate::PutBack), ALL - EDITED);
    assert_eq!(count(Fate::ChangedSince), EDITED);
    assert_eq!(fates.len(), ALL);
    for at in 0..ALL {
        let wanted = text(if at < EDITED { "a person's" } else { "right" });
        let crm = bench.land.crm().read(&key(at), false).expect("it is there");
        let quote = bench.land.cpq().find(&key(at), false).expect("it is there");
        assert_eq!(crm.view.get(FIELD), Some(&wanted), "{at}");
        assert_eq!(quote.view().get(FIELD), Some(&wanted), "{at}");
    }
    let (_, wrote) = undo(&engine, since, until).await;
    assert_eq!(wrote, 0, "the second time writes nothing");
}

/// Another value comes to the opportunity, and a sync carries it. Returns the sync.
async fn carried(bench: &Bench, engine: &Engine, value: &str) -> Run {
    in_crm(bench, 0, value);
    let run = sync(engine, 0).await;
    bench.land.clock.advance(Duration::from_secs(1));
    run
}

/// Takes a sync back on both sides. What became of its one value.
async fn undo_one(engine: &Engine, run: &Run) -> Undone {
    let wish = Undo {
        which: UndoWhich::Sync(run.correlation.clone()),
        field: None,
        both_sides: true,
        by: "tests".into(),
        reason: "a bad import".into(),
    };
    let item = engine.to_undo(wish).await.expect("there is something").remove(0);
    let run = engine.undo(item).await.expect("accepted");
    let run = engine.wait(run.id, LONG).await.expect("known");
    let mut undone = run.outcome.expect("it succeeded").undone;
    assert_eq!(undone.len(), 1, "{undone:?}");
    undone.remove(0)
}

fn in_cpq(bench: &Bench) -> Option<Value> {
    let quote = bench.land.cpq().find(&key(0), false).expect("it is there");
    quote.view().get(FIELD).cloned()
}

#[tokio::test(start_paused = true)]
async fn what_another_sync_wrote_anew_is_taken_back_with_that_one_only() {
    let bench = Bench::new().await;
    bench.land.rule(FIELD, "crm", "always");
    bench.land.add(&number(0));
    let engine = bench.process("a").engine;
    carried(&bench, &engine, "first").await;
    let bad = carried(&bench, &engine, "bad").await;
    carried(&bench, &engine, "between").await;
    let again = carried(&bench, &engine, "bad").await;
    let undone = undo_one(&engine, &bad).await;
    assert_eq!(undone.fate, Fate::ChangedSince, "{undone:?}");
    assert!(undone.reason.contains(again.correlation.as_str()), "{undone:?}");
    assert_eq!(in_cpq(&bench), Some(text("bad")));
    let undone = undo_one(&engine, &again).await;
    assert_eq!(undone.fate, Fate::PutBack, "{undone:?}");
    assert_eq!(in_cpq(&bench), Some(text("between")));
}

/// Retention may keep decisions longer than journals.
#[tokio::test(start_paused = true)]
async fn a_sync_whose_journal_was_purged_can_still_be_taken_back() {
    let bench = Bench::new().await;
    bench.land.rule(FIELD, "crm", "always");
    bench.land.add(&number(0));
    let engine = bench.process("a").engine;
    carried(&bench, &engine, "first").await;
    let bad = carried(&bench, &engine, "bad").await;
    let now = bench.land.clock.now();
    let mark = Purged {
        at: now,
        under: "retention.journal_days = 1".into(),
        bytes: 0,
    };
    let purged = bench.store.erase(move |tx| {
        let task = Task::Journals(now, mark.clone());
        Box::pin(async move { purge::step(tx, task).await })
    });
    let (removed, _) = purged.await.expect("it is purged");
    assert!(removed.rows > 0, "{removed:?}");
    let undone = undo_one(&engine, &bad).await;
    assert_eq!(undone.fate, Fate::PutBack, "{undone:?}");
    assert_eq!(in_cpq(&bench), Some(text("first")));
}
