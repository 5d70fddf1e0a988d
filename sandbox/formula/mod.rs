//! The formula language of calculated fields, validation rules and lookup filters, as far as integrations meet it
//! (Salesforce Help, Formula Operators and Functions).

mod ast;
mod eval;
mod functions;
mod lexer;
mod names;
mod parser;

pub use ast::FieldPath;
pub use eval::Frame;

use crate::org::Value;
use crate::schema::{Kind, Schema};
use ast::Expr;

/// Longest formula (Salesforce Help, Tips for Building Formulas).
const LENGTH: usize = 3_900;

/// A formula with every name looked up in one schema.
#[derive(Debug, Clone)]
pub struct Formula {
    expr: Expr,
    paths: Vec<FieldPath>,
    unstable: Option<&'static str>,
}

impl Formula {
    /// Reads a formula over the records of an object.
    ///
    /// # Errors
    /// Says what is wrong and where, in words for the author of the formula.
    pub fn compile(schema: &Schema, object: usize, text: &str) -> Result<Formula, String> {
        if text.len() > LENGTH {
            return Err(format!("a formula has at most {LENGTH} characters"));
        }
        let parsed = parser::parse(&lexer::tokens(text)?)?;
        names::bind(schema, object, parsed)
    }

    /// The value for a record; null where a real org shows `#Error!`, such as a division by zero.
    pub fn value(&self, frame: &Frame<'_>) -> Value {
        eval::value(&self.expr, frame).unwrap_or(Value::Null)
    }

    /// Whether it is true for a record.
    pub fn holds(&self, frame: &Frame<'_>) -> bool {
        self.value(frame).is_true()
    }

    /// Every field that it reads.
    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }

    /// A function whose value changes without a write, if it uses one: such a formula cannot be kept in a record.
    pub fn unstable(&self) -> Option<&'static str> {
        self.unstable
    }
}

/// The value in the form that a field of this kind keeps.
pub fn fitted(value: Value, field: &crate::schema::Field) -> Value {
    match (field.kind, value) {
        (Kind::Boolean, value) => Value::Bool(value.is_true()),
        (_, Value::Number(n)) if field.kind.is_number() => {
            Value::Number(crate::org::value::rounded(n, field))
        }
        (kind, Value::Text(text)) if kind.is_text() => {
            let kept: String = text.chars().take(field.length as usize).collect();
            Value::text(kept.trim())
        }
        (kind, Value::Id(id)) if kind.is_text() => Value::text(&id.to_string()),
        (Kind::Date, Value::Date(date)) => Value::Date(date),
        (Kind::DateTime, Value::DateTime(at)) => Value::instant(at),
        _ => Value::Null,
    }
}
