//! A CRM behind its guard.

use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::adapter::{
    Call, CallBudget, CrmAdapter, CrmSnapshot, CrmWrite, CrmWritten, Mapping, Probe, Tally,
};
use cpq_domain::deletion::Fate;
use cpq_domain::id::{OpportunityKey, RecordId};
use cpq_domain::paging::{FoundSnapshots, SnapshotPage};
use cpq_domain::schema::CrmSchema;
use jiff::Timestamp;

use super::Guard;

/// A CRM behind its guard: a call is made only if it may be, and its end is noted.
pub(crate) struct Guarded {
    pub(super) crm: Arc<dyn CrmAdapter>,
    pub(super) guard: Arc<Guard>,
}

impl Guarded {
    async fn guarded<T>(&self, call: &Call, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.guard.admit(call.purpose, self.crm.as_ref()).await?;
        let result = work.await;
        self.guard.observe(self.crm.as_ref(), result).await
    }
}

#[async_trait]
impl CrmAdapter for Guarded {
    fn mapping(&self) -> Arc<Mapping> {
        self.crm.mapping()
    }

    async fn probe(&self, call: &Call) -> Result<Probe> {
        self.guarded(call, self.crm.probe(call)).await
    }

    async fn describe(&self, call: &Call) -> Result<CrmSchema> {
        self.guarded(call, self.crm.describe(call)).await
    }

    async fn read(&self, call: &Call, key: &OpportunityKey) -> Result<CrmSnapshot> {
        self.guarded(call, self.crm.read(call, key)).await
    }

    async fn fate(&self, call: &Call, opportunity: &RecordId) -> Result<Fate> {
        self.guarded(call, self.crm.fate(call, opportunity)).await
    }

    async fn write(&self, call: &Call, write: &CrmWrite) -> Result<CrmWritten> {
        self.guarded(call, self.crm.write(call, write)).await
    }

    async fn page(
        &self,
        call: &Call,
        since: Option<Timestamp>,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<SnapshotPage> {
        self.guarded(call, self.crm.page(call, since, after, limit)).await
    }

    async fn find_many(&self, call: &Call, ids: &[RecordId]) -> Result<FoundSnapshots> {
        self.guarded(call, self.crm.find_many(call, ids)).await
    }

    fn budget(&self) -> Option<CallBudget> {
        self.crm.budget()
    }

    fn tally(&self) -> Option<Tally> {
        self.crm.tally()
    }
}
