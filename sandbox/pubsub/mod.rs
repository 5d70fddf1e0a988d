//! The Pub/Sub API: gRPC over TLS (Pub/Sub API Documentation).

/// Messages and service, made from `pubsub_api.proto`.
#[allow(missing_docs, clippy::all)]
pub mod wire {
    include!("generated/eventbus.v1.rs");
}
