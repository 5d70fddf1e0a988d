//! The data API as a client sees it, without sockets.

mod composite;
mod describes;
mod lines_and_quotes;
mod queries;
mod rows;
mod scenarios;
mod site;
mod upserts;
