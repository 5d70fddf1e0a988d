//! Three-way resolution: what both sides hold, what they held when they last agreed, and whose value counts.
//!
//! Pure. For each field the rule in force decides alone; the outcome carries its reason, so that it can be told years
//! later. "Changed" always means "differs from what this side held at the last agreement", never "has a newer date".

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::adapter::Mapping;
use crate::conflict::{Asked, Ruling};
use crate::id::{ConflictId, LineKey};
use crate::ownership::{Facts, Matrix, OwnershipRule, Policy, Side};
use crate::quote::is_half_written;
#[cfg(feature = "openapi")]
use crate::value::Value as FieldValue;
use crate::value::{Shape, Value};
use crate::view::{FieldName, LineChange, Patch, View};

mod field;
mod lines;
mod origin;
mod ruling;
pub mod undo;

use field::{Cell, Judgement, judge, keep};
use lines::{decide_line, line_keys, maker, start};
use origin::origin_of;
pub use origin::{Held, Origin};
use ruling::ruled;

/// What both sides held when they last agreed. Two views, because a side may store a value in its own way (rounded,
/// trimmed), and that must not look like an edit for ever after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The CRM's values.
    pub crm: View,
    /// The CPQ's values.
    pub cpq: View,
}

/// Everything a decision is made from.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Rules in force.
    pub matrix: &'a Matrix,
    /// Facts for their conditions.
    pub facts: &'a Facts,
    /// What the CRM connection can hold.
    pub mapping: &'a Mapping,
    /// The last agreement; empty at the first sync.
    pub base: &'a Base,
    /// What the CRM holds.
    pub crm: &'a View,
    /// What the CPQ holds; `None` when there is no quote yet.
    pub cpq: Option<&'a View>,
    /// When the CRM record and the quote changed last, for the policy `newest` only.
    pub changed_at: (Timestamp, Timestamp),
    /// What people decided of the fields that the matrix leaves to them.
    pub rulings: &'a [Ruling],
    /// What people were asked, where the later change would win.
    pub asked: &'a [Asked],
}

/// What is done about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both sides mean the same.
    Agree,
    /// The CRM gets the CPQ's value.
    ToCrm,
    /// The CPQ gets the CRM's value.
    ToCpq,
    /// Both sides get a value that neither has: a person's.
    ToBoth,
    /// They differ and are meant to.
    Keep,
    /// A person decides; neither side is touched.
    Review,
    /// The field takes no part now.
    Skip,
}

/// One decided field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The field.
    pub field: FieldName,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// What is done.
    pub verdict: Verdict,
    /// Owner under the rule in force.
    pub owner: Side,
    /// Policy of the rule in force.
    pub policy: Policy,
    /// The CRM's value.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub crm: Value,
    /// The CPQ's value.
    #[cfg_attr(feature = "openapi", schema(value_type = FieldValue))]
    pub cpq: Value,
    /// What the overruled side had changed it to, kept so that no edit vanishes unseen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FieldValue>))]
    pub lost: Option<Value>,
    /// Why.
    pub reason: String,
    /// Where the news came from.
    #[serde(default)]
    pub origin: Origin,
    /// What both sides held when they last agreed.
    #[serde(default, skip_serializing_if = "Held::is_empty")]
    pub base: Held,
    /// The value that both sides get, with [`Verdict::ToBoth`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FieldValue>))]
    pub given: Option<Value>,
    /// The conflict that a person decided so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<ConflictId>,
}

impl Decision {
    /// What both sides hold of the field once this is carried out; `None` where each keeps its own.
    pub fn agreed(&self) -> Option<&Value> {
        match self.verdict {
            Verdict::Agree | Verdict::ToCpq => Some(&self.crm),
            Verdict::ToCrm => Some(&self.cpq),
            Verdict::ToBoth => self.given.as_ref(),
            Verdict::Keep | Verdict::Review | Verdict::Skip => None,
        }
    }
}

