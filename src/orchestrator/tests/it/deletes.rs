//! Records that are gone on one side, and come back.

use cpq_domain::Code;
use cpq_domain::deletion::{Answer, Deletes, Gone};
use cpq_domain::id::OpportunityKey;
use cpq_domain::quote::Status;
use cpq_domain::run::{Effect, Outcome, Run, RunState, Trigger};
use cpq_domain::value::Value;
use cpq_orchestrator::{Engine, EngineSettings, Submission};

use crate::bench::{Bench, LONG, lane, run_of, succeeded, sync};
use crate::fakes::{Fate, NUMBER};
use crate::scenes::LEASE;

fn key() -> OpportunityKey {
    OpportunityKey::new(NUMBER).expect("a key")
}

fn engine(bench: &Bench, deletes: Deletes) -> Engine {
    let settings = EngineSettings {
        deletes,
        ..EngineSettings::named("a")
    };
    let engine = bench.process_with(settings, None).engine;
    engine.start();
    engine
}

fn answering(opportunity: Answer) -> Deletes {
    Deletes {
        opportunity,
        ..Deletes::default()
    }
}

/// A bench whose opportunity and quote agree, and then the opportunity is in the bin.
async fn deleted(deletes: Deletes) -> (Bench, Engine) {
    let bench = Bench::new().await;
    let engine = engine(&bench, deletes);
    succeeded(&engine).await;
    bench.land.crm().delete(&key());
    (bench, engine)
}

fn decision() -> Submission {
    Submission::of(lane(NUMBER), Trigger::Decision)
}

fn outcome(run: &Run) -> &Outcome {
    run.outcome.as_ref().unwrap_or_else(|| panic!("{run:?}"))
}

async fn answer(engine: &Engine, gone: Gone, answer: Answer) -> Run {
    let submitted = engine
        .answer_deleted(decision(), gone, answer)
        .await
        .expect("taken");
    let run = run_of(submitted);
    assert_eq!(run.trigger, Trigger::Decision);
    engine.wait(run.id, LONG).await.expect("known")
}

