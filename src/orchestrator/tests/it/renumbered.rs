//! The business number of an opportunity changes in the CRM: it keeps its quote, whatever name a sync is asked for by.

use cpq_domain::id::OpportunityKey;
use cpq_domain::quote::Quote;
use cpq_domain::run::RunState;
use cpq_domain::value::Value;

use crate::bench::{Bench, LONG, look_at, run_of, succeeded};
use crate::fakes::NUMBER;
use crate::feeds::ID;

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

/// Asks for a sync by this name, which ends in the lane of this number.
async fn is_synced(bench: &Bench, name: &str, number: &str) {
    let engine = bench.service("a");
    let run = run_of(engine.submit(look_at(name)).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert_eq!(run.state, RunState::Succeeded, "{name}: {run:?}");
    assert_eq!(run.lane.opportunity, key(number), "{name}");
}

/// The quotes: whose each is, and what it is about.
fn quotes(bench: &Bench) -> Vec<(String, Value)> {
    let all = &bench.land.cpq().quotes;
    let told = |quote: &Quote| {
        let name = quote.context["opportunity.name"].clone();
        (quote.opportunity.id.to_string(), name)
    };
    let mut quotes: Vec<_> = all.iter().map(told).collect();
    quotes.sort_by(|one, other| one.0.cmp(&other.0));
    quotes
}

/// The quote that there was before, with what the CRM says now.
fn the_same_quote() -> (String, Value) {
    (ID.to_owned(), Value::text("renumbered"))
}

#[tokio::test(start_paused = true)]
async fn by_its_new_number_it_is_the_same_opportunity() {
    let bench = renumbered().await;
    is_synced(&bench, NEW, NEW).await;
    is_synced(&bench, NEW, NEW).await;
    assert_eq!(quotes(&bench), [the_same_quote()]);
}

#[tokio::test(start_paused = true)]
async fn by_its_id_it_is_found_under_the_new_number() {
    let bench = renumbered().await;
    is_synced(&bench, ID, NEW).await;
    assert_eq!(quotes(&bench), [the_same_quote()]);
}

#[tokio::test(start_paused = true)]
async fn by_its_old_number_it_is_found_as_long_as_nobody_else_has_that() {
    let bench = renumbered().await;
    is_synced(&bench, NUMBER, NEW).await;
    assert_eq!(quotes(&bench), [the_same_quote()]);
}

/// Another opportunity that gets the old number gets a quote of its own, and what is told of the first still leads to it.
#[tokio::test(start_paused = true)]
async fn two_opportunities_that_had_one_number_are_two() {
    let bench = renumbered().await;
    bench.land.add("OPP-5");
    bench.land.crm().renumber(&key("OPP-5"), &key(NUMBER));
    is_synced(&bench, NUMBER, NUMBER).await;
    is_synced(&bench, ID, NEW).await;
    is_synced(&bench, NUMBER, NUMBER).await;
    let other = ("OPP5".to_owned(), Value::text("Acme expansion"));
    assert_eq!(quotes(&bench), [the_same_quote(), other]);
}
