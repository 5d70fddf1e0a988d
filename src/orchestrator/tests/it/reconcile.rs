//! Reconcile: what differs is found with its cause, what does not is not told, and an hour is green only if all agrees.

use std::time::Duration;

use cpq_domain::adapter::CallBudget;
use cpq_domain::certificate::{Object, Verdict};
use cpq_domain::id::{ConnectionName, LineKey, OpportunityKey};
use cpq_domain::quote::Status;
use cpq_domain::reconcile::{AskedBy, Fate, Order, Phase, Reconciliation, State};
use cpq_domain::run::RunState;
use cpq_domain::value::Value;
use cpq_domain::{Code, view::View};
use cpq_orchestrator::Engine;
use cpq_store::certificates::{self, Certificate, Filter};
use cpq_store::reconcile_records;

use crate::bench::{Bench, LONG, look_at, run_of};
use crate::fakes::{Fate as Wire, Gate, LINE, NUMBER};

fn key(number: &str) -> OpportunityKey {
    OpportunityKey::new(number).expect("a key")
}

fn crm() -> ConnectionName {
    ConnectionName::new("crm").expect("a name")
}

fn order(repair: bool) -> Order {
    Order {
        connection: crm(),
        since: None,
        repair,
        asked_by: AskedBy::Request,
    }
}

/// A bench with so many opportunities, each with its quote.
async fn synced(count: usize) -> (Bench, Engine) {
    let bench = Bench::new().await;
    let engine = bench.service("a");
    for number in 1..count {
        bench.land.add(&format!("OPP-{number:04}"));
    }
    for number in 1..count {
        sync(&engine, &format!("OPP-{number:04}")).await;
    }
    sync(&engine, NUMBER).await;
    (bench, engine)
}

