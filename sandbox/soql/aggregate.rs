//! Grouped queries as written: which groups, which columns, which of them stay.

use super::ast::{Argument, Call, Condition, Expr, Grouping, Item, Literal, Name, Query};
use super::calendar::DatePart;
use super::comparison::Test;
use super::fault::{malformed, misplaced};
use super::filter;
use super::literals::Target;
use super::path::{End, Scope};
use super::scalar::{self, Scalar, only_field, unknown_function};
use super::shown::Format;
use super::sorting::{Ranks, ranks};
use crate::org::ApiError;
use crate::schema::Kind;
use crate::schema::describe::groupable;

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// COUNT
    Count,
    /// COUNT_DISTINCT
    CountDistinct,
    /// SUM
    Sum,
    /// AVG
    Avg,
    /// MIN
    Min,
    /// MAX
    Max,
}

/// A total over the rows of a group.
#[derive(Debug, Clone)]
pub struct Total {
    /// How.
    pub function: Function,
    /// Of what; none counts rows.
    pub scalar: Option<Scalar>,
    /// Order of picklist values, for MIN and MAX.
    pub ranks: Ranks,
}

/// A value of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// The n-th grouped value.
    Group(usize),
    /// A date function over the n-th grouped value, which is a day.
    DateOf(DatePart, usize),
    /// 1 when the group is a subtotal over the n-th grouped value.
    Subtotal(usize),
    /// The n-th total.
    Total(usize),
}

/// A column that is shown.
#[derive(Debug, Clone)]
pub struct ShownColumn {
    /// Its key in the answer.
    pub name: String,
    /// What `columns=true` calls it; none for a grouped field.
    pub display: Option<String>,
    /// What it holds.
    pub column: Column,
    /// Type.
    pub kind: Kind,
    /// FORMAT.
    pub format: Option<Format>,
}

/// HAVING.
#[derive(Debug, Clone)]
pub enum Having {
    /// All hold.
    All(Vec<Having>),
    /// Any holds.
    Any(Vec<Having>),
    /// It does not hold.
    Not(Box<Having>),
    /// A test of one column.
    Test(Column, Test),
}

/// One entry of ORDER BY.
#[derive(Debug, Clone)]
pub struct GroupSort {
    /// What to sort by.
    pub column: Column,
    /// Descending.
    pub descending: bool,
    /// Nulls at the end.
    pub nulls_last: bool,
    /// Order of picklist values.
    pub ranks: Ranks,
}

/// A grouped query.
#[derive(Debug, Clone, Default)]
pub struct Aggregation {
    /// Grouped values.
    pub group: Vec<Scalar>,
    /// Which subtotals there are.
    pub grouping: Grouping,
    /// Totals, also those that only HAVING and ORDER BY need.
    pub totals: Vec<Total>,
    /// What is shown.
    pub columns: Vec<ShownColumn>,
    /// HAVING.
    pub having: Option<Having>,
    /// ORDER BY.
    pub order: Vec<GroupSort>,
}

fn is(call: &Call, function: &str) -> bool {
    call.function.text.eq_ignore_ascii_case(function)
}

/// Whether a query is `SELECT COUNT()`.
pub fn is_plain_count(query: &Query) -> bool {
    let count = |item: &Item| matches!(item, Item::Expr(Expr::Call(c), _) if is(c, "COUNT") && c.arguments.is_empty());
    query.select.iter().any(count)
}

/// `COUNT()` stands alone (SOQL and SOSL Reference, COUNT() and COUNT(fieldName)).
///
/// # Errors
/// MALFORMED_QUERY.
pub fn check_plain_count(scope: &Scope<'_>, query: &Query) -> Result<(), ApiError> {
    let at = query.select.first().map_or(query.at, |item| match item {
        Item::Expr(expr, _) => expr.at(),
        _ => query.at,
    });
    let alone = matches!(query.select.as_slice(), [Item::Expr(_, None)]);
    let reason = match () {
        () if !alone => "COUNT() must be the only element in the select list",
        () if !query.group.is_empty() => "Grouped queries cannot use COUNT(), use COUNT(Id)",
        () if !query.order.is_empty() => "COUNT() cannot be used with ORDER BY",
        () => return Ok(()),
    };
    Err(misplaced(scope.query, at, reason))
}

