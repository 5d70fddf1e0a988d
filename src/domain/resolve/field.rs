//! One field: three values and a rule in, a verdict with its reason out.

use jiff::Timestamp;

use super::{Verdict, frozen};
use crate::id::ConflictId;
use crate::ownership::{Facts, OwnershipRule, Policy, Side};
use crate::value::{Shape, Value};

/// Clocks of two systems that differ by less than this cannot say which change came later.
const CLOCK_TOLERANCE_MS: i64 = 5_000;

/// The values of one field.
pub(super) struct Cell {
    pub(super) base_crm: Option<Value>,
    pub(super) base_cpq: Option<Value>,
    pub(super) crm: Value,
    pub(super) cpq: Value,
    /// The record on the CPQ side is only about to be created.
    pub(super) cpq_is_new: bool,
    pub(super) shape: Shape,
}

/// What was decided, and why.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) lost: Option<Value>,
    /// For `Keep`: whether the present values are the new agreement, or the old one stays.
    pub(super) settled: bool,
    /// The value that both sides get, for `ToBoth`.
    pub(super) given: Option<Value>,
    /// The conflict that a person decided so.
    pub(super) ruling: Option<ConflictId>,
}

/// A cell as the owner sees it.
struct Seen<'a> {
    owner: Side,
    own: &'a Value,
    other: &'a Value,
    own_changed: bool,
    other_changed: bool,
    known: bool,
}

impl Cell {
    /// Whether the CRM and the CPQ hold something else than at the last agreement.
    pub(super) fn changed(&self) -> (bool, bool) {
        let changed =
            |base: &Option<Value>, now: &Value| base.as_ref().is_none_or(|base| !base.same(now, self.shape));
        (
            changed(&self.base_crm, &self.crm),
            changed(&self.base_cpq, &self.cpq),
        )
    }

    /// Whether an agreement on the present values would be a new one. That neither side ever had a value is none.
    pub(super) fn is_news(&self) -> bool {
        let (crm, cpq) = self.changed();
        let unknown = self.base_crm.is_none() && self.base_cpq.is_none();
        (crm || cpq) && !(unknown && self.crm.is_null() && self.cpq.is_null())
    }

    fn seen_by(&self, owner: Side) -> Seen<'_> {
        let (crm, cpq) = self.changed();
        let known = self.base_crm.is_some() && self.base_cpq.is_some();
        match owner {
            Side::Crm => Seen {
                owner,
                own: &self.crm,
                other: &self.cpq,
                own_changed: crm,
                other_changed: cpq,
                known,
            },
            Side::Cpq => Seen {
                owner,
                own: &self.cpq,
                other: &self.crm,
                own_changed: cpq,
                other_changed: crm,
                known,
            },
        }
    }
}

pub(super) fn judge(
    rule: &OwnershipRule,
    facts: &Facts,
    cell: &Cell,
    crm_writable: bool,
    changed_at: Option<(Timestamp, Timestamp)>,
) -> Judgement {
    if rule.overwrite_policy == Policy::Never {
        return untouched(Verdict::Skip, false, "not synced");
    }
    if cell.crm.same(&cell.cpq, cell.shape) && (!cell.cpq_is_new || cell.crm.is_null()) {
        return untouched(Verdict::Agree, true, agreeing(cell));
    }
    let judgement = by_policy(rule, facts, cell, changed_at);
    if judgement.verdict == Verdict::ToCrm && !crm_writable {
        return keep(true, "the CRM field is read-only for us");
    }
    judgement
}

fn by_policy(
    rule: &OwnershipRule,
    facts: &Facts,
    cell: &Cell,
    changed_at: Option<(Timestamp, Timestamp)>,
) -> Judgement {
    let seen = cell.seen_by(rule.owner_system);
    match rule.overwrite_policy {
        Policy::Never => keep(false, "not synced"),
        policy @ (Policy::Snapshot | Policy::Follow) if frozen(policy, facts) => {
            keep(false, "frozen since the quote left draft")
        }
        Policy::Follow => follow(&seen),
        Policy::Always | Policy::Computed | Policy::Snapshot => always(&seen),
        Policy::IfBlank if seen.other.is_null() => carry(&seen, "the other side is blank"),
        Policy::IfBlank => keep(true, "the other side has a value of its own"),
        Policy::Seed if !seen.known && (cell.cpq_is_new || seen.other.is_null()) => {
            carry(&seen, "seeded at creation")
        }
        Policy::Seed => keep(true, "seeded once; each side keeps its own value since"),
        Policy::Forward => forward(&rule.order, &seen),
        #[cfg(feature = "planted-bugs")]
        Policy::Review if crate::planted::Bug::LetsTheLaterWin.is_on() => either(&seen, changed_at),
        Policy::Review => either(&seen, None),
        Policy::Newest => either(&seen, changed_at),
    }
}

