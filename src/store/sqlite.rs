//! The embedded engine: SQLite in one file, or in memory.

mod backup;
mod damage;
mod failure;
mod log;
mod migrate;
mod open;
mod readers;
mod session;
mod source;
mod sql;
mod taker;
mod writer;

pub(crate) use backup::backup;
pub(crate) use log::empty_log;
pub(crate) use open::{file_at, in_memory, plan};
pub(crate) use readers::Readers;
pub(crate) use session::{Job, Session};
pub(crate) use source::Source;
#[cfg(test)]
pub(crate) use sql::rewrite;
pub(crate) use taker::Taker;
pub(crate) use writer::{Counters, Writer};
