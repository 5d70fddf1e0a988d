//! ORDER BY.

use super::ast::Order;
use super::path::Scope;
use super::scalar::Scalar;
use crate::org::{Org, Row, Value};
use crate::schema::{Field, Kind};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

/// One entry of ORDER BY.
#[derive(Debug, Clone)]
pub struct Sort {
    /// What to sort by.
    pub scalar: Scalar,
    /// Descending.
    pub descending: bool,
    /// Nulls at the end.
    pub nulls_last: bool,
    ranks: Ranks,
}

/// Order of a picklist's values; empty for everything else.
pub type Ranks = Arc<Vec<String>>;

/// Picklists sort as they are set up, not by their letters (SOQL and SOSL Reference, ORDER BY).
pub fn ranks(field: Option<&Field>) -> Ranks {
    let picklist = field.filter(|f| f.kind == Kind::Picklist);
    let values = picklist.map(|f| f.values.iter().map(|v| v.value.clone()).collect());
    Arc::new(values.unwrap_or_default())
}

/// The order of two values, picklists by rank and unlisted values after the listed ones.
pub fn ranked(a: &Value, b: &Value, ranks: &[String]) -> Ordering {
    let rank = |value: &Value| {
        let text = value.as_text()?;
        Some(
            ranks
                .iter()
                .position(|r| r.eq_ignore_ascii_case(text))
                .unwrap_or(ranks.len()),
        )
    };
    if ranks.is_empty() {
        return a.order(b);
    }
    rank(a).cmp(&rank(b)).then_with(|| a.order(b))
}

impl Sort {
    /// Prepares an entry. NULLS LAST has no effect on references (SOQL and SOSL Reference, ORDER BY).
    pub fn new(scope: &Scope<'_>, scalar: Scalar, order: &Order) -> Sort {
        let reference = scalar.kind(scope) == Kind::Reference;
        Sort {
            ranks: ranks(scope.field(scalar.path())),
            scalar,
            descending: order.descending,
            nulls_last: order.nulls_last && !reference,
        }
    }

    /// Whether it sorts by a field as it is.
    pub fn is_field(&self) -> bool {
        matches!(self.scalar, Scalar::Field(_))
    }

    /// Order of two values under this entry.
    pub fn order(&self, a: &Value, b: &Value) -> Ordering {
        directed(a, b, self.descending, self.nulls_last, &self.ranks)
    }
}

/// Order of two values; nulls come first unless asked otherwise, whatever the direction.
pub fn directed(a: &Value, b: &Value, descending: bool, nulls_last: bool, ranks: &[String]) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if nulls_last => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, true) if nulls_last => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) if descending => ranked(b, a, ranks),
        (false, false) => ranked(a, b, ranks),
    }
}

/// Sorts rows and keeps those from `offset`, at most `limit`; ties follow their ids, in the direction of the last entry,
/// as in a walk through an index. The keys of all rows lie in one piece of memory, and no more rows are sorted than kept.
pub fn sorted<'o>(
    org: &'o Org,
    sorts: &[Sort],
    rows: Vec<(crate::org::Id, &'o Row)>,
    offset: usize,
    limit: usize,
) -> Vec<crate::org::Id> {
    let width = sorts.len();
    let backwards = sorts.last().is_some_and(|s| s.descending);
    let keys: Vec<Cow<'o, Value>> = rows
        .iter()
        .flat_map(|(_, row)| sorts.iter().map(|sort| sort.scalar.value(org, row)))
        .collect();
    let compare = |a: &usize, b: &usize| {
        let (x, y) = (&keys[a * width..][..width], &keys[b * width..][..width]);
        let each = sorts
            .iter()
            .zip(x.iter().zip(y))
            .map(|(sort, (x, y))| sort.order(x, y));
        each.fold(Ordering::Equal, Ordering::then).then_with(|| {
            let ids = rows[*a].0.cmp(&rows[*b].0);
            if backwards { ids.reverse() } else { ids }
        })
    };
    let mut places: Vec<usize> = (0..rows.len()).collect();
    let kept = offset.saturating_add(limit);
    if kept == 0 {
        return Vec::new();
    }
    if kept < places.len() {
        places.select_nth_unstable_by(kept - 1, compare);
        places.truncate(kept);
    }
    places.sort_unstable_by(compare);
    places.into_iter().skip(offset).map(|at| rows[at].0).collect()
}
