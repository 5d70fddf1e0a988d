//! Taking back what a sync wrote: the decision that is made in a world in which it never wrote.
//!
//! Where a side still holds what was written there, it is taken to hold what it held before, and both sides to have agreed
//! on nothing. What the rules in force make of that is done. Where they would only write the same again, nothing is put
//! back: the next sync would undo the undoing. A value that somebody changed since is left alone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Decision, Plan, Question, Verdict, decide, rule, set};
use crate::adapter::Mapping;
use crate::id::{CorrelationId, LineKey, RunId};
use crate::ownership::{Policy, Side};
use crate::resolve::{Held, Origin};
use crate::value::{Shape, Value};
use crate::view::{FieldName, LineChange, Patch, View};

const PRESENCE: &str = "line.exists";

/// What somebody wants to be taken back, as the journal of the sync that does it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undoes {
    /// The syncs of one opportunity, oldest first.
    pub runs: Vec<RunId>,
    /// Their correlation ids.
    pub syncs: Vec<CorrelationId>,
    /// Only this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldName>,
    /// Whether the side that the values came from gets the old ones too.
    #[serde(default)]
    pub both_sides: bool,
    /// Who asked.
    pub by: String,
    /// Why, in words.
    pub reason: String,
}

/// A value that was written, and what was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// The sync that wrote it.
    pub sync: CorrelationId,
    /// The field.
    pub field: FieldName,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// Where it was written.
    pub side: Side,
    /// What was there before.
    pub old: Value,
    /// What was written.
    pub wrote: Value,
    /// When, by the clock of that side; `None` where it is no longer known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether the other side gets the old value too.
    pub both: bool,
    /// Why it cannot be put back, whatever both sides hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// What becomes of a value that is to be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = UndoneFate))]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is put back.
    PutBack,
    /// The old value is there already.
    AsBefore,
    /// Somebody changed it since: it is left alone.
    ChangedSince,
    /// The rules in force would write the same again: it is left alone.
    WrittenAgain,
    /// It cannot be put back.
    CannotBe,
}

/// What became of a value. The values themselves are in the decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    /// The sync that wrote it.
    pub sync: CorrelationId,
    /// The field.
    pub field: FieldName,
    /// The line, for line fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// Where it was written.
    pub side: Side,
    /// What becomes of it.
    pub fate: Fate,
    /// Why.
    pub reason: String,
}

/// The values that syncs wrote, from their decisions, oldest first. Of a value that was written more than once the oldest
/// counts, as long as nobody changed it between.
pub fn reversals(decisions: &[(CorrelationId, Decision)], undoes: &Undoes) -> Vec<Reversal> {
    let mut all: Vec<Reversal> = Vec::new();
    let wanted = |field: &FieldName| undoes.field.as_ref().is_none_or(|wanted| wanted == field);
    let came_or_went = |sync: &CorrelationId, line: &LineKey| {
        decisions.iter().any(|(other, one)| {
            other == sync && one.field.as_str() == PRESENCE && one.line.as_ref() == Some(line)
        })
    };
    for (sync, decision) in decisions.iter().filter(|(_, one)| wanted(&one.field)) {
        let line = decision.line.as_ref();
        let is_part =
            decision.field.as_str() != PRESENCE && line.is_some_and(|line| came_or_went(sync, line));
        for (side, old, wrote) in written(decision).filter(|_| !is_part) {
            let lost = (decision.field.as_str() == PRESENCE).then(|| {
                "a line that came or went is not put back; add or remove it where lines are made".to_owned()
            });
            let reversal = Reversal {
                sync: sync.clone(),
                field: decision.field.clone(),
                line: line.cloned(),
                side,
                old: old.clone(),
                wrote: wrote.clone(),
                at: None,
                // Where both sides were written, each has a value of its own to go back to.
                both: undoes.both_sides && decision.verdict != Verdict::ToBoth,
                lost,
            };
            let known = all.iter_mut().find(|other| {
                other.side == side && other.field == reversal.field && other.line == reversal.line
            });
            match known {
                Some(earlier) => later(earlier, reversal),
                None => all.push(reversal),
            }
        }
    }
    all
}

/// A later write of the same value.
fn later(earlier: &mut Reversal, later: Reversal) {
    let untouched = earlier.wrote.same(&later.old, Shape::default());
    let old = if untouched {
        earlier.old.clone()
    } else {
        later.old.clone()
    };
    *earlier = Reversal { old, ..later };
}

