//! What becomes of conflicts when a run ends: opened, brought up to date, closed. Part of the run's last transaction.

use std::collections::BTreeMap;

use cpq_domain::Result;
use cpq_domain::change::Hint;
use cpq_domain::conflict::{Claim, Conflict, ConflictState, Ruling};
use cpq_domain::error::Class;
use cpq_domain::id::LineKey;
use cpq_domain::resolve::{Decision, Verdict};
use cpq_domain::run::{Run, RunState};
use cpq_domain::value::{Shape, Value};
use cpq_domain::view::FieldName;
use cpq_store::decisions::Circumstances;
use cpq_store::links::Link;
use cpq_store::{Tx, conflicts, journal};
use jiff::Timestamp;

use crate::keep::Learned;

/// Said of what only the record's last change is known.
const RECORD: &str = "record";

type Cell = (Option<LineKey>, FieldName);

/// Everything that a run tells about its conflicts.
struct Teller<'a> {
    under: &'a Circumstances,
    link: &'a Link,
    learned: &'a Learned,
    hints: Vec<Hint>,
}

/// Follows the decisions of a run. `kept` says which of them are no repetitions.
pub(crate) async fn follow(
    tx: &mut dyn Tx,
    under: &Circumstances,
    link: &Link,
    learned: &Learned,
    kept: &[bool],
) -> Result<()> {
    let open = conflicts::open(tx, &link.connection, &link.opportunity_id).await?;
    let mut open: BTreeMap<Cell, Conflict> = open
        .into_iter()
        .map(|one| ((one.line.clone(), one.field.clone()), one))
        .collect();
    let contested = |decision: &Decision| decision.verdict == Verdict::Review || decision.lost.is_some();
    let hints = match learned.decisions.iter().any(contested) {
        true => journal::hints(tx, under.run_id).await?,
        false => Vec::new(),
    };
    let teller = Teller {
        under,
        link,
        learned,
        hints,
    };
    for (decision, is_new) in learned.decisions.iter().zip(kept) {
        let before = open.remove(&(decision.line.clone(), decision.field.clone()));
        teller.tell(tx, decision, before, *is_new).await?;
    }
    if learned.complete {
        for conflict in open.into_values() {
            teller.close_unasked(tx, conflict).await?;
        }
    }
    Ok(())
}

/// A decision of a person that one of the systems refuses would be refused again at every sync of the opportunity, so
/// it is taken back, and the conflict says why.
pub(crate) async fn withdraw_refused(
    tx: &mut dyn Tx,
    run: &Run,
    rulings: &[Ruling],
    now: Timestamp,
) -> Result<()> {
    let refused = run
        .error
        .as_ref()
        .filter(|report| run.state == RunState::Dead && report.code.class() == Class::Validation);
    let Some(report) = refused else { return Ok(()) };
    for ruling in rulings {
        let conflict = conflicts::by_id(tx, &ruling.conflict).await?;
        if conflict.state != ConflictState::Open || conflict.ruling.as_ref() != Some(ruling) {
            continue;
        }
        let reason = format!(
            "what {} decided was refused ({}: {}); decide again",
            ruling.by, report.code, report.message
        );
        let withdrawn = Conflict {
            ruling: None,
            reason,
            version: conflict.version + 1,
            run_id: run.id,
            correlation: run.correlation.clone(),
            updated_at: now,
            ..conflict
        };
        conflicts::update(tx, &withdrawn).await?;
    }
    Ok(())
}

