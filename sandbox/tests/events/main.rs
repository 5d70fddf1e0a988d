//! What the org tells about its changes, and what others tell through it: written over HTTP, read back from the bus
//! with the Avro library and a bitmap decoder of the tests' own.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod changes;
mod channels;
mod decoded;
mod faults;
mod gaps;
mod keeping;
mod platform;
mod publishing;
mod rest;
mod schemas;
mod site;
