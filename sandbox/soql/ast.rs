//! A query as written, before names are looked up.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

/// A name with the byte where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// As written, dots included.
    pub text: String,
    /// Byte offset in the query.
    pub at: usize,
}

/// A function over an optional field: `SUM(Amount)`, `COUNT()`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Function name.
    pub function: Name,
    /// Argument, if any.
    pub argument: Option<Name>,
}

/// One entry of the select list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A field, possibly of a parent, possibly with an alias (only grouped queries).
    Field(Name, Option<Name>),
    /// A function.
    Call(Call, Option<Name>),
    /// `FIELDS(ALL)` and its like.
    Fields(Name),
    /// A query over children.
    Children(Box<Query>),
    /// `TYPEOF`.
    TypeOf(TypeOf),
}

/// `TYPEOF What WHEN Account THEN Phone ELSE Name END`.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeOf {
    /// Polymorphic relationship.
    pub relationship: Name,
    /// Object and its fields, in order.
    pub branches: Vec<(Name, Vec<Name>)>,
    /// Fields for every other object.
    pub otherwise: Vec<Name>,
}

/// Comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Eq,
    /// `!=` and `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `LIKE`
    Like,
    /// `IN`
    In,
    /// `NOT IN`
    NotIn,
    /// `INCLUDES`
    Includes,
    /// `EXCLUDES`
    Excludes,
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// Quoted text, escapes resolved; `\_` and `\%` stay escaped for LIKE.
    Text(String),
    /// Number.
    Number(Decimal),
    /// `2026-11-22`
    Date(Date),
    /// `2026-11-22T10:00:00Z`
    DateTime(Timestamp),
    /// `TODAY`, `LAST_N_DAYS:3`
    Relative(String, Option<i64>),
}

/// Left side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A field.
    Field(Name),
    /// A function, in HAVING.
    Call(Call),
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All hold.
    And(Vec<Condition>),
    /// Any holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison with one value, or with several for the list operators.
    Compare(Operand, Op, Vec<Literal>),
    /// `IN (SELECT …)`; the flag is true for `NOT IN`.
    SemiJoin(Name, bool, Box<Query>),
}

/// One entry of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// What to sort by.
    pub by: Operand,
    /// Descending.
    pub descending: bool,
    /// Nulls at the end.
    pub nulls_last: bool,
}

/// A query as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Select list.
    pub select: Vec<Item>,
    /// Object, or child list in a sub-query.
    pub from: Name,
    /// Alias of the object.
    pub alias: Option<String>,
    /// WHERE.
    pub filter: Option<Condition>,
    /// GROUP BY.
    pub group: Vec<Name>,
    /// HAVING.
    pub having: Option<Condition>,
    /// ORDER BY.
    pub order: Vec<Order>,
    /// LIMIT.
    pub limit: Option<usize>,
    /// OFFSET.
    pub offset: usize,
}
