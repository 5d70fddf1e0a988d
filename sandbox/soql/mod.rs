//! Queries: text to tokens to a tree to a plan to rows (SOQL and SOSL Reference).

mod access;
mod aggregate;
pub mod ast;
mod calendar;
mod candidates;
mod clauses;
mod columns;
mod comparison;
mod conditions;
mod distance;
mod explain;
pub mod fault;
mod filter;
mod format;
mod groups;
pub mod lexer;
mod like;
mod literals;
mod locale;
mod output;
pub mod parser;
pub mod path;
mod plan;
mod relative;
mod render;
mod run;
mod scalar;
pub mod search;
mod semi_join;
mod setting;
mod shown;
mod sorting;
mod window;

pub use columns::columns;
pub use explain::plans as explained;
pub(crate) use like::Pattern;
pub use output::Node;
pub use plan::{Plan, Shape};
pub use render::{Page, batch, record};
pub use setting::Setting;

use crate::org::ApiError;
use crate::schema::Schema;
use jiff::Timestamp;
use std::sync::Arc;

/// A plan, or why there is none.
pub type Prepared = Result<Plan, ApiError>;

/// Prepares a query of nobody in particular (see [`Setting::plain`]). `all` shows deleted rows too; relative dates count
/// from `now`.
///
/// # Errors
/// MALFORMED_QUERY, INVALID_FIELD, INVALID_TYPE and their kin, in the wire's words.
pub fn prepare(schema: &Schema, query: &str, now: Timestamp, all: bool) -> Prepared {
    prepare_for(schema, query, &Arc::new(Setting::plain(now, all)))
}

/// Prepares a query of somebody.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_for(schema: &Schema, query: &str, setting: &Arc<Setting>) -> Prepared {
    let parsed = parser::parse(query)?;
    plan::prepare(schema, query, &parsed, setting)
}

/// Prepares a query that was not written as one, such as what a search returns of an object. `text` is what error texts
/// point into.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_parsed(schema: &Schema, text: &str, query: &ast::Query, setting: &Arc<Setting>) -> Prepared {
    plan::prepare(schema, text, query, setting)
}