/// Whether a query groups: it says so, or it selects an aggregate.
pub fn is_grouped(query: &Query) -> bool {
    let grouping = |call: &Call| {
        let formatted = match call.arguments.as_slice() {
            [Argument::Expr(Expr::Call(inner))] if is(call, "FORMAT") => function(inner).is_some(),
            _ => false,
        };
        formatted
            || function(call).is_some()
            || is(call, "GROUPING")
            || DatePart::parse(&call.function.text).is_some()
    };
    let aggregates = |item: &Item| matches!(item, Item::Expr(Expr::Call(call), _) if grouping(call));
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
///
/// # Errors
/// MALFORMED_QUERY, INVALID_FIELD.
pub fn prepare(scope: &Scope<'_>, query: &Query) -> Result<Aggregation, ApiError> {
    let mut made = Aggregation {
        grouping: query.grouping,
        ..Aggregation::default()
    };
    for expr in &query.group {
        made.group_by(scope, expr)?;
    }
    let overall = query.group.is_empty();
    if overall && (query.limit.is_some() || query.offset.is_some()) {
        let word = if query.limit.is_some() { "LIMIT" } else { "OFFSET" };
        return Err(malformed(format!(
            "Non-grouped query that uses overall aggregate functions cannot also use {word}"
        )));
    }
    for item in &query.select {
        made.select(scope, item)?;
    }
    made.having = query.having.as_ref().map(|c| made.having(scope, c)).transpose()?;
    for order in &query.order {
        let (column, _) = made.column(scope, &order.by)?;
        made.order.push(GroupSort {
            ranks: made.ranks(scope, &column),
            column,
            descending: order.descending,
            nulls_last: order.nulls_last,
        });
    }
    Ok(made)
}

impl Aggregation {
    fn group_by(&mut self, scope: &Scope<'_>, expr: &Expr) -> Result<(), ApiError> {
        let scalar = Scalar::of(scope, expr)?;
        let refused = |reason: String| Err(misplaced(scope.query, expr.at(), &reason));
        if let (Scalar::Field(_), Some(field)) = (&scalar, scope.field(scalar.path()))
            && !groupable(field)
        {
            return refused(format!(
                "field '{}' can not be grouped in a query call",
                field.name
            ));
        }
        if !matches!(scalar, Scalar::Field(_) | Scalar::Date(..)) {
            return refused("Only fields and date functions can be grouped".to_owned());
        }
        if self.group.contains(&scalar) {
            return refused(format!("duplicate grouping expression: {}", written(scope, expr)));
        }
        self.group.push(scalar);
        Ok(())
    }

    fn select(&mut self, scope: &Scope<'_>, item: &Item) -> Result<(), ApiError> {
        let (expr, alias) = match item {
            Item::Expr(expr, alias) => (expr, alias.as_ref()),
            Item::Fields(name) => {
                let object = scope.schema.at(scope.object);
                let mut fields = object.shown.iter().map(|at| &object.fields[*at]);
                let first = fields.find(|f| f.name != "Id").map_or("Id", |f| f.name.as_str());
                let reason = format!("Field must be grouped or aggregated: {first}");
                return Err(misplaced(scope.query, name.at, &reason));
            }
            Item::Children(inner) => {
                let reason = "Grouped query cannot use child relationships in the SELECT list";
                return Err(misplaced(scope.query, inner.at, reason));
            }
            Item::TypeOf(type_of) => {
                let reason = "TYPEOF is not allowed in a grouped query";
                return Err(misplaced(scope.query, type_of.relationship.at, reason));
            }
        };
        let (inside, formatted) = unformatted(expr);
        let (column, kind) = self.column(scope, inside)?;
        let format = match (&column, formatted) {
            (_, false) => None,
            (Column::Total(n), true) => self.totals[*n].scalar.as_ref().map(|s| Format::of(scope, s)),
            (Column::Group(n) | Column::DateOf(_, n) | Column::Subtotal(n), true) => {
                Some(Format::of(scope, &self.group[*n]))
            }
        };
        let field = matches!(column, Column::Group(n) if matches!(self.group[n], Scalar::Field(_)));
        let name = self.column_name(scope, alias, field.then_some(inside));
        if self.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
            return Err(malformed(format!("duplicate alias: {name}")));
        }
        self.columns.push(ShownColumn {
            name,
            display: (!field || formatted).then(|| written(scope, expr)),
            column,
            kind,
            format,
        });
        Ok(())
    }

    fn column_name(&self, scope: &Scope<'_>, alias: Option<&Name>, field: Option<&Expr>) -> String {
        match (alias, field) {
            (Some(alias), _) => alias.text.clone(),
            (None, Some(expr)) => written(scope, expr)
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_owned(),
            (None, None) => {
                let unnamed = self.columns.iter().filter(|c| c.name.starts_with("expr"));
                format!("expr{}", unnamed.count())
            }
        }
    }

    /// What an expression of SELECT, HAVING or ORDER BY means for a group, and its type.
    fn column(&mut self, scope: &Scope<'_>, expr: &Expr) -> Result<(Column, Kind), ApiError> {
        if let Expr::Call(call) = expr {
            if let Some(function) = function(call) {
                return self.total(scope, call, function);
            }
            if is(call, "GROUPING") {
                let name = only_field(scope, call)?;
                let scalar = Scalar::Field(scope.path(name)?);
                let at = self.group.iter().position(|g| *g == scalar);
                let subtotaled = at.filter(|_| self.grouping != Grouping::Plain);
                let at = subtotaled.ok_or_else(|| not_grouped(scope, expr))?;
                return Ok((Column::Subtotal(at), Kind::Int));
            }
        }
        let scalar = Scalar::of(scope, expr)?;
        if let Some(at) = self.group.iter().position(|g| *g == scalar) {
            return Ok((Column::Group(at), scalar.kind(scope)));
        }
        // A day that is grouped may be shown by its parts; an instant may not.
        if let Scalar::Date(part, path, ..) = &scalar {
            let day = Scalar::Field(path.clone());
            let at = self.group.iter().position(|g| *g == day);
            if let Some(at) = at.filter(|_| path.kind(scope.schema) == Kind::Date) {
                return Ok((Column::DateOf(*part, at), part.kind()));
            }
        }
        Err(not_grouped(scope, expr))
    }

    fn total(
        &mut self,
        scope: &Scope<'_>,
        call: &Call,
        function: Function,
    ) -> Result<(Column, Kind), ApiError> {
        if call.arguments.is_empty() {
            return Err(misplaced(
                scope.query,
                call.function.at,
                "COUNT() must be the only element in the select list",
            ));
        }
        let name = only_field(scope, call)?;
        let path = scope.path(name)?;
        let (kind, field) = (path.kind(scope.schema), scope.field(&path));
        if !aggregates(function, kind) || field.is_some_and(|f| f.kind == Kind::Textarea && !f.filterable) {
            let reason = format!(
                "field {} does not support aggregate operator {}",
                scope.field_name(&path),
                call.function.text.to_ascii_uppercase()
            );
            return Err(misplaced(scope.query, name.at, &reason));
        }
        let made = Total {
            function,
            ranks: ranks(field),
            scalar: Some(scalar::comparable(scope, path)),
        };
        let known = self
            .totals
            .iter()
            .position(|t| t.function == function && t.scalar == made.scalar);
        let at = known.unwrap_or_else(|| {
            self.totals.push(made);
            self.totals.len() - 1
        });
        let kind = match function {
            Function::Count | Function::CountDistinct => Kind::Int,
            Function::Avg => Kind::Double,
            Function::Sum if kind == Kind::Int => Kind::Int,
            Function::Sum | Function::Min | Function::Max => kind,
        };
        Ok((Column::Total(at), kind))
    }

    fn having(&mut self, scope: &Scope<'_>, condition: &Condition) -> Result<Having, ApiError> {
        match condition {
            Condition::And(all) => all
                .iter()
                .map(|c| self.having(scope, c))
                .collect::<Result<_, _>>()
                .map(Having::All),
            Condition::Or(all) => all
                .iter()
                .map(|c| self.having(scope, c))
                .collect::<Result<_, _>>()
                .map(Having::Any),
            Condition::Not(inner) => self.having(scope, inner).map(|h| Having::Not(Box::new(h))),
            Condition::Compare(left, op, literals) => {
                let (column, kind) = self.column(scope, left)?;
                let name = written(scope, left);
                let target = Target {
                    name: &name,
                    at: left.at(),
                    kind,
                };
                if literals.iter().any(|l| matches!(l, Literal::Money(..))) {
                    return Err(target.wrong_type(scope));
                }
                let field = match &column {
                    Column::Group(n) => scope.field(self.group[*n].path()),
                    Column::DateOf(..) | Column::Subtotal(_) | Column::Total(_) => None,
                };
                Ok(Having::Test(
                    column,
                    filter::test(scope, target, field, *op, literals)?,
                ))
            }
            Condition::SemiJoin(left, ..) => {
                let reason = "Semi join sub-selects are not allowed in the HAVING clause";
                Err(misplaced(scope.query, left.at(), reason))
            }
        }
    }

    fn ranks(&self, scope: &Scope<'_>, column: &Column) -> Ranks {
        match column {
            Column::Group(n) => ranks(scope.field(self.group[*n].path())),
            Column::Total(n) if matches!(self.totals[*n].function, Function::Min | Function::Max) => {
                self.totals[*n].ranks.clone()
            }
            Column::Total(_) | Column::DateOf(..) | Column::Subtotal(_) => Ranks::default(),
        }
    }
}

