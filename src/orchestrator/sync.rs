//! One sync, from its first line to its last. This page is the product; everything else serves it.

use std::sync::{Arc, OnceLock};

use cpq_domain::Result;
use cpq_domain::adapter::{
    CpqAdapter, CpqWrite, CrmAdapter, CrmSnapshot, CrmWrite, CrmWritten, Mapping, QuoteRecord,
};
use cpq_domain::deletion::{self, Deletes};
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{IdempotencyKey, OpportunityKey, RecordId};
use cpq_domain::ownership::Matrix;
use cpq_domain::quote::{OpportunityRef, Quote};
use cpq_domain::resolve::{Base, Plan};
use cpq_domain::run::{Effect, Outcome};
use cpq_domain::value::Shape;
use cpq_domain::view::{FieldName, Patch, View};
use cpq_store::links::Link;
use jiff::Timestamp;

use crate::agreement::{agreement, without_crm_writes};
use crate::deleted;
use crate::doubt::{self, Sent};
use crate::halt::Halt;
use crate::keep::{Known, Witness, in_all, so_far};
use crate::ledger::Ledger;
use crate::lines;
use crate::plan::{facts, resolve, target};
use crate::steps::Steps;
use crate::undo;

/// The two systems and the rules, as this run found them.
pub(crate) struct Scene {
    pub(crate) crm: Arc<dyn CrmAdapter>,
    pub(crate) cpq: Arc<dyn CpqAdapter>,
    pub(crate) matrix: Arc<Matrix>,
    pub(crate) ledger: Ledger,
    pub(crate) deletes: Deletes,
    pub(crate) now: Timestamp,
}

/// Brings an opportunity and its quote into agreement.
pub(crate) async fn sync_opportunity(steps: &Steps, scene: &Scene) -> Result<Outcome, Halt> {
    let (mut crm, mut found, mut known) = match read_all(steps, scene).await {
        Err(Halt::Dead(error)) if error.code == Code::OpportunityNotFound => {
            return deleted::opportunity(steps, scene, error).await;
        }
        read => read?,
    };
    if is_renumbered(steps, scene, &crm, found.as_ref(), &known).await? {
        (found, known) = read_by_id(steps, scene, &crm).await?;
        steps.learn_renumbered();
    }
    enter_own_lane(steps, &crm, found.as_ref(), &known).await?;
    if found.is_none() && deletion::quote_was(&known.base) {
        if let Some(outcome) = deleted::quote(steps, scene).await? {
            return Ok(outcome);
        }
        known = Known::default();
    }
    let spared = deleted::quote_record(steps, scene, &mut crm, &known.base).await?;
    let before = known.base.clone();
    doubt::settle(&mut known, &scene.crm.mapping(), &crm, found.as_ref());
    can_be_quoted(&crm, found.as_ref())?;
    undo::not_behind(&known.reversals, &crm, found.as_ref())?;
    steps.learn_witness(Witness::of(&crm, found.as_ref()), &known.rulings);

    let plan = steps
        .read("decide", async {
            Ok(decide(scene, &crm, found.as_ref(), &known))
        })
        .await?;

    let resumed = steps.is_resumed();
    #[cfg(feature = "planted-bugs")]
    let resumed = resumed && !cpq_domain::planted::Bug::UndoesAgreements.is_on();
    if resumed && overtaken(steps, scene, found.as_ref(), &plan, &before, &spared).await? {
        return Err(outdated(steps, scene, &crm, found.as_ref(), known, &plan).await?);
    }

    let quote = match &found {
        Some(quote) if plan.to_cpq.is_empty() => quote.clone(),
        found => write_cpq(steps, scene, &crm, found.as_ref(), &known, &plan).await?,
    };
    steps.learn_link(link(steps, &crm, &quote));
    let agreed = without_crm_writes(&plan, &quote, &known.base);
    let agreed = deleted::kept(agreed, &before, &spared);
    steps.learn_base(agreed.clone());
    steps.learn_decisions(&plan.matrix_version, so_far(&plan), false);
    let known = known.once_written(&plan, found.as_ref(), &quote);

    // The CPQ has priced the quote meanwhile: what it computed goes back to the CRM.
    let back = steps
        .read("decide.back", async {
            Ok(decide(scene, &crm, Some(&quote), &known))
        })
        .await?;
    same_rules(steps, scene, &plan, &back)?;
    let written = match back.to_crm.is_empty() {
        true => None,
        false => Some(write_crm(steps, scene, &crm, &quote, (&plan, &back), &agreed).await?),
    };

    let agreed = agreement(scene, &crm, &quote, &back, written.as_ref());
    steps.learn_base(deleted::kept(agreed, &before, &spared));
    steps.learn_decisions(&back.matrix_version, in_all(&plan, &back), true);
    let mut outcome = outcome(scene, &quote, found.is_none(), &plan, &back);
    outcome.warnings.extend(spared);
    Ok(outcome)
}

