//! ManagedSubscribe: a subscription whose position the server keeps ("ManagedSubscribe RPC Method").

use super::feed::Feed;
use super::refusal::{Reason, Refusal};
use super::rpc::Rpc;
use super::subscribe::refreshed;
use super::wire::{
    CommitReplayRequest, CommitReplayResponse, Error, ErrorCode, ManagedFetchRequest, ManagedFetchResponse,
};
use super::{Ended, batch::Batch, topics};
use crate::clock::timer;
use crate::events::{ReplayId, Topic};
use crate::org::subscriptions::{Preset, RunState, Subscription};
use crate::state::lock;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::Streaming;

/// Commits that come within this time are answered together.
const COMMIT_EVERY: Duration = Duration::from_millis(20);
/// Refused commits that may wait for their answer, so that a client that does not read cannot pile them up.
const REFUSED_MOST: usize = 100;

/// A managed subscription's stream.
pub struct ManagedSubscription {
    rpc: Arc<Rpc>,
    requests: Streaming<ManagedFetchRequest>,
    open: bool,
    id: String,
    name: String,
    feed: Feed,
    changes: watch::Receiver<()>,
    commits: Commits,
    _active: Active,
}

/// Commits whose answer is still to be given.
#[derive(Default)]
struct Commits {
    done: Option<CommitReplayResponse>,
    due: Option<Instant>,
    refused: VecDeque<CommitReplayResponse>,
}

/// Marks the subscription as being in use.
struct Active {
    rpc: Arc<Rpc>,
    id: String,
}

impl Drop for Active {
    fn drop(&mut self) {
        lock(&self.rpc.sandbox.pubsub.active).remove(&self.id);
    }
}

impl ManagedSubscription {
    /// Begins with the client's first request, which says which subscription. None when the client hung up first.
    ///
    /// # Errors
    /// What is wrong with the request or the subscription, or what a fault rule wants.
    pub async fn begin(
        rpc: Arc<Rpc>,
        mut requests: Streaming<ManagedFetchRequest>,
    ) -> Result<Option<Self>, Ended> {
        let Some(first) = requests.message().await? else {
            return Ok(None);
        };
        let found = chosen(&rpc, &first);
        let topic_name = found.as_ref().ok().map(|found| found.spec.topic_name.clone());
        let script = rpc.judged(topic_name.as_deref()).await;
        let subscription = found?;
        let changes = lock(&rpc.sandbox.org).subscriptions().watch();
        if subscription.spec.state == RunState::Stop {
            return Err(Reason::MANAGED_STOPPED.into());
        }
        let wanted = wanted(&first)?;
        let topic = topics::find(&rpc.sandbox, &subscription.spec.topic_name)?;
        let active = activate(&rpc, &subscription.id)?;
        let news = rpc.sandbox.events.bus.watch();
        let position = position(&rpc, &topic, &subscription);
        let mut feed = Feed::new(rpc.clone(), topic, position, script, news);
        feed.ask(wanted);
        Ok(Some(Self {
            rpc,
            requests,
            open: true,
            id: subscription.id,
            name: subscription.spec.developer_name,
            feed,
            changes,
            commits: Commits::default(),
            _active: active,
        }))
    }

    /// The next answer; none at the end.
    ///
    /// # Errors
    /// Those of [`Feed::next`], what is wrong with a request, and that the subscription was stopped or deleted.
    pub async fn next(&mut self) -> Result<Option<ManagedFetchResponse>, Ended> {
        loop {
            if let Some(answer) = self.commits.refused.pop_front() {
                return Ok(Some(self.commit_answer(answer)));
            }
            if !self.open && self.feed.owed() == 0 && self.commits.due.is_none() {
                return Ok(None);
            }
            let due = self.commits.due;
            tokio::select! {
                heard = self.requests.message(), if self.open => match heard? {
                    Some(request) => self.heard(request)?,
                    None => self.open = false,
                },
                () = sleep_until(due.unwrap_or_else(timer)), if due.is_some() => {
                    self.commits.due = None;
                    if let Some(answer) = self.commits.done.take() {
                        return Ok(Some(self.commit_answer(answer)));
                    }
                }
                changed = self.changes.changed() => {
                    if changed.is_err() {
                        self.changes = lock(&self.rpc.sandbox.org).subscriptions().watch();
                    }
                    self.still_there()?;
                }
                batch = self.feed.next() => return Ok(batch?.map(|batch| self.answer(batch))),
            }
        }
    }

    fn heard(&mut self, request: ManagedFetchRequest) -> Result<(), Refusal> {
        let same_id = request.subscription_id.is_empty()
            || crate::org::Id::parse(&request.subscription_id).is_some_and(|id| id.to_string() == self.id);
        let same_name =
            request.developer_name.is_empty() || request.developer_name.eq_ignore_ascii_case(&self.name);
        if !same_id || !same_name {
            return Err(Reason::MANAGED_FETCH_INVALID.because("The subscription can't change on a stream."));
        }
        refreshed(&self.rpc, &request.auth_refresh)?;
        let wanted = wanted(&request)?;
        let empty = request.commit_replay_id_request.is_none() && request.auth_refresh.is_empty();
        if wanted == 0 && empty {
            return Err(Reason::MANAGED_FETCH_INVALID.into());
        }
        if wanted > 0 {
            self.feed.ask(wanted);
        }
        if let Some(commit) = request.commit_replay_id_request {
            self.commit(commit)?;
        }
        Ok(())
    }

