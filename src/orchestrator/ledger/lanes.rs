//! One lane for one opportunity, whatever name its sync was asked for by.

use cpq_domain::Result;
use cpq_domain::event::{EventKind, SyncEvent};
use cpq_domain::id::{OpportunityKey, RecordId};
use cpq_domain::run::Run;
use cpq_store::{journal, runs};

use super::{Ledger, note};

/// What became of a run that found out that its opportunity goes by another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// It goes on, alone in the lane of that name.
    Here,
    /// It is in the queue again, behind others of that lane.
    Behind,
    /// Another process has the run.
    Lost,
}

impl Ledger {
    /// One transaction: what the run has noted so far, and its place in the lane of the name.
    pub(crate) async fn enter_lane(
        &self,
        run: &Run,
        name: OpportunityKey,
        record: RecordId,
        mut events: Vec<SyncEvent>,
    ) -> Result<Entered> {
        let (now, lease_until) = self.lease();
        let held = (run.id, run.attempt);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let Some(last) = runs::fence(tx, held.0, held.1, now, lease_until).await? else {
                        return Ok(Entered::Lost);
                    };
                    journal::append_behind(tx, held.0, last, &mut events).await?;
                    if runs::enter_lane(tx, held, &name, &record, now).await? {
                        return Ok(Entered::Here);
                    }
                    runs::line_up(tx, held, &name, now).await?;
                    let data = serde_json::json!({ "opportunity": name });
                    note(tx, held.0, EventKind::Requeued, held.1, now, data).await?;
                    Ok(Entered::Behind)
                })
            })
            .await
    }
}
