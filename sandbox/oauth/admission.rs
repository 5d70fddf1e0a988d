//! Whether a known user may log in now: network, hours, the org itself, and how often.

use super::refusal::Refusal;
use crate::options::Admission;
use crate::state::{Sandbox, lock};
use jiff::Timestamp;

/// Why a user with the right credentials is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// The address is outside of the login ranges.
    IpRestricted,
    /// It is outside of the login hours.
    OutsideHours,
    /// The org is switched off.
    OrganizationInactive,
    /// The user has logged in too often in this hour.
    RateExceeded,
}

/// Counts a login of this user.
///
/// # Errors
/// See [`Barrier`].
pub fn admit(sandbox: &Sandbox, user_id: &str, now: Timestamp) -> Result<(), Barrier> {
    open(sandbox)?;
    let per_hour = sandbox.settings().logins_per_hour;
    let counted = lock(&sandbox.access).attempts.log_in(user_id, now, per_hour);
    counted.then_some(()).ok_or(Barrier::RateExceeded)
}

/// The same without counting, for refreshes: they begin no login.
///
/// # Errors
/// See [`Barrier`].
pub fn open(sandbox: &Sandbox) -> Result<(), Barrier> {
    match sandbox.settings().admission {
        Admission::Open => Ok(()),
        Admission::IpRestricted => Err(Barrier::IpRestricted),
        Admission::OutsideHours => Err(Barrier::OutsideHours),
        Admission::OrganizationInactive => Err(Barrier::OrganizationInactive),
    }
}

impl From<Barrier> for Refusal {
    /// The words of the token endpoint ("OAuth 2.0 Error Codes").
    fn from(barrier: Barrier) -> Self {
        match barrier {
            Barrier::IpRestricted => Self::grant("ip restricted"),
            Barrier::OutsideHours => Self::grant("ip restricted or invalid login hours"),
            Barrier::OrganizationInactive => Self::new("inactive_org", "organization is inactive or locked"),
            Barrier::RateExceeded => Self::grant("login rate exceeded"),
        }
    }
}

impl Barrier {
    /// What a person is told on the login page.
    pub fn on_page(self) -> &'static str {
        match self {
            Self::IpRestricted => "You cannot log in from this network address.",
            Self::OutsideHours => "You cannot log in at this time.",
            Self::OrganizationInactive => "Your organization is inactive.",
            Self::RateExceeded => "You have logged in too often. Please try again later.",
        }
    }

    /// Code and text of the SOAP fault ("SOAP API Developer Guide", ExceptionCode).
    pub fn in_soap(self) -> (&'static str, &'static str) {
        match self {
            Self::IpRestricted => (
                "LOGIN_DURING_RESTRICTED_DOMAIN",
                "Your IP address is not in the range of allowed addresses",
            ),
            Self::OutsideHours => (
                "LOGIN_DURING_RESTRICTED_TIME",
                "User is not allowed to log in during this time period",
            ),
            Self::OrganizationInactive => ("ORG_LOCKED", "Organization is locked"),
            Self::RateExceeded => ("LOGIN_RATE_EXCEEDED", "Login rate exceeded"),
        }
    }
}
