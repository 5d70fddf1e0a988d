//! Whether an opportunity and its quote agree now: every difference with its cause, and the values that both sides
//! must hold alike.
//!
//! Pure. The differences are the resolver's own verdicts, so a difference is exactly what a sync would write or leave to
//! a person. The pairs of closed values are gathered without those verdicts, from the rules alone: checksums over them
//! are a second witness.

use serde::{Deserialize, Serialize};

use crate::adapter::Mapped;
use crate::certificate::Object as Counted;
use crate::id::LineKey;
use crate::ownership::{Facts, OwnershipRule, Policy, Side};
use crate::quote::Status;
use crate::resolve::{self, Decision, Plan, Question, Verdict};
#[cfg(feature = "openapi")]
use crate::value::Value as FieldValue;
use crate::value::{Shape, Value};
use crate::view::{FieldName, View};

/// The field that says whether a line is there.
const PRESENCE: &str = "line.exists";

/// Why two sides differ. A closed list; each has its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DifferenceCause))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The CRM's value was changed since both last agreed, and that has not been carried or corrected yet.
    CrmEdited,
    /// The CPQ's value was changed since both last agreed, and that has not been carried or corrected yet.
    CpqEdited,
    /// Both were changed since.
    BothEdited,
    /// Neither was changed; the rule in force now wants the value carried.
    RuleChanged,
    /// This field, or the whole record, was never part of an agreement.
    NeverSynced,
    /// A person has to decide.
    ConflictOpen,
    /// A person has decided, and that has not been carried out yet.
    DecisionPending,
    /// One side has a line that the other lacks.
    LineMissing,
    /// The CRM's record of the quote is gone.
    QuoteRecordMissing,
    /// The CPQ owns the value, and the CRM does not let us write it.
    NotWritable,
    /// The quote's opportunity is in the CRM's bin.
    DeletedInCrm,
    /// The quote's opportunity is unknown to the CRM, or hidden from our user.
    MissingInCrm,
    /// Both once agreed on a quote that the CPQ does not have any more.
    MissingInCpq,
    /// The CRM's record is there, and our mapping cannot make sense of it.
    Unreadable,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 14] = {
        use Cause::*;
        [
            CrmEdited,
            CpqEdited,
            BothEdited,
            RuleChanged,
            NeverSynced,
            ConflictOpen,
            DecisionPending,
            LineMissing,
            QuoteRecordMissing,
            NotWritable,
            DeletedInCrm,
            MissingInCrm,
            MissingInCpq,
            Unreadable,
        ]
    };

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::CrmEdited => "crm_edited",
            Cause::CpqEdited => "cpq_edited",
            Cause::BothEdited => "both_edited",
            Cause::RuleChanged => "rule_changed",
            Cause::NeverSynced => "never_synced",
            Cause::ConflictOpen => "conflict_open",
            Cause::DecisionPending => "decision_pending",
            Cause::LineMissing => "line_missing",
            Cause::QuoteRecordMissing => "quote_record_missing",
            Cause::NotWritable => "not_writable",
            Cause::DeletedInCrm => "deleted_in_crm",
            Cause::MissingInCrm => "missing_in_crm",
            Cause::MissingInCpq => "missing_in_cpq",
            Cause::Unreadable => "unreadable",
        }
    }

    /// Whether a sync can make it go away.
    pub fn is_repairable(self) -> bool {
        match self {
            Cause::CrmEdited | Cause::CpqEdited | Cause::BothEdited | Cause::RuleChanged => true,
            Cause::NeverSynced | Cause::LineMissing | Cause::QuoteRecordMissing | Cause::MissingInCpq => true,
            Cause::DecisionPending => true,
            Cause::ConflictOpen | Cause::NotWritable | Cause::Unreadable => false,
            Cause::DeletedInCrm | Cause::MissingInCrm => false,
        }
    }

    /// What to do about it.
    pub fn next(self) -> &'static str {
        match self {
            Cause::ConflictOpen => "decide: `cpq conflicts list`, then `cpq conflicts resolve …`",
            Cause::NotWritable => "let the integration user write the field, or take it out of the matrix",
            Cause::DeletedInCrm => "restore the opportunity, or `cpq quote transition … cancel --reason …`",
            Cause::MissingInCrm => {
                "let the integration user see the opportunity, or `cpq quote transition … cancel --reason …`"
            }
            Cause::Unreadable => "correct the type of the named field in the mapping, or take it out",
            _ => "`cpq reconcile --repair`",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RecordDifference))]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What it belongs to.
    pub object: Counted,
    /// The field; absent when the whole record differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldName>,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// Why.
    pub cause: Cause,
    /// The CRM's value.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub crm: Value,
    /// The CPQ's value.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub cpq: Value,
    /// The sides that a sync would write; none when no sync can settle it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Side>,
}

impl Difference {
    /// A difference of the whole record.
    pub fn of_record(cause: Cause, crm: bool, cpq: bool) -> Difference {
        Difference {
            object: Counted::Opportunity,
            field: None,
            line: None,
            cause,
            crm: Value::Bool(crm),
            cpq: Value::Bool(cpq),
            writes: match cause.is_repairable() {
                true => vec![if crm { Side::Cpq } else { Side::Crm }],
                false => vec![],
            },
        }
    }
}

