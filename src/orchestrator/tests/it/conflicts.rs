//! Edits that lose, and fields that wait for a person: what is kept of them, and that nothing else waits.

use cpq_domain::change::{ChangeKind, Hint};
use cpq_domain::conflict::{Conflict, ConflictState};
use cpq_domain::run::RunState;
use cpq_domain::value::Value;
use cpq_orchestrator::{Engine, Submission};
use cpq_store::conflicts::Filter;

use crate::bench::{Bench, LONG, look_at, run_of, succeeded};
use crate::fakes::{Fate, Land, NUMBER};

pub const FIELD: &str = "opportunity.description";

pub fn text(value: &str) -> Value {
    Value::text(value)
}

/// All conflicts, oldest first.
pub async fn conflicts(engine: &Engine) -> Vec<Conflict> {
    let all = Filter {
        limit: 200,
        ..Filter::default()
    };
    let mut found = engine.conflicts(all).await.expect("read");
    found.reverse();
    found
}

/// Both sides agree on `old`, then both change it, under `policy`.
pub async fn contested(policy: &str) -> Bench {
    let bench = Bench::new().await;
    bench.land.rule(FIELD, "crm", policy);
    bench.land.rep(FIELD, text("old"));
    succeeded(&bench.process("before").engine).await;
    bench.land.clock.advance(std::time::Duration::from_secs(60));
    bench.land.rep(FIELD, text("rep's"));
    bench.land.seller_sets(FIELD, text("seller's"));
    bench
}

pub fn held(land: &Land) -> (Option<Value>, Option<Value>) {
    let facts = land.facts();
    (facts.crm.get(FIELD).cloned(), facts.cpq.get(FIELD).cloned())
}

#[tokio::test(start_paused = true)]
async fn a_field_that_waits_for_a_person_keeps_both_values_and_blocks_nothing_else() {
    let bench = contested("review").await;
    bench.land.rep("opportunity.name", text("Acme, renamed"));
    bench.land.rep_wants(12);
    bench.land.seller_gives(10);
    let engine = bench.process("a").engine;
    let run = succeeded(&engine).await;
    assert_eq!(run.outcome.expect("it succeeded").open_conflicts, 1);
    let facts = bench.land.facts();
    assert_eq!(held(&bench.land), (Some(text("rep's")), Some(text("seller's"))));
    assert_eq!(facts.cpq.get("opportunity.name"), Some(&text("Acme, renamed")));
    assert_eq!(facts.crm.get("quote.net_total"), facts.cpq.get("quote.net_total"));
    assert_eq!(
        facts
            .crm
            .lines
            .values()
            .next()
            .map(|line| line["line.quantity"].clone()),
        Some(Value::Number(12.into()))
    );

    let open = conflicts(&engine).await;
    let [one] = open.as_slice() else {
        panic!("{open:?}")
    };
    assert_eq!(
        (one.id.as_str(), one.state, one.version),
        ("cf-001", ConflictState::Open, 1)
    );
    assert_eq!((one.opportunity(), one.field.as_str()), (NUMBER, FIELD));
    assert_eq!(
        (&one.base.crm, &one.base.cpq),
        (&Some(text("old")), &Some(text("old")))
    );
    assert_eq!(
        (&one.crm.value, &one.cpq.value),
        (&text("rep's"), &text("seller's"))
    );
    assert_eq!((one.correlation.clone(), one.closed_at), (run.correlation, None));
}