/// What stands within FORMAT.
fn unformatted(expr: &Expr) -> (&Expr, bool) {
    match expr {
        Expr::Call(call) if is(call, "FORMAT") => match call.arguments.as_slice() {
            [Argument::Expr(inner)] => (inner, true),
            _ => (expr, false),
        },
        other => (other, false),
    }
}

/// SOQL and SOSL Reference, Support for Field Types in Aggregate Functions.
fn aggregates(function: Function, kind: Kind) -> bool {
    let never = matches!(
        kind,
        Kind::Boolean | Kind::Time | Kind::Address | Kind::MultiPicklist
    );
    match function {
        Function::Sum | Function::Avg => kind.is_number(),
        Function::Count | Function::CountDistinct | Function::Min | Function::Max => !never,
    }
}

fn not_grouped(scope: &Scope<'_>, expr: &Expr) -> ApiError {
    if let Expr::Call(call) = expr
        && DatePart::parse(&call.function.text).is_none()
        && !is(call, "GROUPING")
    {
        return unknown_function(scope, call);
    }
    let reason = format!("Field must be grouped or aggregated: {}", written(scope, expr));
    misplaced(scope.query, expr.at(), &reason)
}

/// An expression with canonical names, functions in lower case: `avg(Amount)`.
fn written(scope: &Scope<'_>, expr: &Expr) -> String {
    match expr {
        Expr::Field(name) => match scope.path(name) {
            Ok(path) => canonical(scope, &path, &name.text),
            Err(_) => name.text.clone(),
        },
        Expr::Call(call) => {
            let inner: Vec<String> = call
                .arguments
                .iter()
                .filter_map(|a| match a {
                    Argument::Expr(expr) => Some(written(scope, expr)),
                    Argument::Value(_) => None,
                })
                .collect();
            format!("{}({})", call.function.text.to_ascii_lowercase(), inner.join(","))
        }
    }
}

/// The written path with its last part in canonical case.
fn canonical(scope: &Scope<'_>, path: &super::path::Path, text: &str) -> String {
    let last = match path.end {
        End::Named(named) => End::shown(named),
        End::Field(_) => scope.field_name(path),
    };
    match text.rsplit_once('.').filter(|_| !path.hops.is_empty()) {
        Some((parents, _)) => format!("{parents}.{last}"),
        None => last.to_owned(),
    }
}
