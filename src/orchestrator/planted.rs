//! Planted bugs that take more than a line; see [`cpq_domain::planted`].

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::id::{CorrelationId, RunId};
use cpq_domain::planted::Bug;
use cpq_domain::run::{Run, RunState};
use cpq_store::{Tx, runs};
use jiff::SignedDuration;

use crate::engine::{Engine, Submission, Submitted};

/// Answers first, and makes it durable a moment later.
pub(crate) fn answer_before_commit(engine: &Engine, submission: Submission) -> Result<Submitted> {
    let now = engine.inner.world.now();
    let run = Run {
        id: RunId(engine.inner.world.uuid()),
        lane: submission.lane.clone(),
        correlation: CorrelationId::new("csync-000")?,
        caller_correlation: None,
        traceparent: None,
        trigger: submission.trigger,
        state: RunState::Queued,
        attempt: 0,
        tries: 0,
        restarts: 0,
        created_at: now,
        updated_at: now,
        due_at: now,
        outcome: None,
        error: None,
        superseded_by: None,
    };
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