/// The agreement stays what it was while the field waits; else the next look takes one of the two edits for agreed.
#[tokio::test(start_paused = true)]
async fn a_conflict_stays_one_and_untouched_however_often_a_sync_looks() {
    let bench = contested("review").await;
    let engine = bench.process("a").engine;
    for _ in 0..4 {
        let run = succeeded(&engine).await;
        assert_eq!(run.outcome.expect("it succeeded").open_conflicts, 1);
        assert_eq!(held(&bench.land), (Some(text("rep's")), Some(text("seller's"))));
    }
    bench.land.rep(FIELD, text("rep's second thought"));
    bench.land.seller_gives(10);
    let run = succeeded(&engine).await;
    let open = conflicts(&engine).await;
    let [one] = open.as_slice() else {
        panic!("{open:?}")
    };
    assert_eq!(
        (one.id.as_str(), one.state, one.version),
        ("cf-001", ConflictState::Open, 2)
    );
    assert_eq!(
        (&one.crm.value, &one.cpq.value),
        (&text("rep's second thought"), &text("seller's"))
    );
    assert_eq!(
        (&one.base.crm, &one.correlation),
        (&Some(text("old")), &run.correlation)
    );
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_loses_is_kept() {
    let bench = contested("always").await;
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    succeeded(&engine).await;
    let all = conflicts(&engine).await;
    let [one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(
        (one.state, &one.outcome),
        (ConflictState::Settled, &Some(text("rep's")))
    );
    assert_eq!(
        (&one.crm.value, &one.cpq.value),
        (&text("rep's"), &text("seller's"))
    );
    assert!(
        one.closed_at.is_some() && one.reason.contains("owns it"),
        "{}",
        one.reason
    );
    assert_eq!(held(&bench.land), (Some(text("rep's")), Some(text("rep's"))));
    bench.land.seller_sets(FIELD, text("seller's, again"));
    succeeded(&engine).await;
    assert_eq!(conflicts(&engine).await.len(), 2, "each edit that loses is kept");
}

/// The answer to the write that overwrites an edit is lost, and the quote is edited anew before anybody looks. Where the
/// CPQ remembers no keys the run starts over, and finds nothing any more of the first edit.
#[tokio::test(start_paused = true)]
async fn an_edit_that_loses_to_a_lost_write_is_kept_when_the_sync_starts_over() {
    let bench = contested("always").await;
    bench.land.cpq().forgets_keys = true;
    bench.land.script("cpq.write", [Fate::LostApplied]);
    let again = |land: &Land| land.seller_sets(FIELD, text("seller's second"));
    bench.land.script("cpq.find", [Fate::Ok, Fate::Edited(again)]);
    let engine = bench.service("a");
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let ended = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!((ended.state, ended.restarts), (RunState::Succeeded, 1));
    assert_eq!(held(&bench.land), (Some(text("rep's")), Some(text("rep's"))));
    let kept: Vec<Value> = conflicts(&engine)
        .await
        .into_iter()
        .map(|one| one.cpq.value)
        .collect();
    assert_eq!(kept, [text("seller's"), text("seller's second")]);
}

#[tokio::test(start_paused = true)]
async fn who_changed_it_is_told_by_the_event_that_names_the_field_or_by_the_record() {
    let hint = |event: &str, field: &str| Hint {
        source: "pubsub /data/OpportunityChangeEvent".into(),
        event: Some(event.into()),
        kind: ChangeKind::Changed,
        at: Some("2026-03-02T08:00:00Z".parse().expect("a moment")),
        by: Some("005SUE".into()),
        ours: false,
        fields: vec![field.into()],
    };
    for named in [true, false] {
        let bench = contested("review").await;
        let engine = bench.process("a").engine;
        let field = if named { FIELD } else { "opportunity.stage" };
        let submission = Submission {
            hints: vec![
                hint("e-1", field),
                hint("e-2", field),
                hint("e-3", "account.name"),
            ],
            ..look_at(NUMBER)
        };
        let run = run_of(engine.submit(submission).await.expect("accepted"));
        assert_eq!(
            engine.wait(run.id, LONG).await.expect("known").state,
            RunState::Succeeded
        );
        let one = conflicts(&engine).await.remove(0);
        let told = (
            one.crm.by.as_deref(),
            one.crm.event.as_deref(),
            one.crm.source.as_deref(),
        );
        let (record, sources) = (Some("record"), Some("pubsub /data/OpportunityChangeEvent"));
        match named {
            true => assert_eq!(told, (Some("005SUE"), Some("e-2"), sources)),
            false => assert_eq!(
                (told, one.crm.name.as_deref()),
                ((Some("005REP"), None, record), Some("Erin Rep"))
            ),
        }
        assert!(one.cpq.at.is_some_and(|at| at <= run.created_at));
        assert_eq!(one.cpq.source.as_deref(), record);
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_ends_when_both_agree_or_the_matrix_no_longer_asks() {
    type End = fn(&Land);
    let ends: [(&str, End, ConflictState, Option<&str>); 4] = [
        (
            "both say the same",
            |land| land.seller_sets(FIELD, text("rep's")),
            ConflictState::Obsolete,
            Some("rep's"),
        ),
        (
            "both take it back",
            |land| {
                land.seller_sets(FIELD, text("old"));
                land.rep(FIELD, text("old"));
            },
            ConflictState::Obsolete,
            Some("old"),
        ),
        (
            "the rule has an owner",
            |land| land.rule(FIELD, "crm", "always"),
            ConflictState::Settled,
            Some("rep's"),
        ),
        (
            "the field is not synced",
            |land| land.rule(FIELD, "crm", "never"),
            ConflictState::Obsolete,
            None,
        ),
    ];
    for (what, end, state, outcome) in ends {
        let bench = contested("review").await;
        let engine = bench.process("a").engine;
        succeeded(&engine).await;
        end(&bench.land);
        succeeded(&engine).await;
        let all = conflicts(&engine).await;
        let [one] = all.as_slice() else {
            panic!("{what}: {all:?}")
        };
        assert_eq!(
            (one.state, one.outcome.clone()),
            (state, outcome.map(text)),
            "{what}: {}",
            one.reason
        );
        assert!(one.closed_at.is_some(), "{what}");
    }
}

/// The CPQ was written, and the sync starts over because somebody changed the CRM: what lost before counts once.
#[tokio::test(start_paused = true)]
async fn a_run_that_starts_over_tells_of_a_lost_edit_once() {
    for fate in [
        Fate::Edited(|land: &Land| land.rep_prices(30)),
        Fate::LostUnapplied,
    ] {
        let bench = contested("always").await;
        bench.land.seller_gives(10);
        bench.land.script("crm.write", [fate]);
        let engine = bench.service("a");
        let run = succeeded(&engine).await;
        let all = conflicts(&engine).await;
        let [one] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            (one.state, &one.correlation),
            (ConflictState::Settled, &run.correlation)
        );
        assert_eq!(one.cpq.value, text("seller's"));
    }
}

/// A write to the CPQ arrives, its answer is lost, and a seller changes another field that was sent: the write is not in
/// place, and its repeat is refused. What it left in the quote is agreed on all the same, and no edit of a seller.
#[tokio::test(start_paused = true)]
async fn what_a_lost_write_left_in_the_quote_is_nobodys_edit() {
    const NAME: &str = "opportunity.name";
    let bench = Bench::new().await;
    bench.land.rule(FIELD, "crm", "review");
    bench.land.rep(FIELD, text("old"));
    succeeded(&bench.process("before").engine).await;
    bench.land.clock.advance(std::time::Duration::from_secs(60));
    bench.land.cpq().forgets_keys = true;
    bench.land.rep(FIELD, text("new"));
    bench.land.rep(NAME, text("Acme, renamed"));
    let renamed = |land: &Land| land.seller_sets(NAME, text("seller's"));
    bench.land.script("cpq.find", [Fate::Ok, Fate::Edited(renamed)]);
    let edited = |land: &Land| land.rep(FIELD, text("newer"));
    bench
        .land
        .script("cpq.write", [Fate::LostApplied, Fate::Edited(edited)]);
    let engine = bench.service("a");
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!((run.state, run.restarts), (RunState::Succeeded, 1));
    assert!(bench.land.wire().is_played());
    assert_eq!(held(&bench.land), (Some(text("newer")), Some(text("newer"))));
    let asked = conflicts(&engine).await;
    assert!(asked.iter().all(|one| one.field.as_str() != FIELD), "{asked:?}");
}
