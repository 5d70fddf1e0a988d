//! Publish and PublishStream ("Publish RPC Method", "PublishStream RPC Method").

use super::refusal::{Reason, Refusal};
use super::rpc::Rpc;
use super::script::{Script, Strike};
use super::subscribe::refreshed;
use super::wire::{Error, ErrorCode, ProducerEvent, PublishRequest, PublishResponse, PublishResult};
use super::{Ended, topics};
use crate::clock::timer;
use crate::events::Topic;
use crate::oauth::uuid;
use crate::state::lock;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::Streaming;

/// Publishes one batch.
///
/// # Errors
/// What is wrong with the request as a whole; what is wrong with one event is in its result.
pub fn once(rpc: &Rpc, request: PublishRequest) -> Result<PublishResponse, Refusal> {
    let topic = opening(rpc, &request)?;
    batch(rpc, &topic, request.events)
}

/// A stream of batches.
pub struct Publication {
    rpc: Arc<Rpc>,
    requests: Streaming<PublishRequest>,
    first: Option<PublishRequest>,
    topic: Topic,
    script: Script,
    /// When the last event was published, or the stream began.
    worked: Instant,
    /// When the last answer went out, or the stream began.
    spoke: Instant,
    endings: watch::Receiver<()>,
    clock: watch::Receiver<()>,
}

impl Publication {
    /// Begins with the client's first request, which settles the topic. None when the client hung up first.
    ///
    /// # Errors
    /// What is wrong with the request, or what a fault rule wants.
    pub async fn begin(
        rpc: Arc<Rpc>,
        mut requests: Streaming<PublishRequest>,
    ) -> Result<Option<Self>, Ended> {
        let Some(first) = requests.message().await? else {
            return Ok(None);
        };
        let script = rpc.judged(Some(&first.topic_name)).await;
        let topic = opening(&rpc, &first)?;
        let (endings, clock) = (lock(&rpc.sandbox.access).endings(), rpc.sandbox.clock.watch());
        Ok(Some(Self {
            rpc,
            requests,
            first: Some(first),
            topic,
            script,
            worked: timer(),
            spoke: timer(),
            endings,
            clock,
        }))
    }

    /// The answer to the next batch, or a keepalive without results; none when the client is done.
    ///
    /// # Errors
    /// What is wrong with a request; the session has ended; nothing was published for too long; the sandbox stops.
    pub async fn next(&mut self) -> Result<Option<PublishResponse>, Ended> {
        match self
            .script
            .strike(&self.rpc, self.rpc.events.load(Ordering::Relaxed))
        {
            Some(Strike::Refuse(refusal)) => return Err(refusal.into()),
            Some(Strike::Close) => return Ok(None),
            Some(Strike::Stall) => {
                self.rpc.sandbox.stop.cancelled().await;
                return Err(Reason::SERVICE_UNAVAILABLE.into());
            }
            None => {}
        }
        let request = match self.first.take() {
            Some(first) => first,
            None => match self.awaited().await? {
                Heard::Batch(request) => request,
                Heard::Silence => return self.answered(self.empty()).map(Some),
                Heard::End => return Ok(None),
            },
        };
        if !request.topic_name.is_empty() && *request.topic_name != *self.topic.name {
            return Err(Reason::PUBLISH_MISMATCH.into());
        }
        let answer = batch(&self.rpc, &self.topic, request.events)?;
        self.worked = timer();
        tokio::time::sleep(self.script.pace).await;
        self.answered(answer).map(Some)
    }

    async fn awaited(&mut self) -> Result<Heard, Ended> {
        loop {
            let settings = self.rpc.sandbox.settings();
            let tired = self.worked + Duration::from_millis(settings.publish_idle_millis);
            let silent = self.spoke + Duration::from_millis(settings.pubsub_keepalive_millis.max(1));
            tokio::select! {
                heard = self.requests.message() => match heard? {
                    None => return Ok(Heard::End),
                    // A request that only carries a new token is no batch.
                    Some(request) if request.events.is_empty() && !request.auth_refresh.is_empty() => {
                        refreshed(&self.rpc, &request.auth_refresh)?;
                    }
                    Some(request) => {
                        refreshed(&self.rpc, &request.auth_refresh)?;
                        return Ok(Heard::Batch(request));
                    }
                },
                () = sleep_until(tired) => return Err(Reason::PUBLISH_IDLE.into()),
                () = sleep_until(silent) => return Ok(Heard::Silence),
                () = self.rpc.sandbox.stop.cancelled() => return Err(Reason::SERVICE_UNAVAILABLE.into()),
                ended = self.endings.changed() => {
                    if ended.is_err() {
                        self.endings = lock(&self.rpc.sandbox.access).endings();
                    }
                    self.rpc.caller.stay(&self.rpc.sandbox)?;
                }
                _ = self.clock.changed() => self.rpc.caller.stay(&self.rpc.sandbox)?,
            }
        }
    }

    fn answered(&mut self, answer: PublishResponse) -> Result<PublishResponse, Ended> {
        self.rpc.caller.stay(&self.rpc.sandbox)?;
        self.spoke = timer();
        Ok(answer)
    }

    fn empty(&self) -> PublishResponse {
        PublishResponse {
            results: Vec::new(),
            schema_id: self.topic.schema_id.to_string(),
            rpc_id: self.rpc.id.clone(),
        }
    }
}

/// What a publish stream waits for.
enum Heard {
    Batch(PublishRequest),
    Silence,
    End,
}

/// The topic of a first request.
fn opening(rpc: &Rpc, request: &PublishRequest) -> Result<Topic, Refusal> {
    if request.topic_name.trim().is_empty() {
        return Err(Reason::PUBLISH_TOPIC_EMPTY.into());
    }
    if !request.auth_refresh.is_empty() {
        return Err(Reason::PUBLISH_REFRESH.into());
    }
    let topic = topics::find(&rpc.sandbox, &request.topic_name)?;
    if !topic.can_publish {
        let text = format!("Events can't be published on topic {}.", topic.name);
        return Err(Reason::TOPIC_PERMISSION.because(text));
    }
    Ok(topic)
}

/// Publishes events in their order; those that cannot be published leave the others alone.
fn batch(rpc: &Rpc, topic: &Topic, events: Vec<ProducerEvent>) -> Result<PublishResponse, Refusal> {
    if events.is_empty() {
        return Err(Reason::PUBLISH_EMPTY.into());
    }
    rpc.events.fetch_add(events.len() as u64, Ordering::Relaxed);
    let results = events.into_iter().map(|event| one(rpc, topic, event)).collect();
    Ok(PublishResponse {
        results,
        schema_id: topic.schema_id.to_string(),
        rpc_id: rpc.id.clone(),
    })
}

fn one(rpc: &Rpc, topic: &Topic, event: ProducerEvent) -> PublishResult {
    let id = if event.id.is_empty() { uuid() } else { event.id };
    let sandbox = &rpc.sandbox;
    let published = sandbox.events.publish(
        &lock(&sandbox.org),
        topic,
        &event.schema_id,
        &event.payload,
        Some(&id),
        sandbox.clock.now(),
    );
    let (replay_id, error) = match published {
        Ok(replay_id) => (replay_id.to_bytes().to_vec(), None),
        Err(refused) => (
            Vec::new(),
            Some(Error {
                code: ErrorCode::Publish.into(),
                msg: refused.to_string(),
            }),
        ),
    };
    PublishResult {
        replay_id,
        error,
        correlation_key: id,
    }
}
