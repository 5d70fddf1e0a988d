//! Records to try with.

use cpq_domain::id::{
    ClientId, ConnectionName, CorrelationId, IdempotencyKey, Lane, OpportunityKey, QuoteId, QuoteNumber,
    RecordId, RunId,
};
use cpq_domain::quote::{OpportunityRef, Quote, Status, Totals};
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_domain::value::Money;
use cpq_store::{Store, runs};
use jiff::Timestamp;
use uuid::Uuid;

use crate::write;

/// `seconds` after the start of the trial.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

pub fn run_id(number: u128) -> RunId {
    RunId(Uuid::from_u128(number))
}

pub fn connection() -> ConnectionName {
    ConnectionName::new("crm").expect("valid")
}

pub fn key(text: &str) -> OpportunityKey {
    OpportunityKey::new(text).expect("valid")
}

pub fn record(text: &str) -> RecordId {
    RecordId::new(text).expect("valid")
}

pub fn correlation(text: &str) -> CorrelationId {
    CorrelationId::new(text).expect("valid")
}

pub fn client() -> ClientId {
    ClientId::new("shop").expect("valid")
}

pub fn idempotency_key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("valid")
}

pub fn lane(opportunity: &str) -> Lane {
    Lane {
        connection: connection(),
        opportunity: key(opportunity),
    }
}

/// A queued run, accepted and due `number` seconds after the start.
pub fn run(number: u128, opportunity: &str) -> Run {
    let moment = at(number as i64);
    Run {
        id: run_id(number),
        lane: lane(opportunity),
        correlation: correlation(&format!("csync-{number:03}")),
        caller_correlation: None,
        traceparent: None,
        trigger: Trigger::Request,
        state: RunState::Queued,
        attempt: 0,
        tries: 0,
        restarts: 0,
        created_at: moment,
        updated_at: moment,
        due_at: moment,
        outcome: None,
        error: None,
        superseded_by: None,
    }
}

/// Stores runs, one per opportunity, numbered from 1.
pub async fn queue(store: &Store, opportunities: &[&str]) -> Vec<Run> {
    let runs: Vec<Run> = (1..)
        .zip(opportunities)
        .map(|(number, opportunity)| run(number, opportunity))
        .collect();
    for run in runs.clone() {
        write!(store, |tx| runs::insert(tx, &run)).expect("stored");
    }
    runs
}

pub fn quote_id(text: &str) -> QuoteId {
    QuoteId::new(text).expect("valid")
}

pub fn quote_number(text: &str) -> QuoteNumber {
    QuoteNumber::new(text).expect("valid")
}

/// A quote `qte-<n>` with number `Q-<n>` for opportunity `OPP-<n>` with id `006<n>`.
pub fn quote(number: u32, revision: u32) -> Quote {
    let nothing = Money::zero("USD");
    Quote {
        id: quote_id(&format!("qte-{number}-{revision}")),
        root_id: quote_id(&format!("qte-{number}-1")),
        number: quote_number(&format!("Q-{number}")),
        revision,
        previous_revision_id: None,
        superseded_by_id: None,
        status: Status::Draft,
        version: 1,
        is_primary: true,
        name: "Offer".into(),
        opportunity: OpportunityRef {
            system: "crm".into(),
            id: record(&format!("006{number}")),
            number: Some(key(&format!("OPP-{number}"))),
        },
        currency: "USD".into(),
        price_list: None,
        valid_until: None,
        payment_terms: None,
        header_discount: None,
        lines: vec![],
        totals: Totals {
            list: nothing.clone(),
            line_discount: nothing.clone(),
            header_discount: nothing.clone(),
            net: nothing.clone(),
            discount_percent: Default::default(),
            optional_net: nothing,
        },
        context: Default::default(),
        reason: None,
        created_at: at(number.into()),
        updated_at: at((number + revision).into()),
    }
}
