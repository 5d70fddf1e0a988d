//! Between which ids, and between which instants, all rows lie that a filter can let through.

use super::ast::Op;
use super::comparison::Test;
use super::filter::Filter;
use super::scalar::Scalar;
use crate::org::{Id, Value};
use crate::schema::object::SystemFields;

/// An instant in seconds and an id; rows are in the order of both.
type Point = (i64, Id);

const FIRST: Point = (i64::MIN, Id::MIN);
const LAST: Point = (i64::MAX, Id::MAX);

/// First and last id.
pub fn ids(filter: &Filter) -> (Id, Id) {
    let all = (Id::MIN, Id::MAX);
    match filter {
        Filter::All(inner) => inner
            .iter()
            .map(ids)
            .fold(all, |a, b| (a.0.max(b.0), a.1.min(b.1))),
        Filter::Any(inner) => {
            let spans = inner.iter().map(ids);
            spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or(all)
        }
        Filter::Test(Scalar::Field(path), test) if path.is_own_id() => match test {
            Test::Compare(Op::Eq, Value::Id(id), _) => (*id, *id),
            Test::Compare(Op::Gt | Op::Ge, Value::Id(id), _) => (*id, Id::MAX),
            Test::Compare(Op::Lt | Op::Le, Value::Id(id), _) => (Id::MIN, *id),
            _ => all,
        },
        Filter::Test(..) | Filter::Not(_) | Filter::SemiJoin(..) => all,
    }
}

/// First and last point, when rows are in the order of this field and then of their ids. So a query that continues
/// after the last row it saw, `Stamp > t OR (Stamp = t AND Id > x)`, begins exactly there.
pub fn instants(filter: &Filter, field: usize, system: SystemFields) -> (Point, Point) {
    match filter {
        Filter::All(inner) => {
            let spans = inner.iter().map(|f| instants(f, field, system));
            let (low, high) = spans.fold((FIRST, LAST), |a, b| (a.0.max(b.0), a.1.min(b.1)));
            if low.0 != high.0 {
                return (low, high);
            }
            let (first, last) = ids(filter);
            (low.max((low.0, first)), high.min((high.0, last)))
        }
        Filter::Any(inner) => {
            let spans = inner.iter().map(|f| instants(f, field, system));
            spans
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
                .unwrap_or((FIRST, LAST))
        }
        Filter::Test(Scalar::Field(path), test) => match path.own_field() {
            Some(at) if at == field => tested(test),
            // A record is never stamped before it was modified.
            Some(at) if field == system.stamp && at == system.modified => (tested(test).0, LAST),
            _ => (FIRST, LAST),
        },
        Filter::Test(..) | Filter::Not(_) | Filter::SemiJoin(..) => (FIRST, LAST),
    }
}

/// The span that a test of an instant lets through; rows are whole seconds, so a cut second is never too narrow.
fn tested(test: &Test) -> (Point, Point) {
    let second = |value: &Value| value.as_instant().map(|at| at.as_second());
    let span = |low: Option<Point>, high: Option<Point>| (low.unwrap_or(FIRST), high.unwrap_or(LAST));
    let from = |value: &Value| second(value).map(|s| (s, Id::MIN));
    let to = |value: &Value| second(value).map(|s| (s, Id::MAX));
    match test {
        Test::Compare(Op::Eq, value, _) => span(from(value), to(value)),
        Test::Compare(Op::Gt, value, _) => span(to(value).filter(|_| is_whole(value)).or(from(value)), None),
        Test::Compare(Op::Ge, value, _) => span(from(value), None),
        Test::Compare(Op::Lt | Op::Le, value, _) => span(None, to(value)),
        Test::Span(Op::Eq, low, high) => span(from(low), to(high)),
        Test::Span(Op::Gt, _, high) => span(from(high), None),
        Test::Span(Op::Ge, low, _) => span(from(low), None),
        Test::Span(Op::Lt, low, _) => span(None, to(low)),
        Test::Span(Op::Le, _, high) => span(None, to(high)),
        Test::Among(among) if !among.negated && !among.null && among.spans.is_empty() => {
            match (among.values.first(), among.values.last()) {
                (Some(low), Some(high)) => span(from(low), to(high)),
                _ => (FIRST, LAST),
            }
        }
        Test::Compare(..) | Test::Span(..) | Test::Like(_) | Test::Among(_) | Test::Includes(..) => {
            (FIRST, LAST)
        }
    }
}

/// Only after a whole second can the rows of that second be passed over.
fn is_whole(value: &Value) -> bool {
    value.as_instant().is_some_and(|at| at.subsec_nanosecond() == 0)
}
