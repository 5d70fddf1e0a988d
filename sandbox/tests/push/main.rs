//! What the sandbox sends to others, seen by an endpoint that listens for it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod callouts;
mod conditions;
mod endpoint;
mod envelopes;
mod faults;
mod lanes;
mod restart;
mod retries;
mod rules;
mod site;
