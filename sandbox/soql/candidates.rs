//! Which rows a filter can possibly let through, found over indexes instead of a walk through the table.

use super::ast::Op;
use super::comparison::Test;
use super::filter::Filter;
use super::path::{End, Path};
use super::scalar::Scalar;
use super::window::instants;
use crate::org::{Id, Org, Value};
use crate::schema::ID;

/// Ids of rows that may pass, in order and without doubles; none when no index helps or more than `most` come together.
pub fn candidates(org: &Org, object: usize, filter: &Filter, most: usize) -> Option<Vec<Id>> {
    let mut found = unsorted(org, object, filter, most)?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn unsorted(org: &Org, object: usize, filter: &Filter, most: usize) -> Option<Vec<Id>> {
    match filter {
        Filter::All(all) => {
            let mut best: Option<Vec<Id>> = None;
            for inner in all {
                let most = best.as_ref().map_or(most, |b| b.len().min(most));
                // What is found is never longer than what was found before.
                best = unsorted(org, object, inner, most).or(best);
            }
            best
        }
        Filter::Any(all) => {
            let mut together = Vec::new();
            for inner in all {
                together.extend(unsorted(org, object, inner, most - together.len().min(most))?);
            }
            (together.len() <= most).then_some(together)
        }
        Filter::Test(Scalar::Field(path), test) => by_test(org, object, path, test, most),
        Filter::Test(..) | Filter::Not(_) | Filter::SemiJoin(..) => None,
    }
}

fn by_test(org: &Org, object: usize, path: &Path, test: &Test, most: usize) -> Option<Vec<Id>> {
    let End::Field(field) = path.end else { return None };
    let mut ids = at_end(org, path.object?, field, test, most)?;
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
            let room = (most + 1).saturating_sub(next.len());
            next.extend(table.equal(path.hops[depth].0, &Value::Id(id))?.take(room));
            if next.len() > most {
                return None;
            }
        }
        ids = next;
    }
    Some(ids)
}

fn at_end(org: &Org, object: usize, field: usize, test: &Test, most: usize) -> Option<Vec<Id>> {
    let table = org.table(object);
    let up_to = |ids: &mut dyn Iterator<Item = Id>| {
        let found: Vec<Id> = ids.take(most + 1).collect();
        (found.len() <= most).then_some(found)
    };
    let equal = |value: &Value| match value {
        Value::Null => None,
        Value::Id(id) if field == ID => Some(Vec::from([*id])),
        value => up_to(&mut table.equal(field, value)?),
    };
    match test {
        Test::Compare(Op::Eq, value, _) => equal(value),
        Test::Among(among) if !among.negated && !among.null && among.spans.is_empty() => {
            let mut together = Vec::new();
            for value in &among.values {
                together.extend(equal(value)?);
                if together.len() > most {
                    return None;
                }
            }
            Some(together)
        }
        Test::Compare(Op::Gt | Op::Ge | Op::Lt | Op::Le, Value::DateTime(_), _)
        | Test::Span(Op::Eq | Op::Gt | Op::Ge | Op::Lt | Op::Le, Value::DateTime(_), _) => {
            let system = org.schema().at(object).system;
            let indexed = if field == system.modified {
                system.stamp
            } else {
                field
            };
            let this = Filter::Test(Scalar::Field(Path::own(object, field)), test.clone());
            let (low, high) = instants(&this, indexed, system);
            up_to(&mut table.instants(indexed, low, high)?)
        }
        Test::Compare(..) | Test::Span(..) | Test::Like(_) | Test::Among(_) | Test::Includes(..) => None,
    }
}
