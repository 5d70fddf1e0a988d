//! What there is to take back: the values that syncs wrote, from their decisions.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Reversal, Undoes};
use crate::id::CorrelationId;
use crate::ownership::Side;
use crate::resolve::{Decision, Verdict};
use crate::value::{Shape, Value};
use crate::view::FieldName;

const PRESENCE: &str = "line.exists";

/// What a sync decided, and what became of it. A sync whose answer was lost, or that started over, tells of more than it did.
#[derive(Clone, Debug)]
pub struct Told {
    /// The sync.
    pub sync: CorrelationId,
    /// Its decision.
    pub decision: Decision,
    /// Whether the CRM took the value.
    pub crm: Taken,
    /// Whether the CPQ did.
    pub cpq: Taken,
}

/// Whether a side took a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing says so.
    No,
    /// At this moment, by the clock of that side.
    At(Timestamp),
    /// It did, and the moment is not known any more.
    Surely,
}

/// The values that syncs wrote, from their decisions, oldest first. Of a value that was written more than once the oldest
/// counts, as long as nobody changed it between.
pub fn reversals(decisions: &[Told], undoes: &Undoes) -> Vec<Reversal> {
    let each = each(decisions, undoes);
    // Both sides go back to one value; but to one of their own each, once a sync has written both.
    let apart: BTreeSet<_> = each.iter().filter(|one| !one.both).map(Reversal::cell).collect();
    let mut all: Vec<Reversal> = Vec::new();
    for one in &each {
        for part in one.parts(apart.contains(&one.cell())) {
            match all.iter_mut().find(|earlier| earlier.is_outdone_by(&part)) {
                Some(earlier) => later(earlier, part),
                None => all.push(part),
            }
        }
    }
    all
}

/// Every single write.
fn each(decisions: &[Told], undoes: &Undoes) -> Vec<Reversal> {
    let mut all = Vec::new();
    let wanted = |field: &FieldName| undoes.field.as_ref().is_none_or(|wanted| wanted == field);
    let came_or_went: BTreeSet<_> = decisions
        .iter()
        .filter(|told| told.decision.field.as_str() == PRESENCE)
        .map(|told| (&told.sync, &told.decision.line))
        .collect();
    for Told {
        sync,
        decision,
        crm,
        cpq,
    } in decisions.iter().filter(|told| wanted(&told.decision.field))
    {
        let is_line = decision.field.as_str() == PRESENCE;
        let is_part = !is_line && decision.line.is_some() && came_or_went.contains(&(sync, &decision.line));
        for (side, old, wrote) in written(decision).filter(|_| !is_part) {
            let taken = if side == Side::Crm { crm } else { cpq };
            let at = match taken {
                Taken::No => continue,
                Taken::At(at) => Some(*at),
                Taken::Surely => None,
            };
            all.push(Reversal {
                sync: sync.clone(),
                field: decision.field.clone(),
                line: decision.line.clone(),
                side,
                old: old.clone(),
                wrote: wrote.clone(),
                at,
                // Where both sides were written, each has a value of its own to go back to.
                both: undoes.both_sides && decision.verdict != Verdict::ToBoth,
                lost: is_line.then(|| {
                    "a line that came or went is not put back; add or remove it where lines are made"
                        .to_owned()
                }),
                since: None,
            });
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

/// What a decision wrote to a side.
pub fn wrote(decision: &Decision, side: Side) -> Option<&Value> {
    let mut all = written(decision).filter(|(on, ..)| *on == side);
    all.next().map(|(_, _, wrote)| wrote)
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
