//! What a query shows of each record: a tree of fields, parents and child lists in SELECT order.

use super::ast::{Expr, Item, Name, Query, TypeOf};
use super::fault::{malformed, misplaced, no_object, no_relationship, pointing};
use super::path::{End, Path, Scope};
use super::plan::{Plan, Shape, prepare_on};
use super::shown::{Shown, shown};
use crate::org::ApiError;
use crate::schema::Schema;
use std::sync::Arc;

/// One thing shown of a record.
#[derive(Debug, Clone)]
pub enum Node {
    /// A field of the record, under its canonical name.
    Field(usize, String),
    /// The result of a function.
    Computed(Box<Shown>, String),
    /// A parent: its reference field, its object, its name, what is shown of it.
    Parent(usize, usize, String, Vec<Node>),
    /// A parent that can be of several objects.
    Any(Box<Any>),
    /// A child list.
    Children(Children),
}

/// A parent that can be of several objects.
#[derive(Debug, Clone)]
pub struct Any {
    /// Reference field.
    pub reference: usize,
    /// Name of the relationship.
    pub name: String,
    /// What TYPEOF shows of some objects.
    pub branches: Vec<(usize, Vec<Node>)>,
    /// Which of the fields that all have are shown of the others; none with a TYPEOF that has no ELSE.
    pub otherwise: Option<Vec<usize>>,
    /// Whether this is a TYPEOF.
    pub typed: bool,
}

/// A child list.
#[derive(Debug, Clone)]
pub struct Children {
    /// Name of the list.
    pub name: String,
    /// Reference field of the child.
    pub reference: usize,
    /// The query over it.
    pub plan: Arc<Plan>,
}

/// The tree of a select list.
///
/// # Errors
/// INVALID_FIELD, INVALID_TYPE, MALFORMED_QUERY.
pub fn nodes(scope: &Scope<'_>, query: &Query) -> Result<Vec<Node>, ApiError> {
    let mut nodes = Vec::new();
    for item in &query.select {
        match item {
            Item::Expr(Expr::Field(_), Some(alias)) => {
                let reason = "only aggregate expressions use field aliasing";
                return Err(misplaced(scope.query, alias.at, reason));
            }
            Item::Expr(Expr::Field(name), None) => {
                let path = scope.path(name)?;
                place(scope, &mut nodes, name, &path)?;
            }
            Item::Expr(Expr::Call(call), alias) => {
                let unnamed = nodes
                    .iter()
                    .filter(|n| matches!(n, Node::Computed(_, name) if name.starts_with("expr")));
                let unnamed = format!("expr{}", unnamed.count());
                let (path, at, made) = shown(scope, call)?;
                place_computed(scope, &mut nodes, (&path, at), made, alias.as_ref(), unnamed)?;
            }
            Item::Fields(which) => expand(scope, &mut nodes, which, query)?,
            Item::Children(inner) => nodes.push(children(scope, inner, query)?),
            Item::TypeOf(type_of) => {
                let made = type_of_node(scope, type_of)?;
                let taken = |n: &Node| matches!((n, &made), (Node::Any(a), Node::Any(b)) if a.reference == b.reference);
                if nodes.iter().any(taken) {
                    return Err(both_ways(scope, &type_of.relationship));
                }
                nodes.push(made);
            }
        }
    }
    Ok(nodes)
}

/// Puts a field into the tree, next to what is already shown of the same parent.
fn place(scope: &Scope<'_>, nodes: &mut Vec<Node>, name: &Name, path: &Path) -> Result<(), ApiError> {
    if let End::Named(named) = path.end {
        return place_any(scope, nodes, name, path, named);
    }
    let (nodes, object) = descend(scope.schema, nodes, scope.object, &path.hops);
    let End::Field(at) = path.end else { return Ok(()) };
    let shown = scope.schema.at(object).fields[at].name.clone();
    check_new(nodes, &shown, &name.text)?;
    nodes.push(Node::Field(at, shown));
    Ok(())
}

fn check_new(nodes: &[Node], shown: &str, written: &str) -> Result<(), ApiError> {
    let taken = |node: &Node| match node {
        Node::Field(_, name) | Node::Computed(_, name) => name.eq_ignore_ascii_case(shown),
        Node::Parent(..) | Node::Any(..) | Node::Children(..) => false,
    };
    if nodes.iter().any(taken) {
        return Err(ApiError::bad(
            "INVALID_FIELD",
            format!("duplicate field selected: {written}"),
        ));
    }
    Ok(())
}

