//! Conditions with names looked up and literals turned into values.

use super::ast::{Condition, Literal, Op, Operand, Query};
use super::fault::{malformed, pointing};
use super::like::Pattern;
use super::path::{Path, Scope};
use super::plan::{Plan, semi_join};
use super::{lexer, relative};
use crate::org::table::Key;
use crate::org::value::Value;
use crate::org::{ApiError, Id, Org, Row};
use crate::schema::{Field, Kind};
use jiff::Timestamp;
use jiff::civil::Date;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Semi-joins a query may have (SOQL and SOSL Reference, comparison operators).
const SEMI_JOINS: usize = 2;

/// A condition ready to run.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All hold.
    All(Vec<Filter>),
    /// Any holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A test of one value.
    Test(Path, Test),
    /// Membership in the result of another query; the flag negates it.
    SemiJoin(Path, bool, Box<Plan>, usize),
}

/// A test of one value.
#[derive(Debug, Clone)]
pub enum Test {
    /// Comparison with one value.
    Compare(Op, Value),
    /// Comparison with a span of days or instants: from, and until (not included).
    Span(Op, Value, Value),
    /// LIKE.
    Like(Pattern),
    /// IN; the flag says that null is in the list, the last one negates.
    Among(BTreeSet<Key>, Vec<Value>, bool, bool),
    /// INCLUDES: every inner list must be contained; the flag negates.
    Includes(Vec<Vec<String>>, bool),
}

/// Looks names up and turns literals into values.
pub fn compile(scope: &Scope<'_>, condition: &Condition, now: Timestamp) -> Result<Filter, ApiError> {
    let filter = compile_at(scope, condition, now)?;
    if semi_joins(&filter) > SEMI_JOINS {
        return Err(ApiError::bad(
            "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
            format!("maximum {SEMI_JOINS} semijoin or antijoin sub-selects"),
        ));
    }
    Ok(filter)
}

fn compile_at(scope: &Scope<'_>, condition: &Condition, now: Timestamp) -> Result<Filter, ApiError> {
    let each = |all: &[Condition]| {
        all.iter()
            .map(|c| compile_at(scope, c, now))
            .collect::<Result<Vec<_>, _>>()
    };
    match condition {
        Condition::And(all) => each(all).map(Filter::All),
        Condition::Or(all) => each(all).map(Filter::Any),
        Condition::Not(inner) => compile_at(scope, inner, now).map(|f| Filter::Not(Box::new(f))),
        Condition::SemiJoin(name, negated, query) => semi(scope, name, *negated, query, now),
        Condition::Compare(Operand::Call(call), ..) => {
            let reason = format!("function {} cannot stand in this condition", call.function.text);
            Err(pointing(
                scope.query,
                call.function.at,
                "MALFORMED_QUERY",
                &reason,
            ))
        }
        Condition::Compare(Operand::Field(name), op, literals) => {
            let path = scope.path(name)?;
            check_filterable(scope, &path, name.at)?;
            let test = test(scope, &path, *op, literals, now)?;
            Ok(Filter::Test(path, test))
        }
    }
}

fn semi(
    scope: &Scope<'_>,
    name: &super::ast::Name,
    negated: bool,
    query: &Query,
    now: Timestamp,
) -> Result<Filter, ApiError> {
    let path = scope.path(name)?;
    if !matches!(path.kind(scope.schema), Kind::Id | Kind::Reference) {
        let reason = format!("Cannot use the field '{}' in a semi join: it is no id", name.text);
        return Err(pointing(scope.query, name.at, "MALFORMED_QUERY", &reason));
    }
    let (plan, field) = semi_join(scope, query, now)?;
    Ok(Filter::SemiJoin(path, negated, Box::new(plan), field))
}

fn semi_joins(filter: &Filter) -> usize {
    match filter {
        Filter::All(all) | Filter::Any(all) => all.iter().map(semi_joins).sum(),
        Filter::Not(inner) => semi_joins(inner),
        Filter::SemiJoin(..) => 1,
        Filter::Test(..) => 0,
    }
}

/// The field at the end of a path must be one that may be filtered or sorted by.
pub fn check_filterable(scope: &Scope<'_>, path: &Path, at: usize) -> Result<(), ApiError> {
    let field = field_of(scope, path);
    match field.filter(|f| !f.filterable || f.kind == Kind::Address) {
        None => Ok(()),
        Some(field) => {
            let reason = format!("field '{}' can not be filtered in a query call", field.name);
            Err(pointing(scope.query, at, "INVALID_FIELD", &reason))
        }
    }
}

