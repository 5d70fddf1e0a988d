//! The receiving end of one topic: a task that reads as fast as answers come, asks for more in time, and notices when
//! nothing comes any more. Whoever works on the events takes them from a queue, at its own pace.
//!
//! Source: Pub/Sub API Documentation, "Subscribe RPC Method".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cpq_auth::Access;
use cpq_domain::{Code, Error, Result};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use super::limits::{HOLD, OUTSTANDING, QUEUED, QUEUED_BYTES, TOP_UP};
use super::link::Link;
use super::wire::{FetchRequest, FetchResponse, ReplayPreset};

/// What came on a topic.
pub(super) struct Received {
    /// Which of the topics.
    pub(super) topic: usize,
    pub(super) what: Result<FetchResponse>,
}

/// What waits in the queue of a topic.
#[derive(Default)]
pub(super) struct Waiting {
    events: AtomicUsize,
    bytes: AtomicUsize,
    taken: Notify,
}

/// Reads one topic.
pub(super) struct Receiver {
    pub(super) link: Link,
    pub(super) topic: String,
    pub(super) number: usize,
    /// Where it stands; none is the present end.
    pub(super) replay: Option<Vec<u8>>,
    pub(super) silence: Duration,
    pub(super) waiting: Arc<Waiting>,
    pub(super) out: mpsc::Sender<Received>,
}

/// Why a subscription ended, and whether it ever said something.
struct Ended {
    error: Error,
    heard: bool,
}

impl Waiting {
    fn add(&self, answer: &FetchResponse) {
        self.events.fetch_add(answer.events.len(), Ordering::Relaxed);
        self.bytes.fetch_add(weight(answer), Ordering::Relaxed);
    }

    /// An answer was taken from the queue.
    pub(super) fn took(&self, answer: &FetchResponse) {
        self.events.fetch_sub(answer.events.len(), Ordering::Relaxed);
        self.bytes.fetch_sub(weight(answer), Ordering::Relaxed);
        self.taken.notify_one();
    }

    /// How many more events to ask for while so many are on their way.
    fn wanted(&self, pending: usize) -> usize {
        let room = QUEUED.saturating_sub(self.events.load(Ordering::Relaxed) + pending);
        let full = self.bytes.load(Ordering::Relaxed) > QUEUED_BYTES;
        match pending <= TOP_UP && !full {
            true => (OUTSTANDING - pending).min(room),
            false => 0,
        }
    }
}

fn weight(answer: &FetchResponse) -> usize {
    let events = answer.events.iter().filter_map(|event| event.event.as_ref());
    events.map(|event| event.payload.len()).sum()
}

impl Receiver {
    /// Reads until it ends, and says why it did. A session that ended is renewed once, and once again after each that
    /// worked; anything else is for whoever opened the feed.
    pub(super) async fn run(mut self) {
        let mut fresh = false;
        let error = loop {
            let ended = match self.link.access().await {
                Ok(access) => self.subscribe(&access).await.err().map(|ended| (ended, access)),
                Err(error) => break error,
            };
            // Nobody reads any more.
            let Some((Ended { error, heard }, access)) = ended else {
                return;
            };
            if error.code != Code::SessionRefused || (fresh && !heard) {
                break error;
            }
            tracing::info!(
                connection = self.link.connection(),
                topic = self.topic,
                "the session ended; renewing it"
            );
            if let Err(error) = self.link.renew(&access).await {
                break error;
            }
            fresh = true;
        };
        let topic = self.number;
        let _ = self
            .out
            .send(Received {
                topic,
                what: Err(error),
            })
            .await;
    }

    /// One subscription, behind what was received last. Ends well only when nobody reads any more.
    async fn subscribe(&mut self, access: &Access) -> Result<(), Ended> {
        let (ask, asked) = mpsc::unbounded_channel();
        let silent = |error| Ended { error, heard: false };
        let mut pending = self.waiting.wanted(0).max(1);
        // The channel is open: its other end is in this function.
        let _ = ask.send(self.first(pending));
        let asked = futures_util::stream::unfold(asked, async |mut asked| Some((asked.recv().await?, asked)));
        let request = self.link.signed(access, asked).map_err(silent)?;
        let mut client = self.link.client();
        let opening = tokio::time::timeout(self.silence, client.subscribe(request)).await;
        let opened = opening.map_err(|_| silent(self.silent()))?;
        let mut answers = opened
            .map_err(|status| silent(self.refused(&status)))?
            .into_inner();
        let mut heard = false;
        let dead = sleep(self.silence);
        tokio::pin!(dead);
        loop {
            let wanted = self.waiting.wanted(pending);
            if wanted > 0 {
                let _ = ask.send(more(wanted));
                pending += wanted;
            }
            tokio::select! {
                answer = answers.message() => {
                    let received = self.received(answer).map_err(|error| Ended { error, heard })?;
                    let Some(events) = received else { return Ok(()) };
                    pending = pending.saturating_sub(events);
                    heard = true;
                    dead.set(sleep(self.silence));
                }
                () = self.waiting.taken.notified() => {}
                () = sleep(HOLD.min(self.silence / 2)), if pending == 0 => {
                    let _ = ask.send(more(1));
                    pending = 1;
                }
                () = &mut dead => return Err(Ended { error: self.silent(), heard }),
            }
        }
    }

    /// Queues an answer and gives the number of its events; `None` when nobody reads any more.
    fn received(&mut self, answer: Result<Option<FetchResponse>, tonic::Status>) -> Result<Option<usize>> {
        let answer = answer
            .map_err(|status| self.refused(&status))?
            .ok_or_else(|| self.closed())?;
        if let Some(last) = last_replay(&answer) {
            self.replay = Some(last.to_vec());
        }
        let (topic, events) = (self.number, answer.events.len());
        self.waiting.add(&answer);
        match self.out.try_send(Received {
            topic,
            what: Ok(answer),
        }) {
            Ok(()) => Ok(Some(events)),
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(None),
            Err(mpsc::error::TrySendError::Full(_)) => Err(self.ended("nobody reads what comes")),
        }
    }

    fn first(&self, wanted: usize) -> FetchRequest {
        let preset = match self.replay {
            Some(_) => ReplayPreset::Custom,
            None => ReplayPreset::Latest,
        };
        FetchRequest {
            topic_name: self.topic.clone(),
            replay_preset: preset.into(),
            replay_id: self.replay.clone().unwrap_or_default(),
            ..more(wanted)
        }
    }

    fn refused(&self, status: &tonic::Status) -> Error {
        self.link.refused(&format!("go on with {}", self.topic), status)
    }

    fn closed(&self) -> Error {
        self.ended("Salesforce ended the subscription")
    }

    fn silent(&self) -> Error {
        let seconds = self.silence.as_secs_f32();
        self.ended(&format!(
            "nothing was heard for {seconds} s, not even a sign of life"
        ))
    }

    fn ended(&self, why: &str) -> Error {
        let message = format!("the subscription to {} has to be opened again: {why}", self.topic);
        Error::new(Code::CrmUnavailable, message).connection(self.link.connection())
    }
}

/// Where an answer leaves its reader: behind its last event, or where it says when it has none.
pub(super) fn last_replay(answer: &FetchResponse) -> Option<&[u8]> {
    let last = answer.events.last().map(|event| event.replay_id.as_slice());
    let last = last.unwrap_or(&answer.latest_replay_id);
    Some(last).filter(|id| !id.is_empty())
}

fn more(wanted: usize) -> FetchRequest {
    FetchRequest {
        num_requested: i32::try_from(wanted).unwrap_or(1),
        ..FetchRequest::default()
    }
}
