//! A quote in canonical field names: the view that the resolver compares with the CRM's.

use rust_decimal::Decimal;

use super::{Discount, Line, Quote, Status};
use crate::value::{Money, Value};
use crate::view::{FieldName, Fields, View};

/// Canonical header fields that a quote itself holds. Every other header field lives in its context.
pub const QUOTE_FIELDS: &[&str] = &[
    "quote.id",
    "quote.number",
    "quote.revision",
    "quote.status",
    "quote.is_primary",
    "quote.name",
    "quote.currency",
    "quote.price_list",
    "quote.valid_until",
    "quote.payment_terms",
    "quote.header_discount_percent",
    "quote.list_total",
    "quote.discount_total",
    "quote.discount_percent",
    "quote.net_total",
];

/// Canonical fields of the record that a CRM keeps of the quote. They follow from the quote; nobody sets them there.
pub const QUOTE_RECORD_FIELDS: &[&str] = &[
    "quote_record.key",
    "quote_record.name",
    "quote_record.expiration_date",
    "quote_record.status",
    super::SYNC_STATE,
];

/// Canonical fields of a quote line.
pub const LINE_FIELDS: &[&str] = &[
    "line.sku",
    "line.name",
    "line.description",
    "line.quantity",
    "line.list_unit",
    "line.discount_percent",
    "line.service_start",
    "line.sequence",
    "line.net_total",
];

/// Fields of a quote that commands and pricing set; a patch may not name them.
pub const READ_ONLY: &[&str] = &[
    "quote.id",
    "quote.root_id",
    "quote.number",
    "quote.revision",
    "quote.version",
    "quote.previous_revision_id",
    "quote.superseded_by_id",
    "quote.status",
    "quote.reason",
    "quote.created_at",
    "quote.updated_at",
    "quote.list_total",
    "quote.line_discount",
    "quote.header_discount_total",
    "quote.discount_total",
    "quote.discount_percent",
    "quote.net_total",
    "quote.optional_net",
    "quote_record.key",
    "quote_record.name",
    "quote_record.expiration_date",
    "quote_record.status",
];

/// Fields of a line that pricing sets; a patch may not name them.
pub const LINE_TOTALS: &[&str] = &["line.list_total", "line.net_total", "line.discount_total"];

/// Whether nobody sets the field in the CPQ: it follows from other values, or from commands. So do all fields of a CRM's
/// record of the quote, known or not.
pub fn follows(field: &FieldName) -> bool {
    let name = field.as_str();
    READ_ONLY.contains(&name) || LINE_TOTALS.contains(&name) || field.object() == "quote_record"
}

impl Quote {
    /// What the CPQ side holds, in canonical names.
    pub fn view(&self) -> View {
        let mut fields: Fields = self.context.clone();
        fields.extend(self.header());
        fields.extend(self.record());
        let lines = self.lines.iter().filter(|line| !line.optional);
        View {
            fields,
            lines: lines
                .map(|line| (line.line_key.clone(), line.view(&self.currency)))
                .collect(),
        }
    }

    fn header(&self) -> [(FieldName, Value); QUOTE_FIELDS.len()] {
        let totals = &self.totals;
        let discount = totals.line_discount.amount + totals.header_discount.amount;
        [
            ("quote.id".into(), Value::text(self.id.as_str())),
            ("quote.number".into(), Value::text(self.number.as_str())),
            ("quote.revision".into(), Value::Number(self.revision.into())),
            (
                "quote.status".into(),
                Value::Choice(self.status.as_str().to_owned()),
            ),
            ("quote.is_primary".into(), Value::Bool(self.is_primary)),
            ("quote.name".into(), Value::text(&self.name)),
            ("quote.currency".into(), Value::Choice(self.currency.clone())),
            (
                "quote.price_list".into(),
                Value::text(self.price_list.as_deref().unwrap_or_default()),
            ),
            (
                "quote.valid_until".into(),
                self.valid_until.map_or(Value::Null, Value::Date),
            ),
            (
                "quote.payment_terms".into(),
                Value::text(self.payment_terms.as_deref().unwrap_or_default()),
            ),
            (
                "quote.header_discount_percent".into(),
                percent(self.header_discount.as_ref()),
            ),
            ("quote.list_total".into(), Value::Money(totals.list.clone())),
            (
                "quote.discount_total".into(),
                Value::Money(Money::new(discount, &self.currency)),
            ),
            (
                "quote.discount_percent".into(),
                Value::Number(totals.discount_percent),
            ),
            ("quote.net_total".into(), Value::Money(totals.net.clone())),
        ]
    }
}

impl Quote {
    /// What the CRM's record of this quote shall say. Its key is the root's id, so that all revisions share a record.
    fn record(&self) -> impl Iterator<Item = (FieldName, Value)> {
        let valid_until = self.valid_until.map_or(Value::Null, Value::Date);
        let status = record_status(self.status).map(|status| Value::Choice(status.to_owned()));
        let values = [
            Some(Value::text(self.root_id.as_str())),
            Some(Value::text(&self.name)),
            Some(valid_until),
            status,
            Some(Value::text(super::complete(self.revision))),
        ];
        let fields = QUOTE_RECORD_FIELDS.iter().zip(values);
        fields.filter_map(|(name, value)| Some(((*name).into(), value?)))
    }
}

/// The word that CRMs have for a state: the standard picklist of Salesforce's Quote (Object Reference, "Quote").
/// Nothing for states that it has no word for; the record then keeps the one it had.
pub(crate) fn record_status(status: Status) -> Option<&'static str> {
    match status {
        Status::Draft => Some("Draft"),
        Status::InApproval => Some("In Review"),
        Status::Approved => Some("Approved"),
        Status::Rejected => Some("Rejected"),
        Status::Sent => Some("Presented"),
        Status::Accepted => Some("Accepted"),
        Status::Declined => Some("Denied"),
        Status::Expired | Status::Ordered | Status::Superseded | Status::Cancelled => None,
    }
}

impl Line {
    /// The line's fields in canonical names.
    pub fn view(&self, currency: &str) -> Fields {
        let money = |amount: Decimal| Value::Money(Money::new(amount, currency));
        Fields::from([
            ("line.sku".into(), Value::text(&self.sku)),
            ("line.name".into(), Value::text(&self.name)),
            (
                "line.description".into(),
                Value::text(self.description.as_deref().unwrap_or_default()),
            ),
            ("line.quantity".into(), Value::Number(self.quantity)),
            ("line.list_unit".into(), money(self.list_unit)),
            ("line.discount_percent".into(), percent(self.discount.as_ref())),
            (
                "line.service_start".into(),
                self.service_start.map_or(Value::Null, Value::Date),
            ),
            ("line.sequence".into(), Value::Number(self.sequence.into())),
            ("line.net_total".into(), money(self.totals.net)),
        ])
    }
}

/// A discount in percent; an amount has no percent and stays inside the CPQ.
fn percent(discount: Option<&Discount>) -> Value {
    match discount {
        Some(Discount::Percent(points)) if !points.is_zero() => Value::Number(*points),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_word_at_most_and_a_dead_quote_has_none() {
        let words: Vec<&str> = Status::ALL.into_iter().filter_map(record_status).collect();
        let standard = [
            "Draft",
            "In Review",
            "Approved",
            "Rejected",
            "Presented",
            "Accepted",
            "Denied",
        ];
        assert_eq!(words, standard);
        assert_eq!(record_status(Status::Superseded), None);
    }
}
