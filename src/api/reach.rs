//! Which connections a caller reaches: a token may be the token of one connection alone.
//!
//! The door knows the scope of a route, but not whose records a request means; so each handler asks here, before it tells or
//! changes anything. Routes that speak of all connections at once are closed to such a token by the door itself.

use axum::extract::FromRequestParts;
use cpq_domain::id::ConnectionName;
use cpq_domain::{Code, Error, Result};
use http::request::Parts;

use crate::failure::Failure;
use crate::tokens::Grantee;

/// The connection that the caller's token is for; `None` for a token of all.
#[derive(Clone, Debug)]
pub(crate) struct Reach(Option<ConnectionName>);

impl<S: Send + Sync> FromRequestParts<S> for Reach {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match parts.extensions.get::<Grantee>() {
            Some(grantee) => Ok(Reach::of(grantee)),
            None => Err(Error::new(Code::Internal, "the request did not pass the door").into()),
        }
    }
}

impl Reach {
    pub(crate) fn of(grantee: &Grantee) -> Reach {
        Reach(grantee.connection.clone())
    }

    /// The connection whose token it is.
    pub(crate) fn own(&self) -> Option<&ConnectionName> {
        self.0.as_ref()
    }

    /// Whether it is for one connection alone.
    pub(crate) fn is_narrow(&self) -> bool {
        self.0.is_some()
    }

    /// Whether what belongs to this connection is told.
    pub(crate) fn sees(&self, connection: &str) -> bool {
        self.own().is_none_or(|own| own.as_str() == connection)
    }

    /// [`Code::ScopeInsufficient`] for what belongs to another connection.
    pub(crate) fn check(&self, connection: &str) -> Result<()> {
        match self.own().filter(|_| !self.sees(connection)) {
            Some(own) => Err(refused(own, "what was asked for belongs to another connection")),
            None => Ok(()),
        }
    }

    /// The connection that a request means: the one that it names, else the token's own, else the usual one.
    pub(crate) fn one(
        &self,
        named: Option<ConnectionName>,
        usual: &ConnectionName,
    ) -> Result<ConnectionName> {
        Ok(self.part(named)?.unwrap_or_else(|| usual.clone()))
    }

    /// What a list is narrowed to: the connection that the request names, else the token's own, else none.
    pub(crate) fn part(&self, named: Option<ConnectionName>) -> Result<Option<ConnectionName>> {
        if let Some(named) = &named {
            self.check(named.as_str())?;
        }
        Ok(named.or_else(|| self.0.clone()))
    }
}

/// The refusal of what a token of one connection does not reach.
pub(crate) fn refused(own: &ConnectionName, why: &str) -> Error {
    Error::new(
        Code::ScopeInsufficient,
        format!("the token is for the connection {own} alone, and {why}"),
    )
    .fact("connection", own.as_str())
    .next("use a token of the other connection, or one of all: `cpq token create` without --connection")
}
