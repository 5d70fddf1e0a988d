//! Taking back what a sync wrote: the decision that is made in a world in which it never wrote.
//!
//! Where a side still holds what was written there, it is taken to hold what it held before, and both sides to have agreed
//! on nothing. What the rules in force make of that is done. Where they would only write the same again, nothing is put
//! back: the next sync would undo the undoing. A value that somebody changed since is left alone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Decision, Plan, Question, Verdict, decide, frozen, rule, set};
use crate::adapter::Mapping;
use crate::id::{CorrelationId, LineKey, RunId};
use crate::ownership::{Policy, Side};
use crate::quote::{Status, follows};
use crate::resolve::{Base, Held, Origin};
use crate::value::{Shape, Value};
use crate::view::{FieldName, LineChange, Patch, View};

mod writes;

pub use writes::{Taken, Told, reversals, wrote};

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
    /// Another sync that wrote the same value there since, and is not taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<CorrelationId>,
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

impl Undone {
    /// Whether the old value is there, or comes back.
    pub fn is_back(&self) -> bool {
        matches!(self.fate, Fate::PutBack | Fate::AsBefore)
    }

    /// Whether this is what became of it.
    pub fn is_of(&self, one: &Reversal) -> bool {
        (&self.field, &self.line, self.side) == (&one.field, &one.line, one.side)
    }
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

/// Adds further wishes. Of two for the same value the later counts.
pub fn wish_anew(all: &mut Vec<Reversal>, wished: impl IntoIterator<Item = Reversal>) {
    for later in wished {
        all.retain(|one| !one.is_outdone_by(&later));
        all.push(later);
    }
}

/// Decides everything as [`decide`] does, in the world in which these values were not written.
pub fn undo(question: &Question, reversals: &[Reversal]) -> Plan {
    let mut told = Vec::with_capacity(reversals.len());
    let mut open = Vec::new();
    let mut wished = Vec::with_capacity(reversals.len());
    wish_anew(&mut wished, reversals.iter().map(|one| one.under(question)));
    for reversal in &wished {
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
        #[cfg(feature = "planted-bugs")]
        if crate::planted::Bug::RemembersTheUndone.is_on() {
            continue;
        }
        let goes_back = |side| open.iter().any(|(other, _)| other.goes_to(side, reversal.cell()));
        let is_edited = !goes_back(reversal.side.other()) && reversal.is_edited(question);
        reversal.agree(is_edited, &mut base);
    }
    decide(&Question {
        base: &base,
        crm: &crm,
        cpq: cpq.as_ref(),
        ..*question
    })
}

impl Reversal {
    /// Whether a later wish takes the place of this one.
    fn is_outdone_by(&self, later: &Reversal) -> bool {
        self.cell() == later.cell() && (self.side == later.side || self.both || later.both)
    }

    /// Where the later change wins, what is put back is the latest, so it goes to both sides.
    fn under(&self, question: &Question) -> Reversal {
        let newest = rule(question, &self.field).is_some_and(|rule| rule.overwrite_policy == Policy::Newest);
        Reversal {
            both: self.both || newest,
            ..self.clone()
        }
    }

    fn cell(&self) -> (&FieldName, Option<&LineKey>) {
        (&self.field, self.line.as_ref())
    }

    /// One for each side, if both are meant and each is to go its own way.
    fn parts(&self, apart: bool) -> Vec<Reversal> {
        let sides = self.sides().map(|side| Reversal {
            side,
            both: false,
            ..self.clone()
        });
        match apart {
            true => sides.collect(),
            false => vec![self.clone()],
        }
    }

    /// Whether both sides still hold what the sync left; else what that means.
    fn stands(&self, question: &Question) -> Result<Fate, (Fate, String)> {
        if let Some(lost) = &self.lost {
            return Err((Fate::CannotBe, lost.clone()));
        }
        if follows(&self.field) {
            let why = "it follows from other values of the quote: put those back, and it comes by itself";
            return Err((Fate::CannotBe, why.into()));
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
            let edited = !held.same(&self.wrote, shape);
            #[cfg(feature = "planted-bugs")]
            let edited = edited && !crate::planted::Bug::UndoesEdits.is_on();
            if edited {
                return Err((
                    Fate::ChangedSince,
                    format!("somebody changed it in the {name} since"),
                ));
            }
            if let Some(sync) = &self.since {
                return Err((
                    Fate::ChangedSince,
                    format!("sync {sync} wrote it anew since: take that one back"),
                ));
            }
            if let Some(why) = why_not(question, &self.field, side) {
                return Err((Fate::CannotBe, format!("{why} {name}")));
            }
            fate = Fate::PutBack;
        }
        Ok(fate)
    }

    /// Why the rules would write the same place again, if they would.
    fn again(&self, question: &Question, plan: &Plan) -> Option<String> {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::Bug::UndoesWhatComesAgain.is_on() {
            return None;
        }
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

    /// Whether an old value of this cell goes to that side.
    fn goes_to(&self, side: Side, cell: (&FieldName, Option<&LineKey>)) -> bool {
        self.cell() == cell && self.sides().any(|own| own == side)
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

    /// Whether the other side holds neither value: then somebody has edited it there.
    fn is_edited(&self, question: &Question) -> bool {
        let shape = shape(question.mapping, &self.field);
        let held = self.held(question, self.side.other());
        held.is_some_and(|held| !held.same(&self.old, shape) && !held.same(&self.wrote, shape))
    }

    /// What both sides agreed on in that world: nothing. But an edit of the other side is one there too.
    fn agree(&self, is_edited: bool, base: &mut Base) {
        for (side, value) in [(self.side, &self.old), (self.side.other(), &self.wrote)] {
            let view = match side {
                Side::Crm => &mut base.crm,
                Side::Cpq => &mut base.cpq,
            };
            match is_edited {
                true => self.remember(view, value),
                false => self.forget(view),
            }
        }
    }

    fn remember(&self, view: &mut View, value: &Value) {
        let fields = match &self.line {
            Some(key) => view.lines.entry(key.clone()).or_default(),
            None => &mut view.fields,
        };
        fields.insert(self.field.clone(), value.clone());
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

/// Why we may not write the field there, up to the name of the side. The CRM says so itself. The CPQ takes what it does not
/// compute; and once the quote left draft, its commercial part holds still, and what was copied for good.
fn why_not(question: &Question, field: &FieldName, side: Side) -> Option<&'static str> {
    const CLOSED: &str = "it cannot be written in the";
    let Some(rule) = rule(question, field) else {
        return Some(CLOSED);
    };
    let policy = rule.overwrite_policy;
    let mapped = question.mapping.fields.get(field);
    let is_computed = rule.owner_system == Side::Cpq && matches!(policy, Policy::Computed | Policy::Forward);
    let is_draft = question
        .facts
        .quote_status
        .is_none_or(|status| status == Status::Draft);
    let is_commercial = ["quote.", "line."]
        .iter()
        .any(|part| field.as_str().starts_with(part));
    match side {
        Side::Crm => (!mapped.is_some_and(|mapped| mapped.writable)).then_some(CLOSED),
        Side::Cpq if is_computed => Some(CLOSED),
        Side::Cpq if !is_draft && (is_commercial || frozen(policy, question.facts)) => {
            Some("the quote left draft, and holds still in the")
        }
        Side::Cpq => None,
    }
}

#[cfg(test)]
mod tests;
