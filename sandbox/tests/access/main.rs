//! The sandbox from outside: every way in, every refusal, every fault, over real connections.

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
