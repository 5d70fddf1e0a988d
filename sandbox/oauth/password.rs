//! Logging in with username and password, wherever it is offered: token endpoint, login page, SOAP.

use super::secret;
use crate::options::SECURITY_TOKEN;
use crate::org::User;
use crate::state::{Sandbox, lock};
use jiff::Timestamp;

/// Why nobody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// No such user, a wrong password, or a user who is locked out. They are not told apart, and must not be.
    Wrong,
    /// The password is right, the security token is missing.
    TokenMissing,
    /// The password is right, the user is switched off.
    Inactive,
}

/// The user of a username and a password, to which clients append the security token.
///
/// # Errors
/// See [`Rejected`]. Wrong passwords are counted, and lock the user out when they are too many.
pub fn authenticate(
    sandbox: &Sandbox,
    username: &str,
    given: &str,
    now: Timestamp,
) -> Result<User, Rejected> {
    let settings = sandbox.settings();
    let user = lock(&sandbox.org).user_by_username(username);
    let own = sandbox.options.password.as_str();
    let bare = secret::same(own, given);
    let with_token = secret::same(&format!("{own}{SECURITY_TOKEN}"), given);
    let user = user.ok_or(Rejected::Wrong)?;
    let attempts = &mut lock(&sandbox.access).attempts;
    if attempts.locked_out(&user.id, now) {
        return Err(Rejected::Wrong);
    }
    if !bare && !with_token {
        attempts.wrong_password(&user.id, now, settings.max_invalid_logins);
        return Err(Rejected::Wrong);
    }
    attempts.right_password(&user.id);
    if settings.security_token_required && !with_token {
        return Err(Rejected::TokenMissing);
    }
    if user.active {
        Ok(user)
    } else {
        Err(Rejected::Inactive)
    }
}
