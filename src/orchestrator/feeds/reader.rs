//! The reader of one feed.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::adapter::Call;
use cpq_domain::change::{Change, ChangeStream, FeedState, Position};
use cpq_domain::error::{Class, Code, Error};
use cpq_domain::id::CorrelationId;
use cpq_domain::run::Trigger;
use cpq_store::positions;
use tokio_util::sync::CancellationToken;

use super::failure::{self, End};
use super::{BACKLOG_LOOK, Subscription};
use crate::engine::Inner;
use crate::ledger::Read;

/// Follows a feed until `stop`, whatever happens to it.
pub(crate) async fn follow(inner: Arc<Inner>, subscription: Subscription, stop: CancellationToken) {
    let mut reader = Reader {
        inner,
        subscription,
        stop,
        lease: None,
        position: None,
        is_lost: false,
        failures: 0,
        told: None,
    };
    loop {
        let wait = match reader.session().await {
            Err(End::Stopped) => break,
            Err(End::LeaseLost) => reader.third_of_a_lease(),
            Err(End::Failed(error)) => reader.failed(error).await,
            Ok(never) => match never {},
        };
        if reader.until_stopped(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
    }
    reader.tell_live(false);
    reader.give_back().await;
}

/// What never comes: a session ends with a reason only.
pub(super) enum Never {}

/// The reader, and where it stands.
pub(super) struct Reader {
    pub(super) inner: Arc<Inner>,
    pub(super) subscription: Subscription,
    stop: CancellationToken,
    lease: Option<positions::Reader>,
    /// As it is stored.
    pub(super) position: Option<Position>,
    /// The CRM no longer has what follows the position.
    is_lost: bool,
    /// Failures since the last success.
    failures: u32,
    /// What was logged last, so that a failure is told once and not at every try.
    told: Option<Code>,
}

impl Reader {
    /// Takes the lease, opens the feed behind the stored position, and reads until something ends it.
    async fn session(&mut self) -> Result<Never, End> {
        let Subscription {
            connection,
            origin,
            feed,
            ..
        } = self.subscription.clone();
        let leased = self
            .inner
            .ledger
            .lease_feed(&connection, feed.name(), &origin)
            .await?;
        let Some((lease, position)) = leased else {
            self.lease = None;
            return Err(End::LeaseLost);
        };
        (self.lease, self.position) = (Some(lease), position);
        let call = self.call()?;
        if self.is_lost {
            // Opened first, so that nothing falls between the sweep and what the feed tells next.
            let stream = self.alive(feed.open(&call, None)).await??;
            let since = self.position.as_ref().map(|position| position.seen_until);
            #[cfg(feature = "planted-bugs")]
            let since = since.filter(|_| !cpq_domain::planted::Bug::JumpsToTheEnd.is_on());
            if let Some(since) = since {
                self.sweep(since).await?;
            }
            return self.read(stream).await;
        }
        let stream = self
            .alive(feed.open(&call, self.position.clone().as_ref()))
            .await??;
        self.read(stream).await
    }

    async fn read(&mut self, mut stream: Box<dyn ChangeStream>) -> Result<Never, End> {
        loop {
            self.wait_for_workers().await?;
            let read = self.alive(stream.next()).await??;
            let sweep_from = read.sweep_from;
            #[cfg(feature = "planted-bugs")]
            let sweep_from = sweep_from.filter(|_| {
                use cpq_domain::planted::Bug;
                !(Bug::IgnoresGaps.is_on() || Bug::JumpsToTheEnd.is_on() && self.is_lost)
            });
            if let Some(from) = sweep_from {
                let seen = self
                    .position
                    .as_ref()
                    .map_or(from, |position| position.seen_until);
                self.sweep(from.min(seen)).await?;
            }
            self.keep(
                read.changes,
                Some(read.position.clone()),
                FeedState::Live,
                self.subscription.trigger,
            )
            .await?;
            self.position = Some(read.position);
            self.is_lost = false;
            self.recovered();
        }
    }

    /// Makes durable what was read.
    pub(super) async fn keep(
        &mut self,
        changes: Vec<Change>,
        position: Option<Position>,
        state: FeedState,
        trigger: Trigger,
    ) -> Result<(), End> {
        #[cfg(feature = "planted-bugs")]
        let changes = planted(changes);
        let Some(lease) = &self.lease else {
            return Err(End::LeaseLost);
        };
        #[cfg(feature = "planted-bugs")]
        let position = match position {
            Some(position) if cpq_domain::planted::Bug::MovesCursorFirst.is_on() => {
                let read = Read {
                    changes: Vec::new(),
                    trigger,
                    follow: self.subscription.settings.follow,
                    position: Some(position),
                    state,
                };
                if !self.inner.ledger.take_changes(lease, read).await? {
                    return Err(End::LeaseLost);
                }
                None
            }
            position => position,
        };
        let (follow, nudges) = (self.subscription.settings.follow, !changes.is_empty());
        let read = Read {
            changes,
            trigger,
            follow,
            position,
            state,
        };
        if !self.inner.ledger.take_changes(lease, read).await? {
            return Err(End::LeaseLost);
        }
        if nudges {
            self.inner.rouse();
        }
        Ok(())
    }

    /// Waits while more runs wait for a worker than may.
    pub(super) async fn wait_for_workers(&self) -> Result<(), End> {
        let most = self.subscription.settings.backlog_max;
        while self.inner.ledger.more_due_than(most).await? {
            self.alive(tokio::time::sleep(BACKLOG_LOOK)).await?;
        }
        Ok(())
    }

    /// Waits for the work while it gives signs of life, as long as neither the lease is lost nor the reader stopped.
    pub(super) async fn alive<T>(&self, work: impl Future<Output = T>) -> Result<T, End> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(End::Stopped),
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(self.third_of_a_lease()) => {}
            }
            let kept = match &self.lease {
                Some(lease) => self.inner.ledger.keep_feed(lease).await?,
                None => false,
            };
            if !kept {
                return Err(End::LeaseLost);
            }
        }
    }

    pub(super) async fn note(&self, state: FeedState, error: Option<&Error>) -> Result<(), End> {
        let Some(lease) = &self.lease else {
            return Err(End::LeaseLost);
        };
        let report = error.map(|error| error.report(None));
        match self.inner.ledger.note_feed(lease, state, report).await? {
            true => Ok(()),
            false => Err(End::LeaseLost),
        }
    }

    pub(super) fn call(&self) -> Result<Call, Error> {
        let correlation = CorrelationId::new(format!("feed-{}", self.subscription.feed.name()))?;
        Ok(Call::live(correlation))
    }

    /// Writes the failure down, tells it once, and gives the wait before the next try.
    async fn failed(&mut self, error: Error) -> Duration {
        // Only a reader with a position has something to sweep from, and one that is lost already got a new error.
        let lost_now = error.class() == Class::CursorExpired && !self.is_lost && self.position.is_some();
        self.is_lost |= lost_now;
        let state = match self.is_lost {
            true => FeedState::Gap,
            false => FeedState::Behind,
        };
        self.tell(&error);
        self.tell_live(false);
        // If the store is what failed, this fails too; the next session says so again.
        let _ = self.note(state, Some(&error)).await;
        if lost_now {
            return Duration::ZERO;
        }
        let (policy, world) = (&self.inner.settings.retry, self.inner.world.as_ref());
        let wait = failure::wait(&error, self.failures, policy, world);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    fn tell(&mut self, error: &Error) {
        if self.told.replace(error.code) == Some(error.code) {
            return;
        }
        let (connection, feed) = (&self.subscription.connection, self.subscription.feed.name());
        let advice = error.advice();
        match failure::is_refusal(error) {
            true => {
                tracing::error!(%connection, feed, code = %error.code, %error, advice, "the CRM refuses to tell of changes");
            }
            false => {
                tracing::warn!(%connection, feed, code = %error.code, %error, advice, "changes cannot be read just now");
            }
        }
    }

    fn recovered(&mut self) {
        self.failures = 0;
        if self.told.take().is_some() {
            let (connection, feed) = (&self.subscription.connection, self.subscription.feed.name());
            tracing::info!(%connection, feed, "changes are read again");
        }
        self.tell_live(true);
    }

    fn tell_live(&self, is_live: bool) {
        if let Some(live) = &self.subscription.live {
            live.send_if_modified(|held| std::mem::replace(held, is_live) != is_live);
        }
    }

    fn third_of_a_lease(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.inner.settings.lease_ms / 3).unwrap_or_default())
    }

    async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }

    /// Lets the next process read at once; without it the lease runs out by itself.
    async fn give_back(&self) {
        if let Some(lease) = &self.lease {
            let _ = self.inner.ledger.release_feed(lease).await;
        }
    }
}

#[cfg(feature = "planted-bugs")]
fn planted(mut changes: Vec<Change>) -> Vec<Change> {
    use cpq_domain::planted::Bug;
    let mut last = None;
    changes.retain(|change| {
        let again = last.as_ref() == Some(&change.hint.event);
        last = Some(change.hint.event.clone());
        !(Bug::FiltersByOrigin.is_on() && change.hint.ours || Bug::SeesFirstRecordOnly.is_on() && again)
    });
    changes
}
