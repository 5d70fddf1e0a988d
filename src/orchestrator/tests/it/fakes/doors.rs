//! The systems as one process reaches them: through the adapter traits, over the wire.

use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::adapter::{
    Call, CallBudget, CpqAdapter, CpqCapabilities, CpqWrite, CrmAdapter, CrmSnapshot, CrmWrite, CrmWritten,
    Mapping, Probe, QuoteTarget,
};
use cpq_domain::deletion;
use cpq_domain::error::Written;
use cpq_domain::id::{ConnectionName, IdempotencyKey, OpportunityKey, QuoteId, RecordId};
use cpq_domain::ownership::Matrix;
use cpq_domain::paging::{FoundSnapshots, QuoteMarkPage, SnapshotPage};
use cpq_domain::quote::{Quote, Transition};
use cpq_domain::schema::CrmSchema;
use cpq_domain::{Code, Error, Result};
use cpq_orchestrator::Sides;
use jiff::Timestamp;

use super::land::Land;
use super::wire::{Fate, lost};
use super::world::Life;

/// Both systems, for one process.
#[derive(Clone)]
pub struct Doors {
    pub land: Arc<Land>,
    pub life: Arc<Life>,
}

impl Doors {
    async fn read<T>(&self, call: &'static str, look: impl Fn(&Land, bool) -> Result<T>) -> Result<T> {
        self.life.point((call, "before"));
        let fate = self.land.wire().arrive(call);
        let answer = match fate {
            Fate::Stale => look(&self.land, true),
            Fate::LostUnapplied | Fate::LostApplied | Fate::LostLate => {
                Err(Error::new(Code::CrmUnavailable, "no answer to a read"))
            }
            fate => self.deliver(fate, &|land: &Land| look(land, false)).await,
        };
        self.life.point((call, "after"));
        answer
    }

    async fn write<T>(
        &self,
        call: &'static str,
        apply: impl Fn(&Land) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.life.point((call, "before"));
        let fate = self.land.wire().arrive(call);
        let late: Vec<_> = std::mem::take(&mut self.land.wire().late);
        let answer = match fate {
            Fate::LostLate => {
                let keep: super::wire::Late = Box::new(move |land| drop(apply(land)));
                self.land.wire().late.push((call, keep));
                Err(lost())
            }
            fate => self.deliver(fate, &apply).await,
        };
        late.iter().for_each(|(_, apply)| apply(&self.land));
        self.life.point((call, "after"));
        answer
    }

    async fn deliver<T>(&self, fate: Fate, apply: &impl Fn(&Land) -> Result<T>) -> Result<T> {
        match fate {
            Fate::Refused(code) => return Err(Error::new(code, "refused")),
            Fate::RefusedFor(code, wait) => return Err(Error::new(code, "not yet").retry_after_ms(wait)),
            Fate::LostUnapplied => return Err(lost()),
            Fate::LostApplied => {
                let _ = apply(&self.land);
                return Err(lost());
            }
            Fate::Twice => drop(apply(&self.land)?),
            Fate::Edited(edit) => edit(&self.land),
            Fate::Held(gate) => gate.pass().await,
            Fate::HeldAndRefused(gate, code) => {
                gate.pass().await;
                return Err(Error::new(code, "refused"));
            }
            Fate::Panics => panic!("a defect of an adapter"),
            Fate::Ok | Fate::Stale | Fate::LostLate => {}
        }
        apply(&self.land)
    }
}

#[async_trait]
impl Sides for Doors {
    async fn crm(&self, _connection: &ConnectionName) -> Result<Arc<dyn CrmAdapter>> {
        Ok(Arc::new(self.clone()))
    }

    fn cpq(&self) -> Arc<dyn CpqAdapter> {
        Arc::new(self.clone())
    }

    fn matrix(&self) -> Arc<Matrix> {
        self.land.matrix()
    }
}

#[async_trait]
impl CrmAdapter for Doors {
    fn mapping(&self) -> Arc<Mapping> {
        self.land.crm().mapping()
    }

    async fn probe(&self, _call: &Call) -> Result<Probe> {
        Doors::read(self, "crm.probe", |_, _| Ok(Probe::default())).await
    }

