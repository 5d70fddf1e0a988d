//! What a query shows of each record: a tree of fields, parents and child lists in SELECT order.

use super::ast::{Call, Item, Name, Query, TypeOf};
use super::fault::{malformed, pointing};
use super::path::{End, Path, Scope};
use super::plan::{Plan, Shape, prepare_on};
use crate::org::view::{attributes, field};
use crate::org::{ApiError, Id, Org, Row};
use crate::schema::{ID, Schema};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

/// Most sub-queries in one query (SOQL and SOSL Reference, relationship queries).
const CHILD_QUERIES: usize = 20;

/// One thing shown of a record.
#[derive(Debug, Clone)]
pub enum Node {
    /// A field of the record, under its canonical name or an alias.
    Field(usize, String),
    /// A parent: its reference field, its object, its name, what is shown of it.
    Parent(usize, usize, String, Vec<Node>),
    /// A polymorphic parent: reference field, name, field names by object (none = every other object).
    Any(usize, String, Vec<(Option<usize>, Vec<String>)>),
    /// A child list: its name, the reference field of the child, the query over it.
    Children(String, usize, Box<Plan>),
}

/// The tree of a select list.
pub fn nodes(scope: &Scope<'_>, items: &[Item], now: Timestamp) -> Result<Vec<Node>, ApiError> {
    let mut nodes = Vec::new();
    for item in items {
        match item {
            Item::Field(name, alias) => {
                if let Some(alias) = alias {
                    let reason = "only aggregate expressions use field aliasing";
                    return Err(pointing(scope.query, alias.at, "MALFORMED_QUERY", reason));
                }
                let path = scope.path(name)?;
                place(scope, &mut nodes, name, &path, None)?;
            }
            Item::Call(call, alias) => formatted(scope, &mut nodes, call, alias.as_ref())?,
            Item::Fields(which) => expand(scope, &mut nodes, which)?,
            Item::Children(query) => nodes.push(children(scope, query, now)?),
            Item::TypeOf(type_of) => nodes.push(type_of_node(scope, type_of)?),
        }
    }
    if nodes.iter().filter(|n| matches!(n, Node::Children(..))).count() > CHILD_QUERIES {
        return Err(malformed(format!(
            "a query has at most {CHILD_QUERIES} sub-queries"
        )));
    }
    Ok(nodes)
}

/// Puts a path into the tree, next to what is already shown of the same parent.
fn place(
    scope: &Scope<'_>,
    nodes: &mut Vec<Node>,
    name: &Name,
    path: &Path,
    alias: Option<&Name>,
) -> Result<(), ApiError> {
    let mut nodes = nodes;
    let mut object = scope.object;
    for (reference, target) in &path.hops {
        let relationship = relationship_name(scope.schema, object, *reference);
        let Some(target) = target else {
            let End::Named(shown) = &path.end else {
                return Ok(());
            };
            place_any(nodes, *reference, relationship, shown);
            return Ok(());
        };
        let known = nodes
            .iter()
            .position(|n| matches!(n, Node::Parent(r, ..) if r == reference));
        let at = known.unwrap_or_else(|| {
            nodes.push(Node::Parent(*reference, *target, relationship, Vec::new()));
            nodes.len() - 1
        });
        let Node::Parent(_, _, _, inner) = &mut nodes[at] else {
            return Ok(());
        };
        (nodes, object) = (inner, *target);
    }
    let End::Field(at) = path.end else { return Ok(()) };
    let shown = alias.map_or_else(
        || scope.schema.at(object).fields[at].name.clone(),
        |a| a.text.clone(),
    );
    if nodes
        .iter()
        .any(|n| matches!(n, Node::Field(f, s) if *f == at && *s == shown))
    {
        let reason = format!("duplicate field selected: {}", name.text);
        return Err(pointing(scope.query, name.at, "INVALID_FIELD", &reason));
    }
    nodes.push(Node::Field(at, shown));
    Ok(())
}

fn place_any(nodes: &mut Vec<Node>, reference: usize, relationship: String, shown: &str) {
    let known = nodes.iter_mut().find_map(|n| match n {
        Node::Any(r, _, by_type) if *r == reference => Some(by_type),
        _ => None,
    });
    match known {
        Some(by_type) => by_type
            .iter_mut()
            .for_each(|(_, names)| names.push(shown.to_owned())),
        None => nodes.push(Node::Any(
            reference,
            relationship,
            vec![(None, vec![shown.to_owned()])],
        )),
    }
}

