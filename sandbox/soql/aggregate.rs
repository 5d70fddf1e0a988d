//! Grouped queries: COUNT, SUM, AVG, MIN, MAX, GROUP BY and HAVING.

use super::ast::{Call, Condition, Item, Name, Op, Operand, Query};
use super::fault::{malformed, pointing};
use super::filter::{Test, value as literal_value};
use super::path::{Path, Scope};
use super::plan::{Plan, directed};
use crate::org::{ApiError, Org, Row, Value};
use crate::schema::Kind;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Most groups one answer may hold; grouped queries cannot page.
pub const GROUP_LIMIT: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Function {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

/// A value computed per group.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    /// The n-th grouped field.
    Group(usize),
    /// A function over a field, or over rows.
    Call(Function, Option<Path>),
}

#[derive(Debug, Clone)]
enum Having {
    All(Vec<Having>),
    Any(Vec<Having>),
    Not(Box<Having>),
    Test(Column, Test),
}

/// A grouped query.
#[derive(Debug, Clone)]
pub struct Aggregation {
    group: Vec<Path>,
    columns: Vec<(String, Column, Kind)>,
    having: Option<Having>,
    order: Vec<(Column, bool, bool)>,
}

/// Whether a query groups: it says so, or it selects an aggregate.
pub fn is_grouped(query: &Query) -> bool {
    let aggregates = |item: &Item| matches!(item, Item::Call(call, _) if function(call).is_some());
    !query.group.is_empty() || query.select.iter().any(aggregates)
}

fn function(call: &Call) -> Option<Function> {
    match call.function.text.to_ascii_uppercase().as_str() {
        "COUNT" => Some(Function::Count),
        "COUNT_DISTINCT" => Some(Function::CountDistinct),
        "SUM" => Some(Function::Sum),
        "AVG" => Some(Function::Avg),
        "MIN" => Some(Function::Min),
        "MAX" => Some(Function::Max),
        _ => None,
    }
}

/// Prepares a grouped query.
pub fn prepare(scope: &Scope<'_>, query: &Query) -> Result<Aggregation, ApiError> {
    let group: Vec<Path> = query
        .group
        .iter()
        .map(|n| scope.path(n))
        .collect::<Result<_, _>>()?;
    let mut unnamed = 0;
    let mut columns = Vec::new();
    for item in &query.select {
        let (column, alias) = match item {
            Item::Field(name, alias) => (grouped(scope, &group, name)?, alias.as_ref()),
            Item::Call(call, alias) => (called(scope, call)?, alias.as_ref()),
            _ => return Err(malformed("grouped queries select fields and functions only")),
        };
        let kind = kind_of(scope, &group, &column);
        columns.push((
            column_name(item, alias, &mut unnamed, scope, &column, &group),
            column,
            kind,
        ));
    }
    let having = query
        .having
        .as_ref()
        .map(|c| having(scope, &group, c))
        .transpose()?;
    let order = query
        .order
        .iter()
        .map(|o| Ok((operand(scope, &group, &o.by)?, o.descending, o.nulls_last)))
        .collect::<Result<_, ApiError>>()?;
    Ok(Aggregation {
        group,
        columns,
        having,
        order,
    })
}

fn column_name(
    item: &Item,
    alias: Option<&Name>,
    unnamed: &mut usize,
    scope: &Scope<'_>,
    column: &Column,
    group: &[Path],
) -> String {
    match (alias, item, column) {
        (Some(alias), ..) => alias.text.clone(),
        (None, Item::Field(..), Column::Group(n)) => match (&group[*n].end, group[*n].object) {
            (super::path::End::Field(at), Some(object)) => scope.schema.at(object).fields[*at].name.clone(),
            (super::path::End::Named(name), _) => name.clone(),
            _ => String::new(),
        },
        _ => {
            *unnamed += 1;
            format!("expr{}", *unnamed - 1)
        }
    }
}

fn grouped(scope: &Scope<'_>, group: &[Path], name: &Name) -> Result<Column, ApiError> {
    let path = scope.path(name)?;
    group
        .iter()
        .position(|g| *g == path)
        .map(Column::Group)
        .ok_or_else(|| {
            let reason = format!("Field must be grouped or aggregated: {}", name.text);
            pointing(scope.query, name.at, "MALFORMED_QUERY", &reason)
        })
}

fn called(scope: &Scope<'_>, call: &Call) -> Result<Column, ApiError> {
    let refuse = |reason: String| pointing(scope.query, call.function.at, "MALFORMED_QUERY", &reason);
    let function =
        function(call).ok_or_else(|| refuse(format!("unexpected function: {}", call.function.text)))?;
    let path = call.argument.as_ref().map(|name| scope.path(name)).transpose()?;
    match (&path, function) {
        (None, Function::Count) => {}
        (None, _) => return Err(refuse(format!("{} needs a field", call.function.text))),
        (Some(path), Function::Sum | Function::Avg) if !path.kind(scope.schema).is_number() => {
            return Err(refuse(format!(
                "field does not support aggregate operator {}",
                call.function.text
            )));
        }
        _ => {}
    }
    Ok(Column::Call(function, path))
}

fn operand(scope: &Scope<'_>, group: &[Path], operand: &Operand) -> Result<Column, ApiError> {
    match operand {
        Operand::Field(name) => grouped(scope, group, name),
        Operand::Call(call) => called(scope, call),
    }
}

fn kind_of(scope: &Scope<'_>, group: &[Path], column: &Column) -> Kind {
    match column {
        Column::Group(n) => group[*n].kind(scope.schema),
        Column::Call(Function::Count | Function::CountDistinct, _) => Kind::Int,
        Column::Call(Function::Avg, _) => Kind::Double,
        Column::Call(_, path) => path.as_ref().map_or(Kind::Double, |p| p.kind(scope.schema)),
    }
}