    /// Takes a commit. What is wrong with it is said in an answer and does not end the stream.
    fn commit(&mut self, request: CommitReplayRequest) -> Result<(), Refusal> {
        let checked = self.checked(&request.replay_id);
        let answer = CommitReplayResponse {
            commit_request_id: request.commit_request_id,
            replay_id: request.replay_id,
            error: None,
            process_time: self.rpc.sandbox.clock.now().as_millisecond(),
        };
        match checked {
            Ok(position) => {
                lock(&self.rpc.sandbox.org)
                    .subscriptions_mut()
                    .commit(&self.id, position.0);
                self.rpc.sandbox.touch();
                self.commits.done = Some(answer);
                self.commits.due.get_or_insert_with(|| timer() + COMMIT_EVERY);
                Ok(())
            }
            Err(msg) if self.commits.refused.len() < REFUSED_MOST => {
                let error = Error {
                    code: ErrorCode::Commit.into(),
                    msg: msg.to_owned(),
                };
                self.commits.refused.push_back(CommitReplayResponse {
                    error: Some(error),
                    ..answer
                });
                Ok(())
            }
            Err(_) => Err(Reason::STREAM_PROTECTION.into()),
        }
    }

    fn checked(&self, replay_id: &[u8]) -> Result<ReplayId, &'static str> {
        if replay_id.is_empty() {
            return Err("The commit request has no Replay ID.");
        }
        let (bus, now) = (&self.rpc.sandbox.events.bus, self.rpc.sandbox.clock.now());
        let position =
            ReplayId::from_bytes(replay_id).filter(|id| *id >= bus.beginning(now) && *id <= bus.tip());
        let position = position.ok_or("The Replay ID of the commit request is invalid or no longer kept.")?;
        if position > self.feed.position() {
            return Err("The event with the Replay ID of the commit request was not delivered yet.");
        }
        let org = lock(&self.rpc.sandbox.org);
        let committed = org
            .subscriptions()
            .with_id(&self.id)
            .and_then(|found| found.committed);
        if committed.is_some_and(|committed| position.0 < committed) {
            return Err("The Replay ID of the commit request is older than the committed one.");
        }
        Ok(position)
    }

    fn still_there(&self) -> Result<(), Reason> {
        let org = lock(&self.rpc.sandbox.org);
        match org.subscriptions().with_id(&self.id) {
            None => Err(Reason::MANAGED_DELETED),
            Some(found) if found.spec.state == RunState::Stop => Err(Reason::MANAGED_STOPPED),
            Some(_) => Ok(()),
        }
    }

    fn answer(&self, batch: Batch) -> ManagedFetchResponse {
        ManagedFetchResponse {
            events: batch.events,
            latest_replay_id: batch.latest.to_bytes().to_vec(),
            rpc_id: self.rpc.id.clone(),
            pending_num_requested: batch.pending,
            commit_response: None,
        }
    }

    fn commit_answer(&self, commit: CommitReplayResponse) -> ManagedFetchResponse {
        ManagedFetchResponse {
            events: Vec::new(),
            latest_replay_id: self.feed.position().to_bytes().to_vec(),
            rpc_id: self.rpc.id.clone(),
            pending_num_requested: i32::try_from(self.feed.owed()).unwrap_or(i32::MAX),
            commit_response: Some(commit),
        }
    }
}

/// The subscription that a first request names.
fn chosen(rpc: &Rpc, first: &ManagedFetchRequest) -> Result<Subscription, Reason> {
    if first.commit_replay_id_request.is_some() {
        return Err(Reason::MANAGED_COMMIT_RESTRICTED);
    }
    if !first.auth_refresh.is_empty() {
        return Err(Reason::MANAGED_AUTH_RESTRICTED);
    }
    let org = lock(&rpc.sandbox.org);
    match (first.subscription_id.trim(), first.developer_name.trim()) {
        ("", "") => Err(Reason::MANAGED_WHICH),
        ("", name) => {
            let found = org.subscriptions().named(name).cloned();
            found.ok_or(Reason::MANAGED_NAME_NOT_FOUND)
        }
        (id, "") if !matches!(id.len(), 15 | 18) => Err(Reason::MANAGED_ID_INVALID),
        (id, "") => {
            let found = org.subscriptions().with_id(id).cloned();
            found.ok_or(Reason::MANAGED_ID_NOT_FOUND)
        }
        _ => Err(Reason::MANAGED_WHICH),
    }
}

fn wanted(request: &ManagedFetchRequest) -> Result<u64, Reason> {
    u64::try_from(request.num_requested).map_err(|_| Reason::MANAGED_COUNT_INVALID)
}

fn activate(rpc: &Arc<Rpc>, id: &str) -> Result<Active, Reason> {
    if !lock(&rpc.sandbox.pubsub.active).insert(id.to_owned()) {
        return Err(Reason::MANAGED_ACTIVE);
    }
    Ok(Active {
        rpc: rpc.clone(),
        id: id.to_owned(),
    })
}

/// Behind what was committed; else where the subscription says.
fn position(rpc: &Rpc, topic: &Topic, subscription: &Subscription) -> ReplayId {
    let (bus, now) = (&rpc.sandbox.events.bus, rpc.sandbox.clock.now());
    let committed = subscription.committed.map(ReplayId);
    let readable = |id: &ReplayId| bus.read(topic, *id, 0, now).is_ok();
    let preset = match (committed, committed.filter(readable)) {
        (_, Some(position)) => return position,
        (Some(_), None) => subscription.spec.error_recovery_replay,
        (None, None) => subscription.spec.default_replay,
    };
    match preset {
        Preset::Latest => bus.tip(),
        Preset::Earliest => bus.beginning(now),
    }
}
