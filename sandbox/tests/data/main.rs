//! The data API as a client sees it, without sockets.

mod composite;
mod describes;
mod lines_and_quotes;
mod queries;
mod recycle_bin;
mod rows;
mod scenarios;
mod site;
mod upserts;