async fn sync(engine: &Engine, number: &str) {
    let run = run_of(engine.submit(look_at(number)).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
}

async fn ended(engine: &Engine, one: &Reconciliation) -> Reconciliation {
    loop {
        let now = engine.reconciliation(one.id).await.expect("known");
        if now.state != State::Running {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn reconcile(engine: &Engine, order: Order) -> Reconciliation {
    let one = engine.reconcile(order).await.expect("started");
    let ended = ended(engine, &one).await;
    assert_eq!(ended.state, State::Done, "{:?}", ended.error);
    ended
}

/// What was found, as `object.field cause count`.
fn found(one: &Reconciliation) -> Vec<String> {
    let mut told: Vec<String> = one
        .told
        .found
        .fields
        .iter()
        .map(|count| {
            let field = count.field.as_ref().map_or("record", |field| field.as_str());
            format!("{field} {} {}", count.cause.as_str(), count.count)
        })
        .collect();
    told.sort();
    told
}

async fn certificates(bench: &Bench) -> Vec<Certificate> {
    let filter = Filter {
        connection: crm(),
        since: None,
        verdict: None,
        after: None,
        limit: 200,
    };
    let read = bench
        .store
        .read(move |tx| Box::pin(async move { certificates::list(tx, &filter).await }));
    read.await.expect("read")
}

fn verdicts(certificates: &[Certificate], object: Object) -> Vec<Verdict> {
    let of = certificates.iter().filter(|one| one.object == object);
    of.map(|one| one.verdict).collect()
}

fn edit(bench: &Bench, number: &str, change: impl FnOnce(&mut View)) {
    bench
        .land
        .crm()
        .change(&key(number), bench.land.clock.now(), change);
}

#[tokio::test(start_paused = true)]
async fn two_sides_that_agree_are_green_and_nothing_is_written() {
    let (bench, engine) = synced(5).await;
    let writes = |bench: &Bench| (bench.land.calls("crm.write"), bench.land.calls("cpq.write"));
    let before = writes(&bench);
    let one = reconcile(&engine, order(true)).await;
    assert_eq!(
        (found(&one), one.told.looked_at, one.told.quotes_counted),
        (vec![], 5, 5)
    );
    assert_eq!(
        (one.told.api_calls, writes(&bench)),
        (1, before),
        "one page, no second look"
    );
    let certificates = certificates(&bench).await;
    assert!(
        certificates.iter().all(|one| one.verdict == Verdict::Green),
        "{certificates:#?}"
    );
    let opportunities: i64 = certificates
        .iter()
        .filter(|one| one.object == Object::Opportunity)
        .map(|one| one.tally.crm_count)
        .sum();
    assert_eq!(opportunities, 5);
}

/// What ended before the look is over, whatever the clock says: one that was set back would show each sync of the last
/// minute as one that is still to come, and hide what differs behind it.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_hides_no_difference() {
    let (bench, engine) = synced(2).await;
    bench.land.clock.set_back(Duration::from_secs(60));
    edit(&bench, "OPP-0001", |view| {
        let stage = Value::Choice("Negotiation".into());
        drop(view.fields.insert("opportunity.stage".into(), stage));
    });
    let one = reconcile(&engine, order(false)).await;
    assert_eq!(one.told.in_flight, 0);
    assert_eq!(found(&one), ["opportunity.stage crm_edited 1"]);
}

#[tokio::test(start_paused = true)]
async fn each_difference_is_found_with_its_cause_and_repaired() {
    let (bench, engine) = synced(8).await;
    let stage = |view: &mut View, to: &str| {
        drop(
            view.fields
                .insert("opportunity.stage".into(), Value::Choice(to.into())),
        )
    };
    edit(&bench, "OPP-0001", |view| stage(view, "Negotiation"));
    edit(&bench, "OPP-0002", |view| {
        drop(
            view.fields
                .insert("quote.status".into(), Value::Choice("sent".into())),
        )
    });
    bench
        .land
        .cpq()
        .change(&key("OPP-0003"), bench.land.clock.now(), |quote| {
            quote.context.insert("account.name".into(), Value::text("Acne"));
        });
    edit(&bench, "OPP-0004", |view| {
        let line = view.lines.values().next().expect("a line").clone();
        view.lines.insert(LineKey::new("line-2").expect("a key"), line);
    });
    edit(&bench, "OPP-0005", |view| view.lines.clear());
    bench.land.add("OPP-0900");
    bench.land.add("OPP-0901");
    edit(&bench, "OPP-0901", |view| view.lines.clear());
    let one = reconcile(&engine, order(false)).await;
    let expected = [
        "account.name cpq_edited 1",
        "line.exists line_missing 2",
        "opportunity.stage crm_edited 1",
        "quote.status crm_edited 1",
        "record never_synced 1",
    ];
    assert_eq!(found(&one), expected);
    assert_eq!((one.told.excluded, one.told.found.records), (1, 6));
    let red = verdicts(&certificates(&bench).await, Object::Opportunity);
    assert!(red.contains(&Verdict::Red), "{red:?}");

    let repaired = reconcile(&engine, order(true)).await;
    let repair = repaired.told.repair.as_ref().expect("a repair");
    assert_eq!((repair.submitted, repair.repaired), (6, 6), "{repair:?}");
    assert_eq!(repair.remaining.records, 0);
    let all = certificates(&bench).await;
    assert!(all.iter().all(|one| one.verdict == Verdict::Green), "{all:#?}");

    let calls = bench.land.calls("crm.write") + bench.land.calls("cpq.write");
    let again = reconcile(&engine, order(true)).await;
    assert_eq!(found(&again), Vec::<String>::new());
    assert_eq!(
        bench.land.calls("crm.write") + bench.land.calls("cpq.write"),
        calls
    );
    // What the repair left in the books is what a look from scratch finds.
    let fresh = certificates(&bench).await;
    let sums = |all: &[Certificate]| {
        all.iter()
            .map(|one| (one.hour, one.object, one.tally))
            .collect::<Vec<_>>()
    };
    assert_eq!(sums(&fresh), sums(&all));
}

#[tokio::test(start_paused = true)]
async fn quotes_without_an_opportunity_are_found_and_no_sync_is_wasted_on_them() {
    let (bench, engine) = synced(6).await;
    bench.land.crm().remove(&key("OPP-0001"), true);
    bench.land.crm().remove(&key("OPP-0002"), false);
    bench.land.crm().remove(&key("OPP-0003"), true);
    bench
        .land
        .cpq()
        .change(&key("OPP-0003"), bench.land.clock.now(), |quote| {
            quote.status = Status::Cancelled
        });
    let runs = bench.runs().await.len();
    let one = reconcile(&engine, order(true)).await;
    assert_eq!(
        found(&one),
        ["record deleted_in_crm 1", "record missing_in_crm 1"]
    );
    assert_eq!((one.told.excluded, one.told.looked_at), (1, 6));
    let repair = one.told.repair.as_ref().expect("a repair");
    assert_eq!((repair.submitted, repair.remaining.records), (0, 2));
    assert_eq!(bench.runs().await.len(), runs);
    let id = one.id;
    let records = bench
        .store
        .read(move |tx| Box::pin(reconcile_records::page(tx, id, "", 200)));
    for (record, _) in records.await.expect("read") {
        assert_eq!(record.state, Fate::Remains);
        assert!(record.reason.expect("a reason").contains("cancel"));
    }
    let verdicts = verdicts(&certificates(&bench).await, Object::Opportunity);
    assert!(verdicts.contains(&Verdict::Red), "{verdicts:?}");
}

#[tokio::test(start_paused = true)]
async fn an_edit_between_the_two_reads_is_no_difference() {
    let (bench, engine) = synced(3).await;
    // While the page is on its way, both sides move on together.
    bench.land.script(
        "cpq.find_many",
        [Wire::Edited(|land| {
            let name = Value::text("Renamed");
            land.rep("opportunity.name", name.clone());
            land.seller(|quote| drop(quote.context.insert("opportunity.name".into(), name)));
        })],
    );
    let one = reconcile(&engine, order(false)).await;
    assert_eq!((found(&one), one.told.settled_on_second_look), (vec![], 1));
    assert_eq!(one.told.api_calls, 2);
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_sync_is_under_way_is_open_not_red() {
    let (bench, engine) = synced(3).await;
    bench.land.rep("opportunity.name", Value::text("Renamed"));
    let gate = std::sync::Arc::new(Gate::default());
    bench.land.script("crm.read", [Wire::Held(gate.clone())]);
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    gate.arrival().await;
    let one = reconcile(&engine, order(false)).await;
    assert_eq!((found(&one), one.told.in_flight), (vec![], 1));
    let all = certificates(&bench).await;
    assert!(
        verdicts(&all, Object::Opportunity).contains(&Verdict::Open),
        "{all:#?}"
    );
    gate.open();
    engine.wait(run.id, LONG).await.expect("known");
    reconcile(&engine, order(false)).await;
    let all = certificates(&bench).await;
    assert!(all.iter().all(|one| one.verdict == Verdict::Green), "{all:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_window_sees_what_changed_on_either_side_and_turns_an_old_hour_red() {
    let (bench, engine) = synced(4).await;
    bench.land.clock.advance(Duration::from_secs(3 * 3600));
    let before = reconcile(&engine, order(false)).await;
    assert_eq!(found(&before), Vec::<String>::new());
    let since = bench.land.clock.now();
    bench.land.clock.advance(Duration::from_secs(600));
    edit(&bench, "OPP-0001", |view| {
        drop(view.fields.insert("account.name".into(), Value::text("Acne")))
    });
    bench
        .land
        .cpq()
        .change(&key("OPP-0002"), bench.land.clock.now(), |quote| {
            quote.context.insert("account.name".into(), Value::text("Acne"));
        });
    let window = Order {
        since: Some(since),
        ..order(false)
    };
    let one = reconcile(&engine, window).await;
    assert_eq!(
        found(&one),
        ["account.name cpq_edited 1", "account.name crm_edited 1"]
    );
    assert_eq!(one.told.looked_at, 2);
    let all = certificates(&bench).await;
    let of = |complete: bool| {
        all.iter()
            .filter(move |one| one.object == Object::Opportunity && one.complete == complete)
    };
    let red = all.iter().filter(|one| one.verdict == Verdict::Red);
    assert_eq!(red.map(|one| one.tally.differing).sum::<i64>(), 2, "{all:#?}");
    assert!(of(true).all(|one| one.verdict == Verdict::Green), "{all:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_was_stopped_goes_on_behind_its_last_page() {
    let (bench, engine) = synced(450).await;
    edit(&bench, "OPP-0440", |view| {
        drop(view.fields.insert("account.name".into(), Value::text("Acne")))
    });
    edit(&bench, "OPP-0002", |view| {
        drop(view.fields.insert("account.name".into(), Value::text("Acne")))
    });
    let gate = std::sync::Arc::new(Gate::default());
    bench
        .land
        .script("crm.page", [Wire::Ok, Wire::Ok, Wire::Held(gate.clone())]);
    bench.land.clock.advance(Duration::from_millis(1));
    let one = engine.reconcile(order(false)).await.expect("started");
    gate.arrival().await;
    engine.stop(LONG).await;
    let stopped = ended(&engine, &one).await;
    assert_eq!(stopped.state, State::Stopped);
    assert!(
        stopped.told.looked_at >= 200 && stopped.told.looked_at < 450,
        "{:?}",
        stopped.told
    );
    assert_eq!(stopped.mark.phase, Phase::Crm);

    let next = bench.service("b");
    let resumed = next.resume_reconcile(&crm()).await.expect("taken up");
    assert_eq!((resumed.id, resumed.attempt), (one.id, 2));
    let done = ended(&next, &resumed).await;
    assert_eq!(done.state, State::Done, "{:?}", done.error);
    assert_eq!((done.told.looked_at, done.told.quotes_counted), (450, 450));
    assert_eq!(found(&done), ["account.name crm_edited 2"]);
    assert!(done.told.records_held <= 402, "{}", done.told.records_held);
    let counted: i64 = certificates(&bench)
        .await
        .iter()
        .filter(|one| one.object == Object::Opportunity)
        .map(|one| one.tally.crm_count)
        .sum();
    assert_eq!(counted, 450);
    let refused = next.resume_reconcile(&crm()).await.expect_err("it has ended");
    assert_eq!(refused.code, Code::RequestInvalid);
}

#[tokio::test(start_paused = true)]
async fn one_of_a_connection_at_a_time() {
    let (bench, engine) = synced(2).await;
    let gate = std::sync::Arc::new(Gate::default());
    bench.land.script("crm.page", [Wire::Held(gate.clone())]);
    let one = engine.reconcile(order(false)).await.expect("started");
    gate.arrival().await;
    let same = engine.reconcile(order(false)).await.expect("the same");
    assert_eq!(same.id, one.id);
    let other = engine.reconcile(order(true)).await.expect_err("another");
    assert_eq!(other.code, Code::Overloaded);
    gate.open();
    assert_eq!(ended(&engine, &one).await.state, State::Done);
    reconcile(&engine, order(true)).await;
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_side_that_is_away_and_stops_at_its_share_of_calls() {
    let (bench, engine) = synced(250).await;
    bench.land.script(
        "crm.page",
        [
            Wire::Refused(Code::CrmUnavailable),
            Wire::Refused(Code::CrmUnavailable),
        ],
    );
    bench
        .land
        .script("cpq.find_many", [Wire::Refused(Code::CpqUnavailable)]);
    assert_eq!(
        found(&reconcile(&engine, order(false)).await),
        Vec::<String>::new()
    );

    bench.land.crm().budget = Some(CallBudget { used: 10, max: 15 });
    let one = engine.reconcile(order(false)).await.expect("started");
    let stopped = ended(&engine, &one).await;
    let error = stopped.error.expect("a reason");
    assert_eq!((stopped.state, error.code), (State::Stopped, Code::CrmLimit));
    bench.land.crm().budget = Some(CallBudget { used: 10, max: 100 });
    let resumed = engine.resume_reconcile(&crm()).await.expect("taken up");
    let done = ended(&engine, &resumed).await;
    assert_eq!((done.state, done.told.looked_at), (State::Done, 250));

    bench.land.script("crm.page", [Wire::Refused(Code::CrmForbidden)]);
    let one = engine.reconcile(order(false)).await.expect("started");
    let failed = ended(&engine, &one).await;
    assert_eq!(failed.error.map(|error| error.code), Some(Code::CrmForbidden));
}

/// Any single difference in a closed field, on either side, makes its hour red; nothing else does.
#[tokio::test(start_paused = true)]
async fn no_hour_is_green_while_a_single_closed_field_differs() {
    let (bench, engine) = synced(3).await;
    let closed = [
        "account.name",
        "opportunity.name",
        "opportunity.stage",
        "quote.number",
        "quote.status",
        "quote.net_total",
    ];
    for field in closed {
        let held = bench.land.facts().crm.get(field).cloned().expect("a value");
        for value in [Value::Null, Value::text("x"), Value::Number(7.into())] {
            bench.land.rep(field, value);
            let one = reconcile(&engine, order(false)).await;
            assert_eq!(one.told.found.records, 1, "{field}: {:?}", one.told);
            let all = certificates(&bench).await;
            let red = all.iter().filter(|one| one.verdict == Verdict::Red).count();
            assert_eq!(red, 1, "{field}: {all:#?}");
        }
        bench.land.rep(field, held);
    }
    for (field, value) in [
        ("line.quantity", Value::Number(11.into())),
        ("line.sku", Value::text("other")),
    ] {
        let line = LineKey::new(LINE).expect("a key");
        let mut held = None;
        edit(&bench, NUMBER, |view| {
            held = view
                .lines
                .get_mut(&line)
                .expect("a line")
                .insert(field.into(), value)
        });
        reconcile(&engine, order(false)).await;
        let all = certificates(&bench).await;
        assert!(
            verdicts(&all, Object::QuoteLines).contains(&Verdict::Red),
            "{field}: {all:#?}"
        );
        edit(&bench, NUMBER, |view| {
            drop(
                view.lines
                    .get_mut(&line)
                    .expect("a line")
                    .insert(field.into(), held.expect("a value")),
            );
        });
    }
    let one = reconcile(&engine, order(false)).await;
    assert_eq!(found(&one), Vec::<String>::new());
    assert!(
        certificates(&bench)
            .await
            .iter()
            .all(|one| one.verdict == Verdict::Green)
    );
}
