//! A query with every name looked up, ready to run again and again.

use super::aggregate::{self, Aggregation};
use super::ast::{Item, Name, Operand, Query};
use super::fault::{malformed, no_column, no_object, pointing};
use super::filter::{self, Filter};
use super::output::{self, Node};
use super::path::{Path, Scope};
use super::{Prepared, candidates};
use crate::org::{ApiError, Id, Org, Row, Value};
use crate::schema::{Kind, Schema};
use jiff::Timestamp;
use std::cmp::Ordering;

/// Greatest OFFSET (SOQL and SOSL Reference, OFFSET).
const OFFSET_LIMIT: usize = 2_000;
/// Most rows with `FIELDS(ALL)` and `FIELDS(CUSTOM)` (SOQL and SOSL Reference, FIELDS()).
const FIELDS_LIMIT: usize = 200;

/// One entry of ORDER BY.
#[derive(Debug, Clone)]
pub struct Sort {
    /// What to sort by.
    pub path: Path,
    /// Descending.
    pub descending: bool,
    /// Nulls at the end.
    pub nulls_last: bool,
}

/// What a query answers with.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Records.
    Records(Vec<Node>),
    /// Only their number: `COUNT()`.
    Count,
    /// Groups.
    Groups(Box<Aggregation>),
}

/// A query ready to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Object of FROM.
    pub object: usize,
    /// What it answers with.
    pub shape: Shape,
    /// WHERE.
    pub filter: Option<Filter>,
    /// ORDER BY.
    pub order: Vec<Sort>,
    /// LIMIT.
    pub limit: Option<usize>,
    /// OFFSET.
    pub offset: usize,
    /// Whether deleted rows count.
    pub all: bool,
}

/// Prepares a whole query.
pub fn prepare(schema: &Schema, text: &str, query: &Query, now: Timestamp, all: bool) -> Prepared {
    let object = schema.position(&query.from.text);
    let object = object.ok_or_else(|| no_object(text, query.from.at, &query.from.text))?;
    let mut plan = prepare_on(schema, text, query, object, now)?;
    plan.set_all(all);
    Ok(plan)
}

/// Prepares a query whose object is known: the outermost one or a list of children.
pub fn prepare_on(schema: &Schema, text: &str, query: &Query, object: usize, now: Timestamp) -> Prepared {
    let scope = Scope {
        query: text,
        schema,
        object,
        alias: query.alias.as_deref(),
    };
    if query.offset > OFFSET_LIMIT {
        let message = format!("Maximum SOQL offset allowed is {OFFSET_LIMIT}");
        return Err(ApiError::bad("NUMBER_OUTSIDE_VALID_RANGE", message));
    }
    check_fields_function(query)?;
    let shape = shape(&scope, query, now)?;
    let grouped = matches!(shape, Shape::Groups(_));
    let filter = query
        .filter
        .as_ref()
        .map(|c| filter::compile(&scope, c, now))
        .transpose()?;
    // Groups sort by their own columns.
    let order = if grouped {
        Vec::new()
    } else {
        sorts(&scope, query)?
    };
    Ok(Plan {
        object,
        shape,
        filter,
        order,
        limit: query.limit,
        offset: query.offset,
        all: false,
    })
}

fn check_fields_function(query: &Query) -> Result<(), ApiError> {
    let unbounded = |item: &Item| matches!(item, Item::Fields(n) if !n.text.eq_ignore_ascii_case("STANDARD"));
    if query.select.iter().any(unbounded) && query.limit.is_none_or(|l| l > FIELDS_LIMIT) {
        return Err(malformed(format!(
            "The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}"
        )));
    }
    Ok(())
}

fn shape(scope: &Scope<'_>, query: &Query, now: Timestamp) -> Result<Shape, ApiError> {
    if let [Item::Call(call, None)] = query.select.as_slice()
        && call.function.text.eq_ignore_ascii_case("COUNT")
        && call.argument.is_none()
        && query.group.is_empty()
    {
        return Ok(Shape::Count);
    }
    if aggregate::is_grouped(query) {
        return aggregate::prepare(scope, query).map(|a| Shape::Groups(Box::new(a)));
    }
    output::nodes(scope, &query.select, now).map(Shape::Records)
}

fn sorts(scope: &Scope<'_>, query: &Query) -> Result<Vec<Sort>, ApiError> {
    let sort = |order: &super::ast::Order| match &order.by {
        Operand::Field(name) => {
            let path = scope.path(name)?;
            filter::check_filterable(scope, &path, name.at)?;
            Ok(Sort {
                path,
                descending: order.descending,
                nulls_last: order.nulls_last,
            })
        }
        Operand::Call(call) => {
            let reason = "functions can only be sorted by in grouped queries";
            Err(pointing(scope.query, call.function.at, "MALFORMED_QUERY", reason))
        }
    };
    query.order.iter().map(sort).collect()
}

