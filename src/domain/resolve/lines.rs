//! The lines of a quote: which of them come and go, and what a new one starts with.

use std::collections::BTreeSet;

use super::origin::{agree_on_presence, origin_of, presence_decision};
use super::{Decision, Held, Origin, Plan, Question, Verdict, decide_field, frozen, remember, rule, set};
use crate::id::LineKey;
use crate::ownership::{Facts, OwnershipRule, Policy, Side};
use crate::value::Value;
use crate::view::{FieldName, LineChange};

pub(super) fn line_keys(question: &Question) -> BTreeSet<LineKey> {
    let cpq = question.cpq.into_iter().flat_map(|view| view.lines.keys());
    let base = question
        .base
        .crm
        .lines
        .keys()
        .chain(question.base.cpq.lines.keys());
    question
        .crm
        .lines
        .keys()
        .chain(cpq)
        .chain(base)
        .cloned()
        .collect()
}

/// Lines come and go under the rule of `line.exists`; the fields of a line are decided where both sides have it, or
/// where it is about to be added.
pub(super) fn decide_line(question: &Question, plan: &mut Plan, key: &LineKey, fields: &[&FieldName]) {
    let in_crm = question.crm.lines.contains_key(key);
    let in_cpq = question.cpq.is_some_and(|view| view.lines.contains_key(key));
    let had = question.base.crm.lines.contains_key(key) && question.base.cpq.lines.contains_key(key);
    if in_crm == in_cpq && in_crm != had {
        agree_on_presence(question, plan, key, in_crm);
    }
    if !in_crm && !in_cpq {
        return;
    }
    let verdict = match in_crm && in_cpq {
        true => Verdict::Agree,
        false => decide_presence(question, plan, key, in_crm, had),
    };
    let (adds, removes) = match verdict {
        Verdict::ToCpq => (in_crm, !in_crm),
        Verdict::ToCrm => (in_cpq, !in_cpq),
        _ => (false, false),
    };
    if removes {
        let patch = if verdict == Verdict::ToCpq {
            &mut plan.to_cpq
        } else {
            &mut plan.to_crm
        };
        patch.lines.insert(key.clone(), LineChange::Remove);
    } else if adds || verdict == Verdict::Agree {
        if adds {
            // New there, whether a field of it is written or not.
            let patch = match in_crm {
                true => &mut plan.to_cpq,
                false => &mut plan.to_crm,
            };
            patch
                .lines
                .insert(key.clone(), LineChange::Put(Default::default()));
        }
        plan.base.crm.lines.entry(key.clone()).or_default();
        plan.base.cpq.lines.entry(key.clone()).or_default();
        fields
            .iter()
            .filter(|field| field.as_str() != "line.exists")
            .for_each(|field| decide_field(question, plan, field, Some(key)));
    } else if had {
        keep_line_base(question, plan, key);
    }
}

fn keep_line_base(question: &Question, plan: &mut Plan, key: &LineKey) {
    for (from, to) in [
        (&question.base.crm, &mut plan.base.crm),
        (&question.base.cpq, &mut plan.base.cpq),
    ] {
        if let Some(fields) = from.lines.get(key) {
            to.lines.insert(key.clone(), fields.clone());
        }
    }
}

fn decide_presence(question: &Question, plan: &mut Plan, key: &LineKey, in_crm: bool, had: bool) -> Verdict {
    let Some(rule) = rule(question, &FieldName::new("line.exists")) else {
        return Verdict::Skip;
    };
    if question.cpq.is_none() && rule.owner_system == Side::Cpq {
        return Verdict::Skip;
    }
    let owner_has = (rule.owner_system == Side::Crm) == in_crm;
    let writable = rule.owner_system == Side::Crm
        || question
            .mapping
            .fields
            .get("line.exists")
            .is_some_and(|m| m.writable);
    let (carry, reason) = presence(rule, question.facts, owner_has, had, writable);
    let verdict = match (carry, rule.owner_system) {
        (true, Side::Crm) => Verdict::ToCpq,
        (true, Side::Cpq) => Verdict::ToCrm,
        (false, _) => Verdict::Keep,
    };
    // Whichever side differs from the last agreement brought the news.
    let origin = match in_crm != had {
        true => Origin::Crm,
        false => Origin::Cpq,
    };
    let presence = Decision {
        origin: origin_of(verdict, origin),
        lost: (carry && owner_has == had).then(|| lost_line(question, key, owner_has)),
        ..presence_decision(rule, key, (in_crm, !in_crm), had, reason)
    };
    plan.decisions.push(Decision { verdict, ..presence });
    verdict
}

