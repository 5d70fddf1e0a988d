//! Queries: text to tokens to a tree to a plan to rows (SOQL and SOSL Reference).

mod aggregate;
pub mod ast;
mod candidates;
mod conditions;
pub mod fault;
mod filter;
pub mod lexer;
mod like;
mod output;
pub mod parser;
pub mod path;
mod plan;
mod relative;

pub use output::record;
pub use plan::{Plan, Shape};

use crate::org::ApiError;
use crate::schema::Schema;
use jiff::Timestamp;

/// A plan, or why there is none.
pub type Prepared = Result<Plan, ApiError>;

/// Prepares a query. `all` shows deleted rows too; relative dates count from `now`.
///
/// # Errors
/// MALFORMED_QUERY, INVALID_FIELD, INVALID_TYPE and their kin, in the wire's words.
pub fn prepare(schema: &Schema, query: &str, now: Timestamp, all: bool) -> Prepared {
    let parsed = parser::parse(query)?;
    plan::prepare(schema, query, &parsed, now, all)
}

/// What stands in each column of a query, for `columns=true`.
pub fn columns(schema: &Schema, plan: &Plan) -> Vec<serde_json::Value> {
    match &plan.shape {
        Shape::Records(nodes) => output::columns(schema, plan.object, nodes),
        Shape::Groups(groups) => groups.columns(),
        Shape::Count => Vec::new(),
    }
}
