//! Logins of each user in the last hour, and wrong passwords since the last right one.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The window of the login rate ("Login Rate Limits": per user and hour).
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How long a user is locked out ("Set Password Policies": fifteen minutes unless changed).
const LOCKOUT: SignedDuration = SignedDuration::from_mins(15);

/// Attempts by user id; only users of the org get an entry, which bounds it.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempts(HashMap<String, Attempt>);

#[derive(Default, Serialize, Deserialize)]
struct Attempt {
    hour_began: Timestamp,
    logins: u32,
    wrong_passwords: u32,
    locked_at: Option<Timestamp>,
}

impl Attempts {
    /// Counts a login; `false` when the user has used up the logins of this hour.
    pub fn log_in(&mut self, user_id: &str, now: Timestamp, per_hour: u32) -> bool {
        let attempt = self.0.entry(user_id.to_owned()).or_default();
        let age = now.duration_since(attempt.hour_began);
        if age >= HOUR || age.is_negative() {
            (attempt.hour_began, attempt.logins) = (now, 0);
        }
        let allowed = attempt.logins < per_hour;
        attempt.logins = attempt.logins.saturating_add(u32::from(allowed));
        allowed
    }

    /// Counts a wrong password; with `max` of them in a row the user is locked out. Zero never locks.
    pub fn wrong_password(&mut self, user_id: &str, now: Timestamp, max: u32) {
        let attempt = self.0.entry(user_id.to_owned()).or_default();
        attempt.wrong_passwords = attempt.wrong_passwords.saturating_add(1);
        if max > 0 && attempt.wrong_passwords >= max {
            attempt.wrong_passwords = 0;
            attempt.locked_at = Some(now);
        }
    }

    /// Forgets wrong passwords after a right one.
    pub fn right_password(&mut self, user_id: &str) {
        if let Some(attempt) = self.0.get_mut(user_id) {
            attempt.wrong_passwords = 0;
            attempt.locked_at = None;
        }
    }

    /// Whether the user is locked out at this time.
    pub fn locked_out(&self, user_id: &str, now: Timestamp) -> bool {
        let locked_at = self.0.get(user_id).and_then(|attempt| attempt.locked_at);
        locked_at.is_some_and(|at| now.duration_since(at) < LOCKOUT)
    }
}
