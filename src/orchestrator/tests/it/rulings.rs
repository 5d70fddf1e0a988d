//! A person decides: what was decided is carried out once, or not at all when it no longer fits.

use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::conflict::{Choice, Conflict, ConflictState, Take};
use cpq_domain::id::ConflictId;
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_domain::value::Value;
use cpq_orchestrator::Engine;

use crate::bench::{Bench, LONG, lane, run_of, succeeded};
use crate::conflicts::{FIELD, conflicts, contested, held, text};
use crate::fakes::{Fate, Land};
use crate::scenes::LEASE;

pub fn choice(take: Take, value: Option<&str>) -> Choice {
    Choice {
        take,
        value: value.map(str::to_owned),
        by: "erin".into(),
        reason: Some("agreed by phone".into()),
    }
}

fn first() -> ConflictId {
    ConflictId::numbered(1)
}

/// Decides the first conflict, and waits for the run that carries it out.
async fn decide(engine: &Engine, take: Take, value: Option<&str>) -> Run {
    let ruled = engine
        .rule(&first(), None, &choice(take, value), false)
        .await
        .expect("decided");
    assert_eq!(ruled.conflicts, [first()]);
    let [run] = ruled.runs.as_slice() else {
        panic!("{ruled:?}")
    };
    assert_eq!(run.trigger, Trigger::Decision);
    engine.wait(run.id, LONG).await.expect("known")
}

async fn now(engine: &Engine) -> Conflict {
    engine.conflict(&first()).await.expect("it is there")
}

/// Both sides have the value, and a further look changes nothing.
async fn assert_settled_on(bench: &Bench, engine: &Engine, value: &Value) {
    assert_eq!(held(&bench.land), (Some(value.clone()), Some(value.clone())));
    let writes = || (bench.land.calls("cpq.write"), bench.land.calls("crm.write"));
    let before = writes();
    let run = succeeded(engine).await;
    assert_eq!(
        (writes(), run.outcome.expect("it succeeded").open_conflicts),
        (before, 0)
    );
    let one = now(engine).await;
    assert_eq!(
        (one.state, one.outcome.as_ref()),
        (ConflictState::Resolved, Some(value))
    );
}

const CHOICES: [(Take, Option<&str>, &str); 3] = [
    (Take::Crm, None, "rep's"),
    (Take::Cpq, None, "seller's"),
    (Take::Value, Some("third"), "third"),
];

