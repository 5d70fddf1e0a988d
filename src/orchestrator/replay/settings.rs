//! How replays are carried out: as configured, and where one differs.

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use serde::Deserialize;

/// Most syncs of a replay under way at once: half of what a service works on by default, so that there is room for others.
const AT_ONCE_MAX: u32 = 512;
/// Most opportunities that a plan looks at one by one. Each costs a share of a CRM call, and the plan is one transaction
/// a page, so that this many take minutes, not hours.
const LOOK_AT_MOST: u64 = 1_000_000;

/// How replays are carried out. Each key is documented in `cpq.default.toml`, section `[replay]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaySettings {
    /// Opportunities that go first; 0 for none.
    pub canary: u32,
    /// Share of failed syncs above which a replay stops, in percent.
    pub error_percent: u32,
    /// Syncs under way at once while there is no live traffic.
    pub at_once: u32,
    /// Syncs under way at once beside live traffic.
    pub at_once_beside_live: u32,
    /// Syncs begun in a second, at most; 0 for as many as go.
    pub syncs_per_second: u32,
    /// Hours after which a plan that was never started is refused: it speaks of what was looked at then.
    pub plan_max_age_hours: u32,
    /// Opportunities that are looked at one by one; of more, a sample is.
    pub look_at_most: u64,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        ReplaySettings {
            canary: 5,
            error_percent: 5,
            at_once: 256,
            at_once_beside_live: 4,
            syncs_per_second: 0,
            plan_max_age_hours: 24,
            look_at_most: 5_000,
        }
    }
}

impl ReplaySettings {
    /// [`Code::ConfigInvalid`] for a setting that makes no sense; the field is its key.
    pub fn check(&self) -> Result<()> {
        let refuse = |key: &str, why: String| {
            let key = format!("replay.{key}");
            Err(Error::new(Code::ConfigInvalid, format!("{key} {why}")).field(key))
        };
        let at_once = 1..=AT_ONCE_MAX;
        if self.error_percent > 100 {
            return refuse("error_percent", "must be at most 100".into());
        }
        if !at_once.contains(&self.at_once) {
            return refuse("at_once", format!("must be between 1 and {AT_ONCE_MAX}"));
        }
        if !at_once.contains(&self.at_once_beside_live) {
            return refuse(
                "at_once_beside_live",
                format!("must be between 1 and {AT_ONCE_MAX}"),
            );
        }
        if !(1..=8_760).contains(&self.plan_max_age_hours) {
            return refuse("plan_max_age_hours", "must be between 1 and 8760, a year".into());
        }
        if !(1..=LOOK_AT_MOST).contains(&self.look_at_most) {
            return refuse("look_at_most", format!("must be between 1 and {LOOK_AT_MOST}"));
        }
        Ok(())
    }
}

/// How a replay is to be carried out, where it differs from the settings.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The digest of the plan that was looked at.
    pub digest: Option<String>,
    /// Opportunities that go first; 0 for none.
    pub canary: Option<u32>,
    /// Share of failed syncs above which it stops, in percent.
    pub error_percent: Option<u32>,
    /// Syncs under way at once.
    pub at_once: Option<u32>,
}

impl Start {
    /// [`Code::RequestInvalid`] for what makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |field: &str, why: String| {
            Err(Error::new(Code::RequestInvalid, format!("{field} {why}")).field(field))
        };
        if self.error_percent.is_some_and(|percent| percent > 100) {
            return refuse("errorPercent", "must be at most 100".into());
        }
        if self
            .at_once
            .is_some_and(|count| !(1..=AT_ONCE_MAX).contains(&count))
        {
            return refuse("atOnce", format!("must be between 1 and {AT_ONCE_MAX}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_makes_no_sense_is_refused_by_its_key() {
        ReplaySettings::default()
            .check()
            .expect("the defaults make sense");
        let usual = ReplaySettings::default;
        for (key, bad) in [
            (
                "error_percent",
                ReplaySettings {
                    error_percent: 101,
                    ..usual()
                },
            ),
            (
                "at_once",
                ReplaySettings {
                    at_once: 0,
                    ..usual()
                },
            ),
            (
                "at_once_beside_live",
                ReplaySettings {
                    at_once_beside_live: 513,
                    ..usual()
                },
            ),
            (
                "plan_max_age_hours",
                ReplaySettings {
                    plan_max_age_hours: 0,
                    ..usual()
                },
            ),
            (
                "look_at_most",
                ReplaySettings {
                    look_at_most: 0,
                    ..usual()
                },
            ),
        ] {
            let field = bad.check().expect_err(key).place.field;
            assert_eq!(field, Some(format!("replay.{key}")));
        }
    }
}
