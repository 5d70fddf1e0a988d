//! A vault in memory that keeps every promise of the trait, and can be told to fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use cpq_domain::id::ConnectionName;
use cpq_domain::vault::{GrantState, Lease, StoredGrant, TokenVault};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use tokio::sync::Semaphore;

pub struct MemoryVault {
    rows: Mutex<Rows>,
    /// So many saves fail before one works.
    pub failing_saves: AtomicU32,
    /// So many leases are all but over when they are given, as to a process that was stopped for a while.
    pub short_leases: AtomicU32,
    /// Each save takes one permit; tests take them away to hold a save up.
    pub save_gate: Semaphore,
    /// One permit per save that has begun.
    pub save_begun: Semaphore,
}

#[derive(Default)]
struct Rows {
    grants: BTreeMap<ConnectionName, StoredGrant>,
    leases: BTreeMap<ConnectionName, (u64, Timestamp)>,
    fence: u64,
}

impl Default for MemoryVault {
    fn default() -> Self {
        MemoryVault {
            rows: Mutex::default(),
            failing_saves: AtomicU32::new(0),
            short_leases: AtomicU32::new(0),
            save_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            save_begun: Semaphore::new(0),
        }
    }
}

impl MemoryVault {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// Changes a stored grant behind the broker's back.
    pub fn tamper(&self, name: &ConnectionName, change: impl FnOnce(&mut StoredGrant)) {
        change(self.rows().grants.get_mut(name).unwrap());
    }

    pub fn grant(&self, name: &ConnectionName) -> StoredGrant {
        self.rows().grants[name].clone()
    }

    pub fn put(&self, grant: StoredGrant) {
        self.rows().grants.insert(grant.settings.name.clone(), grant);
    }

    /// Leases that were ever given.
    pub fn leases(&self) -> u64 {
        self.rows().fence
    }

    pub fn is_leased(&self) -> bool {
        !self.rows().leases.is_empty()
    }
}

#[async_trait]
impl TokenVault for MemoryVault {
    async fn load(&self, connection: &ConnectionName) -> Result<Option<StoredGrant>> {
        tokio::task::yield_now().await;
        Ok(self.rows().grants.get(connection).cloned())
    }

    async fn list(&self) -> Result<Vec<StoredGrant>> {
        Ok(self.rows().grants.values().cloned().collect())
    }

    async fn connect(&self, grant: &StoredGrant) -> Result<u64> {
        let mut rows = self.rows();
        let generation = rows
            .grants
            .get(&grant.settings.name)
            .map_or(1, |old| old.generation + 1);
        rows.grants.insert(
            grant.settings.name.clone(),
            StoredGrant {
                generation,
                ..grant.clone()
            },
        );
        Ok(generation)
    }

    async fn save(&self, grant: &StoredGrant, expected: u64, fence: u64) -> Result<bool> {
        self.save_begun.add_permits(1);
        self.save_gate.acquire().await.unwrap().forget();
        let fail = |left: u32| left.checked_sub(1);
        if self
            .failing_saves
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail)
            .is_ok()
        {
            return Err(Error::new(Code::StoreUnavailable, "disk full"));
        }
        let mut rows = self.rows();
        let name = &grant.settings.name;
        let ours = rows.leases.get(name).is_some_and(|(newest, _)| *newest == fence);
        let current = rows
            .grants
            .get(name)
            .is_some_and(|old| old.generation == expected);
        if ours && current {
            rows.grants.insert(
                name.clone(),
                StoredGrant {
                    generation: expected + 1,
                    ..grant.clone()
                },
            );
        }
        Ok(ours && current)
    }

    async fn bury(&self, name: &ConnectionName, generation: u64, reason: &str, now: Timestamp) -> Result<()> {
        if let Some(grant) = self
            .rows()
            .grants
            .get_mut(name)
            .filter(|grant| grant.generation == generation)
        {
            grant.state = GrantState::Dead {
                reason: reason.to_owned(),
                since: now,
            };
        }
        Ok(())
    }

    async fn remove(&self, connection: &ConnectionName) -> Result<bool> {
        Ok(self.rows().grants.remove(connection).is_some())
    }

    async fn lease(
        &self,
        name: &ConnectionName,
        generation: u64,
        _holder: &str,
        now: Timestamp,
        ttl_ms: i64,
    ) -> Result<Lease> {
        let mut rows = self.rows();
        if rows
            .grants
            .get(name)
            .is_none_or(|grant| grant.generation != generation)
        {
            return Ok(Lease::Newer);
        }
        if let Some((_, until)) = rows.leases.get(name).filter(|(_, until)| *until > now) {
            return Ok(Lease::Held { until: *until });
        }
        let take = |left: u32| left.checked_sub(1);
        let short = self
            .short_leases
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
            .is_ok();
        let ttl_ms = if short { 1_000 } else { ttl_ms };
        rows.fence += 1;
        let (fence, until) = (rows.fence, now + jiff::SignedDuration::from_millis(ttl_ms));
        rows.leases.insert(name.clone(), (fence, until));
        Ok(Lease::Acquired { fence, until })
    }

    async fn release(&self, name: &ConnectionName, fence: u64) -> Result<()> {
        let mut rows = self.rows();
        if rows.leases.get(name).is_some_and(|(newest, _)| *newest == fence) {
            rows.leases.remove(name);
        }
        Ok(())
    }
}