pub(super) fn keep(settled: bool, reason: &str) -> Judgement {
    untouched(Verdict::Keep, settled, reason)
}

fn untouched(verdict: Verdict, settled: bool, reason: &str) -> Judgement {
    Judgement {
        verdict,
        reason: reason.into(),
        lost: None,
        settled,
        given: None,
        ruling: None,
    }
}

fn agreeing(cell: &Cell) -> &'static str {
    match cell.changed() {
        _ if cell.base_crm.is_none() && cell.base_cpq.is_none() => "first look; both sides agree",
        (true, true) => "both sides changed it to the same value",
        (true, false) => "the CRM changed it to what the CPQ holds",
        (false, true) => "the CPQ changed it to what the CRM holds",
        (false, false) => "both sides agree",
    }
}

/// The owner's value goes to the other side.
fn carry(seen: &Seen, reason: &str) -> Judgement {
    let verdict = match seen.owner {
        Side::Crm => Verdict::ToCpq,
        Side::Cpq => Verdict::ToCrm,
    };
    let overruled = seen.known && seen.other_changed && !seen.other.is_null();
    Judgement {
        verdict,
        reason: reason.into(),
        lost: overruled.then(|| seen.other.clone()),
        settled: true,
        given: None,
        ruling: None,
    }
}

fn always(seen: &Seen) -> Judgement {
    let owner = seen.owner.as_str();
    match (seen.known, seen.own_changed, seen.other_changed) {
        (true, false, false) => keep(false, "each side stores the agreed value in its own way"),
        (true, false, true) => carry(
            seen,
            &format!("the {owner} owns it; the other side's edit is corrected"),
        ),
        #[cfg(feature = "planted-bugs")]
        (true, true, true) if crate::planted::Bug::DropsContestedEdits.is_on() => {
            keep(true, "both changed it")
        }
        (true, true, true) => carry(seen, &format!("both changed it; the {owner} owns it")),
        (true, true, false) => carry(seen, &format!("the {owner} changed it and owns it")),
        (false, ..) => carry(seen, &format!("first sync; the {owner} owns it")),
    }
}

/// The owner's edit is carried; an edit of the other side waits for the owner's next one, or for another rule.
fn follow(seen: &Seen) -> Judgement {
    if seen.known && !seen.own_changed {
        let other = seen.owner.other().as_str();
        return keep(false, &format!("the {other}'s own edit of the draft stays"));
    }
    always(seen)
}

/// Only a step forward along `order` is carried; a blank stands before everything, an unknown value nowhere.
fn forward(order: &[String], seen: &Seen) -> Judgement {
    let place = |value: &Value| match value.as_text() {
        Some(text) => order.iter().position(|entry| entry == text).map(|at| at + 1),
        None => Some(0),
    };
    match (place(seen.own), place(seen.other)) {
        (Some(own), Some(other)) if own > other => carry(seen, "a step forward"),
        (Some(_), Some(_)) => keep(true, "it would be a step back"),
        _ => keep(true, "one of the values is not in the rule's order"),
    }
}

/// Either side may change it; if both did, the later one or a person decides.
fn either(seen: &Seen, changed_at: Option<(Timestamp, Timestamp)>) -> Judgement {
    let back = Seen {
        owner: seen.owner.other(),
        own: seen.other,
        other: seen.own,
        own_changed: seen.other_changed,
        other_changed: seen.own_changed,
        known: seen.known,
    };
    match (seen.known, seen.own_changed, seen.other_changed) {
        (true, false, false) => keep(false, "each side stores the agreed value in its own way"),
        (true, true, false) => carry(seen, &format!("only the {} changed it", seen.owner.as_str())),
        (true, false, true) => carry(&back, &format!("only the {} changed it", back.owner.as_str())),
        (false, ..) if seen.other.is_null() => carry(seen, "only one side has a value"),
        (false, ..) if seen.own.is_null() => carry(&back, "only one side has a value"),
        _ => match changed_at.and_then(later) {
            Some(side) if side == seen.owner => {
                carry(seen, &format!("the {}'s change is later", side.as_str()))
            }
            Some(side) => carry(&back, &format!("the {}'s change is later", side.as_str())),
            None => review(),
        },
    }
}

fn later((crm, cpq): (Timestamp, Timestamp)) -> Option<Side> {
    let ahead = crm.as_millisecond() - cpq.as_millisecond();
    match ahead {
        _ if ahead > CLOCK_TOLERANCE_MS => Some(Side::Crm),
        _ if ahead < -CLOCK_TOLERANCE_MS => Some(Side::Cpq),
        _ => None,
    }
}

fn review() -> Judgement {
    untouched(Verdict::Review, false, "both sides changed it; a person decides")
}
