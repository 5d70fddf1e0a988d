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

mod admission;
mod apps;
mod assertions;
mod authorize;
mod clock;
mod codes;
mod data;
mod device;
mod faults;
mod formats;
mod frontdoor;
mod fuzz;
mod house;
mod jwt_tokens;
mod limits;
mod refresh;
mod revocation;
mod snapshot;
mod soap;
mod tls;
mod token;
mod wire;
