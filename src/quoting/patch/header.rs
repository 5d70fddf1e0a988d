//! The header fields that a quote itself holds.

use cpq_domain::limits::NAME_CHARS;
use cpq_domain::quote::{Quote, follows};
use cpq_domain::value::Value;
use cpq_domain::view::Patch;
use cpq_domain::{Error, Result};

use super::read::{self, Why};
use crate::{refusal, settings};

/// Fields of a quote that a patch may set.
///
/// `quote.header_discount_amount` is not part of the synced view: a discount by amount stays inside the CPQ.
/// Whether the quote is the one that its opportunity goes by can change in every state: it is no part of the offer.
pub(super) const WRITABLE: &[&str] = &[
    "quote.currency",
    "quote.name",
    "quote.price_list",
    "quote.valid_until",
    "quote.payment_terms",
    "quote.header_discount_percent",
    "quote.header_discount_amount",
    "quote.is_primary",
];

/// Sets the header fields of a patch. The currency first, because amounts are read in it.
pub(super) fn write(quote: &mut Quote, patch: &Patch) -> Result<()> {
    if let Some(field) = patch.fields.keys().find(|field| follows(field)) {
        return Err(read_only(field.as_str()));
    }
    for field in WRITABLE {
        if let Some(value) = patch.fields.get(*field) {
            set(quote, field, value).map_err(|why| refusal::field(field, &why))?;
        }
    }
    Ok(())
}

fn read_only(field: &str) -> Error {
    refusal::field(field, "cannot be set: it is computed, or changed by a transition")
        .next("leave the field out; use a transition to change the status")
}

fn set(quote: &mut Quote, field: &str, value: &Value) -> Result<(), Why> {
    match field {
        "quote.currency" => quote.currency = currency(quote, value)?,
        "quote.name" => quote.name = read::required_text(value, NAME_CHARS)?,
        "quote.price_list" => quote.price_list = read::text(value, NAME_CHARS)?,
        "quote.valid_until" => quote.valid_until = read::date(value)?,
        "quote.payment_terms" => quote.payment_terms = read::text(value, NAME_CHARS)?,
        "quote.is_primary" => quote.is_primary = read::flag(value)?,
        "quote.header_discount_percent" => {
            quote.header_discount = read::percent(quote.header_discount.as_ref(), value)?;
        }
        _ => {
            quote.header_discount = read::off(quote.header_discount.as_ref(), value, &quote.currency)?;
        }
    }
    Ok(())
}

/// The currency can change only while no amount is in it.
fn currency(quote: &Quote, value: &Value) -> Result<String, Why> {
    let code = read::required_text(value, NAME_CHARS)?;
    if !settings::is_currency(&code) {
        return Err(format!("is {code:?}; it must be an ISO 4217 code such as USD"));
    }
    if code != quote.currency && !quote.lines.is_empty() {
        let lines = quote.lines.len();
        return Err(format!(
            "cannot change from {} to {code} while the quote has {lines} line(s): prices are not converted",
            quote.currency
        ));
    }
    Ok(code)
}
