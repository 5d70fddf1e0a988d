//! The Pub/Sub API over gRPC, seen by a client: over real connections, with TLS and without.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod admission;
mod faults;
mod flow;
mod generated;
mod house;
mod log;
mod managed;
mod noise;
mod publish;
mod replay;
mod subscriber;
mod topics;
mod transport;

/// Messages and client, made from the interface definition.
#[allow(missing_docs, unused, clippy::all)]
pub mod wire {
    include!("generated/eventbus.v1.rs");
}