fn relationship_name(schema: &Schema, object: usize, reference: usize) -> String {
    let field = &schema.at(object).fields[reference];
    field
        .reference
        .as_ref()
        .and_then(|r| r.relationship.clone())
        .unwrap_or_else(|| field.name.clone())
}

/// `toLabel`, `FORMAT` and `convertCurrency` show the value as it is: labels equal values here, and the only user
/// sees the corporate currency.
fn formatted(
    scope: &Scope<'_>,
    nodes: &mut Vec<Node>,
    call: &Call,
    alias: Option<&Name>,
) -> Result<(), ApiError> {
    let known = ["toLabel", "FORMAT", "convertCurrency"];
    let argument = call.argument.as_ref();
    match argument.filter(|_| known.iter().any(|k| call.function.text.eq_ignore_ascii_case(k))) {
        Some(name) => {
            let path = scope.path(name)?;
            place(scope, nodes, name, &path, alias)
        }
        None => {
            let reason = format!("unexpected function: {}", call.function.text);
            Err(pointing(
                scope.query,
                call.function.at,
                "MALFORMED_QUERY",
                &reason,
            ))
        }
    }
}

fn expand(scope: &Scope<'_>, nodes: &mut Vec<Node>, which: &Name) -> Result<(), ApiError> {
    let wanted: fn(bool) -> bool = match which.text.to_ascii_uppercase().as_str() {
        "ALL" => |_| true,
        "STANDARD" => |custom| !custom,
        "CUSTOM" => |custom| custom,
        other => return Err(malformed(format!("unexpected token: {other}"))),
    };
    for (at, field) in scope.schema.at(scope.object).fields.iter().enumerate() {
        let new = !nodes.iter().any(|n| matches!(n, Node::Field(f, _) if *f == at));
        if new && wanted(field.custom) {
            nodes.push(Node::Field(at, field.name.clone()));
        }
    }
    Ok(())
}

fn children(scope: &Scope<'_>, query: &Query, now: Timestamp) -> Result<Node, ApiError> {
    let named = query.from.text.rsplit('.').next().unwrap_or_default();
    let Some(list) = scope.schema.at(scope.object).child_list(named) else {
        let reason = format!(
            "Didn't understand relationship '{named}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
        );
        return Err(pointing(scope.query, query.from.at, "INVALID_TYPE", &reason));
    };
    let plan = prepare_on(scope.schema, scope.query, query, list.object, now)?;
    if !matches!(plan.shape, Shape::Records(_)) {
        return Err(malformed("sub-queries cannot group or count"));
    }
    Ok(Node::Children(
        list.name.clone().unwrap_or_default(),
        list.field,
        Box::new(plan),
    ))
}

fn type_of_node(scope: &Scope<'_>, type_of: &TypeOf) -> Result<Node, ApiError> {
    let object = scope.schema.at(scope.object);
    let name = &type_of.relationship;
    let reference = object.relationship(&name.text).filter(|at| {
        object.fields[*at]
            .reference
            .as_ref()
            .is_some_and(|r| r.polymorphic)
    });
    let Some(reference) = reference else {
        let reason = format!("'{}' is no polymorphic relationship", name.text);
        return Err(pointing(scope.query, name.at, "INVALID_FIELD", &reason));
    };
    let mut by_type = Vec::new();
    for (target, fields) in &type_of.branches {
        let at = scope.schema.position(&target.text);
        let at = at.ok_or_else(|| super::fault::no_object(scope.query, target.at, &target.text))?;
        let inner = Scope {
            object: at,
            alias: None,
            ..*scope
        };
        for field in fields {
            inner.path(field)?;
        }
        by_type.push((Some(at), fields.iter().map(|f| f.text.clone()).collect()));
    }
    by_type.push((None, type_of.otherwise.iter().map(|f| f.text.clone()).collect()));
    Ok(Node::Any(
        reference,
        relationship_name(scope.schema, scope.object, reference),
        by_type,
    ))
}

impl Node {
    /// Whether deleted children are shown.
    pub fn set_all(&mut self, all: bool) {
        if let Node::Children(_, _, plan) = self {
            plan.all = all;
        }
    }
}

/// One record as the tree shows it.
pub fn record(org: &Org, object: usize, id: Id, nodes: &[Node], version: &str) -> Json {
    let schema = org.schema();
    match org.table(object).row(id) {
        Some(row) => shown(org, &schema, object, row, nodes, version),
        None => Json::Null,
    }
}

