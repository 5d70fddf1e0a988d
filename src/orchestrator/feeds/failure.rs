//! What to do about a feed that cannot be read.

use std::time::Duration;

use cpq_domain::Error;
use cpq_domain::error::Class;
use cpq_domain::retry::RetryPolicy;
use cpq_domain::world::World;

use super::{RECONNECT_LOOK, REFUSED_LOOK};

/// Why a reader stops.
pub(super) enum End {
    /// It was told to.
    Stopped,
    /// Another process reads the feed.
    LeaseLost,
    /// The feed failed, or the store.
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Failed(error)
    }
}

/// How long to wait before the feed is tried again; `failures` before this one came without a success between.
pub(super) fn wait(error: &Error, failures: u32, policy: &RetryPolicy, world: &dyn World) -> Duration {
    match error.class() {
        Class::AuthRevoked => RECONNECT_LOOK,
        _ if is_refusal(error) => REFUSED_LOOK,
        // A feed is never given up, so tries and age do not count.
        _ => {
            let tries = failures.min(policy.tries_max.saturating_sub(1));
            let wait = policy.wait_ms(error, tries, 0, world);
            Duration::from_millis(wait.unwrap_or(policy.cap_ms))
        }
    }
}

/// Whether somebody must change something before the feed can be read: events are off, the topic does not exist, our
/// user may not subscribe.
pub(super) fn is_refusal(error: &Error) -> bool {
    match error.class() {
        Class::Forbidden
        | Class::NotFound
        | Class::Validation
        | Class::SchemaDrift
        | Class::Unsupported
        | Class::Merged
        | Class::Duplicate => true,
        Class::AuthExpired
        | Class::AuthRevoked
        | Class::Conflict
        | Class::Locked
        | Class::RateLimited
        | Class::Unavailable
        | Class::UnknownOutcome
        | Class::CursorExpired
        | Class::Protocol => false,
    }
}
