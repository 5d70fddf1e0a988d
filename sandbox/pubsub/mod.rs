//! The Pub/Sub API: gRPC over HTTP/2, with TLS or without on the same port (Pub/Sub API Documentation).
//!
//! A connection (`listen`) hands its calls to the gate, which admits the caller and watches the answer to its end; the
//! service below it answers. Streams are driven by whoever reads them: one that is not read holds one answer, and
//! nothing waits for it.

mod answer;
mod batch;
mod caller;
mod feed;
mod gate;
mod line;
mod listen;
mod managed;
mod publish;
pub mod refusal;
mod rpc;
mod script;
mod service;
mod subscribe;
mod topics;

pub use listen::accept;
pub use rpc::OpenStream;

use crate::state::lock;
use refusal::{Reason, Refusal};
use rpc::Rpc;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use tonic::Status;

/// Messages and service, made from `pubsub_api.proto`.
#[allow(missing_docs, clippy::all)]
pub mod wire {
    include!("generated/eventbus.v1.rs");
}

/// What calls of the Pub/Sub API share.
#[derive(Default)]
pub struct Desk {
    open: Mutex<BTreeMap<String, Arc<Rpc>>>,
    /// Ids of managed subscriptions that have a stream.
    active: Mutex<HashSet<String>>,
}

impl Desk {
    /// Calls under way, the oldest first.
    pub fn streams(&self) -> Vec<OpenStream> {
        let mut streams: Vec<_> = lock(&self.open).values().map(|rpc| rpc.open_stream()).collect();
        streams.sort_by_key(|stream| stream.since);
        streams
    }

    /// Takes a call in, if there is room for it.
    fn open(&self, rpc: &Arc<Rpc>, most: usize) -> bool {
        let mut open = lock(&self.open);
        let room = open.len() < most;
        if room {
            open.insert(rpc.id.clone(), rpc.clone());
        }
        room
    }

    fn close(&self, rpc_id: &str) {
        lock(&self.open).remove(rpc_id);
    }
}

/// Why a call is over.
#[derive(Debug)]
enum Ended {
    /// The service refuses to go on.
    Refused(Refusal),
    /// Its requests cannot be read: the client went away, or sent what is no message.
    Broken(Status),
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Reason> for Ended {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason.into())
    }
}

impl Ended {
    fn status(self, rpc: &Rpc) -> Status {
        match self {
            Self::Refused(refusal) => rpc.refuse(refusal),
            Self::Broken(status) => status,
        }
    }
}
