//! A quote and a line with nothing in them yet, as every CPQ in memory begins one.

use std::collections::BTreeMap;

use cpq_domain::id::{LineKey, QuoteId, QuoteNumber};
use cpq_domain::quote::{Line, LineTotals, OpportunityRef, Quote, Status, Totals};
use cpq_domain::value::Money;
use jiff::Timestamp;
use rust_decimal::Decimal;

/// The `next`-th quote.
pub fn quote(next: u64, of: &OpportunityRef, at: Timestamp) -> Quote {
    let id = QuoteId::new(format!("quote-{next}")).expect("an id");
    let zero = Money::zero("USD");
    Quote {
        root_id: id.clone(),
        id,
        number: QuoteNumber::new(format!("Q-2026-{next:04}")).expect("a number"),
        revision: 1,
        previous_revision_id: None,
        superseded_by_id: None,
        status: Status::Draft,
        version: 1,
        is_primary: true,
        name: "unnamed".into(),
        opportunity: of.clone(),
        currency: "USD".into(),
        price_list: None,
        valid_until: None,
        payment_terms: None,
        header_discount: None,
        lines: Vec::new(),
        totals: Totals {
            list: zero.clone(),
            line_discount: zero.clone(),
            header_discount: zero.clone(),
            net: zero.clone(),
            discount_percent: Decimal::ZERO,
            optional_net: zero,
        },
        context: BTreeMap::new(),
        reason: None,
        created_at: at,
        updated_at: at,
    }
}

/// A line under a key.
pub fn line(key: &LineKey) -> Line {
    Line {
        line_key: key.clone(),
        sequence: 10,
        sku: String::new(),
        name: String::new(),
        description: None,
        quantity: Decimal::ZERO,
        list_unit: Decimal::ZERO,
        discount: None,
        service_start: None,
        optional: false,
        totals: LineTotals::default(),
    }
}
