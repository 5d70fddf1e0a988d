//! Lines that people change in the CRM in the moment in which they are written.

use cpq_domain::id::LineKey;
use cpq_domain::quote::Status;
use cpq_domain::value::Value;
use cpq_domain::view::View;

use crate::bench::{Bench, succeeded};
use crate::fakes::{Fate, LINE, Land};

fn quantity(view: &View) -> Option<&Value> {
    view.lines[&LineKey::new(LINE).expect("a key")].get("line.quantity")
}

/// Salesforce tells by whole seconds whether somebody changed the opportunity since, so an edit can slip in: it is no part
/// of what was agreed on, though the answer of the write shows it.
#[tokio::test(start_paused = true)]
async fn a_quantity_that_changes_in_the_second_of_a_write_is_put_right() {
    let bench = Bench::new().await;
    bench.land.crm().lines_a_call = Some(10);
    bench.land.shows_totals();
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    bench.land.seller(|quote| quote.status = Status::Approved);
    bench
        .land
        .script("crm.write", [Fate::Edited(|land: &Land| land.rep_wants(40))]);
    succeeded(&engine).await;
    let slipped_in = bench.land.facts();
    assert_eq!(quantity(&slipped_in.crm), Some(&Value::Number(40.into())));
    assert_eq!(quantity(&slipped_in.cpq), Some(&Value::Number(10.into())));
    succeeded(&engine).await;
    assert_eq!(quantity(&bench.land.facts().crm), Some(&Value::Number(10.into())));
}
