//! Describes: what objects and fields look like to clients (REST API Developer Guide, sObject Describe).

use super::field::{Field, Kind};
use super::object::{Children, Object};
use super::{OnDelete, Schema};
use crate::org::Id;
use serde_json::{Map, Value as Json, json};

/// Id of the record type that every object has.
const MASTER: &str = "012000000000000AAA";

/// An object's entry in the global describe.
pub fn brief(object: &Object, version: &str) -> Json {
    let base = format!("/services/data/{version}/sobjects/{}", object.name);
    let layoutable = object.can("layout");
    let mut urls = json!({
        "rowTemplate": format!("{base}/{{ID}}"), "describe": format!("{base}/describe"), "sobject": base,
    });
    if layoutable {
        urls["layouts"] = format!("{base}/describe/layouts").into();
        urls["compactLayouts"] = format!("{base}/describe/compactLayouts").into();
        urls["defaultValues"] = format!("{base}/defaultValues?recordTypeId&fields").into();
    }
    json!({
        "activateable": false, "associateEntityType": null, "associateParentEntity": null,
        "createable": object.can("create"), "custom": object.custom, "customSetting": false,
        "deepCloneable": false, "deletable": object.can("delete"), "deprecatedAndHidden": false,
        "feedEnabled": false, "hasSubtypes": false, "isInterface": false, "isSubtype": false,
        "keyPrefix": object.prefix_text(), "label": object.label, "labelPlural": object.plural,
        "layoutable": layoutable, "mergeable": object.mergeable(),
        "mruEnabled": layoutable, "name": object.name, "queryable": true,
        "replicateable": object.can("replicate"), "retrieveable": true, "searchable": object.can("search"),
        "triggerable": object.can("create"), "undeletable": object.can("undelete") && object.can("delete"),
        "updateable": object.can("update"), "urls": urls,
    })
}

/// An object's full describe. `record_types` are id, developer name and label.
pub fn full(schema: &Schema, at: usize, record_types: &[(Id, String, String)], version: &str) -> Json {
    let object = schema.at(at);
    let children: Vec<Json> = object.children.iter().map(|c| child(schema, c)).collect();
    let fields: Vec<Json> = object.fields.iter().map(|f| field(object, f)).collect();
    let more = json!({
        "actionOverrides": [], "childRelationships": children, "compactLayoutable": object.can("layout"),
        "defaultImplementation": null, "extendedBy": null, "extendsInterfaces": null, "fields": fields,
        "implementedBy": null, "implementsInterfaces": null, "listviewable": null, "lookupLayoutable": null,
        "namedLayoutInfos": [], "networkScopeFieldName": null,
        "recordTypeInfos": record_type_infos(object, record_types, version),
        "searchLayoutable": object.can("search"), "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": format!("All {}", object.plural), "name": "everything"},
                            {"label": format!("My {}", object.plural), "name": "mine"}],
    });
    sorted([brief(object, version), more])
}

/// Both halves in one object with its keys in alphabetical order, as the wire has them.
fn sorted(halves: [Json; 2]) -> Json {
    let pairs = halves.into_iter().filter_map(|half| {
        if let Json::Object(map) = half {
            Some(map)
        } else {
            None
        }
    });
    let all: std::collections::BTreeMap<String, Json> = pairs.flatten().collect();
    Json::Object(all.into_iter().collect::<Map<_, _>>())
}

fn child(schema: &Schema, list: &Children) -> Json {
    let object = schema.at(list.object);
    let reference = object.fields[list.field].reference.as_ref();
    let on_delete = reference.map_or(OnDelete::Clear, |r| r.on_delete);
    json!({
        "cascadeDelete": on_delete == OnDelete::Cascade, "childSObject": object.name,
        "deprecatedAndHidden": false, "field": object.fields[list.field].name, "junctionIdListNames": [],
        "junctionReferenceTo": [], "relationshipName": list.name,
        "restrictedDelete": on_delete == OnDelete::Restrict,
    })
}

fn record_type_infos(object: &Object, types: &[(Id, String, String)], version: &str) -> Json {
    let info = |id: &str, developer_name: &str, name: &str, master: bool| {
        let layout = format!(
            "/services/data/{version}/sobjects/{}/describe/layouts/{id}",
            object.name
        );
        json!({
            "active": true, "available": true, "defaultRecordTypeMapping": master && types.is_empty(),
            "developerName": developer_name, "master": master, "name": name, "recordTypeId": id,
            "urls": {"layout": layout},
        })
    };
    let mut infos: Vec<Json> = types
        .iter()
        .map(|(id, dev, name)| info(&id.to_string(), dev, name, false))
        .collect();
    infos.push(info(MASTER, "Master", "Master", true));
    Json::Array(infos)
}

