//! Conditions with names looked up and literals turned into values.

use super::ast::{Condition, Expr, Literal, Op};
use super::comparison::Test;
use super::fault::pointing;
use super::like::Pattern;
use super::literals::Target;
use super::path::{Path, Scope};
use super::plan::Plan;
use super::scalar::{self, Scalar};
use super::semi_join;
use crate::org::{ApiError, Org, Row};
use crate::schema::{Field, Kind};

/// A condition ready to run.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All hold.
    All(Vec<Filter>),
    /// Any holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A test of one value.
    Test(Scalar, Test),
    /// Membership in the result of another query; the flag negates it.
    SemiJoin(Path, bool, Box<Plan>, usize),
}

/// Looks names up and turns literals into values.
///
/// # Errors
/// INVALID_FIELD, INVALID_QUERY_FILTER_OPERATOR, MALFORMED_QUERY, EXCEEDED_MAX_SEMIJOIN_SUBSELECTS.
pub fn compile(scope: &Scope<'_>, condition: &Condition) -> Result<Filter, ApiError> {
    semi_join::check_places(scope, condition)?;
    compile_at(scope, condition)
}

fn compile_at(scope: &Scope<'_>, condition: &Condition) -> Result<Filter, ApiError> {
    let each = |all: &[Condition]| {
        all.iter()
            .map(|c| compile_at(scope, c))
            .collect::<Result<Vec<_>, _>>()
    };
    match condition {
        Condition::And(all) => each(all).map(Filter::All),
        Condition::Or(all) => each(all).map(Filter::Any),
        Condition::Not(inner) => compile_at(scope, inner).map(|f| Filter::Not(Box::new(f))),
        Condition::SemiJoin(left, negated, query) => semi_join::compile(scope, left, *negated, query),
        Condition::Compare(left, op, literals) => {
            let scalar = Scalar::of(scope, left)?;
            check_filterable(scope, &scalar, left.at())?;
            let (scalar, test) = compare(scope, scalar, left, *op, literals)?;
            Ok(Filter::Test(scalar, test))
        }
    }
}

/// The field beneath must be one that may be filtered by (REST API Developer Guide, sObject Describe: `filterable`).
fn check_filterable(scope: &Scope<'_>, scalar: &Scalar, at: usize) -> Result<(), ApiError> {
    let reason = match scope.field(scalar.path()) {
        Some(f) if f.kind == Kind::Address => {
            "Address fields can only be filtered using Distance expressions".to_owned()
        }
        Some(f) if !f.filterable => format!("field '{}' can not be filtered in a query call", f.name),
        _ => return Ok(()),
    };
    Err(pointing(scope.query, at, "INVALID_FIELD", &reason))
}

fn compare(
    scope: &Scope<'_>,
    scalar: Scalar,
    left: &Expr,
    op: Op,
    literals: &[Literal],
) -> Result<(Scalar, Test), ApiError> {
    let field = scope.field(scalar.path());
    let money = literals
        .iter()
        .filter(|l| matches!(l, Literal::Money(..)))
        .count();
    let target = Target {
        name: scope.field_name(scalar.path()),
        at: left.at(),
        kind: scalar.kind(scope),
    };
    // Amounts with and without a currency cannot stand in one list.
    if money > 0 && literals.iter().any(|l| matches!(l, Literal::Number(_))) {
        return Err(target.wrong_type(scope));
    }
    let computed = matches!(scalar, Scalar::Date(..) | Scalar::Distance(_));
    if computed && literals.iter().any(|l| matches!(l, Literal::Relative(..))) {
        return Err(target.wrong_type(scope));
    }
    let test = test(scope, target, field, op, literals)?;
    let scalar = match scalar {
        Scalar::Field(path) if money > 0 => scalar::comparable(scope, path),
        other => other,
    };
    Ok((scalar, test))
}

