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
use super::query;
use super::rest::{Effect, Rest};

/// Parts of one composite call (REST API Developer Guide, "Composite").
const PARTS: usize = 25;
/// The zone in which the organisation's days begin (Object Reference, "Organization"). Asked in the same call.
const ZONE: &str = "SELECT TimeZoneSidKey FROM Organization";

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
    #[serde(default)]
    record_type_infos: Vec<RecordType>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordType {
    #[serde(default)]
    developer_name: String,
    /// The one that every object has.
    #[serde(default)]
    master: bool,
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
    /// Of numbers with fractions.
    #[serde(default)]
    precision: u32,
    /// Of whole numbers.
    #[serde(default)]
    digits: u32,
    #[serde(default)]
    defaulted_on_create: bool,
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
        let values: Vec<String> = values.map(|value| value.value).collect();
        let (choices, suggested) = match field.restricted_picklist {
            true => (values, Vec::new()),
            false => (Vec::new(), values),
        };
        FieldSchema {
            choices,
            suggested,
            precision: field.precision.max(field.digits),
            defaulted: field.defaulted_on_create,
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
    for some in objects.chunks(PARTS - 1) {
        let describes = some
            .iter()
            .map(|object| Part::get(rest.data(&format!("sobjects/{object}/describe")), object.as_str()));
        let zone = Part::get(query::path(rest, ZONE), "zone");
        let parts: Vec<Part> = describes.chain([zone]).collect();
        let manner = Manner {
            all_or_none: false,
            effect: Effect::Read,
            operation: "describe",
        };
        let (described, zone) = composite::send(rest, &[call], manner, &parts, |answers| {
            let described = some
                .iter()
                .zip(answers)
                .map(|(object, answer)| one(rest, object, answer))
                .collect::<Result<Vec<_>>>()?;
            Ok((described, answers.last().and_then(time_zone)))
        })
        .await?;
        schema.time_zone = zone;
        for described in described.into_iter().flatten() {
            schema.record_types.extend(described.record_types);
            schema.children.extend(described.children);
            schema.objects.insert(described.name, described.fields);
        }
    }
    let CrmSchema {
        objects, children, ..
    } = &mut schema;
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
    /// Of the opportunity only, too.
    record_types: Vec<String>,
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
        let record_types = object.record_type_infos.into_iter();
        let named = record_types.filter(|one| parent && !one.master && !one.developer_name.is_empty());
        Described {
            fields: fields.collect(),
            record_types: named.map(|one| one.developer_name).collect(),
            children: children.collect(),
            name: object.name,
        }
    }
}

/// The zone, if our user may read it; a mapping that needs one says so.
fn time_zone(answer: &PartAnswer) -> Option<String> {
    let answer = answer.is_success().then(|| answer.node().ok()).flatten()?;
    let zone = answer
        .get("records")?
        .list()
        .first()?
        .get("TimeZoneSidKey")?
        .text()?
        .to_owned();
    Some(zone).filter(|zone| !zone.is_empty())
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