/// A value that both sides must hold alike, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// What it belongs to.
    pub object: Counted,
    /// The field.
    pub field: &'a FieldName,
    /// The line, for line fields.
    pub line: Option<&'a LineKey>,
    /// What the CRM holds; `None` where it lacks the whole line.
    pub crm: Option<Value>,
    /// What the CPQ holds; `None` where it lacks the whole line.
    pub cpq: Option<Value>,
}

/// How an opportunity and its quote compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison<'a> {
    /// Every difference.
    pub differences: Vec<Difference>,
    /// Every closed value.
    pub pairs: Vec<Pair<'a>>,
    /// Values that differ only in the way in which each side stores what was agreed. No difference.
    pub stored_differently: u32,
}

/// Compares an opportunity with a quote that is there.
pub fn compare<'a>(question: &Question<'a>) -> Comparison<'a> {
    let plan = resolve::decide(question);
    let mut comparison = Comparison::default();
    for decision in plan
        .decisions
        .iter()
        .filter(|decision| is_whole(question, decision))
    {
        comparison.differences.extend(difference(question, decision));
    }
    let (header, line): (Vec<_>, Vec<_>) = question.matrix.fields().partition(|field| !field.is_line());
    for field in header {
        pair(question, &mut comparison, field, None);
    }
    for key in line_keys(question, &plan) {
        for field in &line {
            pair(question, &mut comparison, field, Some(key));
        }
    }
    comparison
}

/// Whether the rule wants both sides to hold the same value. Laws of the resolver's tests: under these policies both
/// patches make the sides equal.
pub fn is_closed(rule: &OwnershipRule, facts: &Facts) -> bool {
    match rule.overwrite_policy {
        Policy::Always | Policy::Computed | Policy::Review | Policy::Newest => true,
        Policy::Snapshot => facts.quote_status.is_none_or(|status| status == Status::Draft),
        Policy::IfBlank | Policy::Seed | Policy::Follow | Policy::Forward | Policy::Never => false,
    }
}

/// The object that a field counts for.
fn object_of(field: &FieldName) -> Counted {
    match field.object() {
        "line" => Counted::QuoteLines,
        "quote_record" => Counted::QuoteRecord,
        _ => Counted::Opportunity,
    }
}

/// A line that one side lacks is one difference, not one for each of its fields.
fn is_whole(question: &Question, decision: &Decision) -> bool {
    let Some(key) = &decision.line else { return true };
    let on_both =
        question.crm.lines.contains_key(key) && question.cpq.is_some_and(|view| view.lines.contains_key(key));
    on_both || decision.field.as_str() == PRESENCE
}

fn difference(question: &Question, decision: &Decision) -> Option<Difference> {
    let rule = question.matrix.rule(decision.field.as_str(), question.facts)?;
    let mapped = question.mapping.fields.get(&decision.field);
    let shape = mapped.map(|mapped| mapped.shape).unwrap_or_default();
    let cause = match decision.verdict {
        Verdict::Agree | Verdict::Skip => return None,
        Verdict::Review => Cause::ConflictOpen,
        Verdict::Keep if refused_by_the_crm(rule, question.facts, mapped, decision) => Cause::NotWritable,
        Verdict::Keep => return None,
        _ if decision.ruling.is_some() => Cause::DecisionPending,
        Verdict::ToCrm | Verdict::ToCpq if decision.field.as_str() == PRESENCE => Cause::LineMissing,
        Verdict::ToCrm if record_is_gone(question, &decision.field) => Cause::QuoteRecordMissing,
        Verdict::ToCrm | Verdict::ToCpq | Verdict::ToBoth => edited(question, decision, shape),
    };
    Some(Difference {
        object: object_of(&decision.field),
        field: Some(decision.field.clone()),
        line: decision.line.clone(),
        cause,
        crm: decision.crm.clone(),
        cpq: decision.cpq.clone(),
        writes: match decision.verdict {
            Verdict::ToCrm => vec![Side::Crm],
            Verdict::ToCpq => vec![Side::Cpq],
            Verdict::ToBoth => vec![Side::Crm, Side::Cpq],
            _ => vec![],
        },
    })
}

/// A value of the CPQ that should be in the CRM, where we may not write. However often it was looked at, and whatever
/// was then taken for agreed: the sides differ.
fn refused_by_the_crm(
    rule: &OwnershipRule,
    facts: &Facts,
    mapped: Option<&Mapped>,
    decision: &Decision,
) -> bool {
    rule.owner_system == Side::Cpq
        && mapped.is_some_and(|mapped| !mapped.writable)
        && decision.field.as_str() != PRESENCE
        && is_closed(rule, facts)
}

/// Whether the CRM's record of the quote, which we once wrote, is not there any more.
fn record_is_gone(question: &Question, field: &FieldName) -> bool {
    let key = |view: &View| view.get("quote_record.key").is_some_and(|key| !key.is_null());
    object_of(field) == Counted::QuoteRecord && key(&question.base.crm) && !key(question.crm)
}