impl Teller<'_> {
    async fn tell(
        &self,
        tx: &mut dyn Tx,
        decision: &Decision,
        before: Option<Conflict>,
        is_new: bool,
    ) -> Result<()> {
        match (decision.verdict, before) {
            (Verdict::Review, Some(before)) => self.update(tx, decision, before).await,
            (Verdict::Review, None) => self.open(tx, decision, ConflictState::Open).await,
            (_, Some(before)) => {
                let state = end_of(decision, &before);
                let before = self.as_it_ended(decision, before, state);
                let ended = self.ended(before, state, decision.reason.clone(), decision.agreed());
                conflicts::update(tx, &ended).await
            }
            (_, None) if decision.lost.is_some() && decision.ruling.is_none() && is_new => {
                self.open(tx, decision, ConflictState::Settled).await
            }
            (_, None) => Ok(()),
        }
    }

    async fn open(&self, tx: &mut dyn Tx, decision: &Decision, state: ConflictState) -> Result<()> {
        #[cfg(feature = "planted-bugs")]
        if (state == ConflictState::Open && cpq_domain::planted::Bug::LosesQuestions.is_on())
            || (state == ConflictState::Settled && cpq_domain::planted::Bug::LosesLosers.is_on())
        {
            return Ok(());
        }
        let (under, closed) = (self.under, state != ConflictState::Open);
        let conflict = Conflict {
            id: conflicts::next_id(tx).await?,
            state,
            version: 1,
            connection: under.connection.clone(),
            opportunity_id: under.opportunity_id.clone(),
            opportunity_number: self.link.opportunity_number.clone(),
            field: decision.field.clone(),
            line: decision.line.clone(),
            base: decision.base.clone(),
            crm: self.crm(decision),
            cpq: self.cpq(decision),
            owner: decision.owner,
            policy: decision.policy,
            matrix_version: under.matrix_version.clone(),
            reason: decision.reason.clone(),
            ruling: None,
            outcome: decision.agreed().filter(|_| closed).cloned(),
            run_id: under.run_id,
            correlation: under.correlation.clone(),
            opened_at: under.at,
            updated_at: under.at,
            closed_at: closed.then_some(under.at),
        };
        conflicts::insert(tx, &conflict).await
    }

    /// An open conflict that is asked again: with other values, or after a decision that did not hold.
    async fn update(&self, tx: &mut dyn Tx, decision: &Decision, before: Conflict) -> Result<()> {
        let did_not_hold = before
            .ruling
            .as_ref()
            .is_some_and(|ruling| self.learned.rulings.contains(ruling));
        let (crm, cpq) = (decision.crm == before.crm.value, decision.cpq == before.cpq.value);
        let same_rule = decision.owner == before.owner && decision.policy == before.policy;
        if crm && cpq && same_rule && !did_not_hold {
            return Ok(());
        }
        let updated = Conflict {
            version: before.version + 1,
            opportunity_number: self.link.opportunity_number.clone(),
            base: decision.base.clone(),
            crm: if crm {
                before.crm.clone()
            } else {
                self.crm(decision)
            },
            cpq: if cpq {
                before.cpq.clone()
            } else {
                self.cpq(decision)
            },
            owner: decision.owner,
            policy: decision.policy,
            matrix_version: self.under.matrix_version.clone(),
            reason: decision.reason.clone(),
            ruling: before.ruling.clone().filter(|_| !did_not_hold),
            run_id: self.under.run_id,
            correlation: self.under.correlation.clone(),
            updated_at: self.under.at,
            ..before
        };
        conflicts::update(tx, &updated).await
    }

    /// A conflict that the matrix decides ends with the values of that moment: an edit that came while it was open, and
    /// lost, would be shown nowhere else.
    fn as_it_ended(&self, decision: &Decision, before: Conflict, state: ConflictState) -> Conflict {
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::EndsConflictsStale.is_on() {
            return before;
        }
        if state != ConflictState::Settled {
            return before;
        }
        let (crm, cpq) = (decision.crm == before.crm.value, decision.cpq == before.cpq.value);
        Conflict {
            crm: if crm { before.crm } else { self.crm(decision) },
            cpq: if cpq { before.cpq } else { self.cpq(decision) },
            ..before
        }
    }

    /// An open conflict that no decision is about: its field agrees as before, or takes no part any more.
    async fn close_unasked(&self, tx: &mut dyn Tx, conflict: Conflict) -> Result<()> {
        let base = self.learned.base.as_ref();
        let view = base.map(|base| &base.crm);
        let held = view.and_then(|view| match &conflict.line {
            Some(key) => view.lines.get(key)?.get(&conflict.field),
            None => view.fields.get(&conflict.field),
        });
        let reason = match held {
            Some(_) => "both sides agree by now",
            None => "the field is not synced any more",
        };
        let state = match &conflict.ruling {
            Some(ruling) if held.is_some_and(|held| same(held, &ruling.value)) => ConflictState::Resolved,
            _ => ConflictState::Obsolete,
        };
        let ended = self.ended(conflict, state, reason.into(), held);
        conflicts::update(tx, &ended).await
    }

    fn ended(
        &self,
        before: Conflict,
        state: ConflictState,
        reason: String,
        outcome: Option<&Value>,
    ) -> Conflict {
        Conflict {
            state,
            version: before.version + 1,
            reason,
            outcome: outcome.cloned(),
            run_id: self.under.run_id,
            correlation: self.under.correlation.clone(),
            updated_at: self.under.at,
            closed_at: Some(self.under.at),
            ..before
        }
    }

    /// The CRM's value, by whom the newest event says that named the field, else by whom the record says.
    fn crm(&self, decision: &Decision) -> Claim {
        let value = decision.crm.clone();
        if decision.base.crm.as_ref() == Some(&value) {
            return Claim {
                value,
                ..Claim::default()
            };
        }
        let witness = &self.learned.witness;
        let named = |hint: &&Hint| !hint.ours && hint.fields.contains(&decision.field);
        match self.hints.iter().find(named) {
            Some(hint) => Claim {
                value,
                at: hint.at,
                name: witness
                    .crm_by
                    .as_ref()
                    .filter(|author| Some(&author.id) == hint.by.as_ref())
                    .and_then(|author| author.name.clone()),
                by: hint.by.clone(),
                source: Some(hint.source.clone()),
                event: hint.event.clone(),
            },
            None => Claim {
                value,
                at: witness.crm_at,
                by: witness.crm_by.as_ref().map(|author| author.id.clone()),
                name: witness.crm_by.as_ref().and_then(|author| author.name.clone()),
                source: Some(RECORD.into()),
                event: None,
            },
        }
    }

    /// The CPQ's value. A quote knows when it changed last, not who changed it.
    fn cpq(&self, decision: &Decision) -> Claim {
        let value = decision.cpq.clone();
        if decision.base.cpq.as_ref() == Some(&value) {
            return Claim {
                value,
                ..Claim::default()
            };
        }
        Claim {
            value,
            at: self.learned.witness.cpq_at,
            source: Some(RECORD.into()),
            ..Claim::default()
        }
    }
}

/// How an open conflict ends when its field was decided without a person being asked again.
fn end_of(decision: &Decision, before: &Conflict) -> ConflictState {
    let as_ruled = || {
        let (agreed, ruling) = (decision.agreed(), before.ruling.as_ref());
        agreed
            .zip(ruling)
            .is_some_and(|(agreed, ruling)| same(agreed, &ruling.value))
    };
    match decision.verdict {
        _ if decision.ruling.is_some() => ConflictState::Resolved,
        Verdict::Agree if as_ruled() => ConflictState::Resolved,
        _ if decision.lost.is_some() => ConflictState::Settled,
        _ => ConflictState::Obsolete,
    }
}

fn same(one: &Value, other: &Value) -> bool {
    one.same(other, Shape::default())
}