/// The answer: what to write where, and what both sides will then have agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Version of the matrix that it was made under.
    pub matrix_version: String,
    /// Every decision but the agreements that are no news.
    pub decisions: Vec<Decision>,
    /// Writes to the CRM.
    pub to_crm: Patch,
    /// Writes to the CPQ.
    pub to_cpq: Patch,
    /// The agreement that holds once both patches are applied.
    pub base: Base,
    /// What becomes of values that somebody wants to be taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<undo::Undone>,
}

impl Plan {
    /// Fields that wait for a person.
    pub fn open(&self) -> impl Iterator<Item = &Decision> {
        self.decisions
            .iter()
            .filter(|decision| decision.verdict == Verdict::Review)
    }
}

/// Decides every field that the matrix names and the CRM connection knows.
pub fn decide(question: &Question) -> Plan {
    let mut plan = Plan {
        matrix_version: question.matrix.version().to_owned(),
        ..Plan::default()
    };
    let (header, line): (Vec<_>, Vec<_>) = question.matrix.fields().partition(|field| !field.is_line());
    for field in header {
        decide_field(question, &mut plan, field, None);
    }
    for key in line_keys(question) {
        decide_line(question, &mut plan, &key, &line);
    }
    plan
}

fn frozen(policy: Policy, facts: &Facts) -> bool {
    matches!(policy, Policy::Snapshot | Policy::Follow)
        && facts
            .quote_status
            .is_some_and(|status| status != crate::quote::Status::Draft)
}

fn decide_field(question: &Question, plan: &mut Plan, field: &FieldName, line: Option<&LineKey>) {
    let Some(mapped) = question.mapping.fields.get(field) else {
        return;
    };
    let Some(rule) = rule(question, field) else {
        return;
    };
    if let Some((key, maker)) = line.and_then(|key| Some((key, maker(question, key)?)))
        && maker != rule.owner_system
    {
        return start(question, plan, (field, key), maker, (rule, mapped.writable));
    }
    let Some(cell) = cell(question, field, line, rule, mapped.shape) else {
        return;
    };
    let judgement = if line.is_some() && rule.owner_system == Side::Crm && is_half_written(question.crm) {
        keep(true, "the lines of the CRM are half written; this is not an edit")
    } else {
        let changed_at = (!is_asked(question, field, line, &cell)).then_some(question.changed_at);
        judge(rule, question.facts, &cell, mapped.writable, changed_at)
    };
    let judgement = ruled(judgement, question, (field, line), &cell, mapped.writable);
    settle(plan, field, line, &cell, &judgement);
    if judgement.verdict == Verdict::Agree && !cell.is_news() {
        return;
    }
    let changed = Origin::of_changes(cell.changed());
    plan.decisions.push(Decision {
        field: field.clone(),
        line: line.cloned(),
        verdict: judgement.verdict,
        owner: rule.owner_system,
        policy: rule.overwrite_policy,
        crm: cell.crm,
        cpq: cell.cpq,
        lost: judgement.lost,
        reason: judgement.reason,
        origin: origin_of(judgement.verdict, changed),
        base: Held {
            crm: cell.base_crm,
            cpq: cell.base_cpq,
        },
        given: judgement.given,
        ruling: judgement.ruling,
    });
}

/// Whether a person was asked about these very values: then only that person decides, or a new edit.
fn is_asked(question: &Question, field: &FieldName, line: Option<&LineKey>, cell: &Cell) -> bool {
    #[cfg(feature = "planted-bugs")]
    if crate::planted::Bug::ForgetsWhatWasAsked.is_on() {
        return false;
    }
    question.asked.iter().any(|asked| {
        (&asked.field, asked.line.as_ref()) == (field, line)
            && asked.crm.same(&cell.crm, cell.shape)
            && asked.cpq.same(&cell.cpq, cell.shape)
    })
}

