//! The time of the sandbox: the machine's clock, shifted or stopped by the control plane.

use crate::state::lock;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::time::Instant;
use tokio::sync::watch;

/// A clock that can be shifted, stopped and advanced, so that sessions and tokens expire on demand.
#[derive(Debug, Default)]
pub struct Clock {
    face: Mutex<Face>,
    turned: watch::Sender<()>,
}

/// What the clock remembers; also its form in the snapshot.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Face {
    /// How far the sandbox is ahead of the machine, in milliseconds; negative is behind.
    pub offset_millis: i64,
    /// When set, time stands still here.
    pub frozen_at: Option<Timestamp>,
}

impl Clock {
    /// A clock that continues where a snapshot left it.
    pub fn from_face(face: Face) -> Self {
        Self {
            face: Mutex::new(face),
            turned: watch::Sender::default(),
        }
    }

    /// The sandbox's present.
    pub fn now(&self) -> Timestamp {
        let face = self.face();
        face.frozen_at
            .unwrap_or_else(|| shifted(machine_now(), face.offset_millis))
    }

    /// The settings behind [`Clock::now`].
    pub fn face(&self) -> Face {
        *lock(&self.face)
    }

    /// Told whenever time was shifted, stopped or let go: what waits for an instant has to look again.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.turned.subscribe()
    }

    /// Puts these settings in the place of the present ones.
    pub fn set_face(&self, face: Face) {
        *lock(&self.face) = face;
        self.turned.send_replace(());
    }

    /// Sets the distance to the machine's clock, and lets time run.
    pub fn set_offset(&self, millis: i64) {
        *lock(&self.face) = Face {
            offset_millis: millis,
            frozen_at: None,
        };
        self.turned.send_replace(());
    }

    /// Stops time, now or at a given instant.
    pub fn freeze(&self, at: Option<Timestamp>) {
        let at = at.unwrap_or_else(|| self.now());
        lock(&self.face).frozen_at = Some(at);
        self.turned.send_replace(());
    }

    /// Lets time run again from where it stood.
    pub fn thaw(&self) {
        let mut face = lock(&self.face);
        if let Some(at) = face.frozen_at.take() {
            face.offset_millis = at.as_millisecond() - machine_now().as_millisecond();
        }
        drop(face);
        self.turned.send_replace(());
    }

    /// Moves time by this many milliseconds, whether it runs or stands still.
    pub fn advance(&self, millis: i64) {
        let mut face = lock(&self.face);
        match face.frozen_at {
            Some(at) => face.frozen_at = Some(shifted(at, millis)),
            None => face.offset_millis = face.offset_millis.saturating_add(millis),
        }
        drop(face);
        self.turned.send_replace(());
    }
}

/// The only place that asks the machine for the date.
#[expect(
    clippy::disallowed_methods,
    reason = "somebody has to ask, and everybody else asks this clock"
)]
fn machine_now() -> Timestamp {
    Timestamp::now()
}

/// A point on the machine's steady clock, for measuring how long something took.
#[expect(
    clippy::disallowed_methods,
    reason = "durations of real work are real, whatever the date is said to be"
)]
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// A point on the timer, for waiting until some time after it: what waits for a client waits in real time, whatever the
/// date is said to be.
pub fn timer() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// `at` moved by `millis`; at the ends of the representable range it stays where it is.
pub fn shifted(at: Timestamp, millis: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(millis)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_told_and_thaws_where_it_stood() {
        let clock = Clock::default();
        let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        clock.freeze(Some(at));
        clock.advance(90_000);
        assert_eq!(clock.now().to_string(), "2026-03-01T12:01:30Z");
        clock.thaw();
        let drift = clock.now().as_millisecond() - at.as_millisecond() - 90_000;
        assert!((0..5_000).contains(&drift), "{drift}");
    }

    #[test]
    fn an_offset_beyond_time_does_not_overflow() {
        let clock = Clock::default();
        clock.set_offset(i64::MAX);
        clock.advance(i64::MAX);
        assert!(clock.now() >= Timestamp::UNIX_EPOCH);
    }
}
