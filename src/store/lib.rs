//! The memory of the house, and the only room that speaks SQL.
//!
//! [`Store`] runs jobs: a job is an async closure over a [`Tx`], and everything it does becomes durable together or not
//! at all. The operations are free functions, one module per table; each is written once, with one SQL text, for every
//! engine that can stand behind [`Tx`]. They decide nothing and read no clock: whatever they need is passed in.
//!
//! ```no_run
//! # async fn example() -> cpq_domain::Result<()> {
//! use cpq_store::{Store, StoreOptions, counters};
//!
//! let store = Store::open(StoreOptions::at("/var/lib/cpq/cpq.db")).await?;
//! let number = store.write(|tx| Box::pin(async move { counters::next(tx, "quote.2026").await })).await?;
//! # let _ = number;
//! # Ok(())
//! # }
//! ```

pub mod audit;
pub mod bases;
pub mod browser_sessions;
pub mod call_budgets;
pub mod certificates;
pub mod check;
pub mod circuits;
pub mod conflicts;
pub mod counters;
pub mod dead_letters;
pub mod decisions;
pub mod deletions;
pub mod grants;
pub mod idempotency;
pub mod journal;
pub mod limits;
pub mod links;
pub mod ownership;
pub mod personal;
pub mod positions;
pub mod purge;
pub mod quote_events;
pub mod quotes;
pub mod reconcile_records;
pub mod reconciliations;
pub mod replays;
pub mod runs;
pub mod schemas;
pub mod settings;
pub mod tokens;
pub mod watched;
pub mod webhooks;

mod checksum;
mod copy;
mod encode;
mod many;
mod migration;
mod postgres;
mod registry;
mod row;
mod sqlite;
mod store;
mod tx;

pub use copy::{Copied, CopiedTable, Progress};
pub use grants::Vault;
pub use migration::{Applied, Migrated, Plan};
pub use postgres::{make_schema, remove_schema};
pub use registry::statements;
pub use row::{Cell, FromCell, Row};
pub use store::{About, Store, StoreOptions, StoreStats};
pub use tx::{Param, Tx};
