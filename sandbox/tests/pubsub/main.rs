//! The Pub/Sub API over gRPC.

mod generated;

/// Messages and client, made from the interface definition.
#[allow(missing_docs, unused, clippy::all)]
pub mod wire {
    include!("generated/eventbus.v1.rs");
}
