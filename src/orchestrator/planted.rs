//! Planted bugs that take more than a line; see [`cpq_domain::planted`].

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::adapter::{CrmSnapshot, CrmWrite};
use cpq_domain::id::{CorrelationId, IdempotencyKey, RunId};
use cpq_domain::planted::Bug;
use cpq_domain::quote::Quote;
use cpq_domain::resolve::Plan;
use cpq_domain::run::{Run, RunState};
use cpq_store::{Tx, runs};
use jiff::{SignedDuration, Timestamp};

use crate::engine::{Engine, Submission, Submitted};

/// Answers first, and makes it durable a moment later.
pub(crate) fn answer_before_commit(engine: &Engine, submission: Submission) -> Result<Submitted> {
    let now = engine.inner.world.now();
    let id = RunId(engine.inner.world.uuid());
    let run = submission.queued(id, CorrelationId::new("csync-000")?, now);
    let later = engine.clone();
    engine.inner.tasks.spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        later.take_up(submission, crate::along::Along::default()).await
    });
    Ok(Submitted::Accepted(run))
}

/// The run of the lane that runs already.
pub(crate) async fn running_in_lane(tx: &mut dyn Tx, submission: &Submission) -> Result<Option<Run>> {
    let filter = runs::Filter {
        opportunity: Some(submission.lane.opportunity.clone()),
        state: Some(RunState::Running),
        limit: 1,
        ..runs::Filter::default()
    };
    Ok(runs::list(tx, &filter).await?.pop())
}

/// Lets leases be over before their time.
pub(crate) fn hurry() -> SignedDuration {
    SignedDuration::from_secs(if Bug::EndsLeasesEarly.is_on() { 600 } else { 0 })
}

/// Forgets the key of a wish that joins another.
pub(crate) fn without_key(submission: Submission) -> Submission {
    match Bug::DropsJoinedKeys.is_on() {
        true => Submission {
            keyed: None,
            ..submission
        },
        false => submission,
    }
}

/// Gives two runs one number.
pub(crate) fn name_twice(number: i64) -> i64 {
    match Bug::NamesTwice.is_on() {
        true => (number + 1) / 2,
        false => number,
    }
}

/// Sends the CRM a field that it owns.
pub(crate) fn with_what_it_does_not_own(mut plan: Plan, crm: &CrmSnapshot, quote: Option<&Quote>) -> Plan {
    const NAME: &str = "opportunity.name";
    let held = quote.and_then(|quote| quote.view().get(NAME).cloned());
    let differs = held.filter(|held| Bug::WritesUnowned.is_on() && Some(held) != crm.view.get(NAME));
    if let Some(held) = differs {
        plan.to_cpq.fields.remove(NAME);
        plan.to_crm.fields.insert(NAME.into(), held);
    }
    plan
}

/// Gives each attempt a key of its own.
pub(crate) fn fresh(key: IdempotencyKey, attempt: u32) -> Result<IdempotencyKey> {
    match Bug::MakesFreshKeys.is_on() {
        true => IdempotencyKey::new(format!("{key}:{attempt}")),
        false => Ok(key),
    }
}

/// Writes whoever has changed the record meanwhile.
pub(crate) fn without_condition(write: CrmWrite) -> CrmWrite {
    match Bug::OverlooksEdits.is_on() {
        true => CrmWrite {
            unmodified_since: Timestamp::MAX,
            ..write
        },
        false => write,
    }
}

/// What runs in the lane have begun, unless nobody is to hear of it.
pub(crate) fn unless_undoes_are_halved(begun: Vec<RunId>) -> Vec<RunId> {
    match Bug::HalvesUndoes.is_on() {
        true => Vec::new(),
        false => begun,
    }
}
