//! Syncs: those that ended, those that wait, and what they left behind.

use crate::{Counter, Gauge, Histogram, Reading};

/// From what nobody notices to the hours of a CRM that is away.
const SYNC: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0,
];
/// A step is one exchange with somebody, or a thought.
const STEP: &[f64] = &[0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

metrics! {
    /// Syncs that ended, by how, and the error code of one that failed for good.
    SYNCS: Counter = "cpq_syncs_total" ["connection", "end", "code"];
    /// From the moment in which a sync was accepted to its end, waiting included.
    DURATION: Histogram = "cpq_sync_duration_seconds" ["connection", "end"] within SYNC;
    /// How long the steps of syncs took; what was answered from the journal is not among them.
    STEP_DURATION: Histogram = "cpq_step_duration_seconds" ["step", "result"] within STEP;
    /// Failures after which a sync is tried again by itself, by their error code.
    RETRIES: Counter = "cpq_sync_retries_total" ["connection", "code"];
    /// Syncs that were put off without a try, by what holds them.
    HOLDS: Counter = "cpq_sync_holds_total" ["connection", "reason"];
    /// Syncs that stopped to wait for a person, by their error code.
    WAITS: Counter = "cpq_sync_waits_total" ["connection", "code"];
    /// Syncs that began anew because somebody changed the record meanwhile.
    RESTARTS: Counter = "cpq_sync_restarts_total" ["connection"];
    /// Retries that this process may make before they wait for fresh work.
    RETRY_BUDGET: Gauge = "cpq_retry_budget_left" ["connection"];
    /// Replays that ended or were put aside, by their state.
    REPLAYS: Counter = "cpq_replays_total" ["state"];
    /// Reconciles that ended in this process, by their state.
    RECONCILES: Counter = "cpq_reconciles_total" ["connection", "state"];

    /// Syncs that have not ended, by state.
    UNFINISHED: Reading = "cpq_syncs_unfinished" ["connection", "state"];
    /// When the oldest sync of the state that has not ended was accepted; absent where there is none.
    OLDEST: Reading = "cpq_syncs_unfinished_oldest_timestamp_seconds" ["connection", "state"];
    /// When the last sync was accepted.
    LAST_ACCEPTED: Reading = "cpq_sync_last_accepted_timestamp_seconds" ["connection"];
    /// When a sync last succeeded; 0 if none of the newest 1000 did.
    LAST_SUCCEEDED: Reading = "cpq_sync_last_succeeded_timestamp_seconds" ["connection"];
    /// Dead letters that are open, by error code.
    DEAD_LETTERS: Reading = "cpq_dead_letters_open" ["connection", "code"];
    /// When the oldest dead letter that is open died; absent where there is none.
    OLDEST_DEAD_LETTER: Reading = "cpq_dead_letters_oldest_timestamp_seconds" ["connection"];
    /// Conflicts that are open, by field.
    CONFLICTS: Reading = "cpq_conflicts_open" ["connection", "field"];
    /// When the last reconcile that came to its end did so; `all` looked at everything, `changed` at what had changed.
    RECONCILED: Reading = "cpq_reconcile_last_timestamp_seconds" ["connection", "scope"];
    /// Records that still differed at the end of that reconcile.
    DIFFERING: Reading = "cpq_reconcile_differing_records" ["connection", "scope"];
    /// Certificates by verdict, of the newest 20000.
    CERTIFICATES: Reading = "cpq_certificates" ["connection", "verdict"];
}
