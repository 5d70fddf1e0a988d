//! The Salesforce adapter on the wire: what it sends, and what it makes of the answers.

#![recursion_limit = "256"]

mod fake;

#[path = "salesforce/fate.rs"]
mod fate;
#[path = "salesforce/lines.rs"]
mod lines;
#[path = "salesforce/mappings.rs"]
mod mappings;
#[path = "salesforce/org.rs"]
mod org;
#[path = "salesforce/page.rs"]
mod page;
#[path = "salesforce/quote_place.rs"]
mod quote_place;
#[path = "salesforce/quote_record.rs"]
mod quote_record;
#[path = "salesforce/read.rs"]
mod read;
#[path = "salesforce/session.rs"]
mod session;
#[path = "salesforce/shared_calls.rs"]
mod shared_calls;
#[path = "salesforce/write.rs"]
mod write;
