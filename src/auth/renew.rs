//! The renewal of a grant: one holder of the lease sends one token request, stores its answer, then hands it out.

use cpq_domain::error::Error;
use cpq_domain::vault::{GrantState, Lease, StoredGrant};
use cpq_domain::{Code, Result};
use cpq_meter::catalogue::crm::TOKEN_REFRESHES;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::grant::{Grant, reconnect};
use crate::limits::{BUSY_TRIES, HELD_LOOKS, LEASE_MARGIN_MS, LEASE_MS, SAVE_TRIES, UNAVAILABLE_RETRY_MS};
use crate::login;
use crate::refusal::Refusal;
use crate::secrets::Secrets;
use crate::session::{Access, Session, access_of};
use crate::token_endpoint::{Refused, Tokens};

/// An answer of the vendor on its way to the vault.
pub(crate) struct Unsaved {
    /// The generation that it replaces.
    pub(crate) expected: u64,
    fence: u64,
    stored: StoredGrant,
    secrets: Secrets,
}

/// How one turn under the lease ended.
enum Turn {
    Done(Access),
    /// Something changed meanwhile: look again.
    Again,
    /// The vendor works on the same request: wait, then look again.
    Busy(Error),
    Failed(Error),
}

impl Session {
    /// Renews, or finds that it was renewed. Runs at most once at a time in this process.
    pub(crate) async fn renew_alone(&self, seen: u64) -> Result<Access> {
        let mut busy = 0;
        for _ in 0..HELD_LOOKS {
            let grant = self
                .context
                .live_grant(&self.name)
                .await
                .inspect_err(|error| self.on_gone(error))?;
            if let Some(access) = self.renewed_by_others(&grant, seen)? {
                return Ok(self.install(access));
            }
            if let Some(unsaved) = self.take_unsaved(grant.stored.generation)
                && let Some(access) = self.save(unsaved).await?
            {
                return Ok(access);
            }
            match self.lease(grant.stored.generation).await? {
                Lease::Newer => {}
                Lease::Held { .. } => self.context.pause(self.context.waits.held_ms).await,
                Lease::Acquired { fence, until } => match self.turn(grant, fence, until).await {
                    Turn::Done(access) => return Ok(access),
                    Turn::Again => {}
                    Turn::Failed(error) => return Err(error),
                    Turn::Busy(error) if busy == BUSY_TRIES => return Err(error),
                    Turn::Busy(_) => {
                        busy += 1;
                        self.context.pause(self.context.waits.busy_ms).await;
                    }
                },
            }
        }
        Err(Error::new(
            Code::CrmUnavailable,
            "another process holds the right to renew the access token, and does not end",
        )
        .connection(self.name.as_str())
        .retry_after_ms(UNAVAILABLE_RETRY_MS))
    }

    fn on_gone(&self, error: &Error) {
        if matches!(error.code, Code::NotConnected | Code::TokenExpired) {
            self.forget();
        }
    }

    /// The vault's token, if it is another one than the refused one. The generation alone does not say so: it also
    /// counts when secrets are only sealed anew.
    fn renewed_by_others(&self, grant: &Grant, seen: u64) -> Result<Option<Access>> {
        if grant.stored.generation == seen {
            return Ok(None);
        }
        let same = |known: Access| {
            known.generation == seen
                && known.token.expose_secret() == grant.secrets.access_token.expose_secret()
        };
        if self.cached().is_some_and(same) {
            Ok(None)
        } else {
            access_of(grant).map(Some)
        }
    }

    async fn lease(&self, generation: u64) -> Result<Lease> {
        let context = &self.context;
        context
            .vault
            .lease(
                &self.name,
                generation,
                &context.holder,
                context.world.now(),
                LEASE_MS,
            )
            .await
    }

    /// The lease is given back, except while an answer waits to be stored: until the lease runs out nobody else
    /// shall send the token that this answer replaced.
    async fn turn(&self, grant: Grant, fence: u64, until: Timestamp) -> Turn {
        let turn = self.turn_under_lease(grant, fence, until).await;
        if !self.has_unsaved() && !matches!(turn, Turn::Done(_)) {
            self.release(fence).await;
        }
        turn
    }

    async fn release(&self, fence: u64) {
        if let Err(error) = self.context.vault.release(&self.name, fence).await {
            tracing::debug!(connection = %self.name, %error, "lease not released; it runs out by itself");
        }
    }

    async fn turn_under_lease(&self, grant: Grant, fence: u64, until: Timestamp) -> Turn {
        let generation = grant.stored.generation;
        let unsaved = match self.take_unsaved(generation) {
            Some(unsaved) => Unsaved { fence, ..unsaved },
            None => match self.ask(&grant, until).await {
                Ok(tokens) => self.merge(grant, tokens, fence),
                Err(turn) => return turn,
            },
        };
        match self.save(unsaved).await {
            Ok(Some(access)) => Turn::Done(access),
            Ok(None) => Turn::Again,
            Err(error) => Turn::Failed(error),
        }
    }

