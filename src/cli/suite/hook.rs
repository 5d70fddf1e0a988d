//! Lets a case do something between the read and the write of a sync, as a person or a timeout would.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::adapter::{
    Call, CallBudget, CpqAdapter, CrmAdapter, CrmSnapshot, CrmWrite, CrmWritten, Mapping, Probe,
};
use cpq_domain::deletion::Fate;
use cpq_domain::id::{ConnectionName, OpportunityKey, RecordId};
use cpq_domain::ownership::Matrix;
use cpq_domain::schema::CrmSchema;
use cpq_orchestrator::Sides;
use futures_util::future::BoxFuture;

/// What to do once, after the first read.
pub type Deed = BoxFuture<'static, Result<()>>;

/// The sides of a sync, with a deed after the first read of the CRM.
pub struct Hooked {
    sides: Arc<dyn Sides>,
    deed: Arc<Mutex<Option<Deed>>>,
}

impl Hooked {
    /// Does `deed` after the first read.
    pub fn new(sides: Arc<dyn Sides>, deed: Deed) -> Hooked {
        Hooked {
            sides,
            deed: Arc::new(Mutex::new(Some(deed))),
        }
    }
}

#[async_trait]
impl Sides for Hooked {
    async fn crm(&self, connection: &ConnectionName) -> Result<Arc<dyn CrmAdapter>> {
        Ok(Arc::new(Interrupted {
            crm: self.sides.crm(connection).await?,
            deed: self.deed.clone(),
        }))
    }

    fn cpq(&self) -> Arc<dyn CpqAdapter> {
        self.sides.cpq()
    }

    fn matrix(&self) -> Arc<Matrix> {
        self.sides.matrix()
    }
}

struct Interrupted {
    crm: Arc<dyn CrmAdapter>,
    deed: Arc<Mutex<Option<Deed>>>,
}

#[async_trait]
impl CrmAdapter for Interrupted {
    fn mapping(&self) -> Arc<Mapping> {
        self.crm.mapping()
    }

    async fn probe(&self, call: &Call) -> Result<Probe> {
        self.crm.probe(call).await
    }

    async fn describe(&self, call: &Call) -> Result<CrmSchema> {
        self.crm.describe(call).await
    }

    async fn read(&self, call: &Call, key: &OpportunityKey) -> Result<CrmSnapshot> {
        let read = self.crm.read(call, key).await?;
        let deed = self.deed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(deed) = deed {
            deed.await?;
        }
        Ok(read)
    }

    async fn fate(&self, call: &Call, opportunity: &RecordId) -> Result<Fate> {
        self.crm.fate(call, opportunity).await
    }

    async fn write(&self, call: &Call, write: &CrmWrite) -> Result<CrmWritten> {
        self.crm.write(call, write).await
    }

    fn budget(&self) -> Option<CallBudget> {
        self.crm.budget()
    }
}