#[tokio::test(start_paused = true)]
async fn a_deleted_opportunity_asks_and_names_both_ways_out() {
    let (bench, engine) = deleted(Deletes::default()).await;
    let run = sync(&engine).await;
    assert_eq!(run.state, RunState::Waiting, "{run:?}");
    let report = run.error.expect("a question");
    assert_eq!(report.code, Code::ReviewNeeded);
    for command in ["--answer archive", "--answer unlink", NUMBER] {
        assert!(report.details.next.contains(command), "{report:?}");
    }
    assert_eq!(
        bench.land.cpq().find(&key(), false).expect("a quote").status,
        Status::Draft
    );
    assert_eq!(
        (bench.land.calls("cpq.write"), bench.land.calls("crm.write")),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn the_answer_lets_the_sync_that_waits_go_on() {
    let (bench, engine) = deleted(Deletes::default()).await;
    let asked = sync(&engine).await;
    let decided = answer(&engine, Gone::Opportunity, Answer::Archive).await;
    let waited = engine.wait(asked.id, LONG).await.expect("known");
    assert_eq!(
        (decided.state, waited.state),
        (RunState::Succeeded, RunState::Succeeded)
    );
    let quote = bench.land.cpq().find(&key(), false).expect("a quote");
    assert_eq!(quote.status, Status::Cancelled);
    assert!(quote.reason.expect("a reason").contains("deleted in the CRM"));
    assert_eq!(bench.land.calls("cpq.transition"), 1);
}

#[tokio::test(start_paused = true)]
async fn archiving_cancels_the_quote_once_and_the_timeline_tells() {
    let (bench, engine) = deleted(answering(Answer::Archive)).await;
    let run = sync(&engine).await;
    assert_eq!(outcome(&run).quote_status, "cancelled");
    assert_eq!(
        (outcome(&run).effect, outcome(&run).cpq_writes),
        (Effect::Written, 1)
    );
    assert!(outcome(&run).warnings[0].contains("was deleted in the CRM"));
    let story = bench.story(run.id).await;
    for row in [
        "failed read.crm",
        "done fate.crm",
        "done decide.deleted",
        "intent archive.cpq",
        "done archive.cpq",
    ] {
        assert!(story.contains(&row.to_owned()), "{row}: {story:?}");
    }
    let again = sync(&engine).await;
    assert_eq!(outcome(&again).effect, Effect::NoChange);
    assert_eq!(bench.land.calls("cpq.transition"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_quote_that_cannot_be_cancelled_is_left_and_reported() {
    let (bench, engine) = deleted(answering(Answer::Archive)).await;
    bench.land.seller(|quote| quote.status = Status::Ordered);
    let run = sync(&engine).await;
    assert_eq!(outcome(&run).effect, Effect::NoChange);
    assert!(
        outcome(&run).warnings[0].contains("cannot be cancelled"),
        "{run:?}"
    );
    assert_eq!(bench.land.calls("cpq.transition"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_cancellation_is_read_back() {
    for (what, fate) in [
        ("applied", Fate::LostApplied),
        ("not applied", Fate::LostUnapplied),
        ("late", Fate::LostLate),
    ] {
        let (bench, engine) = deleted(answering(Answer::Archive)).await;
        bench.land.script("cpq.transition", [fate]);
        let run = sync(&engine).await;
        assert_eq!(outcome(&run).quote_status, "cancelled", "{what}");
        bench.land.deliver_late();
        let effects = bench.land.cpq().effects.len();
        assert_eq!(effects, 2, "{what}: one write and one cancellation");
    }
}

/// Wherever the process dies, the next one cancels the quote, and only once.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_point_leads_to_one_cancellation() {
    let settings = || EngineSettings {
        deletes: answering(Answer::Archive),
        ..EngineSettings::named("doomed")
    };
    for at in 0.. {
        let (bench, before) = deleted(answering(Answer::Archive)).await;
        before.stop(LONG).await;
        let doomed = bench.process_with(settings(), Some(at));
        let dying = doomed.engine.clone();
        let _ = tokio::spawn(async move { sync(&dying).await }).await;
        let over = doomed.life.is_over();
        doomed.life.end();
        doomed.engine.stop(LEASE).await;
        bench.land.clock.advance(LEASE);
        let run = sync(&engine(&bench, answering(Answer::Archive))).await;
        assert_eq!(outcome(&run).quote_status, "cancelled", "point {at}");
        let effects = bench.land.cpq().effects.clone();
        assert_eq!(
            effects.len(),
            2,
            "point {at}: one write and one cancellation, {effects:?}"
        );
        if !over {
            assert!(at > 5, "only {at} points were passed");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_is_not_deleted() {
    for deletes in [
        answering(Answer::Archive),
        answering(Answer::Unlink),
        Deletes::default(),
    ] {
        let bench = Bench::new().await;
        let engine = engine(&bench, deletes);
        succeeded(&engine).await;
        bench.land.crm().hide();
        let run = sync(&engine).await;
        assert_eq!(run.state, RunState::Dead);
        assert_eq!(run.error.expect("why").code, Code::OpportunityNotFound);
        assert_eq!(
            bench.land.cpq().find(&key(), false).expect("a quote").status,
            Status::Draft
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_opportunity_that_we_never_saw_is_not_found_without_another_call() {
    let bench = Bench::new().await;
    let engine = engine(&bench, answering(Answer::Archive));
    bench.land.crm().delete(&key());
    let run = sync(&engine).await;
    assert_eq!(run.error.expect("why").code, Code::OpportunityNotFound);
    assert_eq!(bench.land.calls("crm.fate"), 0);
    let refused = engine
        .answer_deleted(decision(), Gone::Opportunity, Answer::Unlink)
        .await;
    assert_eq!(refused.expect_err("refused").code, Code::OpportunityNotFound);
    let refused = engine
        .answer_deleted(decision(), Gone::Opportunity, Answer::Recreate)
        .await;
    assert_eq!(refused.expect_err("refused").code, Code::RequestInvalid);
}

#[tokio::test(start_paused = true)]
async fn an_unlinked_pair_meets_anew_when_the_opportunity_comes_back() {
    let (bench, engine) = deleted(answering(Answer::Unlink)).await;
    let run = sync(&engine).await;
    assert_eq!(
        (outcome(&run).effect, outcome(&run).cpq_writes),
        (Effect::NoChange, 0)
    );
    bench.land.seller(|quote| quote.name = "renamed meanwhile".into());
    sync(&engine).await;
    assert_eq!(
        (bench.land.calls("cpq.write"), bench.land.calls("crm.write")),
        (1, 1)
    );

    bench.land.crm().undelete(&key());
    bench.land.rep_wants(12);
    let back = succeeded(&engine).await;
    assert_eq!(outcome(&back).quote_number, "Q-2026-0137");
    assert!(!outcome(&back).created);
    assert_eq!(bench.land.facts().quotes, 1);
    let journal = bench.journal(back.id).await;
    let decided = journal
        .iter()
        .find(|event| event.step == "decide")
        .expect("a decision");
    assert!(
        decided.data.text().contains("first sync; the CRM owns it"),
        "{}",
        decided.data.text()
    );
    // Deleted once more, it is a new question, not an old answer.
    assert_eq!(
        succeeded(&engine).await.outcome.expect("it ended").effect,
        Effect::NoChange
    );
    bench.land.crm().delete(&key());
    let run = sync(&self::engine(&bench, Deletes::default())).await;
    assert_eq!(run.state, RunState::Waiting, "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_quote_stays_cancelled_when_the_opportunity_comes_back() {
    let (bench, engine) = deleted(answering(Answer::Archive)).await;
    sync(&engine).await;
    bench.land.crm().undelete(&key());
    let run = succeeded(&engine).await;
    assert_eq!(outcome(&run).quote_status, "cancelled");
    assert!(!outcome(&run).created);
    assert_eq!(bench.land.facts().crm.text("quote.status"), Some("cancelled"));
    assert_eq!(bench.land.facts().quotes, 1);
}

/// The quote's own record was made by the first sync, and then a person deleted it.
async fn record_deleted(answer: Answer) -> (Bench, Engine) {
    let bench = Bench::new().await;
    bench.land.crm().keeps_records = true;
    bench.land.rep("quote_record.key", Value::Null);
    let deletes = Deletes {
        quote_record: answer,
        ..Deletes::default()
    };
    let engine = engine(&bench, deletes);
    succeeded(&engine).await;
    assert_eq!(bench.land.facts().crm.text("quote_record.key"), Some("quote-137"));
    bench.land.rep("quote_record.key", Value::Null);
    (bench, engine)
}

fn record(bench: &Bench) -> Option<String> {
    bench.land.facts().crm.text("quote_record.key").map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn a_deleted_quote_record_is_not_made_again_and_the_rest_goes_on() {
    let (bench, engine) = record_deleted(Answer::Unlink).await;
    for quantity in [11, 12] {
        bench.land.rep_wants(quantity);
        let run = succeeded(&engine).await;
        assert_eq!((outcome(&run).cpq_writes, outcome(&run).crm_writes), (1, 1));
        assert!(
            outcome(&run)
                .warnings
                .iter()
                .any(|told| told.contains("--answer recreate")),
            "{run:?}"
        );
        assert_eq!(record(&bench), None);
    }
    let plan = engine.dry_run(&lane(NUMBER)).await.expect("planned");
    assert_eq!(plan.effect, Effect::NoChange, "{plan:?}");
    answer(&engine, Gone::QuoteRecord, Answer::Recreate).await;
    assert_eq!(record(&bench).as_deref(), Some("quote-137"));
    // The answer is used up.
    bench.land.rep("quote_record.key", Value::Null);
    succeeded(&engine).await;
    assert_eq!(record(&bench), None);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_quote_record_asks_or_is_made_again_where_that_is_configured() {
    let (bench, engine) = record_deleted(Answer::Ask).await;
    bench.land.rep_wants(11);
    let asked = sync(&engine).await;
    assert_eq!(asked.state, RunState::Waiting, "{asked:?}");
    answer(&engine, Gone::QuoteRecord, Answer::Unlink).await;
    let went_on = engine.wait(asked.id, LONG).await.expect("known");
    assert_eq!(went_on.state, RunState::Succeeded);
    assert_eq!(record(&bench), None);

    let (bench, engine) = record_deleted(Answer::Recreate).await;
    succeeded(&engine).await;
    assert_eq!(record(&bench).as_deref(), Some("quote-137"));
}

#[tokio::test(start_paused = true)]
async fn a_quote_that_is_gone_is_not_made_again_by_itself() {
    let bench = Bench::new().await;
    let engine = engine(&bench, Deletes::default());
    succeeded(&engine).await;
    bench.land.cpq().quotes.clear();
    let asked = sync(&engine).await;
    assert_eq!(asked.state, RunState::Waiting, "{asked:?}");
    assert_eq!(bench.land.facts().quotes, 0);
    let refused = engine.dry_run(&lane(NUMBER)).await.expect_err("it would not");
    assert_eq!(refused.code, Code::ReviewNeeded);

    let left = answer(&engine, Gone::Quote, Answer::Unlink).await;
    assert_eq!(
        (outcome(&left).effect, outcome(&left).quote_status.as_str()),
        (Effect::NoChange, "deleted")
    );
    assert_eq!(bench.land.facts().quotes, 0);

    let made = answer(&engine, Gone::Quote, Answer::Recreate).await;
    assert!(outcome(&made).created, "{made:?}");
    assert_eq!(bench.land.facts().quotes, 1);
    assert_eq!(
        succeeded(&engine).await.outcome.expect("it ended").effect,
        Effect::NoChange
    );
}

#[tokio::test(start_paused = true)]
async fn a_search_that_lags_behind_is_not_a_quote_that_is_gone() {
    let bench = Bench::new().await;
    let engine = engine(&bench, Deletes::default());
    succeeded(&engine).await;
    bench.land.script("cpq.find", [Fate::Stale]);
    let run = succeeded(&engine).await;
    assert!(!outcome(&run).created);
    assert_eq!(bench.land.facts().quotes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_its_owner_removed_does_not_come_back() {
    let bench = Bench::new().await;
    let engine = engine(&bench, Deletes::default());
    succeeded(&engine).await;
    let now = bench.land.clock.now();
    bench.land.crm().change(&key(), now, |view| view.lines.clear());
    for _ in 0..2 {
        succeeded(&engine).await;
        let facts = bench.land.facts();
        assert!(
            facts.crm.lines.is_empty() && facts.cpq.lines.is_empty(),
            "{facts:?}"
        );
    }
}