/// The test that an operator and its literals make.
pub fn test(
    scope: &Scope<'_>,
    target: Target<'_>,
    field: Option<&Field>,
    op: Op,
    literals: &[Literal],
) -> Result<Test, ApiError> {
    let multiple = target.kind == Kind::MultiPicklist;
    let exact = field.is_some_and(|f| f.unique && f.case_sensitive);
    match (op, literals) {
        (Op::Includes | Op::Excludes, all) if multiple => includes(scope, target, all, op == Op::Excludes),
        (Op::Includes | Op::Excludes, _) => Err(target.wrong_operator(scope)),
        (Op::Like, [Literal::Text(text)]) if target.kind.is_text() && !multiple => {
            Ok(Test::Like(Pattern::new(text)))
        }
        (Op::Like, _) => Err(target.wrong_operator(scope)),
        (Op::Lt | Op::Le | Op::Gt | Op::Ge, _) if multiple || target.kind == Kind::Boolean => {
            Err(target.wrong_operator(scope))
        }
        (Op::In | Op::NotIn, all) => among(scope, target, all, op == Op::NotIn, exact),
        (op, [Literal::Relative(word, count)]) => {
            let (from, until) = target.span(scope, word, *count)?;
            Ok(Test::Span(op, from, until))
        }
        (op, [literal]) => Ok(Test::Compare(op, target.value(scope, literal)?, exact)),
        _ => Err(target.wrong_type(scope)),
    }
}

fn among(
    scope: &Scope<'_>,
    target: Target<'_>,
    literals: &[Literal],
    negated: bool,
    exact: bool,
) -> Result<Test, ApiError> {
    let mut values = Vec::with_capacity(literals.len());
    let mut spans = Vec::new();
    for literal in literals {
        match literal {
            Literal::Relative(word, count) => spans.push(target.span(scope, word, *count)?),
            other => values.push(target.value(scope, other)?),
        }
    }
    Ok(Test::among(values, spans, negated, exact))
}

fn includes(
    scope: &Scope<'_>,
    target: Target<'_>,
    literals: &[Literal],
    negated: bool,
) -> Result<Test, ApiError> {
    let list = |literal: &Literal| match literal {
        Literal::Text(text) => Ok(super::lexer::plain(text)
            .split(';')
            .map(|p| p.trim().to_lowercase())
            .collect()),
        _ => Err(target.wrong_type(scope)),
    };
    Ok(Test::Includes(
        literals.iter().map(list).collect::<Result<_, _>>()?,
        negated,
    ))
}

impl Filter {
    /// Whether a row passes. Semi-joins must have been resolved before.
    pub fn passes(&self, org: &Org, row: &Row) -> bool {
        match self {
            Filter::All(all) => all.iter().all(|f| f.passes(org, row)),
            Filter::Any(all) => all.iter().any(|f| f.passes(org, row)),
            Filter::Not(inner) => !inner.passes(org, row),
            Filter::Test(scalar, test) => test.holds(&scalar.value(org, row)),
            Filter::SemiJoin(..) => false,
        }
    }

    /// Whether another query has to run first.
    pub fn has_semi_join(&self) -> bool {
        match self {
            Filter::All(all) | Filter::Any(all) => all.iter().any(Filter::has_semi_join),
            Filter::Not(inner) => inner.has_semi_join(),
            Filter::SemiJoin(..) => true,
            Filter::Test(..) => false,
        }
    }

    /// The same condition with the inner queries run and their results in place.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED when an inner query is.
    pub fn resolved(&self, org: &Org) -> Result<Filter, ApiError> {
        let each = |all: &[Filter]| all.iter().map(|f| f.resolved(org)).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Filter::All(all) => Filter::All(each(all)?),
            Filter::Any(all) => Filter::Any(each(all)?),
            Filter::Not(inner) => Filter::Not(Box::new(inner.resolved(org)?)),
            Filter::Test(scalar, test) => Filter::Test(scalar.clone(), test.clone()),
            Filter::SemiJoin(path, negated, plan, field) => {
                let values = plan.column(org, *field)?;
                Filter::Test(
                    Scalar::Field(path.clone()),
                    Test::among(values, Vec::new(), *negated, false),
                )
            }
        })
    }

    /// How much work one row is, in comparisons.
    pub fn weight(&self) -> usize {
        match self {
            Filter::All(all) | Filter::Any(all) => all.iter().map(Filter::weight).sum(),
            Filter::Not(inner) => inner.weight(),
            Filter::Test(_, test) => test.weight(),
            Filter::SemiJoin(..) => 1,
        }
    }
}