    /// Sends the one token request of this turn.
    async fn ask(&self, grant: &Grant, until: Timestamp) -> Result<Tokens, Turn> {
        let context = &self.context;
        // Who cannot seal the answer must not use the token up.
        grant
            .secrets
            .seal(&context.keyring, &grant.stored.settings, context.world.as_ref())
            .map_err(Turn::Failed)?;
        if until.as_millisecond() - context.world.now().as_millisecond() < LEASE_MARGIN_MS {
            return Err(Turn::Again);
        }
        let answer = login::tokens(context, &grant.stored.settings, &grant.secrets).await;
        TOKEN_REFRESHES.add([self.name.as_str(), outcome(&answer)], 1);
        match answer {
            Ok(tokens) => Ok(tokens),
            Err(Refused {
                refusal: Refusal::Busy,
                error,
            }) => Err(Turn::Busy(error)),
            Err(Refused {
                refusal: Refusal::Dead,
                error,
            }) => Err(self.bury(grant, error).await),
            Err(Refused { error, .. }) => Err(Turn::Failed(error)),
        }
    }

    /// Before a grant is declared dead it is read once more: the refused token may be an old one.
    async fn bury(&self, grant: &Grant, error: Error) -> Turn {
        let vault = &self.context.vault;
        match vault.load(&self.name).await {
            Ok(Some(now)) if now.generation == grant.stored.generation => {}
            Ok(_) => return Turn::Again,
            Err(error) => return Turn::Failed(error),
        }
        let said = error.upstream.unwrap_or_default();
        let reason = format!("{}: {}", said.code, said.message);
        let now = self.context.world.now();
        if let Err(error) = vault
            .bury(&self.name, grant.stored.generation, &reason, now)
            .await
        {
            tracing::warn!(connection = %self.name, %error, "a dead grant could not be marked");
        }
        self.forget();
        Turn::Failed(reconnect(&self.name, &reason))
    }

    fn merge(&self, grant: Grant, tokens: Tokens, fence: u64) -> Unsaved {
        let Grant {
            mut stored,
            secrets: old,
        } = grant;
        let expected = stored.generation;
        stored.generation = expected + 1;
        stored.state = GrantState::Active;
        stored.refreshed_at = self.context.world.now();
        stored.identity.instance_url = tokens.instance_url;
        stored.identity.scopes = tokens.scopes.unwrap_or(stored.identity.scopes);
        // Without rotation the answer has no refresh token, and the old one stays (RFC 6749 §6).
        let refresh_token = old.refresh_token.map(|old| tokens.refresh_token.unwrap_or(old));
        let secrets = Secrets {
            access_token: tokens.access_token,
            refresh_token,
            ..old
        };
        Unsaved {
            expected,
            fence,
            stored,
            secrets,
        }
    }

    /// Stores an answer; only then it may be used. `None` when the lease or the generation is no longer ours: the
    /// answer is kept for a new lease.
    async fn save(&self, mut unsaved: Unsaved) -> Result<Option<Access>> {
        let mut tries = 1;
        let saved = loop {
            match self.try_save(&mut unsaved).await {
                Err(error) if tries < SAVE_TRIES => {
                    tracing::warn!(connection = %self.name, %error, tries, "renewed token not stored yet");
                    tries += 1;
                    self.context.pause(self.context.waits.save_ms).await;
                }
                saved => break saved,
            }
        };
        if !matches!(saved, Ok(true)) {
            self.keep_unsaved(unsaved);
            return saved.map(|_| None);
        }
        self.release(unsaved.fence).await;
        tracing::info!(connection = %self.name, generation = unsaved.stored.generation, "access token renewed");
        let access = access_of(&Grant {
            stored: unsaved.stored,
            secrets: unsaved.secrets,
        })?;
        Ok(Some(self.install(access)))
    }

    async fn try_save(&self, unsaved: &mut Unsaved) -> Result<bool> {
        let context = &self.context;
        let Unsaved { stored, secrets, .. } = &mut *unsaved;
        stored.sealed = secrets.seal(&context.keyring, &stored.settings, context.world.as_ref())?;
        context
            .vault
            .save(&unsaved.stored, unsaved.expected, unsaved.fence)
            .await
    }
}

/// How a request for a token ended, in one word of few.
fn outcome(answer: &Result<Tokens, Refused>) -> &'static str {
    match answer.as_ref().map_err(|refused| refused.refusal) {
        Ok(_) => "renewed",
        Err(Refusal::Dead) => "dead",
        Err(Refusal::Busy | Refusal::Throttled | Refusal::Unavailable) => "unavailable",
        Err(Refusal::Restart | Refusal::Setup | Refusal::Protocol) => "refused",
    }
}
