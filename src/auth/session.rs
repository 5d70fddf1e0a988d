//! One connection's access token in memory, and the one renewal that all its callers share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cpq_domain::error::Report;
use cpq_domain::id::ConnectionName;
use cpq_domain::{Code, Error, Result};
use secrecy::SecretString;
use tokio::sync::watch;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::context::Context;
use crate::endpoint_url;
use crate::grant::Grant;
use crate::limits::JOINS;
use crate::renew::Unsaved;

/// What a call to the CRM needs.
#[derive(Clone, Debug)]
pub struct Access {
    /// The bearer token (RFC 6750).
    pub token: SecretString,
    /// Origin of the data API, without a slash at the end. It can change with a renewal.
    pub instance_url: String,
    /// Id of the org, 18 characters; empty when the login did not tell.
    pub organization: String,
    /// Which state of the grant this is; name it in [`Session::renew`].
    pub generation: u64,
}

/// Hands out access tokens of one connection. Get it from [`crate::Broker::session`]; it is cheap to keep.
pub struct Session {
    pub(crate) name: ConnectionName,
    pub(crate) context: Arc<Context>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    access: Option<Access>,
    /// The renewal under way, if there is one.
    flight: Option<watch::Receiver<Option<Outcome>>>,
    /// An answer of the vendor that could not be stored yet. Nobody gets it before it is.
    unsaved: Option<Unsaved>,
}

/// What a renewal gives to all who wait for it. Errors are shared in their reported form.
type Outcome = Result<Access, Arc<Report>>;

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(name: ConnectionName, context: Arc<Context>) -> Self {
        Session {
            name,
            context,
            memory: Mutex::default(),
        }
    }

    /// The access token as far as we know it: from memory without any I/O, else from the vault. It may have expired;
    /// the CRM says so with a 401, which is answered with [`Session::renew`].
    ///
    /// # Errors
    /// [`Code::NotConnected`], [`Code::TokenExpired`] (the grant is dead), [`Code::SealingKeyWrong`], or those of the
    /// vault.
    pub async fn access(&self) -> Result<Access> {
        if let Some(access) = self.cached() {
            return Ok(access);
        }
        let access = access_of(&self.context.live_grant(&self.name).await?)?;
        // A renewal may have ended meanwhile; its token is newer than what we read.
        Ok(self.memory().access.get_or_insert(access).clone())
    }

    /// A newer access token than that of generation `seen`, which the CRM refused. Whoever renewed it first, here or
    /// on another node, renewed it for all; dropping this future does not break a renewal off.
    ///
    /// # Errors
    /// [`Code::TokenExpired`] when the vendor refused the grant for good (now or earlier), [`Code::NotConnected`],
    /// [`Code::CrmUnavailable`] or [`Code::CrmLimit`] when it cannot be renewed just now, [`Code::LoginFailed`] when the
    /// app is set up wrong, [`Code::StoreUnavailable`] when the renewed token could not be stored.
    pub async fn renew(self: &Arc<Self>, seen: u64) -> Result<Access> {
        let mut latest = self.join(seen).await?;
        for _ in 1..JOINS {
            if latest.generation != seen {
                break;
            }
            latest = self.join(seen).await?;
        }
        Ok(latest)
    }

    async fn join(self: &Arc<Self>, seen: u64) -> Result<Access> {
        let mut flight = {
            let mut memory = self.memory();
            if let Some(access) = memory.access.as_ref().filter(|access| access.generation != seen) {
                return Ok(access.clone());
            }
            match &memory.flight {
                Some(flight) => flight.clone(),
                None => memory.flight.insert(self.take_off(seen)).clone(),
            }
        };
        let landed = flight.wait_for(Option::is_some).await;
        let outcome = landed.ok().and_then(|outcome| outcome.clone());
        let outcome = outcome.ok_or_else(|| {
            let message = "the renewal of the access token was broken off";
            Error::new(Code::CrmUnavailable, message).connection(self.name.as_str())
        })?;
        outcome.map_err(|report| Error::from((*report).clone()))
    }

    /// Starts the renewal in a task of its own, so that it outlives the caller who asked first.
    fn take_off(self: &Arc<Self>, seen: u64) -> watch::Receiver<Option<Outcome>> {
        let (land, flight) = watch::channel(None);
        let session = Arc::clone(self);
        // It is part of the trace of whoever asked first; the others wait for it in theirs.
        let span = tracing::info_span!(
            target: "cpq_trace",
            "renewal",
            otel.name = "renew token",
            connection = self.name.as_str(),
            code = Empty,
        );
        let renewed = async move {
            let landing = Landing(&session);
            let outcome = session.renew_alone(seen).await;
            if let Err(error) = &outcome {
                Span::current().record("code", error.code.as_str());
                tracing::warn!(connection = %session.name, code = %error.code, %error, "access token not renewed");
            }
            drop(landing);
            land.send_replace(Some(outcome.map_err(|error| Arc::new(error.report(None)))));
        };
        tokio::spawn(renewed.instrument(span).in_current_span());
        flight
    }

    pub(crate) fn cached(&self) -> Option<Access> {
        self.memory().access.clone()
    }

    /// What the vault holds now. An answer that waits to be stored over it stays.
    pub(crate) fn remember(&self, access: Access) {
        self.memory().access = Some(access);
    }

    /// A token that was just stored or read: answers over older ones are void.
    pub(crate) fn install(&self, access: Access) -> Access {
        let mut memory = self.memory();
        memory.unsaved = None;
        memory.access.insert(access).clone()
    }

    pub(crate) fn forget(&self) {
        let mut memory = self.memory();
        memory.access = None;
        memory.unsaved = None;
    }

    pub(crate) fn keep_unsaved(&self, unsaved: Unsaved) {
        self.memory().unsaved = Some(unsaved);
    }

    /// The answer that could not be stored over this generation. One over another generation is of no use any more.
    pub(crate) fn take_unsaved(&self, generation: u64) -> Option<Unsaved> {
        self.memory()
            .unsaved
            .take()
            .filter(|unsaved| unsaved.expected == generation)
    }

    pub(crate) fn has_unsaved(&self) -> bool {
        self.memory().unsaved.is_some()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the flight also when the renewal panics; those who wait see the channel close.
struct Landing<'a>(&'a Session);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.memory().flight = None;
    }
}

/// The access token of a grant. The host is checked again: the vault may have been changed by another hand.
pub(crate) fn access_of(grant: &Grant) -> Result<Access> {
    Ok(Access {
        token: grant.secrets.access_token.clone(),
        instance_url: endpoint_url::instance_url(
            &grant.stored.settings,
            &grant.stored.identity.instance_url,
        )?,
        organization: grant.stored.identity.organization_id.clone(),
        generation: grant.stored.generation,
    })
}
