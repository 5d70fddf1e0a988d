//! Which rows a filter can possibly let through, found over indexes instead of a walk through the table.

use super::ast::Op;
use super::filter::{Filter, Test};
use super::path::{End, Path};
use crate::org::{Id, Org, Value};
use crate::schema::ID;
use std::collections::BTreeSet;

/// Ids of rows that may pass, in order and without doubles; none when no index helps.
pub fn candidates(org: &Org, object: usize, filter: &Filter) -> Option<Vec<Id>> {
    match filter {
        Filter::All(all) => all
            .iter()
            .filter_map(|f| candidates(org, object, f))
            .min_by_key(Vec::len),
        Filter::Any(all) => {
            let sets: Option<Vec<Vec<Id>>> = all.iter().map(|f| candidates(org, object, f)).collect();
            Some(
                sets?
                    .into_iter()
                    .flatten()
                    .collect::<BTreeSet<Id>>()
                    .into_iter()
                    .collect(),
            )
        }
        Filter::Test(path, test) => {
            let found: BTreeSet<Id> = by_test(org, object, path, test)?.into_iter().collect();
            Some(found.into_iter().collect())
        }
        Filter::Not(_) | Filter::SemiJoin(..) => None,
    }
}

fn by_test(org: &Org, object: usize, path: &Path, test: &Test) -> Option<Vec<Id>> {
    let End::Field(field) = path.end else { return None };
    let mut ids = at_end(org, path.object?, field, test)?;
    // From the parents that match back down to the rows that point to them.
    for depth in (0..path.hops.len()).rev() {
        let child = if depth == 0 {
            object
        } else {
            path.hops[depth - 1].1?
        };
        let table = org.table(child);
        let mut next = Vec::new();
        for id in ids {
            next.extend(table.find(path.hops[depth].0, &Value::Id(id))?);
        }
        ids = next;
    }
    Some(ids)
}

fn at_end(org: &Org, object: usize, field: usize, test: &Test) -> Option<Vec<Id>> {
    let table = org.table(object);
    let equal = |value: &Value| match value {
        Value::Null => None,
        Value::Id(id) if field == ID => Some(Vec::from([*id])),
        value => table.find(field, value),
    };
    match test {
        Test::Compare(Op::Eq, value) => equal(value),
        Test::Among(_, values, false, false) => {
            let lists: Option<Vec<Vec<Id>>> = values.iter().map(equal).collect();
            Some(lists?.into_iter().flatten().collect())
        }
        Test::Compare(Op::Gt | Op::Ge, Value::DateTime(at)) => {
            table.between(field, Some(at.as_second()), None)
        }
        Test::Compare(Op::Lt | Op::Le, Value::DateTime(at)) => {
            table.between(field, None, Some(at.as_second()))
        }
        Test::Span(Op::Eq, Value::DateTime(from), Value::DateTime(until)) => {
            table.between(field, Some(from.as_second()), Some(until.as_second()))
        }
        _ => None,
    }
}
