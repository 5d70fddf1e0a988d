//! When a failed item is tried again.

/// Shortest wait: a queue whose setting says "at once" must not spin.
const SHORTEST_MILLIS: u64 = 1;

/// Waits that double from try to try.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Milliseconds to the second try; then doubled each time.
    pub first_millis: u64,
    /// Longest wait.
    pub longest_millis: u64,
    /// Tries in all; without a number, until the item is too old.
    pub attempts: Option<u32>,
}

impl Patience {
    /// Milliseconds to wait after so many tries.
    pub fn after(self, attempts: u32) -> i64 {
        let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
        let millis = self
            .first_millis
            .saturating_mul(doubled)
            .min(self.longest_millis)
            .max(SHORTEST_MILLIS);
        i64::try_from(millis).unwrap_or(i64::MAX)
    }
}
