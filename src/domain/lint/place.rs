//! Whether fields, values and places that rules speak of are there.

use super::{Finding, Ground, Lint, by_field};
use crate::ownership::{Placed, Policy, Side};
use crate::quote::{LINE_FIELDS, QUOTE_FIELDS, QUOTE_RECORD_FIELDS};
use crate::view::FieldName;

/// Rules about fields that nothing maps, and mapped fields without a rule.
pub(super) fn fields(rules: &[Placed], ground: &Ground<'_>, findings: &mut Vec<Finding>) {
    let ruled = by_field(rules);
    for (field, rules) in &ruled {
        if !ground.synced.fields.contains_key(*field) && !is_canonical(field) {
            let message = format!("{field} is no field that is synced");
            let fix = match nearest(field.as_str(), ground) {
                Some(near) => format!("did you mean {near}?"),
                None => "map it in the connection's field file, or remove the rule".to_owned(),
            };
            findings.push(rules[0].finding(Lint::UnknownField, message, fix));
        }
    }
    for field in ground.synced.fields.keys() {
        if !ruled.iter().any(|(known, _)| *known == field) {
            findings.push(Finding {
                lint: Lint::NoOwner,
                field: field.clone(),
                line: None,
                message: format!("{field} is synced and has no owner"),
                fix: "add a rule; `policy = \"never\"` keeps it out".to_owned(),
            });
        }
    }
}

/// Whether the CPQ has it, though the CRM may have no place for it.
fn is_canonical(field: &FieldName) -> bool {
    let mut all = QUOTE_FIELDS.iter().chain(QUOTE_RECORD_FIELDS).chain(LINE_FIELDS);
    all.any(|name| *name == field.as_str())
}

/// The synced field whose name differs least, if it is near enough to be meant.
fn nearest<'a>(name: &str, ground: &'a Ground<'_>) -> Option<&'a FieldName> {
    let known = ground.synced.fields.keys();
    let distances = known.map(|field| (distance(name, field.as_str()), field));
    distances
        .filter(|(far, _)| *far <= 3)
        .min()
        .map(|(_, field)| field)
}

/// Letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// Stages and record types that the org does not have.
pub(super) fn values(
    _field: &FieldName,
    rules: &[&Placed],
    ground: &Ground<'_>,
    findings: &mut Vec<Finding>,
) {
    for placed in rules {
        let when = &placed.rule.when;
        for (what, named, known) in [
            ("stage", &when.stage, ground.stages),
            ("record type", &when.record_type, ground.record_types),
        ] {
            let missing = named
                .iter()
                .find(|value| !known.is_empty() && !known.contains(value));
            if let Some(value) = missing {
                let message = format!("the org has no {what} {value:?}, so that the rule never holds");
                let fix = format!("it has: {}", known.join(", "));
                findings.push(placed.finding(Lint::UnknownValue, message, fix));
            }
        }
    }
}

/// Values that would go where they cannot be written.
pub(super) fn writes(field: &FieldName, rules: &[&Placed], ground: &Ground<'_>, findings: &mut Vec<Finding>) {
    for placed in rules {
        let Some((place, why)) = blocked(field, placed, ground) else {
            continue;
        };
        let message = format!(
            "{} owns it, and {place} cannot take its value: {why}",
            placed.rule.owner_system.as_str()
        );
        let fix = "give it to the other side, let it be `computed` or `never`, or let the place be written";
        findings.push(placed.finding(Lint::ReadOnly, message, fix));
    }
}

fn blocked(field: &FieldName, placed: &Placed, ground: &Ground<'_>) -> Option<(String, String)> {
    let travels = !matches!(placed.rule.overwrite_policy, Policy::Never | Policy::Computed);
    if !travels {
        return None;
    }
    match placed.rule.owner_system {
        Side::Crm => {
            let derived = ground.cpq_read_only.contains(&field.as_str());
            derived.then(|| ("the CPQ".to_owned(), "it follows from the quote there".to_owned()))
        }
        Side::Cpq => {
            let drawn = ground.synced.fields.get(field)?;
            let Some(org) = ground.org else {
                let why = "the field mapping does not let us write it".to_owned();
                return (!drawn.writable).then(|| (drawn.path.clone(), why));
            };
            match org.fields.get(field) {
                None => Some((
                    drawn.path.clone(),
                    "the org does not have it, or hides it from our user".to_owned(),
                )),
                Some(there) if !there.writable => {
                    Some((there.path.clone(), "it is read-only for us".to_owned()))
                }
                Some(_) => None,
            }
        }
    }
}