/// A function stands where its field would; with an alias on the outermost level as well.
fn place_computed(
    scope: &Scope<'_>,
    nodes: &mut Vec<Node>,
    (path, written): (&Path, &Name),
    made: Shown,
    alias: Option<&Name>,
    unnamed: String,
) -> Result<(), ApiError> {
    if let Some(alias) = alias {
        check_new(nodes, &alias.text, &alias.text)?;
        nodes.push(Node::Computed(Box::new(made), alias.text.clone()));
        return Ok(());
    }
    if made.is_distance() {
        nodes.push(Node::Computed(Box::new(made), unnamed));
        return Ok(());
    }
    let End::Field(at) = path.end else {
        return place(scope, nodes, written, path);
    };
    let (nodes, object) = descend(scope.schema, nodes, scope.object, &path.hops);
    let name = scope.schema.at(object).fields[at].name.clone();
    check_new(nodes, &name, &written.text)?;
    nodes.push(Node::Computed(Box::new(made.at_parent()), name));
    Ok(())
}

/// The list of what is shown of the parent at the end of these hops, made if need be, and that parent's object.
fn descend<'n>(
    schema: &Schema,
    nodes: &'n mut Vec<Node>,
    object: usize,
    hops: &[(usize, Option<usize>)],
) -> (&'n mut Vec<Node>, usize) {
    let [(reference, Some(target)), rest @ ..] = hops else {
        return (nodes, object);
    };
    let known = nodes
        .iter()
        .position(|n| matches!(n, Node::Parent(r, ..) if r == reference));
    let at = known.unwrap_or_else(|| {
        let name = relationship_name(schema, object, *reference);
        nodes.push(Node::Parent(*reference, *target, name, Vec::new()));
        nodes.len() - 1
    });
    let inner = nodes.get_mut(at).and_then(Node::shown_of_parent);
    descend(
        schema,
        inner.expect("found or made as a parent above"),
        *target,
        rest,
    )
}

impl Node {
    fn shown_of_parent(&mut self) -> Option<&mut Vec<Node>> {
        match self {
            Node::Parent(_, _, _, inner) => Some(inner),
            Node::Field(..) | Node::Computed(..) | Node::Any(_) | Node::Children(_) => None,
        }
    }
}

fn place_any(
    scope: &Scope<'_>,
    nodes: &mut Vec<Node>,
    name: &Name,
    path: &Path,
    named: usize,
) -> Result<(), ApiError> {
    let Some(((reference, _), before)) = path.hops.split_last() else {
        return Ok(());
    };
    let (nodes, object) = descend(scope.schema, nodes, scope.object, before);
    let known = nodes.iter_mut().find_map(|n| match n {
        Node::Any(any) if any.reference == *reference => Some(any),
        _ => None,
    });
    let Some(any) = known else {
        nodes.push(Node::Any(Box::new(Any {
            reference: *reference,
            name: relationship_name(scope.schema, object, *reference),
            branches: Vec::new(),
            otherwise: Some(vec![named]),
            typed: false,
        })));
        return Ok(());
    };
    if any.typed {
        return Err(both_ways(scope, name));
    }
    let fields = any.otherwise.get_or_insert_default();
    if fields.contains(&named) {
        return Err(ApiError::bad(
            "INVALID_FIELD",
            format!("duplicate field selected: {}", name.text),
        ));
    }
    fields.push(named);
    Ok(())
}

fn both_ways(scope: &Scope<'_>, name: &Name) -> ApiError {
    let reason = format!(
        "TYPEOF cannot use a relationship that the field list uses too: '{}'",
        name.text
    );
    misplaced(scope.query, name.at, &reason)
}

fn relationship_name(schema: &Schema, object: usize, reference: usize) -> String {
    let field = &schema.at(object).fields[reference];
    field
        .reference
        .as_ref()
        .and_then(|r| r.relationship.clone())
        .unwrap_or_else(|| field.name.clone())
}