/// The rule in force. Lines that a broken write left half done are finished, whatever holds by now: what the CRM shows
/// of them is no one's edit.
fn rule<'a>(question: &Question<'a>, field: &FieldName) -> Option<&'a OwnershipRule> {
    if field.is_line() && is_half_written(question.crm) {
        let mut rules = question.matrix.rules_of(field.as_str()).iter();
        let ours =
            |rule: &&OwnershipRule| rule.owner_system == Side::Cpq && rule.overwrite_policy != Policy::Never;
        if let Some(rule) = rules.find(ours) {
            return Some(rule);
        }
    }
    question.matrix.rule(field.as_str(), question.facts)
}

/// The values of one field, or `None` where the side that counts does not know the field at all.
fn cell(
    question: &Question,
    field: &FieldName,
    line: Option<&LineKey>,
    rule: &OwnershipRule,
    shape: Shape,
) -> Option<Cell> {
    let at = |view: &View| match line {
        Some(key) => view.lines.get(key).and_then(|fields| fields.get(field)).cloned(),
        None => view.fields.get(field).cloned(),
    };
    let cpq = question.cpq.and_then(at);
    if rule.owner_system == Side::Cpq && cpq.is_none() {
        return None;
    }
    // A line that is about to be added to the CRM has no values there yet, and none that it could give away.
    let crm_is_new = line.is_some_and(|key| !question.crm.lines.contains_key(key));
    let crm = match crm_is_new && rule.owner_system == Side::Cpq {
        true => Value::Null,
        false => at(question.crm)?,
    };
    Some(Cell {
        base_crm: at(&question.base.crm),
        base_cpq: at(&question.base.cpq),
        crm,
        cpq_is_new: match line {
            Some(key) => !question.cpq.is_some_and(|view| view.lines.contains_key(key)),
            None => question.cpq.is_none(),
        },
        cpq: cpq.unwrap_or_default(),
        shape,
    })
}

/// Carries a judgement into the patches and into the next agreement.
fn settle(plan: &mut Plan, field: &FieldName, line: Option<&LineKey>, cell: &Cell, judgement: &Judgement) {
    let (crm, cpq) = match judgement.verdict {
        Verdict::ToCpq => {
            set(&mut plan.to_cpq, field, line, &cell.crm);
            (Some(&cell.crm), Some(&cell.crm))
        }
        Verdict::ToCrm => {
            set(&mut plan.to_crm, field, line, &cell.cpq);
            (Some(&cell.cpq), Some(&cell.cpq))
        }
        Verdict::ToBoth => {
            let given = judgement.given.as_ref().unwrap_or(&Value::Null);
            set(&mut plan.to_crm, field, line, given);
            set(&mut plan.to_cpq, field, line, given);
            (Some(given), Some(given))
        }
        Verdict::Agree => (Some(&cell.crm), Some(&cell.cpq)),
        Verdict::Keep if judgement.settled => (Some(&cell.crm), Some(&cell.cpq)),
        Verdict::Keep | Verdict::Review => (cell.base_crm.as_ref(), cell.base_cpq.as_ref()),
        Verdict::Skip => (None, None),
    };
    remember(&mut plan.base.crm, field, line, crm);
    remember(&mut plan.base.cpq, field, line, cpq);
}

fn set(patch: &mut Patch, field: &FieldName, line: Option<&LineKey>, value: &Value) {
    let Some(key) = line else {
        patch.fields.insert(field.clone(), value.clone());
        return;
    };
    let change = patch
        .lines
        .entry(key.clone())
        .or_insert_with(|| LineChange::Put(Default::default()));
    if let LineChange::Put(fields) = change {
        fields.insert(field.clone(), value.clone());
    }
}

fn remember(view: &mut View, field: &FieldName, line: Option<&LineKey>, value: Option<&Value>) {
    let Some(value) = value else { return };
    match line {
        Some(key) => view
            .lines
            .entry(key.clone())
            .or_default()
            .insert(field.clone(), value.clone()),
        None => view.fields.insert(field.clone(), value.clone()),
    };
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
