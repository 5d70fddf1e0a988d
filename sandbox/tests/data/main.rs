//! The data API as a client sees it, without sockets.

mod composite;
mod describes;
mod duplicates;
mod formulas;
mod lines_and_quotes;
mod permissions;
mod queries;
mod recycle_bin;
mod rows;
mod rules;
mod scenarios;
mod site;
mod soql;
mod upserts;
