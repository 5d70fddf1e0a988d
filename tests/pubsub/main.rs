//! The feed of change events against a sandbox: one server for each test, TLS, and changes made by others in the org.

mod breakage;
mod flow;
mod gaps;
mod house;
mod positions;
mod records;
mod related;
