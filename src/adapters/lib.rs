//! Foreign systems behind the traits of [`cpq_domain::adapter`].

mod batch;
pub mod credentials;
mod json;
mod limits;
pub mod salesforce;
mod transport;
