//! A query with every name looked up, ready to run again and again.

use super::aggregate::{self, Aggregation};
use super::ast::{Condition, Expr, Item, Literal, Op, Query};
use super::fault::{malformed, misplaced, no_object, not_queryable};
use super::filter::{self, Filter};
use super::output::{self, Node};
use super::path::{Climbed, PARENTS, Path, Scope};
use super::scalar::{self, Scalar};
use super::setting::Setting;
use super::sorting::Sort;
use super::{Prepared, comparison::Test};
use crate::org::{ApiError, Value};
use crate::schema::{Kind, Schema};
use std::sync::Arc;

/// Greatest OFFSET (SOQL and SOSL Reference, OFFSET).
const OFFSET_LIMIT: usize = 2_000;
/// Most rows with `FIELDS(ALL)` and `FIELDS(CUSTOM)` (SOQL and SOSL Reference, FIELDS()).
const FIELDS_LIMIT: usize = 200;
/// Most sub-queries in one query (SOQL and SOSL Reference, Understanding Relationship Query Limitations).
const CHILD_QUERIES: usize = 20;
/// Levels below the outermost object that sub-queries may reach, up to version 57 and after (same place: two levels,
/// then five, the outermost included).
const LEVELS: [usize; 2] = [1, 4];

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
    /// WHERE, and what USING SCOPE adds.
    pub filter: Option<Filter>,
    /// ORDER BY.
    pub order: Vec<Sort>,
    /// LIMIT.
    pub limit: Option<usize>,
    /// OFFSET.
    pub offset: usize,
    /// Whether deleted rows count.
    pub all: bool,
    /// FOR VIEW and FOR REFERENCE.
    pub marks: (bool, bool),
}

/// Prepares a whole query.
pub fn prepare(schema: &Schema, text: &str, query: &Query, setting: &Arc<Setting>) -> Prepared {
    let (name, at) = (query.from.text.as_str(), query.from.at);
    let Some(object) = schema.position(name) else {
        return Err(
            match crate::events::object_of(schema, name, &Default::default()) {
                Some(_) => not_queryable(text, at, name),
                None => no_object(text, at, name),
            },
        );
    };
    if !schema.at(object).can("query") {
        return Err(not_queryable(text, at, &schema.at(object).name));
    }
    let climbed = Climbed::default();
    let scope = Scope {
        query: text,
        schema,
        setting,
        object,
        alias: None,
        relations: Vec::new(),
        climbed: &climbed,
        depth: 0,
    };
    if child_queries(query) > CHILD_QUERIES {
        return Err(malformed(format!(
            "SOQL statements cannot have more than {CHILD_QUERIES} sub-queries"
        )));
    }
    let plan = prepare_on(&scope, query)?;
    if climbed.borrow().len() > PARENTS {
        return Err(malformed(format!(
            "SOQL statements cannot reference more than {PARENTS} child-to-parent relationships"
        )));
    }
    Ok(plan)
}

fn child_queries(query: &Query) -> usize {
    let count = |item: &Item| match item {
        Item::Children(inner) => 1 + child_queries(inner),
        Item::Expr(..) | Item::Fields(_) | Item::TypeOf(_) => 0,
    };
    query.select.iter().map(count).sum()
}

/// Prepares a query whose object is known: the outermost one or a list of children.
pub fn prepare_on<'a>(scope: &Scope<'a>, query: &'a Query) -> Prepared {
    let levels = LEVELS[usize::from(scope.setting.version > 57)];
    if scope.depth > levels {
        let reason = format!(
            "SOQL statements cannot query aggregate relationships more than {levels} level away from the root entity object."
        );
        return Err(misplaced(scope.query, query.from.at, &reason));
    }
    if query.offset.is_some_and(|o| o > OFFSET_LIMIT) {
        let message = format!("Maximum SOQL offset allowed is {OFFSET_LIMIT}");
        return Err(ApiError::bad("NUMBER_OUTSIDE_VALID_RANGE", message));
    }
    let scope = &scope.clone().with_aliases(query)?;
    check_fields_function(query)?;
    let shape = shape(scope, query)?;
    let filter = query
        .filter
        .as_ref()
        .map(|c| filter::compile(scope, c))
        .transpose()?;
    // Groups sort by their own columns.
    let order = match shape {
        Shape::Records(_) => sorts(scope, query)?,
        Shape::Groups(_) | Shape::Count => Vec::new(),
    };
    Ok(Plan {
        object: scope.object,
        shape,
        filter: with_scope(scope, query, filter)?,
        order,
        limit: query.limit,
        offset: query.offset.unwrap_or(0),
        all: scope.setting.all,
        marks: (query.for_view, query.for_reference),
    })
}

