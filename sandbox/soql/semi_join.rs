//! `IN (SELECT …)` and its many rules (SOQL and SOSL Reference, Considerations for Semi-Join and Anti-Join Queries).

use super::ast::{Condition, Expr, Item, Name, Query};
use super::fault::{misplaced, no_column, no_object, syntax};
use super::filter::Filter;
use super::path::Scope;
use super::plan::{Plan, prepare_on};
use crate::org::ApiError;
use crate::schema::{Field, Kind};

/// Semi-joins a query may have.
const LIMIT: usize = 2;
/// Objects that an inner query cannot read.
const UNSUPPORTED: [&str; 6] = [
    "ActivityHistory",
    "Attachment",
    "Event",
    "Note",
    "OpenActivity",
    "Task",
];

/// Semi-joins stand at the top level, joined by AND.
///
/// # Errors
/// MALFORMED_QUERY, EXCEEDED_MAX_SEMIJOIN_SUBSELECTS.
pub fn check_places(scope: &Scope<'_>, condition: &Condition) -> Result<(), ApiError> {
    let count = walk(scope, condition, Place::Top)?;
    if count > LIMIT {
        let message = format!("maximum {LIMIT} semi join sub-selects are allowed");
        return Err(ApiError::bad("EXCEEDED_MAX_SEMIJOIN_SUBSELECTS", message));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Top,
    And,
    Or,
    Not,
    Nested,
}

fn walk(scope: &Scope<'_>, condition: &Condition, place: Place) -> Result<usize, ApiError> {
    let each = |all: &[Condition], place| all.iter().map(|c| walk(scope, c, place)).sum();
    match condition {
        Condition::And(all) if matches!(place, Place::Top | Place::And) => each(all, Place::And),
        Condition::Or(all) if place == Place::Top => each(all, Place::Or),
        Condition::And(all) | Condition::Or(all) => each(all, Place::Nested),
        Condition::Not(inner) => walk(scope, inner, Place::Not),
        Condition::Compare(..) => Ok(0),
        Condition::SemiJoin(left, ..) => {
            let reason = match place {
                Place::Top | Place::And if scope.depth == 0 => return Ok(1),
                Place::Or => "Semi join sub-selects are not allowed with the 'OR' operator",
                Place::Not => "Semi join sub-selects are not allowed with the 'NOT' operator",
                Place::Top | Place::And | Place::Nested => {
                    "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions."
                }
            };
            Err(misplaced(scope.query, left.at(), reason))
        }
    }
}

/// Prepares one semi-join.
///
/// # Errors
/// MALFORMED_QUERY and what the inner query says.
pub fn compile(scope: &Scope<'_>, left: &Expr, negated: bool, query: &Query) -> Result<Filter, ApiError> {
    let Expr::Field(name) = left else {
        return Err(not_an_id(scope, left.at(), "a function"));
    };
    let path = scope.path(name)?;
    let outer = scope.field(&path).filter(|_| path.hops.is_empty());
    let Some(outer) = outer.filter(|f| matches!(f.kind, Kind::Id | Kind::Reference)) else {
        return Err(not_an_id(scope, name.at, &name.text));
    };
    let (plan, field) = inner(scope, query)?;
    let object = scope.schema.at(plan.object);
    if plan.object == scope.object {
        let reason = "The inner and outer selects should not be on the same object type";
        return Err(misplaced(scope.query, query.from.at, reason));
    }
    let selected = &object.fields[field];
    let wanted = targets(outer, scope.object);
    if !targets(selected, plan.object).iter().any(|t| wanted.contains(t)) {
        let reason = format!(
            "The selected field '{}' in the subquery and the left operand field in the where expression in the outer query '{}' should point to the same object type",
            selected.name, outer.name
        );
        return Err(misplaced(scope.query, name.at, &reason));
    }
    Ok(Filter::SemiJoin(path, negated, Box::new(plan), field))
}

fn not_an_id(scope: &Scope<'_>, at: usize, what: &str) -> ApiError {
    let reason = format!(
        "The left operand field in the where expression for outer query should be of type id or reference and of the object itself, cannot use: '{what}'"
    );
    misplaced(scope.query, at, &reason)
}

/// Objects that a field's ids can belong to.
fn targets(field: &Field, object: usize) -> Vec<usize> {
    field
        .reference
        .as_ref()
        .map_or(vec![object], |r| r.objects.clone())
}

/// The inner query with the field it selects.
fn inner(scope: &Scope<'_>, query: &Query) -> Result<(Plan, usize), ApiError> {
    let refused = |at: usize, reason: &str| Err(misplaced(scope.query, at, reason));
    let [Item::Expr(Expr::Field(Name { text, at }), None)] = query.select.as_slice() else {
        return refused(
            query.at,
            "semi join sub-selects can only query one id or reference field",
        );
    };
    let clause = [
        ("ORDER", !query.order.is_empty()),
        ("LIMIT", query.limit.is_some()),
        ("OFFSET", query.offset.is_some()),
        ("GROUP", !query.group.is_empty()),
        ("FOR", query.for_view || query.for_reference),
    ];
    if let Some((word, _)) = clause.iter().find(|(_, used)| *used) {
        return Err(syntax(
            scope.query,
            query.from.at,
            &format!("unexpected token: '{word}'"),
        ));
    }
    if query.filter.as_ref().is_some_and(has_semi_join) {
        return refused(query.from.at, "Nesting of semi join sub-selects is not supported");
    }
    let object = scope.schema.position(&query.from.text);
    let object = object.ok_or_else(|| no_object(scope.query, query.from.at, &query.from.text))?;
    let name = &scope.schema.at(object).name;
    if UNSUPPORTED.contains(&name.as_str()) {
        return refused(
            query.from.at,
            &format!("Entity '{name}' is not supported for semi join inner selects"),
        );
    }
    let inside = scope.over(object);
    let plan = prepare_on(&inside, query)?;
    let path = inside.with_aliases(query)?.path(&query_name(text, *at))?;
    let field = path.own_field().filter(|f| {
        matches!(
            scope.schema.at(object).fields[*f].kind,
            Kind::Id | Kind::Reference
        )
    });
    match field {
        Some(field) => Ok((plan, field)),
        None if path.hops.is_empty() => refused(
            *at,
            &format!(
                "The selected field in a semi join sub-select must be an id or reference, cannot use: '{text}'"
            ),
        ),
        None => Err(no_column(scope.query, *at, text, name)),
    }
}

fn query_name(text: &str, at: usize) -> Name {
    Name {
        text: text.to_owned(),
        at,
    }
}

fn has_semi_join(condition: &Condition) -> bool {
    match condition {
        Condition::And(all) | Condition::Or(all) => all.iter().any(has_semi_join),
        Condition::Not(inner) => has_semi_join(inner),
        Condition::SemiJoin(..) => true,
        Condition::Compare(..) => false,
    }
}
