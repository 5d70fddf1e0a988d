//! What stands in each column of a query: the answer to `columns=true`, which the Salesforce CLI asks for. The keys
//! and types are those of the recordings in the CLI's own tests.

use super::aggregate::{Aggregation, ShownColumn};
use super::output::Node;
use super::path::End;
use super::plan::{Plan, Shape};
use crate::schema::{Field, Kind, Schema};
use serde_json::{Value as Json, json};

/// The columns of a plan.
pub fn columns(schema: &Schema, plan: &Plan) -> Vec<Json> {
    match &plan.shape {
        Shape::Records(nodes) => of_nodes(schema, plan.object, nodes),
        Shape::Groups(groups) => of_groups(schema, plan.object, groups),
        Shape::Count => Vec::new(),
    }
}

fn of_nodes(schema: &Schema, object: usize, nodes: &[Node]) -> Vec<Json> {
    nodes.iter().map(|node| of_node(schema, object, node)).collect()
}

fn of_node(schema: &Schema, object: usize, node: &Node) -> Json {
    let here = schema.at(object);
    match node {
        Node::Field(at, name) => of_field(name, &here.fields[*at]),
        Node::Computed(shown, name) => Column::of(name, shown.kind()).json(),
        Node::Parent(reference, target, name, inner) => {
            let inner = of_nodes(schema, *target, inner);
            relationship(name, &here.fields[*reference].name, inner)
        }
        Node::Any(any) => {
            let mut inner: Vec<Json> = Vec::new();
            for (target, nodes) in &any.branches {
                inner.extend(of_nodes(schema, *target, nodes));
            }
            for named in any.otherwise.iter().flatten() {
                inner.push(Column::of(End::shown(*named), Kind::String).json());
            }
            let mut seen = Vec::new();
            inner.retain(|column| {
                let new = !seen.contains(&column["columnName"]);
                seen.push(column["columnName"].clone());
                new
            });
            relationship(&any.name, &here.fields[any.reference].name, inner)
        }
        Node::Children(list) => {
            let inner = columns(schema, &list.plan);
            let mut json = relationship(&list.name, "", inner);
            json["aggregate"] = true.into();
            json["foreignKeyName"] = Json::Null;
            json
        }
    }
}

fn of_field(name: &str, field: &Field) -> Json {
    let mut json = Column::of(name, field.kind).json();
    json["custom"] = field.custom.into();
    json["insertable"] = field.createable.into();
    json["updatable"] = field.updateable.into();
    json
}

fn of_groups(schema: &Schema, object: usize, groups: &Aggregation) -> Vec<Json> {
    let column = |shown: &ShownColumn| {
        let mut json = Column::of(&shown.name, shown.kind).json();
        match &shown.display {
            None => {
                if let Some(field) = schema.at(object).field(&shown.name) {
                    json = of_field(&shown.name, field);
                }
            }
            Some(display) => {
                json["aggregate"] = true.into();
                json["apexType"] = Json::Null;
                json["displayName"] = display.as_str().into();
            }
        }
        json
    };
    groups.columns.iter().map(column).collect()
}

fn relationship(name: &str, key: &str, inner: Vec<Json>) -> Json {
    let mut json = Column::of(name, Kind::String).json();
    json["apexType"] = Json::Null;
    json["foreignKeyName"] = key.into();
    json["joinColumns"] = Json::Array(inner);
    json["textType"] = false.into();
    json
}

struct Column<'a> {
    name: &'a str,
    kind: Kind,
}

impl Column<'_> {
    fn of(name: &str, kind: Kind) -> Column<'_> {
        Column { name, kind }
    }

    fn json(&self) -> Json {
        let text = self.kind.is_text() && self.kind != Kind::Time;
        json!({
            "aggregate": false, "apexType": apex_type(self.kind), "booleanType": self.kind == Kind::Boolean,
            "columnName": self.name, "custom": false, "displayName": self.name, "foreignKeyName": null,
            "insertable": false, "joinColumns": [], "numberType": self.kind.is_number(), "textType": text,
            "updatable": false,
        })
    }
}

/// Types as Apex calls them.
fn apex_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Reference => "Id",
        Kind::Boolean => "Boolean",
        Kind::Int => "Integer",
        Kind::Double | Kind::Currency | Kind::Percent => "Double",
        Kind::Date => "Date",
        Kind::DateTime => "Datetime",
        Kind::Time => "Time",
        Kind::Address => "Address",
        Kind::String
        | Kind::Textarea
        | Kind::Picklist
        | Kind::MultiPicklist
        | Kind::Email
        | Kind::Phone
        | Kind::Url => "String",
    }
}
