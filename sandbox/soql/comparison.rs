//! Tests of one value.

use super::ast::Op;
use super::like::Pattern;
use crate::org::Value;
use std::cmp::Ordering;

/// A test of one value.
#[derive(Debug, Clone)]
pub enum Test {
    /// Comparison with one value; the flag says that the case of letters counts.
    Compare(Op, Value, bool),
    /// Comparison with a span of days or instants: from, and until (not included).
    Span(Op, Value, Value),
    /// LIKE.
    Like(Pattern),
    /// IN.
    Among(Among),
    /// INCLUDES: every inner list must be contained; the flag negates.
    Includes(Vec<Vec<String>>, bool),
}

/// A list to be found in.
#[derive(Debug, Clone)]
pub struct Among {
    /// Values, sorted, without doubles and null.
    pub values: Vec<Value>,
    /// Spans of days or instants.
    pub spans: Vec<(Value, Value)>,
    /// Whether null is in the list.
    pub null: bool,
    /// NOT IN.
    pub negated: bool,
    /// Whether the case of letters counts.
    pub exact: bool,
}

impl Test {
    /// The test for membership.
    pub fn among(mut values: Vec<Value>, spans: Vec<(Value, Value)>, negated: bool, exact: bool) -> Test {
        let null = values.iter().any(Value::is_null);
        values.retain(|v| !v.is_null());
        values.sort_by(|a, b| order(a, b, exact));
        values.dedup_by(|a, b| order(a, b, exact) == Ordering::Equal);
        Test::Among(Among {
            values,
            spans,
            null,
            negated,
            exact,
        })
    }

    /// Whether a value passes.
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Test::Compare(op, wanted, exact) => compares(*op, value, wanted, *exact),
            Test::Span(op, from, until) => in_span(*op, value, from, until),
            Test::Like(pattern) => value.as_text().is_some_and(|text| pattern.matches(text)),
            Test::Among(among) => among.contains(value) != among.negated,
            Test::Includes(lists, negated) => includes(lists, value) != *negated,
        }
    }

    /// How much work it is, in comparisons.
    pub fn weight(&self) -> usize {
        match self {
            Test::Like(pattern) => 1 + pattern.weight() / 8,
            Test::Includes(lists, _) => 2 + lists.iter().map(Vec::len).sum::<usize>(),
            Test::Among(among) => 1 + among.spans.len(),
            Test::Compare(..) | Test::Span(..) => 1,
        }
    }
}

impl Among {
    fn contains(&self, value: &Value) -> bool {
        if value.is_null() {
            return self.null;
        }
        let listed = self
            .values
            .binary_search_by(|v| order(v, value, self.exact))
            .is_ok();
        listed
            || self
                .spans
                .iter()
                .any(|(from, until)| in_span(Op::Eq, value, from, until))
    }
}

fn includes(lists: &[Vec<String>], value: &Value) -> bool {
    let chosen: Vec<String> = value
        .as_text()
        .map(|t| t.split(';').map(|p| p.trim().to_lowercase()).collect())
        .unwrap_or_default();
    lists.iter().any(|list| list.iter().all(|v| chosen.contains(v)))
}

fn order(a: &Value, b: &Value, exact: bool) -> Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) if exact => a.cmp(b),
        _ => a.order(b),
    }
}

fn compares(op: Op, value: &Value, wanted: &Value, exact: bool) -> bool {
    let order = order(value, wanted, exact);
    let comparable = !value.is_null() && !wanted.is_null();
    match op {
        Op::Eq => order == Ordering::Equal,
        Op::Ne => order != Ordering::Equal,
        Op::Lt => comparable && order == Ordering::Less,
        Op::Le => comparable && order != Ordering::Greater,
        Op::Gt => comparable && order == Ordering::Greater,
        Op::Ge => comparable && order != Ordering::Less,
        Op::Like | Op::In | Op::NotIn | Op::Includes | Op::Excludes => false,
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
        Op::Like | Op::In | Op::NotIn | Op::Includes | Op::Excludes => false,
    }
}
