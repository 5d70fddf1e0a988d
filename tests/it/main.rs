//! The product as its users have it: the real binary, in processes of its own, on real files and real sockets.

mod bad_input;
mod changes;
mod conflicts;
mod crash;
mod dead_letters;
mod deletes;
mod fixtures;
mod golden;
mod house;
mod lines;
mod many_lines;
mod mapping;
mod outage;
mod outbound;
mod ownership;
mod quote_record;
mod reconcile;
mod remote_cpq;
mod replay;
mod sandbox_define;
mod secrets;
mod service;
mod soak;