/// The opportunity's whole context, the quote, and what both last agreed on: all at once.
async fn read_all(steps: &Steps, scene: &Scene) -> Result<(CrmSnapshot, Option<Quote>, Known), Halt> {
    let (call, lane) = (steps.call(), steps.lane());
    futures_util::try_join!(
        steps.read("read.crm", scene.crm.read(call, &lane.opportunity)),
        steps.read(
            "read.cpq",
            scene.cpq.find(call, lane.connection.as_str(), &lane.opportunity)
        ),
        steps.read("read.base", scene.ledger.known_to(steps.run(), lane)),
    )
}

/// Whether what was found by the business number is not the opportunity's, though it may have a quote: the number was changed
/// in the CRM, so there is nothing under the new one, or what another opportunity had that number before.
async fn is_renumbered(
    steps: &Steps,
    scene: &Scene,
    crm: &CrmSnapshot,
    found: Option<&Quote>,
    known: &Known,
) -> Result<bool> {
    let id = &crm.opportunity.id;
    match found {
        Some(quote) => Ok(quote.opportunity.id != *id),
        None if steps.lane().opportunity.as_str() == id.as_str() => Ok(false),
        // Whoever answers from its journal goes the way that it went.
        None if steps.is_resumed() => Ok(steps.began("read.cpq.by_id")),
        None if known.base != Base::default() => Ok(true),
        None => Ok(scene.ledger.link(&steps.lane_of(id)?).await?.is_some()),
    }
}

/// The quote, and what both sides last agreed on, by the CRM's id of the opportunity.
async fn read_by_id(steps: &Steps, scene: &Scene, crm: &CrmSnapshot) -> Result<(Option<Quote>, Known), Halt> {
    let lane = steps.lane_of(&crm.opportunity.id)?;
    futures_util::try_join!(
        steps.read(
            "read.cpq.by_id",
            scene
                .cpq
                .find(steps.call(), lane.connection.as_str(), &lane.opportunity)
        ),
        steps.read("read.base.by_id", scene.ledger.known_to(steps.run(), &lane)),
    )
}

/// Two names of one opportunity are one lane: before anything is done, the run goes to that of the business number, or of the
/// id where there is none. Where nothing will be done, it stays.
async fn enter_own_lane(
    steps: &Steps,
    crm: &CrmSnapshot,
    found: Option<&Quote>,
    known: &Known,
) -> Result<(), Halt> {
    if !deletion::quote_was(&known.base) {
        can_be_quoted(crm, found)?;
    }
    let OpportunityRef { id, number, .. } = &crm.opportunity;
    let name = match number {
        Some(number) => number.clone(),
        None => OpportunityKey::new(id.as_str())?,
    };
    steps.go_by(name, id).await
}

/// What a quote needs before there can be one. An existing quote survives an opportunity that lost its lines.
pub(crate) fn can_be_quoted(crm: &CrmSnapshot, quote: Option<&Quote>) -> Result<()> {
    let missing = |what: &str, field: &str| {
        let name = crm
            .opportunity
            .number
            .as_ref()
            .map_or(crm.opportunity.id.as_str(), |number| number.as_str());
        let error = Error::new(
            Code::OpportunityIncomplete,
            format!("opportunity {name} has no {what}, so there is nothing to quote"),
        );
        Err(error
            .connection(&crm.opportunity.system)
            .object("Opportunity")
            .record(name)
            .field(field))
    };
    if quote.is_some() {
        return Ok(());
    }
    if crm.view.get("account.name").is_none_or(|name| name.is_null()) {
        return missing("account", "account.name");
    }
    if crm.view.lines.is_empty() {
        return missing("products", "line.exists");
    }
    Ok(())
}

pub(crate) fn decide(scene: &Scene, crm: &CrmSnapshot, quote: Option<&Quote>, known: &Known) -> Plan {
    let facts = facts(crm, quote, scene.now);
    let plan = resolve(&scene.matrix, &facts, &scene.crm.mapping(), known, crm, quote);
    #[cfg(feature = "planted-bugs")]
    let plan = crate::planted::with_what_it_does_not_own(plan, crm, quote);
    plan
}

/// Whether both sides have agreed anew since this run read them, other than by what the run has done itself.
async fn overtaken(
    steps: &Steps,
    scene: &Scene,
    found: Option<&Quote>,
    plan: &Plan,
    before: &Base,
    spared: &Option<String>,
) -> Result<bool, Halt> {
    let now = scene.ledger.known(steps.lane()).await?.base;
    let done = steps.remembered::<Quote>("write.cpq")?;
    let quote = done.as_ref().or(found.filter(|_| plan.to_cpq.is_empty()));
    let ours = quote.map(|quote| deleted::kept(without_crm_writes(plan, quote, before), before, spared));
    Ok(now != *before && ours.is_none_or(|ours| now != ours))
}

