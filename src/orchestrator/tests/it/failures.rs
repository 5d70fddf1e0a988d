//! Where each failure leads.

use cpq_domain::Code;
use cpq_domain::error::Class;
use cpq_domain::event::EventKind;
use cpq_domain::id::{ConnectionName, QuoteId, QuoteNumber, RecordId};
use cpq_domain::run::{Run, RunState};
use cpq_domain::value::Value;
use cpq_store::links::{self, Link};
use std::sync::Arc;
use std::time::Duration;

use crate::bench::{Bench, LONG, count, keyed, look_at, run_of, succeeded, sync};
use crate::fakes::{Fate, Gate, NUMBER};

/// What a failure must lead to. A closed list: a new class has to be put somewhere here too.
enum Way {
    Parked,
    Restarted,
    Waiting,
    Dead,
}

fn way(code: Code) -> Way {
    match code.class() {
        _ if code == Code::CrmAmbiguous => Way::Dead,
        Class::Conflict | Class::Duplicate => Way::Restarted,
        Class::AuthExpired | Class::Locked | Class::RateLimited => Way::Parked,
        Class::Unavailable | Class::UnknownOutcome => Way::Parked,
        Class::AuthRevoked => Way::Waiting,
        Class::Forbidden | Class::NotFound | Class::Merged | Class::Validation => Way::Dead,
        Class::CursorExpired | Class::SchemaDrift | Class::Unsupported | Class::Protocol => Way::Dead,
    }
}

/// The run of a process that does not take it up again, once nothing moves any more.
async fn after(bench: &Bench) -> Run {
    let engine = bench.process("a").engine;
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    engine
        .wait(run.id, Duration::from_millis(1))
        .await
        .expect("known")
}

