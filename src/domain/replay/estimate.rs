//! What a replay will do: sums over what was looked at, and what follows for what was not.

use serde::{Deserialize, Serialize};

use super::{Deed, Item};

/// Durable syncs a second that a machine of two cores does, however fast the CRM is; see docs/performance.md.
const SYNCS_A_SECOND: u64 = 400;

/// What a look at one opportunity foretells of its sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Foreseen {
    /// Whether the quote would be created.
    pub creates: bool,
    /// Field values that would go to the CRM.
    pub crm_writes: u32,
    /// Field values that would go to the CPQ.
    pub cpq_writes: u32,
    /// Calls of the CRM.
    pub calls: u32,
    /// Fields that would wait for a person.
    pub conflicts: u32,
}

/// What a replay will do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Prediction {
    /// Dead letters that were selected.
    pub letters: u64,
    /// Opportunities that they are about.
    pub opportunities: u64,
    /// Opportunities that are synced.
    pub syncs: u64,
    /// Left because a later sync has succeeded.
    pub synced_since: u64,
    /// Left because both sides agree.
    pub agree: u64,
    /// Left because they would fail again; their letters stay open.
    pub would_fail: u64,
    /// Syncs that would write.
    pub writing: u64,
    /// Quotes that would be created.
    pub creates: u64,
    /// Field values that would go to the CRM.
    pub crm_writes: u64,
    /// Field values that would go to the CPQ.
    pub cpq_writes: u64,
    /// Calls of the CRM that the syncs ask for. Calls of syncs that are under way together are folded, so the CRM counts
    /// at most this.
    pub api_calls: u64,
    /// Fields that would wait for a person.
    pub conflicts: u64,
    /// How long it would take, in milliseconds.
    pub milliseconds: u64,
    /// How long a call of the CRM took while this was predicted, in microseconds.
    pub call_us: u64,
    /// Opportunities that were looked at; fewer than there are means that all sums above are scaled up from a sample.
    pub looked_at: u64,
}

impl Prediction {
    /// Adds an item.
    pub fn add(&mut self, item: &Item) {
        self.letters += item.letters;
        self.opportunities += 1;
        match item.deed {
            Deed::Sync => self.see(&item.foreseen),
            Deed::SyncUnseen => self.syncs += 1,
            Deed::Agrees => (self.agree, self.looked_at) = (self.agree + 1, self.looked_at + 1),
            Deed::WouldFail => (self.would_fail, self.looked_at) = (self.would_fail + 1, self.looked_at + 1),
            Deed::SyncedSince => self.synced_since += 1,
        }
    }

    fn see(&mut self, foreseen: &Foreseen) {
        self.syncs += 1;
        self.looked_at += 1;
        let writes = foreseen.creates || foreseen.crm_writes + foreseen.cpq_writes > 0;
        self.writing += u64::from(writes);
        self.creates += u64::from(foreseen.creates);
        self.crm_writes += u64::from(foreseen.crm_writes);
        self.cpq_writes += u64::from(foreseen.cpq_writes);
        self.api_calls += u64::from(foreseen.calls);
        self.conflicts += u64::from(foreseen.conflicts);
    }

    /// Whether it comes from a sample.
    pub fn is_sampled(&self) -> bool {
        self.looked_at + self.synced_since < self.opportunities
    }

    /// Whether a sync would be made at all.
    pub fn is_empty(&self) -> bool {
        self.syncs == 0
    }

    /// Scales the sums of the sample up to everything that will be synced, and says how long it takes with so many
    /// syncs at once.
    #[allow(clippy::cast_precision_loss, reason = "sums far below 2^53")]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive share of a sum"
    )]
    pub fn scale(&mut self, at_once: usize) {
        let seen = self.looked_at;
        if self.is_sampled() && seen > 0 {
            let all = self.opportunities - self.synced_since;
            let up = |sum: u64| (sum as f64 * all as f64 / seen as f64).round() as u64;
            for sum in [
                &mut self.writing,
                &mut self.creates,
                &mut self.crm_writes,
                &mut self.cpq_writes,
                &mut self.api_calls,
                &mut self.conflicts,
            ] {
                *sum = up(*sum);
            }
        }
        let calling = self.api_calls * self.call_us / 1_000 / at_once.max(1) as u64;
        self.milliseconds = calling.max(self.syncs * 1_000 / SYNCS_A_SECOND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ConnectionName, OpportunityKey};

    fn item(deed: Deed, calls: u32) -> Item {
        Item {
            position: 1,
            connection: ConnectionName::new("crm").expect("a name"),
            opportunity: OpportunityKey::new("OPP-1").expect("a key"),
            letters: 5,
            newest: 5,
            deed,
            foreseen: Foreseen {
                creates: true,
                crm_writes: 3,
                cpq_writes: 10,
                calls,
                conflicts: 0,
            },
            why: None,
        }
    }

    #[test]
    fn what_was_looked_at_is_summed_up_exactly() {
        let mut sum = Prediction::default();
        for deed in [
            Deed::Sync,
            Deed::Sync,
            Deed::Agrees,
            Deed::SyncedSince,
            Deed::WouldFail,
        ] {
            sum.add(&item(deed, 2));
        }
        sum.call_us = 100_000;
        sum.scale(2);
        assert_eq!((sum.letters, sum.opportunities, sum.syncs), (25, 5, 2));
        assert_eq!((sum.api_calls, sum.crm_writes, sum.cpq_writes), (4, 6, 20));
        assert!(!sum.is_sampled());
        assert_eq!(sum.milliseconds, 200);
    }

    #[test]
    fn a_sample_stands_for_all() {
        let mut sum = Prediction::default();
        (0..10).for_each(|_| sum.add(&item(Deed::Sync, 2)));
        (0..90).for_each(|_| sum.add(&item(Deed::SyncUnseen, 0)));
        sum.scale(1);
        assert!(sum.is_sampled());
        assert_eq!((sum.syncs, sum.api_calls, sum.creates), (100, 200, 100));
    }
}