/// Another sync of the opportunity went by while this one was parked or its process was dead, and both sides have agreed
/// anew since. What this one remembers of them counts no more, and it must not put its old agreement in the place of the
/// new one: it starts over. What it has done, or may have, is told all the same, or an edit that lost would be shown to
/// nobody.
async fn outdated(
    steps: &Steps,
    scene: &Scene,
    crm: &CrmSnapshot,
    found: Option<&Quote>,
    known: Known,
    plan: &Plan,
) -> Result<Halt, Halt> {
    let done = steps.remembered::<Quote>("write.cpq")?;
    if let Some(quote) = done.as_ref().or(found) {
        if steps.began("write.crm") {
            let known = known.once_written(plan, found, quote);
            let back = async { Ok(decide(scene, crm, Some(quote), &known)) };
            let back = steps.read("decide.back", back).await?;
            steps.learn_link(link(steps, crm, quote));
            steps.learn_decisions(&back.matrix_version, in_all(plan, &back), false);
        } else if steps.began("write.cpq") {
            steps.learn_link(link(steps, crm, quote));
            steps.learn_decisions(&plan.matrix_version, so_far(plan), false);
        }
    }
    let name = &steps.lane().opportunity;
    let message = format!("another sync of opportunity {name} went by since this one began");
    Ok(Halt::Restart(Error::new(Code::CrmConflict, message)))
}

/// The second look sends nothing to the CPQ. Where it would, because the rules were changed since the first, the run starts
/// over, or both sides would count as agreed on a value that was never sent. And what was decided under rules that were
/// replaced since, as long as the run was parked, is not sent any more: a sync that went by may have done the contrary.
fn same_rules(steps: &Steps, scene: &Scene, plan: &Plan, back: &Plan) -> Result<(), Halt> {
    let unsent = plan.matrix_version != back.matrix_version && !back.to_cpq.is_empty();
    if (unsent || back.matrix_version != scene.matrix.version()) && !steps.began("write.crm") {
        return Err(Halt::Restart(other_rules(steps)));
    }
    Ok(())
}

fn other_rules(steps: &Steps) -> Error {
    let name = &steps.lane().opportunity;
    let message = format!("the rules were changed while opportunity {name} was synced");
    Error::new(Code::CrmConflict, message)
}

/// Creates or changes the quote. The key is the same however often the run starts again, and a key counts once.
async fn write_cpq(
    steps: &Steps,
    scene: &Scene,
    crm: &CrmSnapshot,
    found: Option<&Quote>,
    known: &Known,
    plan: &Plan,
) -> Result<Quote, Halt> {
    let write = CpqWrite {
        target: target(crm, found),
        patch: plan.to_cpq.clone(),
    };
    let key = IdempotencyKey::new(format!(
        "cpq:{}:{}:write.cpq",
        steps.run().id,
        steps.run().restarts
    ))?;
    #[cfg(feature = "planted-bugs")]
    let key = crate::planted::fresh(key, steps.run().attempt)?;
    let (call, lane) = (steps.call(), steps.lane_of(&crm.opportunity.id)?);
    // The quote as it stands after a write that may have arrived.
    let stands = OnceLock::new();
    let check = async {
        let now = scene
            .cpq
            .find(call, lane.connection.as_str(), &lane.opportunity)
            .await?;
        // Only against the last agreement does a value that did not arrive look like one that is still to be sent; and
        // a value that a person has put in the place of what was sent, or instead of it, is no sign of it either.
        let arrived = |quote: &Quote| {
            decide(scene, crm, Some(quote), known).to_cpq.is_empty()
                && holds(scene, &quote.view(), &plan.to_cpq)
        };
        let (arrived, other) = match now {
            Some(quote) if !arrived(&quote) => (None, Some(quote)),
            now => (now, None),
        };
        if let Some(quote) = other {
            stands.get_or_init(|| quote);
        }
        Ok(arrived)
    };
    let written = steps.write("write.cpq", check, scene.cpq.write(call, &key, &write));
    written.await.inspect_err(|halt| {
        // An edit of the quote that it overwrote, or may have, before somebody changed the quote anew: the run starts over,
        // and finds nothing of it any more.
        let overwrites = halt.forgets() && (halt.may_have_written() || steps.began("write.cpq"));
        if let Some(quote) = found.filter(|_| overwrites) {
            steps.learn_link(link(steps, crm, quote));
            if let Some(now) = stands.get() {
                let mut base = known.base.clone();
                Sent::to_cpq(plan).agree(&mut base, &scene.crm.mapping(), &now.view());
                steps.learn_base(base);
            }
            steps.learn_decisions(&plan.matrix_version, so_far(plan), false);
        }
    })
}