#[tokio::test(start_paused = true)]
async fn every_code_leads_where_its_class_says() {
    for call in ["crm.read", "cpq.write", "crm.write"] {
        for code in Code::ALL {
            let bench = Bench::new().await;
            bench.land.script(call, [Fate::Refused(*code)]);
            let run = after(&bench).await;
            let journal = bench.journal(run.id).await;
            let told = run.error.as_ref().map(|report| report.code);
            let (state, kind) = match way(*code) {
                Way::Parked => (RunState::Parked, EventKind::Parked),
                Way::Restarted => (RunState::Succeeded, EventKind::Restarted),
                Way::Waiting => (RunState::Waiting, EventKind::Waiting),
                Way::Dead => (RunState::Dead, EventKind::Dead),
            };
            assert_eq!((run.state, count(&journal, kind)), (state, 1), "{call} {code}");
            let failed = state != RunState::Succeeded;
            assert_eq!(told, failed.then_some(*code), "{call} {code}");
            assert_eq!(run.tries, u32::from(state == RunState::Parked), "{call} {code}");
            assert_eq!(
                run.due_at > run.created_at,
                state == RunState::Parked,
                "{call} {code}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_starts_over_in_the_same_run_with_fresh_reads() {
    let bench = Bench::new().await;
    bench
        .land
        .script("crm.write", [Fate::Edited(|land| land.rep_wants(12))]);
    let run = succeeded(&bench.process("a").engine).await;
    assert_eq!((run.attempt, run.restarts, run.tries), (1, 1, 0));
    assert_eq!(bench.runs().await.len(), 1);
    assert_eq!(bench.land.calls("crm.read"), 2);
    let keys = bench.land.cpq().effects.clone();
    assert_eq!(
        keys,
        [
            format!("cpq:{}:0:write.cpq", run.id),
            format!("cpq:{}:1:write.cpq", run.id)
        ]
    );
    let story = bench.story(run.id).await;
    let restarted = story
        .iter()
        .position(|row| row == "restarted run")
        .expect("it is told");
    assert_eq!(story[restarted + 1], "done read.crm");
}

#[tokio::test(start_paused = true)]
async fn a_dead_grant_waits_for_a_person_and_goes_on_where_it_stopped() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    bench
        .land
        .script("crm.write", [Fate::Refused(Code::TokenExpired)]);
    let waiting = sync(&engine).await;
    assert_eq!(waiting.state, RunState::Waiting);
    assert_eq!(waiting.answer().0, 424);
    let other = ConnectionName::new("other").expect("a name");
    assert_eq!(engine.resume(&other).await.expect("resumed"), 0);
    bench.land.clock.advance(Duration::from_secs(3600));
    assert_eq!(engine.resume(&waiting.lane.connection).await.expect("resumed"), 1);
    let ended = engine.wait(waiting.id, LONG).await.expect("known");
    assert_eq!((ended.state, ended.error), (RunState::Succeeded, None));
    assert_eq!(
        (bench.land.calls("cpq.write"), bench.land.calls("crm.write")),
        (1, 2)
    );
    let journal = bench.journal(ended.id).await;
    assert_eq!(count(&journal, EventKind::Requeued), 1);
    crate::bench::assert_gap_free(&journal);
}

/// The login comes between the CRM's refusal and the moment at which the run is stored as waiting.
#[tokio::test(start_paused = true)]
async fn a_login_that_comes_before_a_sync_waits_lets_it_go_on() {
    for elsewhere in [false, true] {
        let bench = Bench::new().await;
        let engine = bench.service("a");
        let login = match elsewhere {
            true => bench.process("b").engine,
            false => engine.clone(),
        };
        let gate = Arc::new(Gate::default());
        bench.land.script(
            "crm.write",
            [Fate::HeldAndRefused(gate.clone(), Code::TokenExpired)],
        );
        let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
        gate.arrival().await;
        assert_eq!(login.resume(&run.lane.connection).await.expect("resumed"), 0);
        gate.open();
        let ended = engine.wait(run.id, LONG).await.expect("known");
        assert_eq!((ended.state, ended.error), (RunState::Succeeded, None));
        let journal = bench.journal(ended.id).await;
        assert_eq!(count(&journal, EventKind::Requeued), 1);
        crate::bench::assert_gap_free(&journal);
        // And a login counts once: a grant that dies later waits for the next.
        bench.land.script("crm.read", [Fate::Refused(Code::TokenExpired)]);
        let waiting = sync(&engine).await;
        assert_eq!(waiting.state, RunState::Waiting);
        assert_eq!(login.resume(&run.lane.connection).await.expect("resumed"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_adapter_ends_its_run_and_nothing_else() {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    for call in ["crm.read", "cpq.write", "crm.write"] {
        bench.land.script(call, [Fate::Panics]);
        let run = sync(&engine).await;
        let told = run.error.as_ref().map(|report| report.code);
        assert_eq!(
            (run.state, told),
            (RunState::Dead, Some(Code::Internal)),
            "{call}"
        );
        bench
            .land
            .rep_wants(20 + i64::try_from(call.len()).expect("short"));
    }
    succeeded(&engine).await;
    assert_eq!(bench.land.facts().quotes, 1);
}

/// The end of a run cannot be stored because the opportunity's revision is linked to another quote: the run ends with
/// that diagnosis instead of being held for ever.
#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_for_good_ends_the_run() {
    let bench = Bench::new().await;
    let link = Link {
        connection: ConnectionName::new("crm").expect("a name"),
        opportunity_id: RecordId::new("OPP4482").expect("an id"),
        opportunity_number: None,
        quote_root_id: QuoteId::new("quote-of-old").expect("an id"),
        quote_number: QuoteNumber::new("Q-2025-0001").expect("a number"),
        revision: 1,
    };
    let put = bench
        .store
        .write(move |tx| Box::pin(async move { links::put(tx, &link).await }));
    put.await.expect("stored");
    let engine = bench.service("a");
    let run = run_of(engine.submit(keyed("k-1", NUMBER)).await.expect("accepted"));
    let run = engine
        .wait(run.id, Duration::from_secs(600))
        .await
        .expect("known");
    let told = run.error.as_ref().map(|report| report.code);
    assert_eq!((run.state, told), (RunState::Dead, Some(Code::QuoteDuplicate)));
    let journal = bench.journal(run.id).await;
    assert_eq!(journal.last().map(|event| event.kind), Some(EventKind::Dead));
    crate::bench::assert_gap_free(&journal);
    let repeated = engine.submit(keyed("k-1", NUMBER)).await.expect("answered");
    assert!(
        matches!(
            repeated,
            cpq_orchestrator::Submitted::Replayed { status: 409, .. }
        ),
        "{repeated:?}"
    );
}

/// While the disk is full nothing can be written down, so nothing is sent and nothing is told. Once there is room the
/// run goes on, in the same process.
#[tokio::test(start_paused = true)]
async fn a_run_outlives_a_full_disk() {
    for call in ["crm.read", "cpq.write", "crm.write"] {
        let bench = Bench::new().await;
        // What is to be stored is larger than what free space there may be in the pages of the file.
        bench.land.rep("account.name", Value::text("Acme ".repeat(4_000)));
        let engine = bench.service("a");
        let gate = std::sync::Arc::new(crate::fakes::Gate::default());
        bench.land.script(call, [Fate::Held(gate.clone())]);
        let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
        gate.arrival().await;
        pragma(&bench, "PRAGMA max_page_count = 1").await;
        gate.open();
        let still = engine
            .wait(run.id, Duration::from_secs(120))
            .await
            .expect("known");
        assert!(!still.state.is_terminal(), "{call}: {still:?}");
        if call == "crm.read" {
            assert!(
                bench.land.cpq().effects.is_empty(),
                "sent without a durable intent"
            );
        }
        pragma(&bench, "PRAGMA max_page_count = 100000").await;
        let ended = engine
            .wait(run.id, Duration::from_secs(3600))
            .await
            .expect("known");
        assert_eq!(ended.state, RunState::Succeeded, "{call}: {:?}", ended.error);
        assert_eq!(
            (bench.land.facts().quotes, bench.land.crm().effects.len()),
            (1, 1),
            "{call}"
        );
    }
}

async fn pragma(bench: &Bench, text: &'static str) {
    let told = bench
        .store
        .write(move |tx| Box::pin(async move { tx.query(text, &[]).await.map(drop) }));
    told.await.expect("told");
}
