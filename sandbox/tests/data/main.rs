//! The data API as a client sees it, without sockets.

mod composite;
mod composite_bounds;
mod conditions;
mod describes;
mod duplicates;
mod forms;
mod formulas;
mod layouts;
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
mod values;
mod versions;
