//! Time, identifiers and random bytes: the only three things that may differ between two equal runs. And the trace in which
//! a run is watched, which is sent along and decides nothing.

use jiff::Timestamp;
use uuid::Uuid;

use crate::trace::TraceContext;

/// What the house takes from outside. The real one lives at the roof; tests and simulations bring their own.
pub trait World: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Microseconds since an arbitrary start, never going back. For durations only.
    fn monotonic_us(&self) -> u64;

    /// Fills `bytes` with bytes that nobody can guess.
    fn fill_random(&self, bytes: &mut [u8]);

    /// A time-ordered identifier (UUID version 7, RFC 9562).
    fn uuid(&self) -> Uuid {
        let mut random = [0; 10];
        self.fill_random(&mut random);
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// Where in a trace we are, if this is traced: what a call to a foreign system carries, and what a run is kept with.
    /// Spans are made with `tracing` everywhere; only their ids have to be asked for, and only the roof knows them.
    fn trace_context(&self) -> Option<TraceContext> {
        None
    }

    /// A number in `0..limit`, evenly spread; 0 when `limit` is 0. Used for jitter, never for secrets.
    fn random_below(&self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill_random(&mut bytes);
        if limit == 0 {
            0
        } else {
            u64::from_le_bytes(bytes) % limit
        }
    }
}