/// What USING SCOPE leaves (SOQL and SOSL Reference, USING SCOPE): everything, or the user's own records.
fn with_scope(scope: &Scope<'_>, query: &Query, filter: Option<Filter>) -> Result<Option<Filter>, ApiError> {
    let Some(name) = &query.scope else {
        return Ok(filter);
    };
    if name.text.eq_ignore_ascii_case("everything") {
        return Ok(filter);
    }
    let owner = scope.schema.at(scope.object).position("OwnerId");
    let (Some(owner), true) = (owner, name.text.eq_ignore_ascii_case("mine")) else {
        let reason = format!("scope '{}' is not supported on this object", name.text);
        return Err(misplaced(scope.query, name.at, &reason));
    };
    let user = scope.setting.user.map_or(Value::Null, Value::Id);
    let mine = Filter::Test(
        Scalar::Field(Path::own(scope.object, owner)),
        Test::Compare(Op::Eq, user, false),
    );
    Ok(Some(match filter {
        Some(filter) => Filter::All(vec![mine, filter]),
        None => mine,
    }))
}

/// `FIELDS(ALL)` and `FIELDS(CUSTOM)` need a LIMIT or a list of ids.
fn check_fields_function(query: &Query) -> Result<(), ApiError> {
    let unbounded = |item: &Item| matches!(item, Item::Fields(n) if !n.text.eq_ignore_ascii_case("STANDARD"));
    if !query.select.iter().any(unbounded) {
        return Ok(());
    }
    let few = query.limit.is_some_and(|l| l <= FIELDS_LIMIT);
    if few
        || query
            .filter
            .as_ref()
            .is_some_and(|f| ids_named(f).is_some_and(|n| n <= FIELDS_LIMIT))
    {
        return Ok(());
    }
    Err(malformed(format!(
        "The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}"
    )))
}

/// How many ids a condition names, if it lets no others through.
fn ids_named(condition: &Condition) -> Option<usize> {
    match condition {
        Condition::And(all) => all.iter().filter_map(ids_named).min(),
        Condition::Or(all) => all.iter().map(ids_named).sum(),
        Condition::Compare(Expr::Field(name), Op::Eq | Op::In, literals)
            if name.text.eq_ignore_ascii_case("Id") =>
        {
            literals
                .iter()
                .all(|l| matches!(l, Literal::Text(_)))
                .then_some(literals.len())
        }
        Condition::Compare(..) | Condition::Not(_) | Condition::SemiJoin(..) => None,
    }
}

fn shape(scope: &Scope<'_>, query: &Query) -> Result<Shape, ApiError> {
    if aggregate::is_plain_count(query) {
        aggregate::check_plain_count(scope, query)?;
        return Ok(Shape::Count);
    }
    if aggregate::is_grouped(query) {
        return aggregate::prepare(scope, query).map(|a| Shape::Groups(Box::new(a)));
    }
    output::nodes(scope, query).map(Shape::Records)
}

fn sorts(scope: &Scope<'_>, query: &Query) -> Result<Vec<Sort>, ApiError> {
    let sort = |order: &super::ast::Order| {
        let scalar = match &order.by {
            Expr::Field(name) => {
                let path = scope.path(name)?;
                scalar::comparable(scope, path)
            }
            Expr::Call(call) if call.function.text.eq_ignore_ascii_case("DISTANCE") => {
                Scalar::of(scope, &order.by)?
            }
            Expr::Call(call) => return Err(scalar::unknown_function(scope, call)),
        };
        check_sortable(scope, &scalar, order.by.at())?;
        Ok(Sort::new(scope, scalar, order))
    };
    query.order.iter().map(sort).collect()
}

/// The field must be one that may be sorted by (REST API Developer Guide, sObject Describe: `sortable`).
fn check_sortable(scope: &Scope<'_>, scalar: &Scalar, at: usize) -> Result<(), ApiError> {
    let Some(field) = scope
        .field(scalar.path())
        .filter(|_| !matches!(scalar, Scalar::Distance(_)))
    else {
        return Ok(());
    };
    if field.filterable && !matches!(field.kind, Kind::Address | Kind::MultiPicklist) {
        return Ok(());
    }
    let reason = format!("field '{}' can not be sorted in a query call", field.name);
    Err(misplaced(scope.query, at, &reason))
}