fn field_of<'a>(scope: &Scope<'a>, path: &Path) -> Option<&'a Field> {
    match (&path.end, path.object) {
        (super::path::End::Field(at), Some(object)) => scope.schema.at(object).fields.get(*at),
        _ => None,
    }
}

fn test(
    scope: &Scope<'_>,
    path: &Path,
    op: Op,
    literals: &[Literal],
    now: Timestamp,
) -> Result<Test, ApiError> {
    let kind = path.kind(scope.schema);
    let name = field_of(scope, path).map_or("Name", |f| f.name.as_str());
    let first = literals
        .first()
        .ok_or_else(|| malformed("unexpected token: ')'"))?;
    match (op, first) {
        (Op::In | Op::NotIn, _) => among(name, kind, literals, op == Op::NotIn, now),
        (Op::Includes | Op::Excludes, _) => includes(name, literals, op == Op::Excludes),
        (Op::Like, Literal::Text(text)) if kind.is_text() => Ok(Test::Like(Pattern::new(text))),
        (Op::Like, _) => Err(ApiError::bad(
            "INVALID_QUERY_FILTER_OPERATOR",
            format!("invalid operator on {} field", kind.name()),
        )),
        (_, Literal::Relative(literal, count)) => span(name, kind, op, (literal, *count), now),
        (_, literal) => Ok(Test::Compare(op, value(name, kind, literal)?)),
    }
}

fn among(
    name: &str,
    kind: Kind,
    literals: &[Literal],
    negated: bool,
    now: Timestamp,
) -> Result<Test, ApiError> {
    let mut values = Vec::with_capacity(literals.len());
    for literal in literals {
        match literal {
            Literal::Relative(word, count) => match span(name, kind, Op::Eq, (word, *count), now)? {
                // Only single days make sense in a list.
                Test::Span(_, from, _) => values.push(from),
                _ => return Err(malformed(format!("unexpected token: {word}"))),
            },
            other => values.push(value(name, kind, other)?),
        }
    }
    Ok(members(values, negated))
}

/// The test for membership in these values.
pub fn members(values: Vec<Value>, negated: bool) -> Test {
    let has_null = values.iter().any(Value::is_null);
    let keys = values.iter().filter_map(member_key).collect();
    Test::Among(keys, values, has_null, negated)
}

/// Dates and booleans have no index key, but a set needs one for them as well.
fn member_key(value: &Value) -> Option<Key> {
    match value {
        Value::Date(date) => Some(Key::Text(date.to_string())),
        Value::Bool(flag) => Some(Key::Text(flag.to_string())),
        other => Key::of(other, false),
    }
}

fn includes(name: &str, literals: &[Literal], negated: bool) -> Result<Test, ApiError> {
    let list = |literal: &Literal| match literal {
        Literal::Text(text) => Ok(lexer::plain(text)
            .split(';')
            .map(|p| p.trim().to_lowercase())
            .collect()),
        _ => Err(wrong_type(name, Kind::MultiPicklist)),
    };
    Ok(Test::Includes(
        literals.iter().map(list).collect::<Result<_, _>>()?,
        negated,
    ))
}

fn span(
    name: &str,
    kind: Kind,
    op: Op,
    literal: (&str, Option<i64>),
    now: Timestamp,
) -> Result<Test, ApiError> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let span = relative::span(literal.0, literal.1, today);
    let (from, until) = span.ok_or_else(|| malformed(format!("unexpected token: {}", literal.0)))?;
    match kind {
        Kind::Date => Ok(Test::Span(op, Value::Date(from), Value::Date(until))),
        Kind::DateTime => Ok(Test::Span(op, midnight(from), midnight(until))),
        _ => Err(wrong_type(name, kind)),
    }
}

fn midnight(date: Date) -> Value {
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).map(|z| z.timestamp());
    start.map_or(Value::Null, Value::DateTime)
}

/// The value that a literal means for a field of this type.
pub fn value(name: &str, kind: Kind, literal: &Literal) -> Result<Value, ApiError> {
    match (kind, literal) {
        (_, Literal::Null) => Ok(Value::Null),
        (Kind::Boolean, Literal::Bool(flag)) => Ok(Value::Bool(*flag)),
        (Kind::Date, Literal::Date(date)) => Ok(Value::Date(*date)),
        (Kind::DateTime, Literal::DateTime(at)) => Ok(Value::DateTime(*at)),
        (Kind::Id | Kind::Reference, Literal::Text(text)) => record_id(text),
        (kind, Literal::Number(number)) if kind.is_number() => Ok(Value::Number(*number)),
        (kind, Literal::Text(text)) if kind.is_text() => Ok(Value::text(&lexer::plain(text))),
        _ => Err(wrong_type(name, kind)),
    }
}

