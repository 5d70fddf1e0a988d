//! Foreign systems behind the traits of [`cpq_domain::adapter`].
//!
//! # How to add an adapter
//!
//! 1. Make a folder named after the vendor, with the files that the other folders have, so that whoever knows one
//!    knows all: `mod.rs` (the type, its constructor, the trait), `config.rs`, `rest.rs` or `http.rs` (one call, with
//!    a class for every failure), `errors.rs` (the vendor's refusals in the words of the house), a field mapping as
//!    data, one file for each operation, and a `README.md`: what is called, limits, scopes, what the other side must
//!    have.
//! 2. Keep the promises of the trait, above all these: nothing is retried, nothing is remembered beside descriptions
//!    and tokens, a write whose answer was lost is [`cpq_domain::Code::OutcomeUnknown`], and every code that the
//!    vendor uses has a row in a test.
//! 3. Take the HTTP exchange from `transport` (it knows whether a request can have left us), exact numbers from
//!    `json`, and shared calls from `batch`.
//! 4. Run the conformance tests of the trait against it.

mod batch;
pub mod credentials;
mod expression;
mod json;
mod limits;
#[cfg(test)]
#[path = "../../tests/mutation/mod.rs"]
mod mutation;
pub mod rest_cpq;
pub mod salesforce;
mod transport;