fn edited(question: &Question, decision: &Decision, shape: Shape) -> Cause {
    let at = |view: &View| held(view, &decision.field, decision.line.as_ref()).cloned();
    let (Some(crm), Some(cpq)) = (at(&question.base.crm), at(&question.base.cpq)) else {
        return Cause::NeverSynced;
    };
    match (!crm.same(&decision.crm, shape), !cpq.same(&decision.cpq, shape)) {
        (true, true) => Cause::BothEdited,
        (true, false) => Cause::CrmEdited,
        (false, true) => Cause::CpqEdited,
        (false, false) => Cause::RuleChanged,
    }
}

fn held<'a>(view: &'a View, field: &FieldName, line: Option<&LineKey>) -> Option<&'a Value> {
    match line {
        Some(key) => view.lines.get(key).and_then(|fields| fields.get(field)),
        None => view.fields.get(field),
    }
}

/// Lines that are on both sides, and those that one side has and the other shall have or lose. A line that one side may
/// keep for itself is nothing that both must hold.
fn line_keys<'a>(question: &Question<'a>, plan: &Plan) -> Vec<&'a LineKey> {
    let cpq = question.cpq;
    let in_cpq = |key: &LineKey| cpq.is_some_and(|view| view.lines.contains_key(key));
    let kept = |key: &LineKey| {
        let presence = plan
            .decisions
            .iter()
            .find(|decision| decision.field.as_str() == PRESENCE && decision.line.as_ref() == Some(key));
        presence.is_some_and(|decision| matches!(decision.verdict, Verdict::Keep | Verdict::Skip))
    };
    let both = question.crm.lines.keys().filter(|key| in_cpq(key) || !kept(key));
    let only_cpq = cpq.into_iter().flat_map(|view| view.lines.keys());
    let only_cpq = only_cpq.filter(|key| !question.crm.lines.contains_key(*key) && !kept(key));
    both.chain(only_cpq).collect()
}

fn pair<'a>(
    question: &Question<'a>,
    comparison: &mut Comparison<'a>,
    field: &'a FieldName,
    line: Option<&'a LineKey>,
) {
    let Some(rule) = question.matrix.rule(field.as_str(), question.facts) else {
        return;
    };
    if field.as_str() == PRESENCE {
        let has = |view: Option<&View>| {
            let has = view
                .zip(line)
                .is_some_and(|(view, key)| view.lines.contains_key(key));
            has.then_some(Value::Bool(true))
        };
        let (crm, cpq) = (has(Some(question.crm)), has(question.cpq));
        return comparison.pairs.push(Pair {
            object: Counted::QuoteLines,
            field,
            line,
            crm,
            cpq,
        });
    }
    let Some(mapped) = question.mapping.fields.get(field) else {
        return;
    };
    if !is_closed(rule, question.facts) {
        return;
    }
    if let Some((crm, cpq)) = values(question, field, line, rule) {
        let alike = comparison.hold(question, field, line, rule, mapped, (crm, cpq));
        comparison.pairs.push(Pair {
            object: object_of(field),
            field,
            line,
            crm: Some(alike.0),
            cpq: Some(alike.1),
        });
    }
}

/// What both sides hold of a field; `None` where the field takes no part, as in the resolver: the side that counts does
/// not know it, or one side lacks the whole line.
fn values<'a>(
    question: &Question<'a>,
    field: &FieldName,
    line: Option<&LineKey>,
    rule: &OwnershipRule,
) -> Option<(&'a Value, Option<&'a Value>)> {
    let crm = held(question.crm, field, line)?;
    if let Some(key) = line {
        question.cpq.filter(|view| view.lines.contains_key(key))?;
    }
    let cpq = question.cpq.and_then(|view| held(view, field, line));
    match (rule.owner_system, cpq) {
        (Side::Cpq, None) => None,
        (_, cpq) => Some((crm, cpq)),
    }
}

impl Comparison<'_> {
    /// The canonical values of both sides. Where each side stores the agreed value in its own way, both stand for what
    /// was agreed.
    fn hold(
        &mut self,
        question: &Question,
        field: &FieldName,
        line: Option<&LineKey>,
        rule: &OwnershipRule,
        mapped: &Mapped,
        (crm, cpq): (&Value, Option<&Value>),
    ) -> (Value, Value) {
        let null = Value::Null;
        let (cpq, shape) = (cpq.unwrap_or(&null), mapped.shape);
        let agreed =
            |view: &View, now: &Value| held(view, field, line).is_some_and(|base| base.same(now, shape));
        let may_write = rule.owner_system == Side::Crm || mapped.writable;
        let (crm_held, cpq_held) = (crm.canonical(shape), cpq.canonical(shape));
        let in_its_own_way = crm_held != cpq_held
            && may_write
            && agreed(&question.base.crm, crm)
            && agreed(&question.base.cpq, cpq);
        if in_its_own_way {
            self.stored_differently += 1;
            return (crm_held.clone(), crm_held);
        }
        (crm_held, cpq_held)
    }
}

#[cfg(test)]
mod tests;