/// Where a decision wrote, what was there, and what it wrote.
fn written(decision: &Decision) -> impl Iterator<Item = (Side, &Value, &Value)> {
    let (crm, cpq) = (&decision.crm, &decision.cpq);
    let given = decision.given.as_ref();
    let (to_crm, to_cpq) = match decision.verdict {
        Verdict::ToCrm => (Some((Side::Crm, crm, cpq)), None),
        Verdict::ToCpq => (None, Some((Side::Cpq, cpq, crm))),
        Verdict::ToBoth => (
            given.map(|given| (Side::Crm, crm, given)),
            given.map(|given| (Side::Cpq, cpq, given)),
        ),
        Verdict::Agree | Verdict::Keep | Verdict::Review | Verdict::Skip => (None, None),
    };
    to_crm.into_iter().chain(to_cpq)
}

/// Decides everything as [`decide`] does, in the world in which these values were not written.
pub fn undo(question: &Question, reversals: &[Reversal]) -> Plan {
    let mut told = Vec::with_capacity(reversals.len());
    let mut open = Vec::new();
    for reversal in reversals {
        match reversal.stands(question) {
            Ok(fate) => open.push((reversal, fate)),
            Err((fate, reason)) => told.push(reversal.told(fate, reason)),
        }
    }
    // What the rules would write again is found by asking them, and left out of the world that counts.
    let trial = world(question, &open);
    open.retain(|(reversal, _)| match reversal.again(question, &trial) {
        None => true,
        Some(reason) => {
            told.push(reversal.told(Fate::WrittenAgain, reason));
            false
        }
    });
    let mut plan = world(question, &open);
    for (reversal, fate) in open {
        reversal.put_back(question, &mut plan);
        told.push(reversal.told(fate, format!("what was there before sync {}", reversal.sync)));
    }
    plan.undone = told;
    plan
}

/// The decision where the old values are there, and nothing is agreed on them.
fn world(question: &Question, open: &[(&Reversal, Fate)]) -> Plan {
    let (mut crm, mut cpq, mut base) = (question.crm.clone(), question.cpq.cloned(), question.base.clone());
    for (reversal, _) in open {
        for side in reversal.sides() {
            let view = match side {
                Side::Crm => Some(&mut crm),
                Side::Cpq => cpq.as_mut(),
            };
            if let Some(value) = view.and_then(|view| reversal.place(view)) {
                *value = reversal.old.clone();
            }
        }
        reversal.forget(&mut base.crm);
        reversal.forget(&mut base.cpq);
    }
    decide(&Question {
        base: &base,
        crm: &crm,
        cpq: cpq.as_ref(),
        ..*question
    })
}

impl Reversal {
    /// Whether both sides still hold what the sync left; else what that means.
    fn stands(&self, question: &Question) -> Result<Fate, (Fate, String)> {
        if let Some(lost) = &self.lost {
            return Err((Fate::CannotBe, lost.clone()));
        }
        let shape = shape(question.mapping, &self.field);
        let mut fate = Fate::AsBefore;
        for side in self.sides() {
            let name = side.as_str();
            let Some(held) = self.held(question, side) else {
                return Err((Fate::CannotBe, format!("the {name} has no such value any more")));
            };
            if held.same(&self.old, shape) {
                continue;
            }
            if !held.same(&self.wrote, shape) {
                return Err((
                    Fate::ChangedSince,
                    format!("somebody changed it in the {name} since"),
                ));
            }
            if !is_writable(question, &self.field, side) {
                return Err((Fate::CannotBe, format!("it cannot be written in the {name}")));
            }
            fate = Fate::PutBack;
        }
        Ok(fate)
    }

    /// Why the rules would write the same place again, if they would.
    fn again(&self, question: &Question, plan: &Plan) -> Option<String> {
        let mut sides = self.sides();
        sides
            .any(|side| self.is_in(if side == Side::Crm { &plan.to_crm } else { &plan.to_cpq }))
            .then(|| {
                let owner = rule(question, &self.field).map_or("other side", |rule| rule.owner_system.as_str());
                format!(
                    "the next sync would write it again, as the rules give it to the {owner}: change the rule, or the value there, first"
                )
            })
    }

