//! What a run has learnt, written down in the transaction that ends it, or its present try.
//!
//! An agreement is never stored without the decisions that led to it: what they explain would be no news to the next
//! look, so nobody could ever tell again where a value came from.

use std::collections::BTreeMap;

use cpq_domain::Result;
use cpq_domain::adapter::{Author, CrmSnapshot};
use cpq_domain::conflict::{Asked, Conflict, Ruling};
use cpq_domain::deletion::{Answer, Gone};
use cpq_domain::id::{ConnectionName, Lane, RecordId};
use cpq_domain::quote::Quote;
use cpq_domain::resolve::undo::Reversal;
use cpq_domain::resolve::{Base, Decision, Origin, Plan, Verdict};
use cpq_domain::run::Run;
use cpq_domain::view::{FieldName, LineChange, Patch};
use cpq_store::bases::Agreement;
use cpq_store::decisions::Circumstances;
use cpq_store::links::Link;
use cpq_store::{Tx, bases, conflicts, decisions, links, runs};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contest;
use crate::doubt::{self, Sent};
use crate::ledger::gone;
use crate::undo;

/// What we remember of an opportunity when a run begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// What both sides last agreed on.
    #[serde(flatten)]
    pub(crate) base: Base,
    /// What people decided since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rulings: Vec<Ruling>,
    /// What people were asked, where the later change would win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) asked: Vec<Asked>,
    /// What other runs may have sent since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) doubts: Vec<Sent>,
    /// What this run is to put back, and what runs that wait have begun to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reversals: Vec<Reversal>,
    /// What people are shown, for a comparison.
    #[serde(skip)]
    pub(crate) shown: Vec<Conflict>,
    /// When people changed the quote last, once we have changed it ourselves.
    #[serde(skip)]
    pub(crate) quote_changed_at: Option<Timestamp>,
}

impl Known {
    /// The same once the quote was written: what was sent is agreed on, in the form in which the CPQ stores it.
    pub(crate) fn once_written(mut self, plan: &Plan, found: Option<&Quote>, quote: &Quote) -> Known {
        // What was left alone at the first look is left alone: by now it may hold what we have just sent there.
        self.reversals
            .retain(|one| plan.undone.iter().any(|told| told.is_of(one) && told.is_back()));
        self.quote_changed_at = Some(found.map_or(Timestamp::UNIX_EPOCH, |found| found.updated_at));
        let held = quote.view();
        for (field, value) in &plan.to_cpq.fields {
            if plan.to_crm.fields.contains_key(field) {
                continue;
            }
            let stored = held.fields.get(field).unwrap_or(value);
            self.base.crm.fields.insert(field.clone(), value.clone());
            self.base.cpq.fields.insert(field.clone(), stored.clone());
        }
        for (key, change) in &plan.to_cpq.lines {
            let LineChange::Put(fields) = change else {
                self.base.crm.lines.remove(key);
                self.base.cpq.lines.remove(key);
                continue;
            };
            let crm = self.base.crm.lines.entry(key.clone()).or_default();
            crm.extend(fields.clone());
            let stored = held.lines.get(key);
            let stored = |field: &FieldName| stored.and_then(|line| line.get(field)).cloned();
            let cpq = self.base.cpq.lines.entry(key.clone()).or_default();
            cpq.extend(
                fields
                    .iter()
                    .map(|(field, value)| (field.clone(), stored(field).unwrap_or_else(|| value.clone()))),
            );
        }
        self
    }
}

/// Puts what the CPQ holds in the place of what it was sent.
pub(crate) fn as_the_cpq_stores(base: &mut Base, sent: &Patch, quote: &Quote) {
    let held = quote.view();
    for field in sent.fields.keys() {
        if let (Some(value), Some(stored)) = (base.cpq.fields.get_mut(field), held.fields.get(field)) {
            *value = stored.clone();
        }
    }
    for (key, change) in &sent.lines {
        let (LineChange::Put(fields), Some(line), Some(held)) =
            (change, base.cpq.lines.get_mut(key), held.lines.get(key))
        else {
            continue;
        };
        for field in fields.keys() {
            if let (Some(value), Some(stored)) = (line.get_mut(field), held.get(field)) {
                *value = stored.clone();
            }
        }
    }
}

/// What a run has learnt that must outlive it, however it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    /// The opportunity's quote.
    pub(crate) link: Option<Link>,
    /// What both sides now agree on.
    pub(crate) base: Option<Base>,
    /// Decisions that were carried out, to be kept for those who ask later.
    pub(crate) decisions: Vec<Decision>,
    /// Whether these are all; else the CRM was not written yet.
    pub(crate) complete: bool,
    /// Records that are gone, with what was decided about them.
    pub(crate) gone: Option<(Link, Gone, Answer)>,
    /// The quote's own record is gone from the CRM and was left so.
    pub(crate) spared: bool,
    /// The opportunity has a business number under which it was not known, and another may have been.
    pub(crate) renumbered: bool,
    /// The quote takes the place of one that is gone.
    pub(crate) relinked: bool,
    /// The matrix that they were made under.
    pub(crate) matrix_version: String,
    /// Who changed the records last.
    pub(crate) witness: Witness,
    /// What people had decided when the run began.
    pub(crate) rulings: Vec<Ruling>,
    /// How often somebody had logged in to the connection when this try began, as far as this process knew.
    pub(crate) logins: i64,
}

/// Who changed both records last, and when, as they say themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    pub(crate) crm_at: Option<Timestamp>,
    pub(crate) crm_by: Option<Author>,
    pub(crate) cpq_at: Option<Timestamp>,
}

