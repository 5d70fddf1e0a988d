//! A formula taken apart.

use crate::org::Value;
use crate::schema::Kind;

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `+`: sum, days after a date, or concatenation.
    Add,
    /// `-`: difference, or days between dates.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `^`.
    Power,
    /// `&`: concatenation.
    Concatenate,
    /// `=` and `==`.
    Equal,
    /// `<>` and `!=`.
    Unequal,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// As written: names are still text.
#[derive(Debug, Clone)]
pub enum Parsed {
    /// A literal.
    Literal(Value),
    /// A field, possibly of a parent.
    Name(String),
    /// A function with its arguments.
    Call(String, Vec<Parsed>),
    /// Two values and the operator between them.
    Binary(Op, Box<Parsed>, Box<Parsed>),
    /// A minus before a value.
    Negative(Box<Parsed>),
    /// `!` before a value.
    Not(Box<Parsed>),
}

/// A field of the record, or of a parent over references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// Positions of the reference fields to follow, each with the object it leads to.
    pub hops: Vec<(usize, usize)>,
    /// Position of the field on the last object.
    pub field: usize,
    /// Its kind.
    pub kind: Kind,
}

/// With names looked up.
#[derive(Debug, Clone)]
pub enum Expr {
    /// A literal.
    Literal(Value),
    /// A field.
    Field(FieldPath),
    /// A function with its arguments.
    Call(super::functions::Function, Vec<Expr>),
    /// Two values and the operator between them.
    Binary(Op, Box<Expr>, Box<Expr>),
    /// A minus before a value.
    Negative(Box<Expr>),
    /// `!` before a value.
    Not(Box<Expr>),
}
