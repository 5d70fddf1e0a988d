//! What a subscriber gets, and when: the same for both kinds of subscription.

use super::batch::{self, Batch};
use super::refusal::{Reason, Refusal};
use super::rpc::Rpc;
use super::script::{Script, Strike};
use crate::clock::timer;
use crate::events::{ReplayId, Topic};
use crate::state::lock;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Events outstanding at most, whatever was asked for ("Subscribe RPC Method": `num_requested` is 100 at most; larger
/// values were seen to be cut down and not refused).
const OUTSTANDING: u64 = 100;

/// A position in a topic that moves as events are sent.
pub struct Feed {
    rpc: Arc<Rpc>,
    topic: Topic,
    position: ReplayId,
    /// Events that were asked for and not sent yet.
    owed: u64,
    script: Script,
    /// When the last answer went out, or the stream began.
    spoke: Instant,
    news: watch::Receiver<ReplayId>,
    endings: watch::Receiver<()>,
    clock: watch::Receiver<()>,
}

/// What to do when nothing has happened for as long as it may.
#[derive(Clone, Copy)]
enum Then {
    /// End the stream.
    End,
    /// Look for events, which were not to be sent yet.
    Look,
    /// Show that the stream is alive.
    Speak,
}

impl Feed {
    /// Begins behind a position. `news` must be older than the position, so that nothing is missed in between.
    pub fn new(
        rpc: Arc<Rpc>,
        topic: Topic,
        position: ReplayId,
        script: Script,
        news: watch::Receiver<ReplayId>,
    ) -> Self {
        let (endings, clock) = (lock(&rpc.sandbox.access).endings(), rpc.sandbox.clock.watch());
        Self {
            rpc,
            topic,
            position,
            owed: 0,
            script,
            spoke: timer(),
            news,
            endings,
            clock,
        }
    }

    /// Adds to what is owed.
    pub fn ask(&mut self, more: u64) {
        if self.owed == 0 {
            // The patience with a silent client ends here, and the client's with a silent server begins.
            self.spoke = timer();
        }
        self.owed = OUTSTANDING.min(self.owed.saturating_add(more));
        self.rpc.pending.store(self.owed, Ordering::Relaxed);
    }

    /// How many events are owed.
    pub fn owed(&self) -> u64 {
        self.owed
    }

    /// The position that the last answer told, or the one at which the stream began.
    pub fn position(&self) -> ReplayId {
        self.position
    }

    /// The next answer, or none at a good end: nothing was owed for too long, or a fault rule wants it. Dropping this
    /// future loses nothing.
    ///
    /// # Errors
    /// The stream is over: the session has ended, events were lost, the allocation is used up, the sandbox stops.
    pub async fn next(&mut self) -> Result<Option<Batch>, Refusal> {
        loop {
            match self
                .script
                .strike(&self.rpc, self.rpc.events.load(Ordering::Relaxed))
            {
                Some(Strike::Refuse(refusal)) => return Err(refusal),
                Some(Strike::Close) => return Ok(None),
                Some(Strike::Stall) => {
                    self.rpc.sandbox.stop.cancelled().await;
                    return Err(Reason::SERVICE_UNAVAILABLE.into());
                }
                None => {}
            }
            let settings = self.rpc.sandbox.settings();
            let after = |millis: u64| self.spoke + Duration::from_millis(millis);
            let (until, then) = if self.owed == 0 {
                (after(settings.pubsub_idle_millis), Then::End)
            } else if self.spoke.elapsed() < self.script.pace {
                (self.spoke + self.script.pace, Then::Look)
            } else {
                // No interval at all would be a flood.
                let until = after(settings.pubsub_keepalive_millis.max(1));
                if let Some(batch) = self.take()? {
                    return Ok(Some(batch));
                }
                (until, Then::Speak)
            };
            match (self.woken(until).await?, then) {
                (true, Then::End) => return Ok(None),
                (true, Then::Speak) => return self.keepalive().map(Some),
                _ => {}
            }
        }
    }

    /// Waits for something that may change the answer; true when the time is up.
    async fn woken(&mut self, until: Instant) -> Result<bool, Refusal> {
        tokio::select! {
            () = sleep_until(until) => return Ok(true),
            _ = self.news.changed(), if self.owed > 0 => return Ok(false),
            () = self.rpc.sandbox.stop.cancelled() => return Err(Reason::SERVICE_UNAVAILABLE.into()),
            ended = self.endings.changed() => {
                if ended.is_err() {
                    // All access was replaced; this one's successor tells of the next endings.
                    self.endings = lock(&self.rpc.sandbox.access).endings();
                }
            }
            _ = self.clock.changed() => {}
        }
        self.rpc.caller.stay(&self.rpc.sandbox)?;
        Ok(false)
    }

    /// The next events, if there are any.
    fn take(&mut self) -> Result<Option<Batch>, Refusal> {
        let sandbox = &self.rpc.sandbox;
        let now = sandbox.clock.now();
        let passed = self.rpc.events.load(Ordering::Relaxed);
        let most = self.owed.min(self.script.room(passed).unwrap_or(u64::MAX));
        let page = sandbox.events.bus.read(
            &self.topic,
            self.position,
            usize::try_from(most).unwrap_or(0),
            now,
        );
        let Ok(page) = page else {
            // A reset takes the sessions first and the events then, so the session tells which of the two it was.
            self.rpc.caller.stay(sandbox)?;
            return Err(Reason::REPLAY_CORRUPTED.into());
        };
        if page.events.is_empty() {
            self.position = page.latest;
            return Ok(None);
        }
        self.rpc.caller.stay(sandbox)?;
        let fitting = batch::fitting(&page.events);
        let granted = sandbox.events.quota().deliver(fitting as u64, now);
        if granted == 0 {
            return Err(Reason::DELIVERY_LIMIT.into());
        }
        let events = &page.events[..usize::try_from(granted).unwrap_or(fitting)];
        self.owed -= granted;
        self.position = events.last().map_or(self.position, |event| event.replay_id);
        self.rpc.events.fetch_add(granted, Ordering::Relaxed);
        Ok(Some(self.spoken(batch::encode(events))))
    }

    /// An answer without events, which also says that the caller is still there.
    fn keepalive(&mut self) -> Result<Batch, Refusal> {
        self.rpc.caller.stay(&self.rpc.sandbox)?;
        Ok(self.spoken(Vec::new()))
    }

    fn spoken(&mut self, events: Vec<super::wire::ConsumerEvent>) -> Batch {
        self.spoke = timer();
        self.rpc.pending.store(self.owed, Ordering::Relaxed);
        Batch {
            events,
            latest: self.position,
            pending: i32::try_from(self.owed).unwrap_or(i32::MAX),
        }
    }
}
