//! The sandbox from outside: every way in, every refusal, every fault, over real connections.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests look at a real clock from outside"
)]
#![allow(
    clippy::type_complexity,
    reason = "tables of cases are clearer than names for their columns"
)]

mod authorize;
mod data;
mod faults;
mod house;
mod limits;
mod refresh;
mod snapshot;
mod soap;
mod token;
mod wire;
