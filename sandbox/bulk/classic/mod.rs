//! Bulk API 1.0, the older of the two (Bulk API Developer Guide): a job is opened, batches of records or queries are put
//! into it, each batch is worked off and asked for its results, and the job is closed. A batch is worked off as a job of
//! the newer API is; here are only the older ways of talking about it.

mod answer;
mod batches;
mod door;
mod envelope;
pub mod form;
pub mod found;
mod info;
pub mod job;
mod jobs;
mod outcomes;
mod records;
mod results;

pub use batches::failed_query;
pub use door::{concerns, no_session, refusal, routes, session_of, too_large};
