//! One call: its id, who makes it, what the fault rules do to it, and its line in the log.

use super::caller::Caller;
use super::refusal::{Reason, Refusal, name_of};
use super::script::Script;
use crate::clock::stopwatch;
use crate::door::text_of;
use crate::faults::Call;
use crate::oauth::uuid;
use crate::requests::Entry;
use crate::state::{Shared, lock};
use axum::body::Bytes;
use http::HeaderMap;
use serde::Serialize;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// A call that is under way.
pub struct Rpc {
    /// Tells this call, for support: in every answer and error.
    pub id: String,
    /// Everything else.
    pub sandbox: Shared,
    /// Who makes it.
    pub caller: Caller,
    /// Events sent to the client, or taken from it.
    pub events: AtomicU64,
    /// Events that it asked for and has not got.
    pub pending: AtomicU64,
    path: String,
    client: Option<String>,
    trace_id: Option<String>,
    topic: OnceLock<String>,
    since: jiff::Timestamp,
    began: Instant,
    fired: Mutex<Vec<String>>,
    abrupt: OnceLock<Abrupt>,
    cut: CancellationToken,
    status: AtomicI32,
}

/// Ends that are none in gRPC's eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abrupt {
    /// The stream's last frame comes, but no status.
    NoStatus,
    /// `RST_STREAM`.
    ResetStream,
    /// TCP reset.
    ResetConnection,
}

/// An open stream, as `GET /sandbox/streams` shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenStream {
    /// Id of the call.
    pub rpc_id: String,
    /// gRPC path.
    pub path: String,
    /// Topic, once the first request has said it.
    pub topic: Option<String>,
    /// `User-Agent`.
    pub client: Option<String>,
    /// Whose session it uses.
    pub user_id: String,
    /// When it was opened, in the sandbox's time.
    pub since: jiff::Timestamp,
    /// Events sent, or published.
    pub events: u64,
    /// Events that are still owed.
    pub pending: u64,
}

impl Rpc {
    /// A call that begins.
    pub fn new(
        sandbox: Shared,
        caller: Caller,
        path: &str,
        headers: &HeaderMap,
        cut: CancellationToken,
    ) -> Self {
        Self {
            id: uuid(),
            caller,
            events: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            path: path.to_owned(),
            client: text_of(headers, "user-agent"),
            trace_id: text_of(headers, "x-client-trace-id"),
            topic: OnceLock::new(),
            since: sandbox.clock.now(),
            began: stopwatch(),
            fired: Mutex::default(),
            abrupt: OnceLock::new(),
            cut,
            status: AtomicI32::new(Code::Cancelled as i32),
            sandbox,
        }
    }

    /// Says what the call is about and lets the fault rules look at it; waits as long as they say.
    pub async fn judged(&self, topic: Option<&str>) -> Script {
        if let Some(topic) = topic {
            // Said once, by the first request.
            let _ = self.topic.set(topic.to_owned());
        }
        let verdict = self.sandbox.faults.judge(&Call {
            method: "GRPC".to_owned(),
            target: self.path.clone(),
            client: self.client.clone().unwrap_or_default(),
            topic: topic.map(str::to_owned),
            body: Bytes::new(),
        });
        lock(&self.fired).extend(verdict.fired);
        if !verdict.delay.is_zero() {
            tokio::time::sleep(verdict.delay).await;
        }
        Script::new(verdict.instead, verdict.pace)
    }

    /// What the client sees of a refusal.
    pub fn refuse(&self, why: impl Into<Refusal>) -> Status {
        why.into().status(&self.id)
    }

    /// Makes the call end without a gRPC status. The returned one only ends the stream on this side.
    pub fn break_off(&self, how: Abrupt) -> Refusal {
        let _ = self.abrupt.set(how);
        Reason::SUBSCRIPTION_INTERNAL.into()
    }

    /// How the call is to end, if not with a status.
    pub fn abrupt(&self) -> Option<Abrupt> {
        self.abrupt.get().copied()
    }

    /// Resets the connection.
    pub fn cut_connection(&self) {
        self.cut.cancel();
    }

    /// Notes the status that the client gets.
    pub fn ended(&self, status: Code) {
        self.status.store(status as i32, Ordering::Relaxed);
    }

    /// The call as it is now.
    pub fn open_stream(&self) -> OpenStream {
        OpenStream {
            rpc_id: self.id.clone(),
            path: self.path.clone(),
            topic: self.topic.get().cloned(),
            client: self.client.clone(),
            user_id: self.caller.user_id.clone(),
            since: self.since,
            events: self.events.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Relaxed),
        }
    }

    fn write_down(&self) {
        let http = if self.abrupt().is_some() { 0 } else { 200 };
        let code = Code::from_i32(self.status.load(Ordering::Relaxed));
        self.sandbox.requests.record(Entry {
            seq: 0,
            at: self.sandbox.clock.now(),
            method: "GRPC".to_owned(),
            path: self.path.clone(),
            status: http,
            duration_micros: u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            cost: 0,
            grpc_status: (http == 200).then(|| name_of(code)),
            topic: self.topic.get().cloned(),
            client: self.client.clone(),
            correlation_id: self.trace_id.clone(),
            faults: std::mem::take(&mut lock(&self.fired)),
        });
    }
}

/// Held as long as the call lasts; its end is the call's line in the log.
pub struct Ticket(pub Arc<Rpc>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.sandbox.pubsub.close(&self.0.id);
        self.0.write_down();
    }
}
