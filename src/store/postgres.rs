//! The engine for several nodes: PostgreSQL, 13 or later.
//!
//! Every job is one transaction at READ COMMITTED, on a connection of a small pool. What one writer gives SQLite for
//! nothing is made here by locks on rows (`FOR UPDATE` in the statements) and by unique indexes: two jobs that meet are
//! put in order by them, and the one that comes second is run again from its beginning.

mod address;
mod attempt;
mod beacon;
mod failure;
mod migrate;
mod numbers;
mod patience;
mod pool;
mod scratch;
mod server;
mod session;
mod taker;
mod texts;
mod tls;
mod values;

#[cfg(test)]
mod tests;

pub(crate) use address::Address;
pub use scratch::{make_schema, remove_schema};
pub(crate) use server::Server;
pub(crate) use taker::Taker;
