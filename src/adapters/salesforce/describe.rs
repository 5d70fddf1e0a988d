//! The descriptions of the objects that the mapping uses, in one call.
//!
//! Source: REST API Developer Guide, "sObject Describe". An object or field that our user may not see is not there.

use std::collections::{BTreeMap, BTreeSet};

use cpq_domain::adapter::Call;
use cpq_domain::schema::{ChildSchema, CrmSchema, FieldSchema};
use cpq_domain::{Code, Error, Result};
use serde::Deserialize;

use super::composite::{self, Manner, Part, PartAnswer};
use super::errors::{self, About};
use super::fields::{Field, Rows};
use super::rest::{Effect, Rest};

/// Parts of one composite call (REST API Developer Guide, "Composite").
const PARTS: usize = 25;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    name: String,
    fields: Vec<FieldDescription>,
    #[serde(default = "yes")]
    createable: bool,
    #[serde(default = "yes")]
    updateable: bool,
    #[serde(default)]
    child_relationships: Vec<ChildDescription>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChildDescription {
    #[serde(rename = "childSObject")]
    object: String,
    field: String,
    /// None where the children cannot be queried from the parent.
    relationship_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldDescription {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    length: u32,
    #[serde(default)]
    scale: u32,
    #[serde(default)]
    createable: bool,
    #[serde(default)]
    updateable: bool,
    #[serde(default)]
    nillable: bool,
    #[serde(default)]
    calculated: bool,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    restricted_picklist: bool,
    #[serde(default)]
    picklist_values: Vec<PicklistValue>,
}

#[derive(Deserialize)]
struct PicklistValue {
    #[serde(default)]
    active: bool,
    value: String,
}

impl From<FieldDescription> for FieldSchema {
    fn from(field: FieldDescription) -> Self {
        let values = field.picklist_values.into_iter().filter(|value| value.active);
        FieldSchema {
            choices: values
                .filter(|_| field.restricted_picklist)
                .map(|value| value.value)
                .collect(),
            name: field.name,
            kind: field.kind,
            length: field.length,
            scale: field.scale,
            createable: field.createable,
            updateable: field.updateable,
            nillable: field.nillable,
            calculated: field.calculated,
            external_id: field.external_id,
            unique: field.unique,
        }
    }
}

/// Reads the descriptions. Objects that are not there are left out, save the opportunity, without which nothing works.
pub(crate) async fn describe(rest: &Rest, call: &Call, fields: &[Field]) -> Result<CrmSchema> {
    let mut schema = CrmSchema::default();
    let objects: Vec<String> = objects(fields).into_iter().collect();
    for some in objects.chunks(PARTS) {
        let parts: Vec<Part> = some
            .iter()
            .map(|object| Part::get(rest.data(&format!("sobjects/{object}/describe")), object.as_str()))
            .collect();
        let manner = Manner {
            all_or_none: false,
            effect: Effect::Read,
            operation: "describe",
        };
        let described = composite::send(rest, &[call], manner, &parts, |answers| {
            some.iter()
                .zip(answers)
                .map(|(object, answer)| one(rest, object, answer))
                .collect::<Result<Vec<_>>>()
        })
        .await?;
        for described in described.into_iter().flatten() {
            schema.children.extend(described.children);
            schema.objects.insert(described.name, described.fields);
        }
    }
    let CrmSchema { objects, children } = &mut schema;
    children.retain(|_, child| objects.contains_key(&child.object));
    match schema.objects.contains_key(Rows::Opportunity.object()) {
        true => Ok(schema),
        false => Err(Error::new(
            Code::CrmForbidden,
            "the object Opportunity does not exist or is hidden from our user",
        )
        .connection(rest.connection())
        .object(Rows::Opportunity.object())),
    }
}

fn objects(fields: &[Field]) -> BTreeSet<String> {
    let rows = [Rows::Opportunity, Rows::ContactRole, Rows::Line].map(|rows| rows.object().to_owned());
    fields
        .iter()
        .map(|field| field.object.as_str().to_owned())
        .chain(rows)
        .collect()
}

/// One object as described.
struct Described {
    name: String,
    fields: BTreeMap<String, FieldSchema>,
    /// Of the opportunity only; nothing else is read with its children.
    children: BTreeMap<String, ChildSchema>,
}

impl From<Description> for Described {
    fn from(object: Description) -> Self {
        let fields = object.fields.into_iter().map(|field| {
            let mut field = FieldSchema::from(field);
            // What may be done with a field ends at what may be done with the object.
            field.createable &= object.createable;
            field.updateable &= object.updateable;
            (field.name.clone(), field)
        });
        let parent = object.name == Rows::Opportunity.object();
        let children = object.child_relationships.into_iter().filter(|_| parent);
        let children = children.filter_map(|child| {
            let (object, field) = (child.object, child.field);
            Some((child.relationship_name?, ChildSchema { object, field }))
        });
        Described {
            fields: fields.collect(),
            children: children.collect(),
            name: object.name,
        }
    }
}

fn one(rest: &Rest, object: &str, answer: &PartAnswer) -> Result<Option<Described>> {
    let about = About {
        connection: rest.connection(),
        object,
        record: "",
        verb: "describe",
    };
    if !answer.is_success() {
        let error = errors::of(about, answer.status, &errors::said(&answer.node()?));
        let hidden = matches!(
            error.code,
            Code::RecordNotFound | Code::SchemaDrift | Code::CrmForbidden
        );
        return if hidden { Ok(None) } else { Err(error) };
    }
    let body = answer.body.map_or("null", |body| body.get());
    let description: Description = serde_json::from_str(body).map_err(|cause| {
        Error::new(
            Code::ProtocolViolation,
            format!("the description of {object} is not one"),
        )
        .connection(rest.connection())
        .object(object)
        .cause(cause)
    })?;
    Ok(Some(description.into()))
}
