//! The fields of a change event one by one: what the schema says of each.

use super::avro::Primitive;
use super::doc;
use super::layout::Column;
use super::order::{self, NAME_PARTS, Spot};
use crate::schema::{Field, Kind, Object};
use serde_json::{Value as Json, json};

/// Parts of an address in the order of their schema; the codes exist with state and country picklists.
const ADDRESS_PARTS: [&str; 10] = [
    "Street",
    "City",
    "State",
    "PostalCode",
    "Country",
    "StateCode",
    "CountryCode",
    "Latitude",
    "Longitude",
    "GeocodeAccuracy",
];

/// The place of a spot in the event: where its values come from, and what the schema says of it. `defined` are the records
/// that were defined before it.
pub fn column_of(object: &Object, spot: &Spot<'_>, defined: &mut Vec<&'static str>) -> (Column, Json) {
    match spot {
        Spot::Field(field) => field_column(object, field, defined),
        Spot::Absent(name, doc) => (Column::Nothing, simple(name, absent_type(doc), doc)),
        Spot::History(name, by) => {
            let column = object.position(by).map_or(Column::Nothing, Column::History);
            (column, simple(name, Primitive::String, "ForeignKey:EntityId"))
        }
    }
}

fn field_column(object: &Object, field: &Field, defined: &mut Vec<&'static str>) -> (Column, Json) {
    let at = object.position(&field.name).unwrap_or_default();
    if field.kind == Kind::Address {
        let stem = field.name.strip_suffix("Address").unwrap_or(&field.name);
        let parts = parts_of(object, stem, &ADDRESS_PARTS, true);
        return compound(object, field, "Address", parts, defined);
    }
    if field.name == "Name" && order::is_person(object) {
        let parts = parts_of(object, "", &NAME_PARTS, false);
        return compound(object, field, "PersonName", parts, defined);
    }
    let doc = doc::of(object, field);
    let primitive = Primitive::of(field.kind);
    let json = match (field.name.as_str(), object.name.as_str()) {
        ("Name", "Account") => switchable_name(),
        _ => simple(&field.name, primitive, &doc),
    };
    (Column::Field(at, field.kind), json)
}

/// Names of the parts with their places in the record. Parts that the record lacks are left out of an address, which
/// has more of them in other orgs, and stay in a name.
type Parts = Vec<(&'static str, Option<(usize, Kind)>)>;

fn parts_of(object: &Object, stem: &str, names: &[&'static str], only_known: bool) -> Parts {
    let place = |name: &&'static str| {
        let at = object.position(&format!("{stem}{name}"));
        (*name, at.map(|at| (at, object.fields[at].kind)))
    };
    let here = |part: &(&str, Option<(usize, Kind)>)| !only_known || part.1.is_some();
    names.iter().map(place).filter(here).collect()
}

fn compound(
    object: &Object,
    field: &Field,
    record: &'static str,
    parts: Parts,
    defined: &mut Vec<&'static str>,
) -> (Column, Json) {
    let kind = if defined.contains(&record) {
        Json::from(record)
    } else {
        defined.push(record);
        let names = parts
            .iter()
            .map(|(name, at)| part(name, at.map_or(Kind::String, |(_, kind)| kind)));
        json!({"type": "record", "name": record, "fields": names.collect::<Vec<_>>()})
    };
    let doc = match record {
        "PersonName" => "Data:PersonName".to_owned(),
        _ => doc::of(object, field),
    };
    let json = json!({"name": field.name, "type": ["null", kind], "doc": doc, "default": null});
    (Column::Parts(parts.into_iter().map(|(_, at)| at).collect()), json)
}

fn part(name: &str, kind: Kind) -> Json {
    json!({"name": name, "type": ["null", Primitive::of(kind).name()], "default": null})
}

fn simple(name: &str, primitive: Primitive, doc: &str) -> Json {
    json!({"name": name, "type": ["null", primitive.name()], "doc": doc, "default": null})
}

/// An account is a company or, elsewhere, a person.
fn switchable_name() -> Json {
    let parts: Vec<Json> = NAME_PARTS.iter().map(|name| part(name, Kind::String)).collect();
    json!({
        "name": "Name", "doc": "Data:Switchable_PersonName", "default": null,
        "type": ["null", "string", {"type": "record", "name": "Switchable_PersonName", "fields": parts}],
    })
}

/// The type behind the `doc` of a field that the object does not have here.
fn absent_type(doc: &str) -> Primitive {
    match doc.rsplit(':').next() {
        Some("DateTime") => Primitive::Long,
        _ => Primitive::String,
    }
}