pub(crate) fn shape(mapping: &Mapping, field: &FieldName) -> Shape {
    let mapped = mapping.fields.get(field);
    mapped.map(|mapped| mapped.shape).unwrap_or_default()
}

/// Writes status, number, totals and lines to the opportunity and its quote record, if nobody has changed the
/// opportunity since it was read.
async fn write_crm(
    steps: &Steps,
    scene: &Scene,
    crm: &CrmSnapshot,
    quote: &Quote,
    (plan, back): (&Plan, &Plan),
    agreed: &Base,
) -> Result<CrmWritten, Halt> {
    let call = steps.call();
    let write = CrmWrite {
        opportunity: crm.opportunity.clone(),
        patch: back.to_crm.clone(),
        unmodified_since: crm.modified_at,
        quote_record: Some(quote_record(crm, quote)),
        record_type: crm.view.text("opportunity.record_type").map(str::to_owned),
        lines: lines::written(scene, crm, quote, &back.to_crm),
    };
    #[cfg(feature = "planted-bugs")]
    let write = crate::planted::without_condition(write);
    // The opportunity as it stands after a write that may have arrived, all of it or some.
    let stands = OnceLock::new();
    let check = async {
        let now = scene.crm.read(call, &steps.lane().opportunity).await?;
        let in_place = holds(scene, &now.view, &back.to_crm);
        if !in_place {
            stands.get_or_init(|| now.view.clone());
        }
        if !in_place && back.matrix_version != scene.matrix.version() {
            return Err(other_rules(steps));
        }
        Ok(in_place.then_some(CrmWritten {
            view: now.view,
            modified_at: now.modified_at,
        }))
    };
    let written = steps.write("write.crm", check, scene.crm.write(call, &write));
    written.await.inspect_err(|halt| {
        // An edit that it overwrote, or may have, is told even if the run finds nothing of it when it starts over. A run
        // that is parked remembers, and tells at its end.
        if halt.forgets() && (halt.may_have_written() || steps.began("write.crm")) {
            if let Some(now) = stands.get() {
                let mut base = agreed.clone();
                Sent::to_crm(back).agree(&mut base, &scene.crm.mapping(), now);
                steps.learn_base(base);
            }
            steps.learn_decisions(&back.matrix_version, in_all(plan, back), false);
        }
    })
}

/// Whether a side holds what a patch sent there.
fn holds(scene: &Scene, view: &View, sent: &Patch) -> bool {
    #[cfg(feature = "planted-bugs")]
    if cpq_domain::planted::Bug::TakesEditsForWrites.is_on() {
        return true;
    }
    let mapping = scene.crm.mapping();
    let mut fields = sent.fields.iter();
    fields.all(|(field, value)| {
        view.fields
            .get(field)
            .is_some_and(|held| held.same(value, shape(&mapping, field)))
    }) && lines::in_place(&mapping, view, sent)
}

fn quote_record(crm: &CrmSnapshot, quote: &Quote) -> QuoteRecord {
    let price_book = crm.view.text("opportunity.price_book_id");
    QuoteRecord {
        key: quote.root_id.clone(),
        name: quote.name.clone(),
        price_book: price_book.and_then(|id| RecordId::new(id).ok()),
        revision: quote.revision,
    }
}

fn link(steps: &Steps, crm: &CrmSnapshot, quote: &Quote) -> Link {
    Link {
        connection: steps.lane().connection.clone(),
        opportunity_id: crm.opportunity.id.clone(),
        opportunity_number: crm.opportunity.number.clone(),
        quote_root_id: quote.root_id.clone(),
        quote_number: quote.number.clone(),
        revision: quote.revision,
    }
}

fn outcome(scene: &Scene, quote: &Quote, created: bool, plan: &Plan, back: &Plan) -> Outcome {
    let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let (crm_writes, cpq_writes) = (count(back.to_crm.len()), count(plan.to_cpq.len()));
    let effect = if created || crm_writes + cpq_writes > 0 {
        Effect::Written
    } else {
        Effect::NoChange
    };
    Outcome {
        effect,
        quote_number: quote.number.to_string(),
        quote_id: quote.id.to_string(),
        revision: quote.revision,
        quote_status: quote.status.to_string(),
        created,
        crm_writes,
        cpq_writes,
        open_conflicts: count(back.open().count()),
        warnings: scene.crm.mapping().warnings.clone(),
        undone: plan.undone.clone(),
    }
}