/// The inner query of a semi-join with the field it selects.
pub fn semi_join(scope: &Scope<'_>, query: &Query, now: Timestamp) -> Result<(Plan, usize), ApiError> {
    let [Item::Field(Name { text, at }, None)] = query.select.as_slice() else {
        return Err(malformed("a semi join selects exactly one field"));
    };
    if query.limit.is_some() || query.offset > 0 || !query.order.is_empty() {
        return Err(malformed("a semi join has neither ORDER BY nor LIMIT"));
    }
    let plan = prepare(scope.schema, scope.query, query, now, false)?;
    let object = scope.schema.at(plan.object);
    let field = object
        .position(text)
        .ok_or_else(|| no_column(scope.query, *at, text, &object.name))?;
    if !matches!(object.fields[field].kind, Kind::Id | Kind::Reference) {
        return Err(malformed(format!(
            "Entity '{}' field '{text}' in a semi join is no id",
            object.name
        )));
    }
    Ok((plan, field))
}

impl Plan {
    fn set_all(&mut self, all: bool) {
        self.all = all;
        if let Shape::Records(nodes) = &mut self.shape {
            nodes.iter_mut().for_each(|node| node.set_all(all));
        }
    }

    /// Ids of the rows in order, OFFSET and LIMIT applied.
    pub fn ids(&self, org: &Org) -> Vec<Id> {
        self.page(org, self.matching(org))
    }

    /// Ids of the children of one parent in order.
    pub fn child_ids(&self, org: &Org, reference: usize, parent: Id) -> Vec<Id> {
        let filter = self.filter.as_ref().map(|f| f.resolved(org));
        let table = org.table(self.object);
        let of_parent = table.find(reference, &Value::Id(parent)).unwrap_or_default();
        let rows = of_parent
            .into_iter()
            .filter_map(|id| table.row(id).map(|row| (id, row)));
        self.page(org, self.passing(org, rows, filter.as_ref()))
    }

    /// Number of rows, OFFSET and LIMIT applied.
    pub fn count(&self, org: &Org) -> usize {
        let all = match self.filter {
            None if !self.all => org.table(self.object).count(),
            _ => self.matching(org).len(),
        };
        all.saturating_sub(self.offset)
            .min(self.limit.unwrap_or(usize::MAX))
    }

    /// Values of one field of all rows; for semi-joins.
    pub fn column(&self, org: &Org, field: usize) -> Vec<Value> {
        let table = org.table(self.object);
        let value = |id: Id| table.row(id).map(|row| row.values[field].clone());
        self.matching(org)
            .into_iter()
            .filter_map(value)
            .filter(|v| !v.is_null())
            .collect()
    }

    /// Ids of the rows that pass the filter, unsorted.
    pub fn matching(&self, org: &Org) -> Vec<Id> {
        let table = org.table(self.object);
        let filter = self.filter.as_ref().map(|f| f.resolved(org));
        match filter
            .as_ref()
            .and_then(|f| candidates::candidates(org, self.object, f))
        {
            Some(ids) => {
                let rows = ids
                    .into_iter()
                    .filter_map(|id| table.row(id).map(|row| (id, row)));
                self.passing(org, rows, filter.as_ref())
            }
            None => self.passing(org, table.rows(), filter.as_ref()),
        }
    }

    fn passing<'o>(
        &self,
        org: &'o Org,
        rows: impl Iterator<Item = (Id, &'o Row)>,
        filter: Option<&Filter>,
    ) -> Vec<Id> {
        let traces = Org::leaves_trace(org.schema().at(self.object));
        let visible = |row: &Row| !row.deleted || self.all && traces;
        rows.filter(|(_, row)| visible(row) && filter.is_none_or(|f| f.passes(org, row)))
            .map(|(id, _)| id)
            .collect()
    }

    fn page(&self, org: &Org, ids: Vec<Id>) -> Vec<Id> {
        let sorted = if self.order.is_empty() {
            ids
        } else {
            self.sorted(org, ids)
        };
        sorted
            .into_iter()
            .skip(self.offset)
            .take(self.limit.unwrap_or(usize::MAX))
            .collect()
    }

    fn sorted(&self, org: &Org, ids: Vec<Id>) -> Vec<Id> {
        let table = org.table(self.object);
        let keys = |id: Id| {
            let row = table.row(id)?;
            Some((
                self.order
                    .iter()
                    .map(|s| s.path.value(org, row))
                    .collect::<Vec<_>>(),
                id,
            ))
        };
        let mut rows: Vec<(Vec<Value>, Id)> = ids.into_iter().filter_map(keys).collect();
        rows.sort_by(|(a, x), (b, y)| self.order_of(a, b).then(x.cmp(y)));
        rows.into_iter().map(|(_, id)| id).collect()
    }

    fn order_of(&self, a: &[Value], b: &[Value]) -> Ordering {
        let each = self
            .order
            .iter()
            .zip(a.iter().zip(b))
            .map(|(sort, (a, b))| ordered(sort, a, b));
        each.into_iter()
            .find(|o| *o != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }
}

/// Order of two values under one ORDER BY entry; nulls come first unless asked otherwise, whatever the direction.
pub fn ordered(sort: &Sort, a: &Value, b: &Value) -> Ordering {
    directed(a, b, sort.descending, sort.nulls_last)
}

/// See [`ordered`].
pub fn directed(a: &Value, b: &Value, descending: bool, nulls_last: bool) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if nulls_last => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, true) if nulls_last => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) if descending => b.order(a),
        (false, false) => a.order(b),
    }
}