fn shown(org: &Org, schema: &Schema, object: usize, row: &Row, nodes: &[Node], version: &str) -> Json {
    let id = row.values[ID].as_id().unwrap_or(Id::MIN);
    let here = schema.at(object);
    let mut out = Map::with_capacity(nodes.len() + 1);
    out.insert("attributes".to_owned(), attributes(here, version, id));
    for node in nodes {
        let (name, value) = match node {
            Node::Field(at, name) => (name, field(here, row, *at)),
            Node::Parent(reference, target, name, inner) => {
                let parent = row.values[*reference]
                    .as_id()
                    .and_then(|id| org.table(*target).live(id));
                let value = parent.map_or(Json::Null, |p| shown(org, schema, *target, p, inner, version));
                (name, value)
            }
            Node::Any(reference, name, by_type) => {
                let value = row.values[*reference]
                    .as_id()
                    .map(|id| any(org, schema, id, by_type, version));
                (name, value.unwrap_or(Json::Null))
            }
            Node::Children(name, reference, plan) => (name, child_list(org, plan, *reference, id, version)),
        };
        out.insert(name.clone(), value);
    }
    Json::Object(out)
}

fn child_list(org: &Org, plan: &Plan, reference: usize, parent: Id, version: &str) -> Json {
    let Shape::Records(nodes) = &plan.shape else {
        return Json::Null;
    };
    let ids = plan.child_ids(org, reference, parent);
    if ids.is_empty() {
        return Json::Null;
    }
    let records: Vec<Json> = ids
        .iter()
        .map(|id| record(org, plan.object, *id, nodes, version))
        .collect();
    json!({"totalSize": records.len(), "done": true, "records": records})
}

fn any(org: &Org, schema: &Schema, id: Id, by_type: &[(Option<usize>, Vec<String>)], version: &str) -> Json {
    let Some(at) = schema.by_prefix(id.prefix()) else {
        return Json::Null;
    };
    let (object, Some(row)) = (schema.at(at), org.table(at).live(id)) else {
        return Json::Null;
    };
    let chosen = by_type
        .iter()
        .find(|(o, _)| *o == Some(at))
        .or_else(|| by_type.iter().find(|(o, _)| o.is_none()));
    let mut out = Map::new();
    out.insert("attributes".to_owned(), attributes(object, version, id));
    for name in chosen.map(|(_, names)| names.as_slice()).unwrap_or_default() {
        match object.position(name) {
            Some(f) => drop(out.insert(object.fields[f].name.clone(), field(object, row, f))),
            None if name.eq_ignore_ascii_case("Type") => {
                drop(out.insert("Type".into(), object.name.clone().into()))
            }
            None if name.eq_ignore_ascii_case("Name") => {
                let shown = org.name_of(at, id).as_text().map_or(Json::Null, Json::from);
                out.insert("Name".into(), shown);
            }
            None => drop(out.insert(name.clone(), Json::Null)),
        }
    }
    Json::Object(out)
}

/// The columns that the tree shows, in the form of `columns=true`.
pub fn columns(schema: &Schema, object: usize, nodes: &[Node]) -> Vec<Json> {
    nodes.iter().map(|node| column(schema, object, node)).collect()
}

fn column(schema: &Schema, object: usize, node: &Node) -> Json {
    let here = schema.at(object);
    match node {
        Node::Field(at, name) => column_json(name, Some(&here.fields[*at]), Vec::new()),
        Node::Parent(_, target, name, inner) => column_json(name, None, columns(schema, *target, inner)),
        Node::Any(_, name, by_type) => {
            let names = by_type
                .first()
                .map(|(_, names)| names.as_slice())
                .unwrap_or_default();
            column_json(
                name,
                None,
                names.iter().map(|n| column_json(n, None, Vec::new())).collect(),
            )
        }
        Node::Children(name, _, plan) => {
            let inner = match &plan.shape {
                Shape::Records(nodes) => columns(schema, plan.object, nodes),
                _ => Vec::new(),
            };
            let mut json = column_json(name, None, inner);
            json["aggregate"] = true.into();
            json
        }
    }
}

/// One column; `joinColumns` are those of a parent or a child list.
pub fn column_json(name: &str, field: Option<&crate::schema::Field>, inner: Vec<Json>) -> Json {
    use crate::schema::Kind;
    let kind = field.map_or(Kind::String, |f| f.kind);
    json!({
        "aggregate": false, "apexType": kind.name(), "booleanType": kind == Kind::Boolean, "columnName": name,
        "custom": field.is_some_and(|f| f.custom), "displayName": name, "foreignKeyName": null,
        "insertable": field.is_some_and(|f| f.createable), "joinColumns": inner, "numberType": kind.is_number(),
        "textType": kind.is_text(), "updatable": field.is_some_and(|f| f.updateable),
    })
}
