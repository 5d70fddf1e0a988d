//! Messages and client of the Pub/Sub API, made from `pubsub_api.proto`; `tests/generated.rs` says how.
#![allow(missing_docs, clippy::all, clippy::unwrap_used)]

include!("generated/eventbus.v1.rs");
