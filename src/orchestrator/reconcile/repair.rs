//! The repair: a sync for every record that differs, a few at a time, and a second look at each.

use std::collections::BTreeMap;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::id::{Lane, OpportunityKey, RecordId};
use cpq_domain::reconcile::{Differing, Fate, Phase, Repair};
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_store::certificates::Hours;
use cpq_store::reconcile_records::Parts;
use futures_util::{StreamExt, stream};

use super::books;
use super::job::{Halt, Job, at, hours, parts_of, start};
use super::judge::Judged;
use super::look::Looked;
use crate::engine::{Engine, Submission, Submitted};

/// Records of one batch: so many are looked at again with one call, and so few wait for the slowest of them.
const BATCH: u32 = 50;
/// Longest time to wait for one sync. One that takes longer is parked or stuck; it goes on by itself, and the record is
/// told as remaining.
const PATIENCE: Duration = Duration::from_secs(60);

type Record = (Differing, Parts);

impl Job {
    /// Works through the list of what differs, if that was wished.
    pub(super) async fn repair(&mut self) -> Result<(), Halt> {
        if self.one.order.repair {
            self.one.told.repair.get_or_insert_default();
            while self.repair_batch().await? {}
        }
        self.one.mark = start(Phase::End);
        self.save(books::Page::default(), false).await
    }

    /// `false` when the list is at its end.
    async fn repair_batch(&mut self) -> Result<bool, Halt> {
        let after = self.one.mark.after.clone().unwrap_or_default();
        let records = books::records(&self.looker.store, self.one.id, &after, BATCH).await?;
        let Some((last, _)) = records.last() else {
            return Ok(false);
        };
        let mark = at(Phase::Repair, last.opportunity_id.as_str());
        let (curable, others): (Vec<Record>, Vec<Record>) = records
            .into_iter()
            .partition(|(record, _)| record.is_repairable());
        let runs = self.alive(self.sync_all(&curable)).await?;
        let ids: Vec<RecordId> = curable
            .iter()
            .map(|(record, _)| record.opportunity_id.clone())
            .collect();
        let looked = match ids.is_empty() {
            true => Looked::default(),
            false => self.patiently(|| self.looker.examine_ids(&ids)).await?,
        };
        self.one.told.api_calls += looked.calls;
        let mut page = self.told_again(curable, &runs, looked);
        for (mut record, parts) in others {
            record.state = Fate::Remains;
            record.reason = record.differences.first().map(|one| one.cause.next().to_owned());
            self.remains(&record);
            page.records.push((record, parts));
        }
        self.one.mark = mark;
        self.save(page, false).await?;
        Ok(true)
    }

    /// Submits a sync for each, and waits for its end.
    async fn sync_all(&self, records: &[Record]) -> BTreeMap<RecordId, Result<Run>> {
        let engine = Engine {
            inner: self.inner.clone(),
        };
        let one = |record: &Differing| {
            let (engine, id) = (engine.clone(), record.opportunity_id.clone());
            let lane = self.lane(record);
            async move { (id, sync(&engine, lane).await) }
        };
        let syncs: Vec<_> = records.iter().map(|(record, _)| one(record)).collect();
        stream::iter(syncs)
            .buffer_unordered(self.inner.settings.reconcile.repairs_at_once.max(1))
            .collect()
            .await
    }

    fn lane(&self, record: &Differing) -> Result<Lane> {
        let opportunity = match &record.opportunity {
            Some(number) => number.clone(),
            None => OpportunityKey::new(record.opportunity_id.as_str())?,
        };
        Ok(Lane {
            connection: self.one.order.connection.clone(),
            opportunity,
        })
    }

    /// What became of the records that were synced. Their old part in the certificates goes, their new one comes.
    fn told_again(
        &mut self,
        records: Vec<Record>,
        runs: &BTreeMap<RecordId, Result<Run>>,
        looked: Looked,
    ) -> books::Page {
        let mut now: BTreeMap<RecordId, (Judged, bool)> = BTreeMap::new();
        let flying = looked.in_flight.into_iter().map(|judged| (judged, true));
        let landed = looked
            .fine
            .into_iter()
            .chain(looked.differing)
            .map(|judged| (judged, false));
        now.extend(
            flying
                .chain(landed)
                .map(|(judged, flies)| (judged.id.clone(), (judged, flies))),
        );
        let mut page = books::Page::default();
        self.tell(|repair| repair.submitted += runs.values().filter(|run| run.is_ok()).count() as u64);
        for (old, parts) in records {
            let run = runs.get(&old.opportunity_id);
            let correlation = run
                .and_then(|run| run.as_ref().ok())
                .map(|run| run.correlation.to_string());
            let Some((judged, flies)) = now.get(&old.opportunity_id) else {
                // It has vanished from the CRM meanwhile. The next reconcile meets its quote.
                let mut record = old;
                record.state = Fate::Remains;
                record.reason = Some("it is not in the CRM any more".to_owned());
                record.correlation_id = correlation;
                self.remains(&record);
                page.records.push((record, parts));
                continue;
            };
            let mut record = judged.differing(Fate::Repaired);
            record.correlation_id = correlation;
            if judged.differs() || *flies {
                record.state = Fate::Remains;
                record.reason = Some(why(run, judged));
                self.remains(&record);
            } else {
                self.tell(|repair| repair.repaired += 1);
            }
            swap(&mut page.take_out, &parts);
            page.add_all(hours(std::iter::once(judged)));
            page.records.push((record, parts_of(judged)));
        }
        page
    }

    fn remains(&mut self, record: &Differing) {
        self.tell(|repair| repair.remaining.add(record.name(), &record.differences));
    }

    fn tell(&mut self, change: impl FnOnce(&mut Repair)) {
        change(self.one.told.repair.get_or_insert_default());
    }
}

async fn sync(engine: &Engine, lane: Result<Lane>) -> Result<Run> {
    let submitted = engine.submit(Submission::of(lane?, Trigger::Reconcile)).await?;
    match submitted {
        Submitted::Accepted(run) | Submitted::Joined(run) | Submitted::Running { run, .. } => {
            engine.wait(run.id, PATIENCE).await
        }
        Submitted::Replayed { .. } => Err(cpq_domain::Error::new(
            cpq_domain::Code::Internal,
            "a sync without a key was answered from a key",
        )),
    }
}

/// Why a record that was synced still differs, and what to do.
fn why(run: Option<&Result<Run>>, judged: &Judged) -> String {
    match run {
        Some(Ok(run)) if run.state == RunState::Succeeded => match judged.differences.first() {
            Some(difference) => {
                let cause = difference.cause;
                format!(
                    "it was synced and differs again ({}): {}",
                    cause.as_str(),
                    cause.next()
                )
            }
            None => "another sync of it is under way".to_owned(),
        },
        Some(Ok(run)) => {
            let error = run.error.as_ref();
            let told = error.map_or_else(String::new, |error| {
                format!(": {} [{}]", error.message, error.code)
            });
            let (state, correlation) = (run.state, &run.correlation);
            format!("its sync is {state}{told}; see `cpq sync status --correlation {correlation}`")
        }
        Some(Err(error)) => format!("no sync could be started: {error} [{}]", error.code),
        None => "no sync was started".to_owned(),
    }
}

/// Puts a record's old part among what is taken out.
fn swap(take_out: &mut Hours, parts: &Parts) {
    for (object, tally) in &parts.of {
        let hour = take_out.entry((*object, parts.hour)).or_default();
        *hour = hour.plus(*tally);
    }
}