/// What the overruled side had made of a line: the one that it added, in words, or that it took one away.
fn lost_line(question: &Question, key: &LineKey, owner_has: bool) -> Value {
    let cpq = question.cpq.and_then(|view| view.lines.get(key));
    match question.crm.lines.get(key).or(cpq) {
        Some(fields) if !owner_has => {
            let shown = |field: &str| fields.get(field).map(Value::to_string).unwrap_or_default();
            Value::text(format!("{} × {}", shown("line.sku"), shown("line.quantity")))
        }
        _ => Value::Bool(false),
    }
}

/// Whether the owner's having or not having the line is carried over. A line that the owner never had is not the
/// owner's to remove.
fn presence(
    rule: &OwnershipRule,
    facts: &Facts,
    owner_has: bool,
    had: bool,
    writable: bool,
) -> (bool, String) {
    let (owner, other) = (rule.owner_system.as_str(), rule.owner_system.other().as_str());
    if !writable {
        return (false, format!("the lines of the {other} cannot be written"));
    }
    if frozen(rule.overwrite_policy, facts) {
        return (false, "frozen since the quote left draft".into());
    }
    match (rule.overwrite_policy, owner_has, had) {
        (Policy::Never, ..) => (false, "lines are not synced".into()),
        (Policy::Seed, _, _) if facts.quote_status.is_some() => {
            (false, "seeded when the quote was created".into())
        }
        (Policy::Follow, true, true) => (
            false,
            format!("the {other} took this line out of the draft itself"),
        ),
        (Policy::Computed, false, false) => (
            true,
            format!("the {owner} never had this line, and the lines are only its own"),
        ),
        (_, true, _) => (true, format!("the {owner} has this line and owns the lines")),
        (_, false, true) => (true, format!("the {owner} removed this line and owns the lines")),
        (_, false, false) => (false, format!("the {owner} never had this line")),
    }
}

/// The side that alone has a line, and so is about to give it to the other.
pub(super) fn maker(question: &Question, key: &LineKey) -> Option<Side> {
    let in_crm = question.crm.lines.contains_key(key);
    let in_cpq = question.cpq.is_some_and(|view| view.lines.contains_key(key));
    match (in_crm, in_cpq) {
        (true, false) => Some(Side::Crm),
        (false, true) => Some(Side::Cpq),
        _ => None,
    }
}

/// A field of a line that is new on the side that owns the field: it starts with what the line's maker has, as the owner
/// has no value yet that could count. What the owner computes, or would only give once, it has by itself.
pub(super) fn start(
    question: &Question,
    plan: &mut Plan,
    (field, key): (&FieldName, &LineKey),
    maker: Side,
    (rule, crm_writable): (&OwnershipRule, bool),
) {
    let (view, verdict) = match maker {
        Side::Crm => (Some(question.crm), Verdict::ToCpq),
        Side::Cpq => (question.cpq, Verdict::ToCrm),
    };
    let value = view.and_then(|view| view.lines.get(key)?.get(field));
    let by_itself = matches!(
        rule.overwrite_policy,
        Policy::Computed | Policy::Seed | Policy::Never
    );
    let Some(value) = value.filter(|value| !value.is_null() && !by_itself) else {
        return;
    };
    if verdict == Verdict::ToCrm && !crm_writable {
        return;
    }
    let patch = match verdict {
        Verdict::ToCrm => &mut plan.to_crm,
        _ => &mut plan.to_cpq,
    };
    set(patch, field, Some(key), value);
    for base in [&mut plan.base.crm, &mut plan.base.cpq] {
        remember(base, field, Some(key), Some(value));
    }
    let held = |side| match side == maker {
        true => value.clone(),
        false => Value::Null,
    };
    plan.decisions.push(Decision {
        field: field.clone(),
        line: Some(key.clone()),
        verdict,
        owner: rule.owner_system,
        policy: rule.overwrite_policy,
        crm: held(Side::Crm),
        cpq: held(Side::Cpq),
        lost: None,
        reason: format!("the line is new; it starts with what the {} has", maker.as_str()),
        origin: origin_of(verdict, Origin::Neither),
        base: Held::default(),
        given: None,
        ruling: None,
    });
}
