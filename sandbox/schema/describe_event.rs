//! Describes of change events, which are no objects of their own (Object Reference, StandardObjectNameChangeEvent).

use super::describe::{Reader, brief, sorted};
use super::describe_field::field;
use super::object::Object;
use super::spec::FieldSpec;
use crate::events;
use serde_json::{Value as Json, json};

/// Calls that change events refuse, as describes name them.
const REFUSED: [&str; 11] = [
    "createable",
    "deletable",
    "layoutable",
    "mergeable",
    "mruEnabled",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchable",
    "undeletable",
    "updateable",
];
/// What cannot be done with their fields.
const FIELD_REFUSED: [&str; 6] = [
    "createable",
    "updateable",
    "filterable",
    "sortable",
    "groupable",
    "aggregatable",
];

/// The entry of an object's change event in the global describe.
pub fn change_event_brief(object: &Object, reader: Reader<'_>) -> Json {
    let name = events::event_name(object);
    let base = format!("/services/data/{}/sobjects/{name}", reader.version);
    let mut out = brief(object, reader);
    if out.get("associateEntityType").is_some() {
        out["associateEntityType"] = "ChangeEvent".into();
        out["associateParentEntity"] = object.name.as_str().into();
    }
    out["keyPrefix"] = Json::Null;
    out["label"] = format!("{} Change Event", object.label).into();
    out["labelPlural"] = format!("{} Change Events", object.label).into();
    out["feedEnabled"] = false.into();
    out["deepCloneable"] = false.into();
    out["urls"] = json!({
        "rowTemplate": format!("{base}/{{ID}}"), "eventSchema": format!("{base}/eventSchema"),
        "describe": format!("{base}/describe"), "sobject": base,
    });
    out["name"] = name.into();
    for call in REFUSED {
        out[call] = false.into();
    }
    out
}

/// A change event's full describe: the fields of its object that events tell, and its own.
pub fn change_event(object: &Object, reader: Reader<'_>) -> Json {
    let mut fields = own_fields(object);
    let told = object
        .shown
        .iter()
        .filter(|at| events::stands_in_events(&object.fields[**at]));
    fields.extend(told.map(|at| {
        let mut shown = field(object, *at);
        for call in FIELD_REFUSED {
            shown[call] = false.into();
        }
        shown
    }));
    let more = json!({
        "actionOverrides": [], "childRelationships": [], "compactLayoutable": false, "defaultImplementation": null,
        "extendedBy": null, "extendsInterfaces": null, "fields": fields, "implementedBy": null,
        "implementsInterfaces": null, "listviewable": null, "lookupLayoutable": null, "namedLayoutInfos": [],
        "networkScopeFieldName": null, "recordTypeInfos": [], "searchLayoutable": false,
        "sobjectDescribeOption": "FULL", "supportedScopes": [],
    });
    sorted([change_event_brief(object, reader), more])
}

/// `ReplayId` and the header, which no object has.
fn own_fields(object: &Object) -> Vec<Json> {
    let spec = |name: &str, label: &str| FieldSpec {
        label: Some(label.into()),
        access: Some(String::new()),
        ..FieldSpec::of(name, "string")
    };
    let mut own = object.clone();
    let before = own.fields.len();
    for spec in [
        spec("ReplayId", "Replay ID"),
        spec("ChangeEventHeader", "Change Event Header"),
    ] {
        // An object that has such a field itself tells of that one.
        let _ = own.add(&spec);
    }
    let mut fields: Vec<Json> = (before..own.fields.len()).map(|at| field(&own, at)).collect();
    if let Some(header) = fields.last_mut() {
        header["type"] = "complexvalue".into();
        header["soapType"] = "urn:ChangeEventHeader".into();
    }
    fields
}