#[tokio::test(start_paused = true)]
async fn the_chosen_value_reaches_both_sides_and_the_decision_names_the_person() {
    for (take, value, expected) in CHOICES {
        let bench = contested("review").await;
        let engine = bench.process("a").engine;
        succeeded(&engine).await;
        let run = decide(&engine, take, value).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
        assert_settled_on(&bench, &engine, &text(expected)).await;
        let one = now(&engine).await;
        assert!(
            one.reason.contains("erin") && one.reason.contains("agreed by phone"),
            "{}",
            one.reason
        );
        assert_eq!(one.correlation, run.correlation);
        let ruling = one.ruling.expect("kept");
        assert_eq!((ruling.crm, ruling.cpq), (text("rep's"), text("seller's")));
        let kept = bench
            .store
            .read(move |tx| Box::pin(cpq_store::decisions::of_run(tx, run.id)))
            .await;
        let kept: Vec<_> = kept
            .expect("read")
            .into_iter()
            .filter(|one| one.decision.field.as_str() == FIELD)
            .collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].decision.ruling, Some(first()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_about_values_that_changed_meanwhile_is_not_carried_out() {
    type Edit = fn(&Land);
    let edits: [(Edit, &str, &str); 2] = [
        (|land| land.rep(FIELD, text("newer")), "newer", "seller's"),
        (|land| land.seller_sets(FIELD, text("newer")), "rep's", "newer"),
    ];
    for (edit, crm, cpq) in edits {
        for (take, value, _) in CHOICES {
            let bench = contested("review").await;
            let engine = bench.process("a").engine;
            succeeded(&engine).await;
            bench.land.script("crm.read", [Fate::Edited(edit)]);
            // Whichever of the two reads comes second sees the edit; let it be both.
            bench.land.script("cpq.find", [Fate::Edited(edit)]);
            let run = decide(&engine, take, value).await;
            assert_eq!(run.state, RunState::Succeeded);
            assert_eq!(held(&bench.land), (Some(text(crm)), Some(text(cpq))));
            let one = now(&engine).await;
            assert_eq!((one.state, &one.ruling), (ConflictState::Open, &None));
            assert_eq!((&one.crm.value, &one.cpq.value), (&text(crm), &text(cpq)));
            assert!(
                one.reason.contains("a value changed since erin decided"),
                "{}",
                one.reason
            );
            succeeded(&engine).await;
            assert_eq!(now(&engine).await, one, "it goes on saying so");
            decide(&engine, Take::Value, Some("at last")).await;
            assert_settled_on(&bench, &engine, &text("at last")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_or_changed_conflict_is_not_decided_again() {
    let bench = contested("review").await;
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    let seen = now(&engine).await.version;
    bench.land.rep(FIELD, text("newer"));
    succeeded(&engine).await;
    let crm = choice(Take::Crm, None);
    let refused = engine
        .rule(&first(), Some(seen), &crm, false)
        .await
        .expect_err("changed");
    assert_eq!(refused.code, Code::ConflictOutdated);
    assert_eq!(now(&engine).await.ruling, None);
    decide(&engine, Take::Crm, None).await;
    let (before, runs) = (now(&engine).await, bench.runs().await.len());
    let refused = engine
        .rule(&first(), None, &crm, false)
        .await
        .expect_err("closed");
    assert_eq!(refused.code, Code::ConflictOutdated);
    let missing = engine
        .rule(&ConflictId::numbered(9), None, &crm, false)
        .await
        .expect_err("none");
    assert_eq!(missing.code, Code::NotFound);
    assert_eq!(
        (now(&engine).await, bench.runs().await.len()),
        (before, runs),
        "a refusal changes nothing"
    );
}

/// What one of the systems refuses must not stop every later sync of the opportunity.
#[tokio::test(start_paused = true)]
async fn a_decision_that_is_refused_is_taken_back_and_the_conflict_says_so() {
    let bench = contested("review").await;
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    bench.land.script("cpq.write", [Fate::Refused(Code::CpqRejected)]);
    let run = decide(&engine, Take::Value, Some("unheard of")).await;
    assert_eq!(run.state, RunState::Dead);
    let one = now(&engine).await;
    assert_eq!((one.state, &one.ruling), (ConflictState::Open, &None));
    assert!(one.reason.contains("CPQ_REJECTED"), "{}", one.reason);
    succeeded(&engine).await;
    decide(&engine, Take::Cpq, None).await;
    assert_settled_on(&bench, &engine, &text("seller's")).await;
}

#[tokio::test(start_paused = true)]
async fn one_decision_for_all_alike_makes_one_run_per_opportunity() {
    let bench = Bench::new().await;
    let numbers = ["OPP-4482", "OPP-2", "OPP-3"];
    numbers.iter().skip(1).for_each(|number| bench.land.add(number));
    let rules = [
        (FIELD, "crm", "review"),
        ("opportunity.next_step", "crm", "review"),
    ];
    bench.land.rules(&rules);
    let engine = bench.process("a").engine;
    let all = async || all_of(&engine, &numbers).await;
    let set = |number: &str, field: &str, crm: &str, cpq: Option<&str>| set(&bench, number, field, crm, cpq);
    for number in numbers {
        set(number, FIELD, "old", None);
        set(number, "opportunity.next_step", "old", None);
    }
    all().await;
    for number in numbers {
        set(number, FIELD, "rep's", Some("seller's"));
    }
    set("OPP-3", "opportunity.next_step", "rep's", Some("seller's"));
    all().await;
    assert_eq!(conflicts(&engine).await.len(), 4);

    let ruled = engine
        .rule(&first(), None, &choice(Take::Cpq, None), true)
        .await
        .expect("decided");
    assert_eq!(
        (ruled.conflicts.len(), ruled.runs.len(), ruled.more),
        (3, 3, false)
    );
    for run in &ruled.runs {
        assert_eq!(
            engine.wait(run.id, LONG).await.expect("known").state,
            RunState::Succeeded
        );
    }
    let states: Vec<_> = conflicts(&engine)
        .await
        .into_iter()
        .map(|one| (one.field.to_string(), one.state))
        .collect();
    let open: Vec<_> = states
        .iter()
        .filter(|(_, state)| *state == ConflictState::Open)
        .collect();
    assert_eq!(open, [&("opportunity.next_step".to_owned(), ConflictState::Open)]);
    for number in numbers {
        let crm = bench
            .land
            .crm()
            .read(&lane(number).opportunity, false)
            .expect("it is there")
            .view;
        assert_eq!(crm.get(FIELD), Some(&text("seller's")), "{number}");
    }
}

async fn all_of(engine: &Engine, numbers: &[&str]) {
    for number in numbers {
        let submitted = engine.submit(crate::bench::look_at(number)).await;
        let run = run_of(submitted.expect("accepted"));
        let ended = engine.wait(run.id, LONG).await.expect("known");
        assert_eq!(ended.state, RunState::Succeeded);
    }
}

fn set(bench: &Bench, number: &str, field: &str, crm: &str, cpq: Option<&str>) {
    let key = lane(number).opportunity;
    let (now, crm) = (bench.land.clock.now(), text(crm));
    let in_crm = |view: &mut cpq_domain::view::View| drop(view.fields.insert(field.into(), crm));
    bench.land.crm().change(&key, now, in_crm);
    if let Some(cpq) = cpq {
        bench.land.cpq().change(&key, now, |quote| {
            drop(quote.context.insert(field.into(), text(cpq)))
        });
    }
}

/// Whatever the process had done when it died, the decision is carried out once, by the next one.
#[tokio::test(start_paused = true)]
async fn a_crash_loses_no_decision() {
    for (take, value, expected) in CHOICES {
        let mut points = 0;
        for at in 0.. {
            let bench = contested("review").await;
            succeeded(&bench.process("before").engine).await;
            let process = bench.doomed("a", at);
            let engine = process.engine.clone();
            let chosen = choice(take, value);
            let decided = tokio::spawn(async move {
                let ruled = engine.rule(&first(), None, &chosen, false).await?;
                engine.wait(ruled.runs[0].id, LONG).await
            });
            let _ = decided.await;
            let over = process.life.is_over();
            process.life.end();
            process.engine.stop(LEASE).await;
            bench.land.clock.advance(LEASE);
            let next = bench.service("next");
            if now(&next).await.ruling.is_none() {
                // It died before the decision was taken in: nobody was told otherwise.
                assert_eq!(now(&next).await.state, ConflictState::Open);
                decide(&next, take, value).await;
            }
            while let Some(run) = bench
                .runs()
                .await
                .into_iter()
                .find(|run| !run.state.is_terminal())
            {
                next.wait(run.id, Duration::from_secs(600)).await.expect("known");
            }
            assert_settled_on(&bench, &next, &text(expected)).await;
            let effects = bench.land.cpq().effects.clone();
            let mut once = effects.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), effects.len(), "point {at}: a key had two effects");
            points += 1;
            if !over {
                break;
            }
        }
        println!("{take:?}: died at {points} points");
        assert!(points > 8);
    }
}
