//! Subscribe: events as they come, as many as were asked for ("Subscribe RPC Method").

use super::feed::Feed;
use super::refusal::{Reason, Refusal};
use super::rpc::Rpc;
use super::topics;
use super::wire::{FetchRequest, FetchResponse, ReplayPreset};
use super::{Ended, caller::Caller};
use crate::events::{ReplayId, Topic};
use std::sync::Arc;
use tonic::{Status, Streaming};

/// A subscription's stream.
pub struct Subscription {
    rpc: Arc<Rpc>,
    requests: Streaming<FetchRequest>,
    /// Whether the client may ask for more.
    open: bool,
    topic: String,
    feed: Feed,
}

impl Subscription {
    /// Begins with the client's first request, which settles topic and position. None when the client hung up first.
    ///
    /// # Errors
    /// What is wrong with the request, or what a fault rule wants.
    pub async fn begin(rpc: Arc<Rpc>, mut requests: Streaming<FetchRequest>) -> Result<Option<Self>, Ended> {
        let Some(first) = requests.message().await? else {
            return Ok(None);
        };
        let script = rpc.judged(Some(&first.topic_name)).await;
        let topic = topics::find(&rpc.sandbox, &first.topic_name)?;
        let wanted = wanted(first.num_requested)?;
        let news = rpc.sandbox.events.bus.watch();
        let position = position(&rpc, &topic, &first)?;
        let mut feed = Feed::new(rpc.clone(), topic, position, script, news);
        feed.ask(wanted);
        Ok(Some(Self {
            rpc,
            requests,
            open: true,
            topic: first.topic_name,
            feed,
        }))
    }

    /// The next answer; none at the end.
    ///
    /// # Errors
    /// Those of [`Feed::next`], and what is wrong with a request.
    pub async fn next(&mut self) -> Result<Option<FetchResponse>, Ended> {
        loop {
            if !self.open && self.feed.owed() == 0 {
                return Ok(None);
            }
            tokio::select! {
                heard = self.requests.message(), if self.open => match heard? {
                    Some(request) => self.heard(&request)?,
                    None => self.open = false,
                },
                batch = self.feed.next() => {
                    let rpc_id = self.rpc.id.clone();
                    return Ok(batch?.map(|batch| FetchResponse {
                        events: batch.events,
                        latest_replay_id: batch.latest.to_bytes().to_vec(),
                        rpc_id,
                        pending_num_requested: batch.pending,
                    }));
                }
            }
        }
    }

    /// A further request: preset and position in it mean nothing.
    fn heard(&mut self, request: &FetchRequest) -> Result<(), Refusal> {
        if !request.topic_name.is_empty() && request.topic_name != self.topic {
            return Err(Reason::TOPIC_MISMATCH.into());
        }
        refreshed(&self.rpc, &request.auth_refresh)?;
        self.feed.ask(wanted(request.num_requested)?);
        Ok(())
    }
}

fn wanted(asked: i32) -> Result<u64, Reason> {
    u64::try_from(asked)
        .ok()
        .filter(|asked| *asked > 0)
        .ok_or(Reason::COUNT_INVALID)
}

/// An `auth_refresh` is for Salesforce's own use; here it must be an access token that is alive.
pub fn refreshed(rpc: &Rpc, token: &str) -> Result<(), Reason> {
    if token.is_empty() || Caller::of(&rpc.sandbox, token).is_some() {
        return Ok(());
    }
    Err(Reason::AUTH_REFRESH_INVALID)
}

/// Where the subscription begins.
fn position(rpc: &Rpc, topic: &Topic, first: &FetchRequest) -> Result<ReplayId, Reason> {
    let (bus, now) = (&rpc.sandbox.events.bus, rpc.sandbox.clock.now());
    match ReplayPreset::try_from(first.replay_preset) {
        Ok(ReplayPreset::Latest) => Ok(bus.tip()),
        Ok(ReplayPreset::Earliest) => Ok(bus.beginning(now)),
        Ok(ReplayPreset::Custom) if !first.replay_id.is_empty() => {
            let id = ReplayId::from_bytes(&first.replay_id).ok_or(Reason::REPLAY_CORRUPTED)?;
            bus.read(topic, id, 0, now)
                .map_err(|_| Reason::REPLAY_CORRUPTED)?;
            Ok(id)
        }
        Ok(ReplayPreset::Custom) | Err(_) => Err(Reason::REPLAY_MISSING),
    }
}

/// What went wrong while requests were read.
impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        // Too large a message is the only thing that tonic calls so.
        match status.code() {
            tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => Self::Refused(Refusal::too_large()),
            _ => Self::Broken(status),
        }
    }
}