fn expand(scope: &Scope<'_>, nodes: &mut Vec<Node>, which: &Name, query: &Query) -> Result<(), ApiError> {
    let wanted: fn(bool) -> bool = match which.text.to_ascii_uppercase().as_str() {
        "ALL" => |_| true,
        "STANDARD" => |custom| !custom,
        "CUSTOM" => |custom| custom,
        _ => {
            let reason = format!("unexpected token: '{}'", which.text);
            return Err(super::fault::syntax(scope.query, which.at, &reason));
        }
    };
    let object = scope.schema.at(scope.object);
    for at in &object.shown {
        let field = &object.fields[*at];
        if wanted(field.custom) {
            check_new(nodes, &field.name, &field.name)?;
            nodes.push(Node::Field(*at, field.name.clone()));
        }
    }
    if nodes.is_empty() && query.select.len() == 1 {
        return Err(malformed(
            "'FIELDS(...)' expansion function must result in at least one field being selected.",
        ));
    }
    Ok(())
}

fn children(scope: &Scope<'_>, query: &Query, outer: &Query) -> Result<Node, ApiError> {
    // The list may be written after the object's name or alias: Account.Contacts.
    let named = query.from.text.rsplit('.').next().unwrap_or_default();
    let Some(list) = scope.schema.at(scope.object).child_list(named) else {
        let part = "FROM part of query call";
        return Err(no_relationship(
            scope.query,
            query.from.at,
            named,
            part,
            "INVALID_TYPE",
        ));
    };
    let refused = |at: usize, reason: &str| Err(misplaced(scope.query, at, reason));
    if let Some(scope_name) = &query.scope {
        return refused(scope_name.at, "USING SCOPE cannot be used in a sub-query");
    }
    if query.offset.is_some_and(|o| o > 0) && outer.limit != Some(1) {
        return refused(
            query.from.at,
            "OFFSET clause in sub-queries needs a parent query with LIMIT 1",
        );
    }
    let inside = Scope {
        depth: scope.depth + 1,
        ..scope.over(list.object)
    };
    let plan = prepare_on(&inside, query)?;
    if !matches!(plan.shape, Shape::Records(_)) {
        return refused(
            query.from.at,
            "Grouped and aggregate queries are not allowed in a sub-query",
        );
    }
    Ok(Node::Children(Children {
        name: list.name.clone().unwrap_or_default(),
        reference: list.field,
        plan: Arc::new(plan),
    }))
}

fn type_of_node(scope: &Scope<'_>, type_of: &TypeOf) -> Result<Node, ApiError> {
    let object = scope.schema.at(scope.object);
    let name = &type_of.relationship;
    let Some(reference) = object.relationship(&name.text) else {
        let part = "field path";
        return Err(no_relationship(
            scope.query,
            name.at,
            &name.text,
            part,
            "INVALID_FIELD",
        ));
    };
    let target = object.fields[reference].reference.as_ref();
    if !target.is_some_and(|r| r.polymorphic) {
        let reason = format!("TYPEOF needs a relationship to several objects: '{}'", name.text);
        return Err(misplaced(scope.query, name.at, &reason));
    }
    let allowed = target.map(|r| r.objects.clone()).unwrap_or_default();
    let chain = vec![reference];
    scope.climbed.borrow_mut().insert((scope.object, chain));
    let mut branches = Vec::new();
    for (target, fields) in &type_of.branches {
        let at = scope.schema.position(&target.text);
        let at = at.ok_or_else(|| no_object(scope.query, target.at, &target.text))?;
        if !allowed.contains(&at) {
            let reason = format!("'{}' is not among the objects of '{}'", target.text, name.text);
            return Err(pointing(scope.query, target.at, "INVALID_FIELD", &reason));
        }
        // Each object that is named counts as a parent.
        scope
            .climbed
            .borrow_mut()
            .insert((scope.object, vec![reference, usize::MAX - at]));
        let (inside, mut shown) = (scope.over(at), Vec::new());
        for field in fields {
            let path = inside.path(field)?;
            place(&inside, &mut shown, field, &path)?;
        }
        branches.push((at, shown));
    }
    let otherwise: Vec<usize> = type_of
        .otherwise
        .iter()
        .map(|name| scope.name_field(name))
        .collect::<Result<_, _>>()?;
    Ok(Node::Any(Box::new(Any {
        reference,
        name: relationship_name(scope.schema, scope.object, reference),
        branches,
        otherwise: (!otherwise.is_empty()).then_some(otherwise),
        typed: true,
    })))
}
