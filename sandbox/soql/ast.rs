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

/// A field or a function: what can be selected, compared, grouped and sorted by.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A field, possibly of a parent.
    Field(Name),
    /// A function.
    Call(Call),
}

impl Expr {
    /// Where it stands.
    pub fn at(&self) -> usize {
        match self {
            Expr::Field(name) => name.at,
            Expr::Call(call) => call.function.at,
        }
    }
}

/// A function with its arguments: `SUM(Amount)`, `COUNT()`, `HOUR_IN_DAY(convertTimezone(CreatedDate))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Function name.
    pub function: Name,
    /// Arguments.
    pub arguments: Vec<Argument>,
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// A field or function.
    Expr(Expr),
    /// A number or text, for distances.
    Value(Literal),
}

/// One entry of the select list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A field or function, possibly with an alias.
    Expr(Expr, Option<Name>),
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
    /// `USD100`
    Money(String, Decimal),
    /// `2026-11-22`
    Date(Date),
    /// `2026-11-22T10:00:00Z`
    DateTime(Timestamp),
    /// `10:00:00.000Z`
    Time(String),
    /// `TODAY`, `LAST_N_DAYS:3`
    Relative(String, Option<i64>),
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
    Compare(Expr, Op, Vec<Literal>),
    /// `IN (SELECT …)`; the flag is true for `NOT IN`.
    SemiJoin(Expr, bool, Box<Query>),
}

/// How groups are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// By the values of all grouped fields.
    #[default]
    Plain,
    /// With subtotals from right to left.
    Rollup,
    /// With subtotals of every combination.
    Cube,
}

/// One entry of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// What to sort by.
    pub by: Expr,
    /// Descending.
    pub descending: bool,
    /// Nulls at the end.
    pub nulls_last: bool,
}

/// A query as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Byte where it begins.
    pub at: usize,
    /// Select list.
    pub select: Vec<Item>,
    /// Object, or child list in a sub-query.
    pub from: Name,
    /// Alias of the object.
    pub alias: Option<Name>,
    /// Relationships that FROM gives an alias: path and alias.
    pub relations: Vec<(Name, Option<Name>)>,
    /// USING SCOPE.
    pub scope: Option<Name>,
    /// WHERE.
    pub filter: Option<Condition>,
    /// GROUP BY.
    pub group: Vec<Expr>,
    /// ROLLUP, CUBE or neither.
    pub grouping: Grouping,
    /// HAVING.
    pub having: Option<Condition>,
    /// ORDER BY.
    pub order: Vec<Order>,
    /// LIMIT.
    pub limit: Option<usize>,
    /// OFFSET.
    pub offset: Option<usize>,
    /// FOR VIEW.
    pub for_view: bool,
    /// FOR REFERENCE.
    pub for_reference: bool,
}
