//! What the conflicts of the past say about the rules: where people always decide alike, and where edits are lost again and
//! again.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Conflict, ConflictState, Take};
use crate::id::ConflictId;
use crate::ownership::{Policy, Side};
use crate::view::FieldName;

/// Decisions below which nothing is a habit.
const DECIDED_MIN: u64 = 5;
/// Share of decisions, in percent, from which on it is one.
const ALIKE_PERCENT: u64 = 90;
/// Lost edits of a field from which on its rule is worth a look.
const LOST_MIN: u64 = 10;
/// Conflicts that are named as those in which the suggestion decides otherwise.
const NAMED: usize = 20;

/// The conflicts of one field under one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Habit {
    /// The field.
    pub field: FieldName,
    /// Policy of its rule when they arose.
    pub policy: Policy,
    /// Owner then.
    pub owner: Side,
    /// How many there were.
    pub seen: u64,
    /// How many of them wait for a person.
    pub open: u64,
    /// How many the matrix settled, so that an edit was lost.
    pub lost: u64,
    /// How often a person took the CRM's value.
    pub took_crm: u64,
    /// How often a person took the CPQ's value.
    pub took_cpq: u64,
    /// How often a person gave another value.
    pub took_other: u64,
    /// What could be changed about the rule; absent where nothing stands out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
}

/// Another rule, and what it would have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// Why, in a sentence.
    pub why: String,
    /// The rule as it would stand in the matrix (TOML).
    pub rule: String,
    /// Conflicts that it would have decided as was decided, or as the matrix did.
    pub same: u64,
    /// Conflicts that it would have decided otherwise, or asked a person about.
    pub otherwise: u64,
    /// The newest of those, by name.
    pub otherwise_in: Vec<ConflictId>,
}

/// Conflicts of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConflictDay {
    /// The day, in UTC.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub day: Date,
    /// How many arose and were settled by the matrix.
    pub settled: u64,
    /// How many arose and were for a person.
    pub asked: u64,
    /// How many were closed by a person.
    pub decided: u64,
}

/// Conflicts by field and policy, those with the most first; newest conflicts come first in `conflicts`.
pub fn habits<'a>(conflicts: impl IntoIterator<Item = &'a Conflict>) -> Vec<Habit> {
    let mut groups: BTreeMap<(String, &'static str), Vec<&Conflict>> = BTreeMap::new();
    for conflict in conflicts {
        let key = (conflict.field.to_string(), conflict.policy.as_str());
        groups.entry(key).or_default().push(conflict);
    }
    let mut habits: Vec<Habit> = groups.values().filter_map(|group| habit(group)).collect();
    habits.sort_by(|one, other| {
        other
            .seen
            .cmp(&one.seen)
            .then_with(|| one.field.cmp(&other.field))
    });
    habits
}

fn habit(group: &[&Conflict]) -> Option<Habit> {
    let newest = group.first()?;
    let count = |is: fn(&Conflict) -> bool| group.iter().filter(|conflict| is(conflict)).count() as u64;
    let mut habit = Habit {
        field: newest.field.clone(),
        policy: newest.policy,
        owner: newest.owner,
        seen: group.len() as u64,
        open: count(|conflict| conflict.state == ConflictState::Open),
        lost: count(|conflict| conflict.state == ConflictState::Settled),
        took_crm: count(|conflict| took(conflict) == Some(Take::Crm)),
        took_cpq: count(|conflict| took(conflict) == Some(Take::Cpq)),
        took_other: count(|conflict| took(conflict) == Some(Take::Value)),
        suggestion: None,
    };
    habit.suggestion = alike(&habit, group).or_else(|| lost(&habit, group));
    Some(habit)
}

fn took(conflict: &Conflict) -> Option<Take> {
    let ruling = conflict.ruling.as_ref();
    ruling
        .filter(|_| conflict.state == ConflictState::Resolved)
        .map(|ruling| ruling.take)
}

/// People decide alike: then the matrix can do it.
fn alike(habit: &Habit, group: &[&Conflict]) -> Option<Suggestion> {
    let decided = habit.took_crm + habit.took_cpq + habit.took_other;
    let (side, take, most) = if habit.took_crm >= habit.took_cpq {
        (Side::Crm, Take::Crm, habit.took_crm)
    } else {
        (Side::Cpq, Take::Cpq, habit.took_cpq)
    };
    if decided < DECIDED_MIN || most * 100 < decided * ALIKE_PERCENT {
        return None;
    }
    let why = format!(
        "people took the {}'s value {most} of {decided} times",
        side.as_str()
    );
    let otherwise = group
        .iter()
        .filter(|conflict| took(conflict).is_some_and(|took| took != take));
    Some(suggestion(habit, side, Policy::Always, why, most, otherwise))
}

/// Edits are lost again and again: then who makes them should be asked, or own the field.
fn lost(habit: &Habit, group: &[&Conflict]) -> Option<Suggestion> {
    if habit.lost < LOST_MIN || habit.policy == Policy::Review {
        return None;
    }
    let why = format!(
        "{} edits in the {} were lost to the owner: let a person decide, or make the field read-only there",
        habit.lost,
        habit.owner.other().as_str()
    );
    let asked = group
        .iter()
        .filter(|conflict| conflict.state == ConflictState::Settled);
    let same = habit.seen - habit.lost;
    Some(suggestion(habit, habit.owner, Policy::Review, why, same, asked))
}

fn suggestion<'a>(
    habit: &Habit,
    owner: Side,
    policy: Policy,
    why: String,
    same: u64,
    otherwise: impl Iterator<Item = &'a &'a Conflict>,
) -> Suggestion {
    let otherwise: Vec<ConflictId> = otherwise.map(|conflict| conflict.id.clone()).collect();
    let rule = format!(
        "[[rule]]\nfield = \"{}\"\nowner = \"{}\"\npolicy = \"{}\"\nreason = \"{why}\"\n",
        habit.field,
        owner.as_str().to_ascii_lowercase(),
        policy.as_str(),
    );
    Suggestion {
        why,
        rule,
        same,
        otherwise: otherwise.len() as u64,
        otherwise_in: otherwise.into_iter().take(NAMED).collect(),
    }
}

/// Conflicts by the day on which they arose or were decided. Days without any are missing.
pub fn by_day<'a>(conflicts: impl IntoIterator<Item = &'a Conflict>) -> Vec<ConflictDay> {
    let mut days: BTreeMap<Date, ConflictDay> = BTreeMap::new();
    let mut of = |at: jiff::Timestamp, count: fn(&mut ConflictDay) -> &mut u64| {
        let day = at.to_zoned(TimeZone::UTC).date();
        let found = days.entry(day).or_insert_with(|| ConflictDay {
            day,
            ..ConflictDay::default()
        });
        *count(found) += 1;
    };
    for conflict in conflicts {
        match conflict.state {
            ConflictState::Settled => of(conflict.opened_at, |day| &mut day.settled),
            _ => of(conflict.opened_at, |day| &mut day.asked),
        }
        if let (Some(at), Some(_)) = (conflict.closed_at, took(conflict)) {
            of(at, |day| &mut day.decided);
        }
    }
    days.into_values().collect()
}

#[cfg(test)]
mod tests;
