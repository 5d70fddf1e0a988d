//! The production engine under simulated time, between two simulated systems and the people who work in them.
//!
//! A seed is a day: some processes on one store, some opportunities, and a mixture of edits on both sides, quotes that
//! move along, lost and late and repeated calls, deaths of processes, jumps of the clock, hints that come twice or late
//! or not at all, and decisions of people. Then everything heals, and what must be true is looked up past the product's
//! own idea of it. Nothing of a day depends on anything but its seed: one thread, virtual time, no chance of its own.

// What the engine's own tests hold in memory too.
#[path = "../../src/orchestrator/tests/it/fakes/blank.rs"]
mod blank;
#[path = "../../src/orchestrator/tests/it/fakes/staged.rs"]
mod staged;

mod cells;
mod cpq;
mod crm;
mod day;
mod decide;
mod dice;
mod doors;
mod feed;
mod fleet;
mod history;
mod knobs;
mod land;
mod node;
mod people;
mod regret;
mod tape;
mod trace;
mod verdict;
mod wire;
mod witness;

pub use day::{Outcome, live, live_and_tell};
pub use knobs::{LONG_QUOTES, REGRETS};
