//! The business number of an opportunity changes in the CRM: it keeps its quote, whatever name a sync is asked for by.

use cpq_domain::id::OpportunityKey;
use cpq_domain::run::RunState;
use cpq_domain::value::Value;

use crate::bench::{Bench, LONG, look_at, run_of, succeeded};
use crate::fakes::NUMBER;

const NEW: &str = "OPP-9";

fn key(name: &str) -> OpportunityKey {
    OpportunityKey::new(name).expect("a key")
}

/// The opportunity has a quote, and then another number and another name.
async fn renumbered() -> Bench {
    let bench = Bench::new().await;
    succeeded(&bench.process("before").engine).await;
    let mut crm = bench.land.crm();
    crm.renumber(&key(NUMBER), &key(NEW));
    crm.change(&key(NEW), bench.land.clock.now(), |view| {
        view.fields
            .insert("opportunity.name".into(), Value::text("renumbered"));
    });
    drop(crm);
    bench
}

/// Asks for a sync by this name: the quote is the same, and has what the CRM says.
async fn is_synced_as(bench: &Bench, name: &str) {
    let engine = bench.service("a");
    let run = run_of(engine.submit(look_at(name)).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(run.state, RunState::Succeeded, "{name}: {run:?}");
    assert_eq!(run.lane.opportunity, key(NEW));
    let cpq = bench.land.cpq();
    let [quote] = cpq.quotes.as_slice() else {
        panic!("{:?}", cpq.quotes)
    };
    let name = &quote.context["opportunity.name"];
    assert_eq!(name, &Value::text("renumbered"));
}

#[tokio::test(start_paused = true)]
async fn by_its_new_number_it_is_the_same_opportunity() {
    let bench = renumbered().await;
    is_synced_as(&bench, NEW).await;
    is_synced_as(&bench, NEW).await;
}

#[tokio::test(start_paused = true)]
async fn by_its_id_it_is_found_under_the_new_number() {
    let bench = renumbered().await;
    is_synced_as(&bench, &NUMBER.replace('-', "")).await;
}

#[tokio::test(start_paused = true)]
async fn by_its_old_number_it_is_found_as_long_as_we_know_only_that() {
    let bench = renumbered().await;
    is_synced_as(&bench, NUMBER).await;
}

/// Another opportunity that gets the old number is not synced into the quote of the first.
#[tokio::test(start_paused = true)]
async fn who_gets_the_old_number_gets_a_quote_of_its_own() {
    let bench = renumbered().await;
    bench.land.add("OPP-5");
    bench.land.crm().renumber(&key("OPP-5"), &key(NUMBER));
    let engine = bench.service("a");
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    let of: Vec<String> = bench
        .land
        .cpq()
        .quotes
        .iter()
        .map(|quote| quote.opportunity.id.to_string())
        .collect();
    assert_eq!(of, ["OPP4482", "OPP5"]);
}
