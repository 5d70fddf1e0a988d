//! The words of the house: records, rules, decisions, run states, errors and the traits that foreign systems stand
//! behind.
//!
//! Everything here is pure. There is no async runtime, no I/O, no clock and no randomness in this crate, so the same
//! input gives the same answer on every machine and in every simulated year. Time, identifiers and random bytes come in
//! through [`world::World`].

pub mod act;
pub mod adapter;
pub mod breaker;
pub mod call_budget;
pub mod certificate;
pub mod change;
pub mod compare;
pub mod conflict;
pub mod connection;
pub mod dead_letter;
pub mod deletion;
pub mod desk;
pub mod error;
pub mod event;
pub mod fold;
pub mod id;
pub mod keyed;
pub mod kind;
pub mod limits;
pub mod lint;
pub mod ownership;
pub mod paging;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod purge;
pub mod quote;
pub mod reconcile;
pub mod region;
pub mod replay;
pub mod resolve;
pub mod retry;
pub mod retry_budget;
pub mod run;
pub mod schema;
pub mod subject;
pub mod trace;
pub mod value;
pub mod vault;
pub mod view;
pub mod world;

pub use error::{Code, Error, Result};
