//! How often, and how long, the same job is tried again.

use std::time::Duration;

use super::failure::Kind;
use crate::limits::{JOB_TRIES, SERVER_AWAY_MS};

/// First pause for a server that is away.
const FIRST: Duration = Duration::from_millis(20);
/// Longest pause; a server that restarts is back within a second or two.
const LONGEST: Duration = Duration::from_millis(500);

/// What is left of the tries of one job.
pub(super) struct Patience {
    met: u32,
    pause: Duration,
    until: tokio::time::Instant,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience {
            met: 0,
            pause: FIRST,
            until: tokio::time::Instant::now() + Duration::from_millis(SERVER_AWAY_MS),
        }
    }

    /// Waits before the next try. `false`: there is none.
    pub(super) async fn again(&mut self, kind: Kind) -> bool {
        match kind {
            Kind::Final => false,
            Kind::Met => {
                self.met += 1;
                // Whoever was in the way had the row already; the pauses only keep many from meeting again at once.
                tokio::time::sleep(Duration::from_millis(u64::from(self.met - 1))).await;
                self.met < JOB_TRIES
            }
            Kind::Lost => {
                let pause = self.pause;
                self.pause = (pause * 2).min(LONGEST);
                tokio::time::sleep(pause).await;
                tokio::time::Instant::now() < self.until
            }
        }
    }
}
