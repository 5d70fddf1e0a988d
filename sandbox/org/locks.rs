//! Records that are locked, as an approval process does it, and the data storage that records fill.

use super::{ApiError, Id, Org};

/// What a record counts for, whatever is in it (Salesforce Help, Data and File Storage Allocations).
pub const RECORD_KILOBYTES: u64 = 2;

impl Org {
    /// Locks a record against changes, or opens it again.
    pub fn set_locked(&mut self, id: Id, locked: bool) {
        if locked {
            self.locked.insert(id);
        } else {
            self.locked.remove(&id);
        }
    }

    /// Ids of locked records.
    pub fn locked(&self) -> impl Iterator<Item = Id> {
        self.locked.iter().copied()
    }

    /// # Errors
    /// ENTITY_IS_LOCKED.
    pub(super) fn check_lock(&self, id: Id) -> Result<(), ApiError> {
        if self.locked.contains(&id) {
            return Err(ApiError::data(
                "ENTITY_IS_LOCKED",
                "entity is locked for editing",
                &[],
            ));
        }
        Ok(())
    }

    /// Sets how much data the org may hold, in megabytes.
    pub fn set_data_storage(&mut self, megabytes: u64) {
        self.data_storage = Some(megabytes);
    }

    /// Megabytes in use, rounded up. Setup records such as users and price books are free in a real org, but not
    /// worth telling apart here.
    pub fn data_used(&self) -> u64 {
        (self.records() * RECORD_KILOBYTES).div_ceil(1_024)
    }

    fn records(&self) -> u64 {
        let live = self.tables.iter().map(super::Table::count);
        live.sum::<usize>() as u64
    }

    /// # Errors
    /// STORAGE_LIMIT_EXCEEDED when one more record would not fit.
    pub(super) fn check_storage(&self) -> Result<(), ApiError> {
        let Some(megabytes) = self.data_storage else {
            return Ok(());
        };
        if (self.records() + 1) * RECORD_KILOBYTES <= megabytes.saturating_mul(1_024) {
            return Ok(());
        }
        Err(ApiError::data(
            "STORAGE_LIMIT_EXCEEDED",
            "storage limit exceeded",
            &[],
        ))
    }
}
