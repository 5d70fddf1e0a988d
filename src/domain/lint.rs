//! What is wrong with an ownership matrix before it is used: rules that mean nothing, contradict each other, are never
//! reached, or ask a side for what it cannot do.
//!
//! Pure. Whether rules cover every case is not reasoned about but tried: the cases that the conditions of a field can
//! tell apart are few, and each finding names one of them as its proof.

use serde::{Deserialize, Serialize};

use crate::adapter::Mapping;
use crate::error::Result;
use crate::ownership::{OwnershipRule, Placed, read};
use crate::view::FieldName;

mod cases;
mod circle;
mod cover;
pub mod mapped;
mod place;

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lint {
    /// A rule is about a field that nothing maps.
    UnknownField,
    /// A synced field has no rule.
    NoOwner,
    /// In some case no rule of the field holds.
    Gap,
    /// In some case two rules hold, with different owners, and neither is the exception of the other.
    TwoOwners,
    /// A rule holds only where an earlier one does.
    Unreachable,
    /// A rule's own condition cannot hold.
    NeverHolds,
    /// Who owns a field depends on a field whose owner depends on it.
    Circle,
    /// The order of a `forward` rule leads nowhere.
    BadOrder,
    /// A condition names what the org does not have.
    UnknownValue,
    /// The owner's value would go where it cannot be written.
    ReadOnly,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its kind.
    pub lint: Lint,
    /// The field.
    pub field: FieldName,
    /// Line of the rule in the file, from 1; none when a rule is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong, with the case that shows it.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// What the rules speak of.
pub struct Ground<'a> {
    /// Fields that are synced, as the connection's files say, whether the org has them or not.
    pub synced: &'a Mapping,
    /// What the org has of them; none when it was not described yet.
    pub org: Option<&'a Mapping>,
    /// Fields that follow from the quote, which nobody sets there.
    pub cpq_read_only: &'a [&'a str],
    /// Stages of the org; empty when they are not known.
    pub stages: &'a [String],
    /// Record types of the opportunity by developer name; empty when they are not known.
    pub record_types: &'a [String],
}

/// Reads a matrix and tells everything that is wrong with it, in the order of its lines.
///
/// # Errors
/// [`crate::Code::OwnershipInvalid`] when it is no matrix at all: no TOML, unknown words, wrong types.
pub fn lint(text: &str, ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let rules = read(text)?;
    let mut findings = Vec::new();
    place::fields(&rules, ground, &mut findings);
    for (field, rules) in by_field(&rules) {
        if !rules.iter().all(|rule| plain(rule, &mut findings)) {
            continue;
        }
        cover::check(field, &rules, &mut findings);
        place::values(field, &rules, ground, &mut findings);
        place::writes(field, &rules, ground, &mut findings);
    }
    circle::check(&rules, &mut findings);
    findings
        .sort_by(|a, b| (a.line.unwrap_or(usize::MAX), a.lint).cmp(&(b.line.unwrap_or(usize::MAX), b.lint)));
    Ok(findings)
}

/// Rules by field, in the order of their first lines.
fn by_field(rules: &[Placed]) -> Vec<(&FieldName, Vec<&Placed>)> {
    let mut fields: Vec<(&FieldName, Vec<&Placed>)> = Vec::new();
    for rule in rules {
        let name = &rule.rule.field_name;
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, list)) => list.push(rule),
            None => fields.push((name, vec![rule])),
        }
    }
    fields
}

/// Whether a rule makes sense by itself.
fn plain(placed: &Placed, findings: &mut Vec<Finding>) -> bool {
    let OwnershipRule { when, order, .. } = &placed.rule;
    if let (Some(from), Some(until)) = (when.from, when.until)
        && from > until
    {
        let message = format!("the rule would hold from {from} until {until}, which is before");
        findings.push(placed.finding(
            Lint::NeverHolds,
            message,
            "swap `from` and `until`, or remove the rule",
        ));
        return false;
    }
    let twice = order
        .iter()
        .enumerate()
        .find(|(at, value)| order[..*at].contains(value));
    if let Some((_, value)) = twice {
        let message = format!("{value:?} stands twice in `order`, so that forward is a circle");
        findings.push(placed.finding(Lint::BadOrder, message, "name each value once"));
    } else if order.len() == 1 {
        let message = "`order` has a single value, so that nothing can move forward".to_owned();
        findings.push(placed.finding(
            Lint::BadOrder,
            message,
            "name all values from the first to the last",
        ));
    }
    true
}

impl Placed {
    fn finding(&self, lint: Lint, message: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding {
            lint,
            field: self.rule.field_name.clone(),
            line: Some(self.line),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

#[cfg(test)]
mod tests;