/// The 57 keys of a field. In two halves, because one literal of that size exceeds the compiler's macro depth.
fn field(object: &Object, field: &Field) -> Json {
    sorted([nature(object, field), form(field)])
}

/// What the field is and who may do what with it.
fn nature(object: &Object, field: &Field) -> Json {
    let reference = field.reference.as_ref();
    let plain = plain(field);
    json!({
        "aggregatable": plain && field.kind != Kind::Boolean, "aiPredictionField": false,
        "autoNumber": field.auto_number.is_some(), "calculated": false, "calculatedFormula": null,
        "cascadeDelete": reference.is_some_and(|r| r.on_delete == OnDelete::Cascade),
        "caseSensitive": field.case_sensitive, "compoundFieldName": compound_name(object, field),
        "controllerName": null, "createable": field.createable, "custom": field.custom,
        "defaultValue": default_value(field), "defaultValueFormula": null,
        "defaultedOnCreate": field.defaulted, "dependentPicklist": false, "deprecatedAndHidden": false,
        "displayLocationInDecimal": false, "encrypted": false, "externalId": field.external_id,
        "filterable": plain, "filteredLookupInfo": null, "formulaTreatNullNumberAsZero": false,
        "groupable": groupable(field), "idLookup": field.id_lookup, "label": field.label, "name": field.name,
        "nameField": field.name_field, "nillable": field.nillable,
        "permissionable": field.nillable && field.createable, "sortable": plain, "unique": field.unique,
        "updateable": field.updateable, "writeRequiresMasterRead": false,
    })
}

/// How its values look and where they point.
fn form(field: &Field) -> Json {
    let reference = field.reference.as_ref();
    let length = if field.kind.is_text() || reference.is_some() || field.kind == Kind::Id {
        field.length
    } else {
        0
    };
    let polymorphic = reference.is_some_and(|r| r.polymorphic);
    json!({
        "byteLength": byte_length(field, length), "digits": field.digits, "extraTypeInfo": extra_type(field),
        "highScaleNumber": false, "htmlFormatted": false, "inlineHelpText": field.help, "length": length,
        "mask": null, "maskType": null, "namePointing": polymorphic, "picklistValues": picklist(field),
        "polymorphicForeignKey": polymorphic, "precision": field.precision, "queryByDistance": false,
        "referenceTargetField": null, "referenceTo": reference.map(|r| r.to.clone()).unwrap_or_default(),
        "relationshipName": reference.and_then(|r| r.relationship.clone()), "relationshipOrder": null,
        "restrictedDelete": reference.is_some_and(|r| r.on_delete == OnDelete::Restrict),
        "restrictedPicklist": field.restricted, "scale": field.scale,
        "searchPrefilterable": reference.is_some(), "soapType": field.kind.soap(), "type": field.kind.name(),
    })
}

fn plain(field: &Field) -> bool {
    field.kind != Kind::Address && field.filterable
}

/// Text takes three bytes a character; ids are plain ASCII.
fn byte_length(field: &Field, length: u32) -> u32 {
    if field.kind.is_text() { length * 3 } else { length }
}

fn compound_name(object: &Object, field: &Field) -> Option<String> {
    let person = matches!(object.name.as_str(), "Contact" | "User");
    let part = matches!(
        field.name.as_str(),
        "FirstName" | "LastName" | "Salutation" | "Name"
    );
    field
        .compound
        .clone()
        .or_else(|| (person && part).then(|| "Name".to_owned()))
}

fn default_value(field: &Field) -> Json {
    match field.kind {
        Kind::Boolean => Json::Bool(false),
        _ => field.default_value.clone().unwrap_or(Json::Null),
    }
}

fn extra_type(field: &Field) -> Option<&'static str> {
    (field.kind == Kind::Textarea).then_some("plaintextarea")
}

fn groupable(field: &Field) -> bool {
    let never = matches!(
        field.kind,
        Kind::Double
            | Kind::Currency
            | Kind::Percent
            | Kind::DateTime
            | Kind::Textarea
            | Kind::Address
            | Kind::MultiPicklist
    );
    !never && field.filterable
}

fn picklist(field: &Field) -> Json {
    let value = |v: &super::spec::PickValue| {
        json!({
            "active": v.active, "defaultValue": v.default, "label": v.label.as_ref().unwrap_or(&v.value),
            "validFor": null, "value": v.value,
        })
    };
    field.values.iter().map(value).collect()
}