    async fn describe(&self, _call: &Call) -> Result<CrmSchema> {
        Ok(CrmSchema::default())
    }

    async fn read(&self, _call: &Call, key: &OpportunityKey) -> Result<CrmSnapshot> {
        Doors::read(self, "crm.read", |land, stale| land.crm().read(key, stale)).await
    }

    async fn fate(&self, _call: &Call, id: &RecordId) -> Result<deletion::Fate> {
        Doors::read(self, "crm.fate", |land, _| Ok(land.crm().fate(id))).await
    }

    async fn write(&self, call: &Call, write: &CrmWrite) -> Result<CrmWritten> {
        let stages = self.land.crm().stages(write);
        let last = stages.len() - 1;
        let mut since = write.unmodified_since;
        for (at, stage) in stages.into_iter().enumerate() {
            let by = call.correlation.to_string();
            let write = CrmWrite {
                unmodified_since: since,
                ..stage
            };
            let apply = move |land: &Land| land.crm().write(&by, &write, land.clock.now());
            match Doors::write(self, "crm.write", apply).await {
                Ok(written) if at == last => return Ok(written),
                Ok(written) => since = written.modified_at,
                Err(error) if at == 0 || error.written == Written::Unknown => return Err(error),
                Err(error) => return Err(error.written(Written::Partly)),
            }
        }
        unreachable!("the last stage returns")
    }

    async fn page(
        &self,
        _call: &Call,
        since: Option<Timestamp>,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<SnapshotPage> {
        Doors::read(self, "crm.page", |land, _| {
            Ok(land.crm().page(since, after, limit))
        })
        .await
    }

    async fn find_many(&self, _call: &Call, ids: &[RecordId]) -> Result<FoundSnapshots> {
        Doors::read(self, "crm.find_many", |land, _| Ok(land.crm().find_many(ids))).await
    }

    fn budget(&self) -> Option<CallBudget> {
        self.land.crm().budget
    }
}

#[async_trait]
impl CpqAdapter for Doors {
    fn capabilities(&self) -> CpqCapabilities {
        CpqCapabilities {
            idempotency_keys: !self.land.cpq().forgets_keys,
            preview: true,
        }
    }

    async fn find(&self, _call: &Call, _system: &str, key: &OpportunityKey) -> Result<Option<Quote>> {
        Doors::read(self, "cpq.find", |land, stale| Ok(land.cpq().find(key, stale))).await
    }

    async fn page(
        &self,
        _call: &Call,
        _system: &str,
        since: Option<Timestamp>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<QuoteMarkPage> {
        Doors::read(self, "cpq.page", |land, _| {
            Ok(land.cpq().page(since, after, limit))
        })
        .await
    }

    async fn find_many(&self, _call: &Call, _system: &str, ids: &[RecordId]) -> Result<Vec<Quote>> {
        Doors::read(self, "cpq.find_many", |land, _| Ok(land.cpq().find_many(ids))).await
    }

    async fn get(&self, _call: &Call, id: &QuoteId) -> Result<Quote> {
        let held = self
            .land
            .cpq()
            .quotes
            .iter()
            .find(|quote| &quote.id == id)
            .cloned();
        held.ok_or_else(|| Error::new(Code::QuoteNotFound, format!("no quote {id}")))
    }

    async fn preview(&self, _call: &Call, write: &CpqWrite) -> Result<Option<Quote>> {
        self.land.cpq().outcome(write, self.land.clock.now()).map(Some)
    }

    async fn write(&self, _call: &Call, key: &IdempotencyKey, write: &CpqWrite) -> Result<Quote> {
        let (key, write) = (key.to_string(), write.clone());
        let apply = move |land: &Land| land.cpq().write(&key, &write, land.clock.now());
        Doors::write(self, "cpq.write", apply).await
    }

    async fn transition(
        &self,
        _call: &Call,
        key: &IdempotencyKey,
        target: &QuoteTarget,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<Quote> {
        let (key, target) = (key.to_string(), target.clone());
        let reason = reason.expect("who cancels says why").to_owned();
        let apply = move |land: &Land| {
            land.cpq()
                .transition(&key, &target, transition, &reason, land.clock.now())
        };
        Doors::write(self, "cpq.transition", apply).await
    }
}
