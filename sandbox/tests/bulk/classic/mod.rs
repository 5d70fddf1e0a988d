//! Bulk API 1.0: jobs, batches and results in CSV, JSON and XML.

mod client;
mod garbage;
mod kept;
mod life;
mod limits;
mod loads;
mod queries;
mod refusals;
