//! Where an adapter gets its access token from.

use std::sync::Arc;

use async_trait::async_trait;
use cpq_auth::{Access, Session};
use cpq_domain::Result;

/// Hands out access tokens of one connection.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// The access token as far as it is known; it may have expired.
    async fn access(&self) -> Result<Access>;

    /// A newer token than that of generation `seen`, which the CRM refused.
    async fn renew(&self, seen: u64) -> Result<Access>;
}

#[async_trait]
impl Credentials for Arc<Session> {
    async fn access(&self) -> Result<Access> {
        Session::access(self).await
    }

    async fn renew(&self, seen: u64) -> Result<Access> {
        Session::renew(self, seen).await
    }
}
