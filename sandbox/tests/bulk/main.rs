//! Bulk API 2.0 and its predecessor over real connections: jobs from their making to their end, their files, and what is refused.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests look at a real clock from outside"
)]

mod allowances;
mod classic;
mod faults;
mod files;
mod garbage;
mod life;
mod lists;
mod loads;
mod multipart;
mod queries;
mod refusals;
mod relations;
mod restart;
mod results;
mod site;
