//! The API at its edge: requests in, answers out, over a real store and a real engine.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and says where"
)]

mod actors;
mod audit;
mod conflicts;
mod document;
mod events;
mod frame;
mod house;
mod idempotency;
mod keys;
mod metrics;
mod outbound;
mod quotes;
mod serve;
mod sessions;
mod sync;
mod throttle;
mod tls;
mod webhooks;
mod wire;
