//! The two systems and the rules between them, as a run finds them.

use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::adapter::{CpqAdapter, CrmAdapter};
use cpq_domain::id::ConnectionName;
use cpq_domain::ownership::Matrix;

/// Gives a run its two systems. Connections come and go while the service runs, so they are asked for each time.
#[async_trait]
pub trait Sides: Send + Sync {
    /// The CRM behind a connection; [`cpq_domain::Code::NotConnected`] if there is none.
    async fn crm(&self, connection: &ConnectionName) -> Result<Arc<dyn CrmAdapter>>;

    /// The CPQ.
    fn cpq(&self) -> Arc<dyn CpqAdapter>;

    /// The ownership matrix in force.
    fn matrix(&self) -> Arc<Matrix>;
}