fn having(scope: &Scope<'_>, group: &[Path], condition: &Condition) -> Result<Having, ApiError> {
    let each = |all: &[Condition]| {
        all.iter()
            .map(|c| having(scope, group, c))
            .collect::<Result<Vec<_>, _>>()
    };
    match condition {
        Condition::And(all) => each(all).map(Having::All),
        Condition::Or(all) => each(all).map(Having::Any),
        Condition::Not(inner) => having(scope, group, inner).map(|h| Having::Not(Box::new(h))),
        Condition::Compare(left, op, literals) => {
            let column = operand(scope, group, left)?;
            let kind = kind_of(scope, group, &column);
            let values: Vec<Value> = literals
                .iter()
                .map(|l| literal_value("expr", kind, l))
                .collect::<Result<_, _>>()?;
            let test = match op {
                Op::In | Op::NotIn => super::filter::members(values, *op == Op::NotIn),
                _ => Test::Compare(*op, values.into_iter().next().unwrap_or(Value::Null)),
            };
            Ok(Having::Test(column, test))
        }
        Condition::SemiJoin(..) => Err(malformed("HAVING cannot hold a sub-query")),
    }
}

/// Sortable form of a grouped value; text groups without case.
fn group_key(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => format!("t{}", text.to_lowercase()),
        Value::Number(number) => format!("n{}", number.normalize()),
        other => format!("v{}", other.to_json(Kind::String)),
    }
}

impl Aggregation {
    /// The columns in the form of `columns=true`.
    pub fn columns(&self) -> Vec<Json> {
        self.columns
            .iter()
            .map(|(name, ..)| super::output::column_json(name, None, Vec::new()))
            .collect()
    }

    /// The answer's rows.
    ///
    /// # Errors
    /// EXCEEDED_ID_LIMIT when there are more groups than one answer holds.
    pub fn run(&self, org: &Org, plan: &Plan) -> Result<Vec<Json>, ApiError> {
        let mut groups: BTreeMap<Vec<String>, Vec<&Row>> = BTreeMap::new();
        let table = org.table(plan.object);
        for row in plan.matching(org).into_iter().filter_map(|id| table.row(id)) {
            let key = self.group.iter().map(|p| group_key(&p.value(org, row))).collect();
            groups.entry(key).or_default().push(row);
        }
        if self.group.is_empty() && groups.is_empty() {
            groups.insert(Vec::new(), Vec::new());
        }
        let mut kept: Vec<&Vec<&Row>> = groups
            .values()
            .filter(|rows| self.having.as_ref().is_none_or(|h| self.holds(org, h, rows)))
            .collect();
        kept.sort_by(|a, b| self.compare(org, a, b));
        let limit = plan.limit.unwrap_or(usize::MAX);
        let page: Vec<_> = kept.into_iter().skip(plan.offset).take(limit).collect();
        if page.len() > GROUP_LIMIT {
            let message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
            return Err(ApiError::bad("EXCEEDED_ID_LIMIT", message));
        }
        Ok(page.into_iter().map(|rows| self.shown(org, rows)).collect())
    }

    fn shown(&self, org: &Org, rows: &[&Row]) -> Json {
        let mut out = Map::new();
        out.insert("attributes".into(), json!({"type": "AggregateResult"}));
        for (name, column, kind) in &self.columns {
            out.insert(name.clone(), self.column(org, column, rows).to_json(*kind));
        }
        Json::Object(out)
    }

    fn column(&self, org: &Org, column: &Column, rows: &[&Row]) -> Value {
        match column {
            Column::Group(n) => rows
                .first()
                .map_or(Value::Null, |row| self.group[*n].value(org, row)),
            Column::Call(_, None) => Value::Number(Decimal::from(rows.len())),
            Column::Call(function, Some(path)) => {
                let values = rows
                    .iter()
                    .map(|row| path.value(org, row))
                    .filter(|v| !v.is_null());
                computed(*function, values.collect())
            }
        }
    }

    fn holds(&self, org: &Org, having: &Having, rows: &[&Row]) -> bool {
        match having {
            Having::All(all) => all.iter().all(|h| self.holds(org, h, rows)),
            Having::Any(all) => all.iter().any(|h| self.holds(org, h, rows)),
            Having::Not(inner) => !self.holds(org, inner, rows),
            Having::Test(column, test) => test.holds(&self.column(org, column, rows)),
        }
    }

    fn compare(&self, org: &Org, a: &[&Row], b: &[&Row]) -> Ordering {
        let each = self.order.iter().map(|(column, descending, nulls_last)| {
            directed(
                &self.column(org, column, a),
                &self.column(org, column, b),
                *descending,
                *nulls_last,
            )
        });
        each.into_iter()
            .find(|o| *o != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }
}

fn computed(function: Function, values: Vec<Value>) -> Value {
    let count = Decimal::from(values.len());
    match function {
        Function::Count => Value::Number(count),
        Function::CountDistinct => Value::Number(Decimal::from(
            values.iter().map(group_key).collect::<BTreeSet<_>>().len(),
        )),
        Function::Min => values.into_iter().min_by(Value::order).unwrap_or(Value::Null),
        Function::Max => values.into_iter().max_by(Value::order).unwrap_or(Value::Null),
        Function::Sum if values.is_empty() => Value::Null,
        Function::Sum => Value::Number(values.iter().filter_map(Value::as_number).sum()),
        Function::Avg => {
            let sum: Decimal = values.iter().filter_map(Value::as_number).sum();
            sum.checked_div(count).map_or(Value::Null, Value::Number)
        }
    }
}
