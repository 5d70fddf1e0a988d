//! The embedded CPQ: pricing, revisions and the life of quotes, behind the same trait as every other CPQ.
//!
//! Everything that decides is a pure function over [`cpq_domain::quote::Quote`]; [`EmbeddedCpq`] adds the store, the
//! clock and the guarantee that one idempotency key has one effect.

mod adapter;
mod desk;
pub mod events;
pub mod lifecycle;
pub mod limits;
pub mod patch;
pub mod pricing;
mod refusal;
pub mod revision;
#[cfg(test)]
mod samples;
mod service;
pub mod settings;

pub use events::QuoteChange;
pub use service::{EmbeddedCpq, Written, counter_name};
pub use settings::{NumberFormat, QuotingSettings};
