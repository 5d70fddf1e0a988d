//! Changing a quote by canonical fields. Pure: a refused patch leaves the quote as it was.

use cpq_domain::quote::{Quote, Status};
use cpq_domain::view::Patch;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use crate::pricing::price;

mod changed;
mod context;
mod header;
mod lines;
mod read;
mod size;

pub use changed::changed_fields;

/// Applies a patch. `None` when the quote already says all of it; else the new quote, priced, one version on.
///
/// While the quote is a draft everything but the computed fields may change. After that its commercial part (header
/// and lines) is frozen, and only the context that the CRM tells may follow. A patch that repeats a frozen value
/// changes nothing and is no error, so that a repeated write stays harmless.
///
/// # Errors
/// [`Code::CpqRejected`] for a value that the quote cannot hold, naming the field and, as the fact `line`, the line;
/// [`Code::QuoteNotEditable`] for a commercial change after draft; [`Code::QuoteSuperseded`] for any change of a
/// superseded revision.
pub fn apply(quote: &Quote, patch: &Patch, now: Timestamp) -> Result<Option<Quote>> {
    let mut changed = quote.clone();
    write(&mut changed, patch)?;
    if quote.status == Status::Draft {
        price(&mut changed).map_err(|error| error.record(quote.number.as_str()))?;
    }
    if changed == *quote {
        return Ok(None);
    }
    guard(quote, &changed)?;
    changed.version += 1;
    // Requests wait in line for the store; one that was asked for earlier must not turn the time back.
    changed.updated_at = now.max(quote.updated_at);
    Ok(Some(changed))
}

/// Sets what the patch says, without pricing, guard or version.
pub(crate) fn write(quote: &mut Quote, patch: &Patch) -> Result<()> {
    let number = quote.number.as_str().to_owned();
    let place = |error: Error| error.record(number.as_str());
    // Lines go before the currency is looked at, and come after it: the currency may change between the two.
    lines::remove(quote, patch);
    header::write(quote, patch).map_err(place)?;
    lines::put(quote, patch).map_err(place)?;
    context::write(quote, patch).map_err(place)?;
    size::check(quote).map_err(place)
}

/// What may not change any more must not have changed.
fn guard(before: &Quote, after: &Quote) -> Result<()> {
    if before.status == Status::Superseded {
        return Err(superseded(before));
    }
    if before.status == Status::Draft {
        return Ok(());
    }
    match changed::commercial(before, after).first() {
        None => Ok(()),
        Some(field) => Err(not_editable(before, field)),
    }
}

fn not_editable(quote: &Quote, field: &str) -> Error {
    let (number, status) = (&quote.number, quote.status);
    Error::new(
        Code::QuoteNotEditable,
        format!(
            "quote {number} is {status} and its {field} can no longer change: only a draft can be edited"
        ),
    )
    .object("quote")
    .record(number.as_str())
    .field(field)
    .fact("status", status.as_str())
    .fact("allowed", crate::lifecycle::names(&status.allowed()))
}

/// The refusal to touch a revision that was replaced.
pub(crate) fn superseded(quote: &Quote) -> Error {
    let newer = quote.superseded_by_id.as_ref().map(|id| id.as_str());
    Error::new(
        Code::QuoteSuperseded,
        format!(
            "revision {} of quote {} was replaced by a newer one and cannot change",
            quote.revision, quote.number
        ),
    )
    .object("quote")
    .record(quote.number.as_str())
    .fact("supersededById", newer.unwrap_or_default())
}

#[cfg(test)]
mod tests;
