//! What the ledger keeps about records that are gone on one side.

use cpq_domain::Result;
use cpq_domain::deletion::{self, Answer, Gone};
use cpq_domain::error::{Code, Error};
use cpq_domain::event::EventKind;
use cpq_domain::id::{Lane, OpportunityKey};
use cpq_domain::run::Run;
use cpq_store::links::Link;
use cpq_store::{Tx, deletions, links, runs};
use jiff::Timestamp;

use super::{Ledger, note, own_lane};
use crate::keep::Learned;

impl Ledger {
    /// The quote that we know of an opportunity.
    pub(crate) async fn link(&self, lane: &Lane) -> Result<Option<Link>> {
        let lane = lane.clone();
        self.store
            .read(move |tx| {
                Box::pin(async move { links::by_opportunity(tx, &lane.connection, &lane.opportunity).await })
            })
            .await
    }

    /// What was decided about records that are gone.
    pub(crate) async fn answers(&self, lane: &Lane) -> Result<Vec<(Gone, Answer)>> {
        let lane = lane.clone();
        self.store
            .read(move |tx| Box::pin(async move { deletions::of(tx, &lane).await }))
            .await
    }

    /// Remembers what a person decided about a record that is gone, and lets go on what waits for it.
    pub(crate) async fn answer_deleted(&self, lane: Lane, gone: Gone, answer: Answer) -> Result<()> {
        let now = self.world.now();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let lane = own_lane(tx, lane).await?;
                    let link = links::by_opportunity(tx, &lane.connection, &lane.opportunity).await?;
                    let link = link.ok_or_else(|| {
                        let message = format!(
                            "opportunity {} was never synced, so nothing of it can be gone",
                            lane.opportunity
                        );
                        Error::new(Code::OpportunityNotFound, message).record(lane.opportunity.as_str())
                    })?;
                    deletions::put(tx, &link, gone, answer, now).await?;
                    let data = serde_json::json!({ "gone": gone, "answer": answer });
                    for id in runs::requeue_waiting_in(tx, &lane, now).await? {
                        note(tx, id, EventKind::Requeued, 0, now, data.clone()).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// Whether the opportunity was deleted and its quote left to itself.
pub(crate) async fn is_unlinked(tx: &mut dyn Tx, lane: &Lane) -> Result<bool> {
    let answers = deletions::of(tx, lane).await?;
    Ok(answers.contains(&(Gone::Opportunity, Answer::Unlink)))
}

/// Stores what a run decided about a record that is gone.
pub(crate) async fn keep(tx: &mut dyn Tx, learned: &Learned, now: Timestamp) -> Result<()> {
    match &learned.gone {
        Some((link, gone, answer)) => deletions::put(tx, link, *gone, *answer, now).await,
        None => Ok(()),
    }
}

/// The opportunity and its quote were both there: answers about their absence have had their time. Answers are looked for
/// in a table that is empty but for them.
pub(crate) async fn meet_again(tx: &mut dyn Tx, run: &Run, link: &Link, learned: &Learned) -> Result<()> {
    let record = learned.base.as_ref().is_some_and(deletion::has_quote_record) && !learned.spared;
    let mut anew = learned.relinked;
    for (gone, answer) in deletions::of(tx, &run.lane).await? {
        if gone == Gone::QuoteRecord && !record {
            continue;
        }
        anew |= answer != Answer::Archive && gone != Gone::QuoteRecord;
        deletions::clear(tx, &link.connection, &link.opportunity_id, gone).await?;
    }
    if !anew {
        return Ok(());
    }
    let key = OpportunityKey::new(link.opportunity_id.as_str())?;
    let before = links::by_opportunity(tx, &link.connection, &key).await?;
    match before.is_some_and(|before| before.quote_root_id != link.quote_root_id) {
        true => links::remove(tx, &link.connection, &link.opportunity_id)
            .await
            .map(drop),
        false => Ok(()),
    }
}
