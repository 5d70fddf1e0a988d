//! When a replay stops by itself.

use serde::{Deserialize, Serialize};

use super::Progress;
use crate::dead_letter::Signature;

/// Syncs that must have ended before a share of failures says anything.
const ENOUGH: u64 = 20;

/// How a replay is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Opportunities that go first; the others wait until all of these have succeeded. 0: none.
    pub canary: u32,
    /// Share of failed syncs above which it stops, in percent.
    pub error_percent: u32,
    /// Syncs under way at once while there is no live traffic.
    pub at_once: u32,
}

/// A sync of a replay that did not succeed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What it has in common with others.
    pub signature: Signature,
    /// Whether it waits for a person: then all others of the connection would too.
    pub waits: bool,
}

/// Whether to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    GoOn,
    /// Begin no more syncs; why, in words.
    Stop(String),
}

/// Judges after a sync has ended. `known` are the signatures of the letters that are replayed.
pub fn judge(
    progress: &Progress,
    limits: &Limits,
    known: &[Signature],
    failure: Option<&Failure>,
) -> Verdict {
    let Some(failure) = failure else {
        return Verdict::GoOn;
    };
    let Signature { id, code, cause, .. } = &failure.signature;
    if failure.waits {
        return Verdict::Stop(format!(
            "a sync waits for a person ({code}: {cause}), and all others would too"
        ));
    }
    if !known.iter().any(|one| one.id == *id) {
        return Verdict::Stop(format!(
            "an error that was not among the dead letters: {code}: {cause} ({id})"
        ));
    }
    let bad = progress.failed + progress.parked;
    if !progress.canary_passed && limits.canary > 0 {
        return Verdict::Stop(format!("the canary failed: {code}: {cause} ({id})"));
    }
    let ended = progress.settled();
    if ended >= ENOUGH && bad * 100 > ended * u64::from(limits.error_percent) {
        return Verdict::Stop(format!(
            "{bad} of {ended} syncs failed, and {} % may; the last: {code}: {cause} ({id})",
            limits.error_percent
        ));
    }
    Verdict::GoOn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    const LIMITS: Limits = Limits {
        canary: 5,
        error_percent: 5,
        at_once: 8,
    };

    fn signature(message: &str) -> Signature {
        Signature::of(&Error::new(Code::CrmRejected, message).report(None))
    }

    fn after(succeeded: u64, failed: u64, canary_passed: bool, message: &str, waits: bool) -> bool {
        let progress = Progress {
            succeeded,
            failed,
            canary_passed,
            ..Progress::default()
        };
        let failure = Failure {
            signature: signature(message),
            waits,
        };
        judge(&progress, &LIMITS, &[signature("known")], Some(&failure)) != Verdict::GoOn
    }

    #[test]
    fn news_and_a_dead_grant_stop_at_once_and_known_failures_by_their_share() {
        assert!(after(100, 1, true, "something else", false), "news");
        assert!(after(100, 1, true, "known", true), "a dead grant");
        assert!(after(3, 1, false, "known", false), "in the canary");
        assert!(!after(10, 1, true, "known", false), "too few to say");
        assert!(!after(95, 5, true, "known", false), "within the share");
        assert!(after(94, 6, true, "known", false), "above the share");
        assert_eq!(
            judge(&Progress::default(), &LIMITS, &[], None),
            Verdict::GoOn,
            "nothing failed"
        );
    }
}
