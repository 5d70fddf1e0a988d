//! A Salesforce-compatible server on loopback, for trying integrations offline, with faults on demand.
//!
//! [`start`] brings one up; [`Running`] is the handle to it. Everything it knows is in memory, and a
//! snapshot in the state directory lets it continue after a restart. It uses nothing of the program it
//! was made to test, so that a misreading of Salesforce on one side cannot hide on the other.

// The door: who may come in, how a request is heard, counted, disturbed and answered.
pub mod clock;
pub mod control;
pub mod door;
pub mod events;
pub mod faults;
pub mod limits;
mod log;
mod multipart;
pub mod oauth;
pub mod options;
pub mod pubsub;
pub mod push;
pub mod requests;
pub mod server;
pub mod snapshot;
pub mod soap;
pub mod state;
pub mod tls;
pub mod wire;

// The house: objects, records, queries and the data API over them.
pub mod bulk;
pub mod formula;
pub mod org;
pub mod rest;
pub mod scenario;
pub mod schema;
pub mod soql;

pub use options::{Options, Settings};
pub use server::{Error, Running, start};
pub use state::Info;