impl Witness {
    pub(crate) fn of(crm: &CrmSnapshot, quote: Option<&Quote>) -> Witness {
        Witness {
            crm_at: Some(crm.modified_at),
            crm_by: crm.modified_by.clone(),
            cpq_at: quote.map(|quote| quote.updated_at),
        }
    }
}

/// What is decided once the CPQ is written, and the CRM is not: everything but what goes to the CRM.
pub(crate) fn so_far(plan: &Plan) -> Vec<Decision> {
    let to_crm = |decision: &&Decision| matches!(decision.verdict, Verdict::ToCrm | Verdict::ToBoth);
    plan.decisions
        .iter()
        .filter(|decision| !to_crm(decision))
        .cloned()
        .collect()
}

/// What is decided once both sides are written: what the first look sent to the CPQ, and all else by the second look.
pub(crate) fn in_all(plan: &Plan, back: &Plan) -> Vec<Decision> {
    let sent = |decision: &&Decision| matches!(decision.verdict, Verdict::ToCpq | Verdict::ToBoth);
    let mut all: Vec<Decision> = plan.decisions.iter().filter(sent).cloned().collect();
    let known: std::collections::BTreeSet<_> = all
        .iter()
        .map(|one| (one.line.clone(), one.field.clone()))
        .collect();
    let others = back.decisions.iter();
    all.extend(
        others
            .filter(|one| !known.contains(&(one.line.clone(), one.field.clone())))
            .cloned(),
    );
    all
}

/// What we remember of the opportunity.
pub(crate) async fn known(tx: &mut dyn Tx, lane: &Lane) -> Result<Known> {
    let begun = runs::begun_in_lane(tx, lane).await?;
    let Some(agreement) = bases::get(tx, &lane.connection, &lane.opportunity).await? else {
        let doubts = doubt::in_lane(tx, lane, &begun, &Base::default()).await?;
        return Ok(Known {
            doubts,
            ..Known::default()
        });
    };
    // A pair that was unlinked meets anew, should it ever meet again.
    if gone::is_unlinked(tx, lane).await? {
        return Ok(Known::default());
    }
    let open = conflicts::open(tx, &lane.connection, &agreement.opportunity_id).await?;
    Ok(Known {
        doubts: doubt::in_lane(tx, lane, &begun, &agreement.base).await?,
        base: agreement.base,
        asked: open.iter().filter_map(Conflict::asked).collect(),
        rulings: open.into_iter().filter_map(|conflict| conflict.ruling).collect(),
        reversals: undo::in_lane(tx, begun, None).await?,
        ..Known::default()
    })
}

/// What we remember of these opportunities, by the CRM's ids; nothing of those that were never agreed on.
pub(crate) async fn known_of_many(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    ids: &[RecordId],
) -> Result<BTreeMap<RecordId, Known>> {
    let agreements = bases::of_many(tx, connection, ids).await?.into_iter();
    let mut known: BTreeMap<RecordId, Known> = agreements
        .map(|agreement| {
            let (base, id) = (agreement.base, agreement.opportunity_id);
            (
                id,
                Known {
                    base,
                    ..Known::default()
                },
            )
        })
        .collect();
    for conflict in conflicts::open_of_many(tx, connection, ids).await? {
        if let Some(known) = known.get_mut(&conflict.opportunity_id) {
            known.rulings.extend(conflict.ruling.clone());
            known.asked.extend(conflict.asked());
            known.shown.push(conflict);
        }
    }
    Ok(known)
}

/// Stores what a run learnt.
pub(crate) async fn keep(tx: &mut dyn Tx, run: &Run, mut learned: Learned, now: Timestamp) -> Result<()> {
    contest::withdraw_refused(tx, run, &learned.rulings, now).await?;
    gone::keep(tx, &learned, now).await?;
    let Some(link) = learned.link.take() else {
        return Ok(());
    };
    gone::meet_again(tx, run, &link, &learned).await?;
    links::put(tx, &link).await?;
    if learned.renumbered {
        links::release_number(tx, &link).await?;
    }
    if learned.base.is_none() && learned.decisions.is_empty() {
        return Ok(());
    }
    if let Some(base) = learned.base.clone() {
        let agreement = Agreement {
            connection: link.connection.clone(),
            opportunity_id: link.opportunity_id.clone(),
            opportunity_number: link.opportunity_number.clone(),
            base,
            matrix_version: learned.matrix_version.clone(),
            agreed_at: now,
        };
        #[cfg(feature = "planted-bugs")]
        let known = bases::get(tx, &agreement.connection, &run.lane.opportunity).await?;
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::ForgetsTheBase.is_on()
            || (cpq_domain::planted::Bug::KeepsTheFirstBase.is_on() && known.is_some())
        {
            return Ok(());
        }
        bases::put(tx, &agreement).await?;
    }
    let circumstances = Circumstances {
        run_id: run.id,
        correlation: run.correlation.clone(),
        connection: link.connection.clone(),
        opportunity_id: link.opportunity_id.clone(),
        matrix_version: learned.matrix_version.clone(),
        at: now,
    };
    learned.decisions.retain(is_news);
    let kept = decisions::append(tx, &circumstances, &learned.decisions).await?;
    contest::follow(tx, &circumstances, &link, &learned, &kept).await
}

/// A field that takes no part, or of which both sides hold what they held, has no history to write.
fn is_news(decision: &Decision) -> bool {
    match decision.verdict {
        Verdict::Skip => false,
        Verdict::Keep => decision.origin != Origin::Neither,
        Verdict::Agree | Verdict::ToCrm | Verdict::ToCpq | Verdict::ToBoth | Verdict::Review => true,
    }
}