fn record_id(text: &str) -> Result<Value, ApiError> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let refused = || {
        ApiError::bad(
            "INVALID_QUERY_FILTER_OPERATOR",
            format!("invalid ID field: {text}"),
        )
    };
    Id::parse(text).map(Value::Id).ok_or_else(refused)
}

fn wrong_type(name: &str, kind: Kind) -> ApiError {
    let quotes = if kind.is_text() || matches!(kind, Kind::Id | Kind::Reference) {
        "should be enclosed in quotes"
    } else {
        "should not be enclosed in quotes"
    };
    let wanted = if kind == Kind::DateTime {
        "dateTime"
    } else {
        kind.name()
    };
    let message =
        format!("value of filter criterion for field '{name}' must be of type {wanted} and {quotes}");
    ApiError::bad("INVALID_FIELD", message)
}

impl Filter {
    /// Whether a row passes. Semi-joins must have been resolved before.
    pub fn passes(&self, org: &Org, row: &Row) -> bool {
        match self {
            Filter::All(all) => all.iter().all(|f| f.passes(org, row)),
            Filter::Any(all) => all.iter().any(|f| f.passes(org, row)),
            Filter::Not(inner) => !inner.passes(org, row),
            Filter::Test(path, test) => match path.own_field() {
                Some(at) => test.holds(&row.values[at]),
                None => test.holds(&path.value(org, row)),
            },
            Filter::SemiJoin(..) => false,
        }
    }

    /// The same condition with the inner queries run and their results in place.
    pub fn resolved(&self, org: &Org) -> Filter {
        match self {
            Filter::All(all) => Filter::All(all.iter().map(|f| f.resolved(org)).collect()),
            Filter::Any(all) => Filter::Any(all.iter().map(|f| f.resolved(org)).collect()),
            Filter::Not(inner) => Filter::Not(Box::new(inner.resolved(org))),
            Filter::Test(path, test) => Filter::Test(path.clone(), test.clone()),
            Filter::SemiJoin(path, negated, plan, field) => {
                let values = plan.column(org, *field);
                Filter::Test(path.clone(), members(values, *negated))
            }
        }
    }
}

impl Test {
    /// Whether a value passes.
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Test::Compare(op, wanted) => compares(*op, value, wanted),
            Test::Span(op, from, until) => in_span(*op, value, from, until),
            Test::Like(pattern) => value.as_text().is_some_and(|text| pattern.matches(text)),
            Test::Among(keys, _, has_null, negated) => {
                let among = if value.is_null() {
                    *has_null
                } else {
                    member_key(value).is_some_and(|key| keys.contains(&key))
                };
                among != *negated
            }
            Test::Includes(lists, negated) => {
                let chosen: Vec<String> = value
                    .as_text()
                    .map(|t| t.split(';').map(|p| p.trim().to_lowercase()).collect())
                    .unwrap_or_default();
                lists.iter().any(|list| list.iter().all(|v| chosen.contains(v))) != *negated
            }
        }
    }
}

fn compares(op: Op, value: &Value, wanted: &Value) -> bool {
    let order = value.order(wanted);
    let comparable = !value.is_null() && !wanted.is_null();
    match op {
        Op::Eq => order == Ordering::Equal,
        Op::Ne => order != Ordering::Equal,
        Op::Lt => comparable && order == Ordering::Less,
        Op::Le => comparable && order != Ordering::Greater,
        Op::Gt => comparable && order == Ordering::Greater,
        Op::Ge => comparable && order != Ordering::Less,
        _ => false,
    }
}

fn in_span(op: Op, value: &Value, from: &Value, until: &Value) -> bool {
    if value.is_null() {
        return op == Op::Ne;
    }
    let before = value.order(from) == Ordering::Less;
    let after = value.order(until) != Ordering::Less;
    match op {
        Op::Eq => !before && !after,
        Op::Ne => before || after,
        Op::Lt => before,
        Op::Le => !after,
        Op::Gt => after,
        Op::Ge => !before,
        _ => false,
    }
}