    /// Sends the old value where it is not, and says so in the decision.
    fn put_back(&self, question: &Question, plan: &mut Plan) {
        let shape = shape(question.mapping, &self.field);
        for side in self.sides() {
            if self
                .held(question, side)
                .is_some_and(|held| !held.same(&self.old, shape))
            {
                let patch = match side {
                    Side::Crm => &mut plan.to_crm,
                    Side::Cpq => &mut plan.to_cpq,
                };
                set(patch, &self.field, self.line.as_ref(), &self.old);
            }
        }
        let remark = format!("put back as before sync {}", self.sync);
        let whole = self.both.then(|| self.decision(question, &remark)).flatten();
        match (plan.decisions.iter_mut().find(|one| self.is_about(one)), whole) {
            (Some(decision), Some(whole)) => *decision = whole,
            (Some(decision), None) => decision.reason = format!("{remark}; {}", decision.reason),
            (None, whole) => plan
                .decisions
                .extend(whole.or_else(|| self.decision(question, &remark))),
        }
    }

    /// The decision that both sides get the old value, or have it then; else that each keeps its own.
    fn decision(&self, question: &Question, reason: &str) -> Option<Decision> {
        let rule = rule(question, &self.field)?;
        let held = |side| self.held(question, side).cloned().unwrap_or_default();
        let shape = shape(question.mapping, &self.field);
        let agrees = self.both || held(self.side.other()).same(&self.old, shape);
        Some(Decision {
            field: self.field.clone(),
            line: self.line.clone(),
            verdict: if agrees { Verdict::ToBoth } else { Verdict::Keep },
            owner: rule.owner_system,
            policy: rule.overwrite_policy,
            crm: held(Side::Crm),
            cpq: held(Side::Cpq),
            lost: None,
            reason: reason.to_owned(),
            origin: match self.side {
                Side::Crm => Origin::Crm,
                Side::Cpq => Origin::Cpq,
            },
            base: Held::default(),
            given: agrees.then(|| self.old.clone()),
            ruling: None,
        })
    }

    fn told(&self, fate: Fate, reason: String) -> Undone {
        Undone {
            sync: self.sync.clone(),
            field: self.field.clone(),
            line: self.line.clone(),
            side: self.side,
            fate,
            reason,
        }
    }

    /// Where the old value goes.
    fn sides(&self) -> impl Iterator<Item = Side> + use<> {
        let other = self.both.then(|| self.side.other());
        [self.side].into_iter().chain(other)
    }

    fn held<'a>(&self, question: &Question<'a>, side: Side) -> Option<&'a Value> {
        let view: &'a View = match side {
            Side::Crm => question.crm,
            Side::Cpq => question.cpq?,
        };
        match &self.line {
            Some(key) => view.lines.get(key)?.get(&self.field),
            None => view.fields.get(&self.field),
        }
    }

    fn place<'a>(&self, view: &'a mut View) -> Option<&'a mut Value> {
        match &self.line {
            Some(key) => view.lines.get_mut(key)?.get_mut(&self.field),
            None => view.fields.get_mut(&self.field),
        }
    }

    fn forget(&self, view: &mut View) {
        match &self.line {
            Some(key) => drop(view.lines.get_mut(key).map(|line| line.remove(&self.field))),
            None => drop(view.fields.remove(&self.field)),
        }
    }

    fn is_in(&self, patch: &Patch) -> bool {
        match self.line.as_ref().map(|key| patch.lines.get(key)) {
            None => patch.fields.contains_key(&self.field),
            Some(None) => false,
            Some(Some(LineChange::Remove)) => true,
            Some(Some(LineChange::Put(fields))) => fields.contains_key(&self.field),
        }
    }

    fn is_about(&self, decision: &Decision) -> bool {
        decision.field == self.field && decision.line == self.line
    }
}

fn shape(mapping: &Mapping, field: &FieldName) -> Shape {
    mapping
        .fields
        .get(field)
        .map(|mapped| mapped.shape)
        .unwrap_or_default()
}

/// Whether we may write the field there: the CRM says so itself, and the CPQ takes what it does not compute.
fn is_writable(question: &Question, field: &FieldName, side: Side) -> bool {
    match side {
        Side::Crm => question
            .mapping
            .fields
            .get(field)
            .is_some_and(|mapped| mapped.writable),
        Side::Cpq => rule(question, field).is_some_and(|rule| {
            !(rule.owner_system == Side::Cpq
                && matches!(rule.overwrite_policy, Policy::Computed | Policy::Forward))
        }),
    }
}

#[cfg(test)]
mod tests;
