//! The life of a quote: what [`Status::after`] allows, and what must be true besides. Pure.

use cpq_domain::limits::DESCRIPTION_CHARS;
use cpq_domain::quote::{Quote, Status, Transition};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::patch::superseded;
use crate::pricing::discount_given;
use crate::revision::today;
use crate::settings::QuotingSettings;

/// Moves a quote one step along its life; the answer is one version on. [`Transition::Revise`] makes two quotes of
/// one and is [`crate::revision::next`].
///
/// # Errors
/// [`Code::InvalidTransition`] with the facts `status` and `allowed` (and `guard`, when only a condition is missing);
/// [`Code::QuoteSuperseded`]; [`Code::RequestInvalid`] when a needed reason is missing or too long.
pub fn advance(
    quote: &Quote,
    transition: Transition,
    reason: Option<&str>,
    now: Timestamp,
    settings: &QuotingSettings,
) -> Result<Quote> {
    if transition == Transition::Revise {
        return Err(blocked(
            quote,
            transition,
            "revision",
            "revising makes a new quote",
        ));
    }
    let mut moved = step(quote, transition, reason, now)?;
    if transition == Transition::Submit && !needs_approval(quote, settings.approval_above_discount_percent) {
        moved.status = Status::Approved;
    }
    if transition == Transition::Accept {
        moved.is_primary = true;
    }
    Ok(moved)
}

/// Whether the discount is large enough for an approver to see it.
pub fn needs_approval(quote: &Quote, above_percent: Decimal) -> bool {
    discount_given(quote) > above_percent
}

/// Whether the last day of the offer is over, in UTC. An offer without a last day never ends.
pub fn is_past(quote: &Quote, now: Timestamp) -> bool {
    quote.valid_until.is_some_and(|last| last < today(now))
}

/// Whether [`Transition::Expire`] is due.
pub fn is_due_to_expire(quote: &Quote, now: Timestamp) -> bool {
    quote.status.after(Transition::Expire).is_some() && is_past(quote, now)
}

/// The wire names of transitions.
pub fn names(transitions: &[Transition]) -> Vec<&'static str> {
    transitions.iter().map(|transition| transition.as_str()).collect()
}

/// The step itself, with the guards that every transition shares.
pub(crate) fn step(
    quote: &Quote,
    transition: Transition,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Quote> {
    if quote.status == Status::Superseded {
        return Err(superseded(quote));
    }
    let status = quote
        .status
        .after(transition)
        .ok_or_else(|| not_allowed(quote, transition))?;
    check_conditions(quote, transition, now)?;
    let reason = checked_reason(quote, transition, reason)?;
    Ok(Quote {
        status,
        version: quote.version + 1,
        updated_at: now.max(quote.updated_at),
        reason: match ends(transition) {
            true => reason,
            false => reason.or_else(|| quote.reason.clone()),
        },
        ..quote.clone()
    })
}

/// After these the reason of an earlier step would be taken for theirs.
fn ends(transition: Transition) -> bool {
    use Transition::*;
    matches!(transition, Accept | Decline | Cancel | Reject | Expire | Convert)
}

fn check_conditions(quote: &Quote, transition: Transition, now: Timestamp) -> Result<()> {
    use Transition::*;
    let past = is_past(quote, now);
    let last = quote.valid_until.map(|day| day.to_string()).unwrap_or_default();
    match transition {
        Submit if quote.lines.is_empty() => Err(blocked(quote, transition, "lines", "it has no lines")),
        Submit | Send | Accept if past => {
            let why = format!("the offer ended on {last}");
            Err(blocked(quote, transition, "valid_until", &why))
        }
        Expire if !past => {
            let why = match quote.valid_until {
                Some(_) => format!("the offer holds until the end of {last} (UTC)"),
                None => "the offer has no last day".to_owned(),
            };
            Err(blocked(quote, transition, "valid_until", &why))
        }
        _ => Ok(()),
    }
}

fn checked_reason(quote: &Quote, transition: Transition, reason: Option<&str>) -> Result<Option<String>> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    let refuse = |why: String| {
        Err(Error::new(Code::RequestInvalid, why)
            .object("quote")
            .record(quote.number.as_str())
            .field("reason"))
    };
    match reason {
        None if transition.needs_reason() => refuse(format!(
            "to {transition} quote {} a reason is needed",
            quote.number
        )),
        Some(text) if text.chars().count() > DESCRIPTION_CHARS => {
            refuse(format!("the reason has more than {DESCRIPTION_CHARS} characters"))
        }
        reason => Ok(reason.map(str::to_owned)),
    }
}

fn not_allowed(quote: &Quote, transition: Transition) -> Error {
    let message = format!(
        "quote {} is {}; {transition} is not possible from there",
        quote.number, quote.status
    );
    invalid(quote, message, &quote.status.allowed())
}

/// The state would allow it, but a condition is not met; until then it is not among the allowed ones.
fn blocked(quote: &Quote, transition: Transition, guard: &str, why: &str) -> Error {
    let mut allowed = quote.status.allowed();
    allowed.retain(|other| *other != transition);
    let message = format!("quote {} cannot {transition} now: {why}", quote.number);
    invalid(quote, message, &allowed).fact("guard", guard)
}

fn invalid(quote: &Quote, message: String, allowed: &[Transition]) -> Error {
    Error::new(Code::InvalidTransition, message)
        .object("quote")
        .record(quote.number.as_str())
        .fact("status", quote.status.as_str())
        .fact("allowed", names(allowed))
}

#[cfg(test)]
mod tests;
