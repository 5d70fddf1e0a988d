//! How a plan gets at its rows: over an index where that spares looking at rows, in the order asked for where that
//! spares sorting them.

use super::candidates::candidates;
use super::filter::Filter;
use super::plan::Plan;
use super::window::{ids, instants};
use crate::org::{Id, Org, Row, Table};
use crate::schema::{ID, Kind};

/// Rows beyond those asked for that may be looked at to spare a walk in order.
const SPARE: usize = 1_000;

/// A way to the rows.
#[derive(Debug)]
pub enum Access {
    /// Rows by id.
    Ids {
        /// First and last.
        range: (Id, Id),
        /// Whether from the last to the first.
        reverse: bool,
        /// Whether this is the order asked for.
        in_order: bool,
    },
    /// Rows by an indexed instant, then by id; in the order asked for.
    Instants {
        /// Field.
        field: usize,
        /// First and last.
        range: ((i64, Id), (i64, Id)),
        /// Whether from the last to the first.
        reverse: bool,
    },
    /// These rows, in the order of their ids.
    Listed {
        /// Their ids.
        ids: Vec<Id>,
        /// Whether this is the order asked for.
        in_order: bool,
    },
}

/// The way to the rows in the order of the plan, or in any order if none spares sorting.
pub fn choose(org: &Org, plan: &Plan, filter: Option<&Filter>) -> Access {
    let size = org.table(plan.object).size();
    let walk = in_order(org, plan, filter);
    let worth = match (&walk, plan.limit) {
        (Some(_), Some(limit)) => limit
            .saturating_add(plan.offset)
            .saturating_mul(4)
            .saturating_add(SPARE),
        _ => size / 2 + 1,
    };
    let listed = filter.and_then(|f| candidates(org, plan.object, f, worth.min(size)));
    match (listed, walk) {
        (Some(ids), _) => Access::Listed {
            ids,
            in_order: plan.order.is_empty(),
        },
        (None, Some(walk)) => walk,
        (None, None) => by_id(filter, false, plan.order.is_empty()),
    }
}

/// The way to the rows when their order does not matter.
pub fn choose_any(org: &Org, plan: &Plan, filter: Option<&Filter>) -> Access {
    let worth = org.table(plan.object).size() / 2 + 1;
    match filter.and_then(|f| candidates(org, plan.object, f, worth)) {
        Some(ids) => Access::Listed { ids, in_order: false },
        None => by_id(filter, false, false),
    }
}

fn by_id(filter: Option<&Filter>, reverse: bool, in_order: bool) -> Access {
    let range = filter.map_or((Id::MIN, Id::MAX), ids);
    Access::Ids {
        range,
        reverse,
        in_order,
    }
}

/// A walk in the order asked for, if the table can give one.
fn in_order(org: &Org, plan: &Plan, filter: Option<&Filter>) -> Option<Access> {
    let own = |at: usize| {
        plan.order
            .get(at)
            .and_then(|s| s.scalar.path().own_field().filter(|_| s.is_field()))
    };
    let (first, reverse) = (own(0)?, plan.order.first()?.descending);
    if first == ID {
        return Some(by_id(filter, reverse, true));
    }
    let table = org.table(plan.object);
    let then_by_id = own(1) == Some(ID) && plan.order[1].descending == reverse;
    let schema = org.schema();
    let object = schema.at(plan.object);
    let is_instant = object.fields[first].kind == Kind::DateTime;
    if !is_instant || !table.all_indexed(first) || plan.order.len() > 1 && !then_by_id {
        return None;
    }
    let unbounded = ((i64::MIN, Id::MIN), (i64::MAX, Id::MAX));
    Some(Access::Instants {
        field: first,
        range: filter.map_or(unbounded, |f| instants(f, first, object.system)),
        reverse,
    })
}

impl Access {
    /// Whether the rows come in the order asked for.
    pub fn in_order(&self) -> bool {
        match self {
            Access::Ids { in_order, .. } | Access::Listed { in_order, .. } => *in_order,
            Access::Instants { .. } => true,
        }
    }

    /// Most rows that the walk can look at.
    pub fn most_rows(&self, table: &Table) -> usize {
        match self {
            Access::Ids { .. } | Access::Instants { .. } => table.size(),
            Access::Listed { ids, .. } => ids.len(),
        }
    }

    /// The rows.
    pub fn walk<'o, 'a>(&'a self, org: &'o Org, object: usize) -> Box<dyn Iterator<Item = (Id, &'o Row)> + 'a>
    where
        'o: 'a,
    {
        let table = org.table(object);
        let with_row = |id: Id| table.row(id).map(|row| (id, row));
        match self {
            Access::Ids { range, reverse, .. } => {
                let rows = table.rows_between(range.0..=range.1);
                if *reverse {
                    Box::new(rows.rev())
                } else {
                    Box::new(rows)
                }
            }
            Access::Instants {
                field,
                range,
                reverse,
            } => {
                let ids = table.instants(*field, range.0, range.1).into_iter().flatten();
                if *reverse {
                    Box::new(ids.rev().filter_map(with_row))
                } else {
                    Box::new(ids.filter_map(with_row))
                }
            }
            Access::Listed { ids, .. } => Box::new(ids.iter().copied().filter_map(with_row)),
        }
    }
}
