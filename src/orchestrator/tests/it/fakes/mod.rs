//! Two systems in memory that keep the promises of the adapter traits, and the world around them.

mod blank;
mod cpq;
mod cpq_patch;
mod crm;
mod doors;
mod feed;
mod land;
mod staged;
mod wire;
mod world;

pub use doors::Doors;
pub use feed::{Tape, Told};
pub use land::{Facts, LINE, Land, NUMBER};
pub use wire::{Fate, Gate};
pub use world::{Image, Life, Place};
