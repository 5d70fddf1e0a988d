//! The quote as every CPQ behind [`crate::adapter::CpqAdapter`] must be able to tell it, and its life.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::id::{LineKey, OpportunityKey, QuoteId, QuoteNumber, RecordId};
#[cfg(feature = "openapi")]
use crate::value::Value as FieldValue;
use crate::value::{Money, Value};
use crate::view::FieldName;

mod canonical;
mod lifecycle;
mod sync_state;

pub(crate) use canonical::record_status;
pub use canonical::{LINE_FIELDS, LINE_TOTALS, QUOTE_FIELDS, QUOTE_RECORD_FIELDS, READ_ONLY, follows};
pub use lifecycle::{Status, Transition};
pub use sync_state::{SYNC_STATE, complete, is_half_written, writing};

/// The opportunity that a quote belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpportunityRef {
    /// Which CRM: the name of the connection.
    pub system: String,
    /// The CRM's own id.
    pub id: RecordId,
    /// The business number, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<OpportunityKey>,
}

/// How a price is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// Percent in points: 12.5 is 12.5 %.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText))]
    Percent(#[serde(with = "rust_decimal::serde::str")] Decimal),
    /// An amount off the total of what it stands on, in the quote's currency.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText))]
    Amount(#[serde(with = "rust_decimal::serde::str")] Decimal),
}

/// One line of a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = QuoteLine))]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Identity, stable over revisions.
    pub line_key: LineKey,
    /// Position; gaps are fine.
    pub sequence: i32,
    /// Stock keeping unit or product code.
    pub sku: String,
    /// Name shown to the customer.
    pub name: String,
    /// Free text shown to the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many; at least 0, at most twelve digits with up to six decimals.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText, example = "12.50"))]
    pub quantity: Decimal,
    /// Price of one before discount, in the quote's currency; up to six decimals.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText, example = "12.50"))]
    pub list_unit: Decimal,
    /// Discount of this line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// First day of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub service_start: Option<Date>,
    /// Offered, but not counted in the totals.
    #[serde(default)]
    pub optional: bool,
    /// What the line costs; computed, read-only.
    pub totals: LineTotals,
}

/// Computed amounts of a line, rounded to the currency's minor unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LineTotals {
    /// Quantity times list price.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText, example = "12.50"))]
    pub list: Decimal,
    /// Line discount, with the sign of `list`: positive, and negative only on a credit line.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText, example = "12.50"))]
    pub discount: Decimal,
    /// This line's share of the header discount, with the sign of `list`.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText, example = "12.50"))]
    pub header_share: Decimal,
    /// What is charged: list − discount − header share.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText, example = "12.50"))]
    pub net: Decimal,
}

/// Computed amounts of a quote. The net of the lines adds up to `net` to the last minor unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = QuoteTotals))]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Sum of the list totals.
    pub list: Money,
    /// Sum of the line discounts.
    pub line_discount: Money,
    /// Discount on the whole quote.
    pub header_discount: Money,
    /// What is charged.
    pub net: Money,
    /// Total discount in percent of list, two decimals.
    #[serde(with = "rust_decimal::serde::str")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::value::DecimalText, example = "12.50"))]
    pub discount_percent: Decimal,
    /// Net of the optional lines, not in `net`.
    pub optional_net: Money,
}

/// A quote: one revision of one offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// Id of this revision.
    pub id: QuoteId,
    /// Id of revision 1.
    pub root_id: QuoteId,
    /// Number, the same for all revisions.
    pub number: QuoteNumber,
    /// 1, 2, …
    pub revision: u32,
    /// The revision before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_revision_id: Option<QuoteId>,
    /// The revision that took this one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by_id: Option<QuoteId>,
    /// Where it is in its life.
    pub status: Status,
    /// Grows by one with each committed change; the ETag is made of it.
    pub version: u64,
    /// Whether it is the one quote of its opportunity that counts.
    pub is_primary: bool,
    /// Title.
    pub name: String,
    /// The opportunity.
    pub opportunity: OpportunityRef,
    /// ISO 4217 code of every amount in the quote.
    pub currency: String,
    /// Name of the price list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_list: Option<String>,
    /// Last day on which the offer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub valid_until: Option<Date>,
    /// Payment terms, e.g. `NET30`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_terms: Option<String>,
    /// Discount on the whole quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_discount: Option<Discount>,
    /// Lines, ordered by sequence and key.
    pub lines: Vec<Line>,
    /// What it all costs; computed, read-only.
    pub totals: Totals,
    /// What the CRM told about account, contacts and opportunity, by canonical field.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, FieldValue>))]
    pub context: BTreeMap<FieldName, Value>,
    /// When, why and by whom it was accepted, declined or cancelled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When it changed last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
}

impl Quote {
    /// Strong entity tag (RFC 9110 §8.8.3): id and version.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.id, self.version)
    }

    /// A line by its key.
    pub fn line(&self, key: &LineKey) -> Option<&Line> {
        self.lines.iter().find(|line| &line.line_key == key)
    }
}
