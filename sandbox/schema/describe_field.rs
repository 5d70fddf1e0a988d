//! Describes of fields (REST API Developer Guide, sObject Describe; SOAP API Developer Guide, Field).

use super::OnDelete;
use super::describe::sorted;
use super::field::{Field, Kind};
use super::object::Object;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

/// The 57 keys of a field. In two halves, because one literal of that size exceeds the compiler's macro depth.
pub fn field(object: &Object, at: usize) -> Json {
    let field = &object.fields[at];
    sorted([nature(object, field), form(object, field)])
}

/// What the field is and who may do what with it.
fn nature(object: &Object, field: &Field) -> Json {
    let reference = field.reference.as_ref();
    let plain = plain(field);
    json!({
        "aggregatable": plain && field.kind != Kind::Boolean, "aiPredictionField": false,
        "autoNumber": field.auto_number.is_some(), "calculated": field.calculated(),
        "calculatedFormula": field.formula,
        // Standard fields say so in the parent's child relationships only.
        "cascadeDelete": field.custom && reference.is_some_and(|r| r.on_delete == OnDelete::Cascade),
        "caseSensitive": field.case_sensitive, "compoundFieldName": compound_name(object, field),
        "controllerName": field.controller, "createable": field.createable, "custom": field.custom,
        "defaultValue": default_value(field), "defaultValueFormula": null,
        "defaultedOnCreate": field.defaulted, "dependentPicklist": field.controller.is_some(),
        "deprecatedAndHidden": false, "displayLocationInDecimal": false, "encrypted": false,
        "externalId": field.external_id, "filterable": plain || field.kind == Kind::Address, "filteredLookupInfo": filtered_lookup(field),
        "formulaTreatNullNumberAsZero": field.formula.is_some() && field.blanks_as_zero,
        "groupable": groupable(field), "idLookup": field.id_lookup, "label": field.label, "name": field.name,
        "nameField": field.name_field, "nillable": field.nillable,
        "permissionable": field.permissionable(), "sortable": plain, "unique": field.unique,
        "updateable": field.updateable, "writeRequiresMasterRead": false,
    })
}

/// How its values look and where they point.
fn form(object: &Object, field: &Field) -> Json {
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
        "mask": null, "maskType": null, "namePointing": polymorphic, "picklistValues": picklist(object, field),
        "polymorphicForeignKey": polymorphic, "precision": field.precision, "queryByDistance": field.kind == Kind::Address,
        "referenceTargetField": null, "referenceTo": reference.map(|r| r.to.clone()).unwrap_or_default(),
        "relationshipName": reference.and_then(|r| r.relationship.clone()),
        "relationshipOrder": relationship_order(object, field),
        "restrictedDelete": reference.is_some_and(|r| r.on_delete == OnDelete::Restrict),
        "restrictedPicklist": field.restricted, "scale": field.scale,
        "searchPrefilterable": field.search_prefilterable, "soapType": field.kind.soap(), "type": field.kind.name(),
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
    let part = matches!(field.name.as_str(), "FirstName" | "LastName" | "Salutation");
    field
        .compound
        .clone()
        .or_else(|| (person && part).then(|| "Name".to_owned()))
}

fn default_value(field: &Field) -> Json {
    match field.kind {
        Kind::Boolean if field.calculated() => Json::Null,
        Kind::Boolean => field.default_value.clone().unwrap_or(Json::Bool(false)),
        _ => field.default_value.clone().unwrap_or(Json::Null),
    }
}

fn extra_type(field: &Field) -> Option<&str> {
    let plain = (field.kind == Kind::Textarea).then_some("plaintextarea");
    field.extra_type.as_deref().or(plain)
}

/// Whether GROUP BY may name a field: long texts, numbers with a scale and instants it may not.
pub fn groupable(field: &Field) -> bool {
    let never = match field.kind {
        Kind::Double
        | Kind::Currency
        | Kind::Percent
        | Kind::DateTime
        | Kind::Address
        | Kind::MultiPicklist => true,
        Kind::Textarea => field.length > SHORT_TEXT,
        Kind::Boolean => return !field.calculated(),
        _ => false,
    };
    !never && field.filterable && !field.calculated()
}

/// Longest text area that can be grouped by; recorded describes say so of streets.
const SHORT_TEXT: u32 = 255;

/// The first master-detail reference of a custom object is 0.
fn relationship_order(object: &Object, field: &Field) -> Option<u8> {
    let cascades = |f: &Field| {
        f.custom
            && f.reference
                .as_ref()
                .is_some_and(|r| r.on_delete == OnDelete::Cascade)
    };
    if !cascades(field) {
        return None;
    }
    let masters = object.fields.iter().filter(|f| cascades(f));
    let at = masters.take_while(|f| f.name != field.name).count();
    u8::try_from(at).ok()
}

fn filtered_lookup(field: &Field) -> Json {
    match &field.lookup_filter {
        Some(_) => json!({"controllingFields": [], "dependent": false, "optionalFilter": false}),
        None => Json::Null,
    }
}

fn picklist(object: &Object, field: &Field) -> Json {
    let controlling = controlling_values(object, field);
    let value = |v: &super::spec::PickValue| {
        json!({
            "active": v.active, "defaultValue": v.default, "label": v.label.as_ref().unwrap_or(&v.value),
            "validFor": controlling.as_ref().map(|all| valid_for(all, &v.valid_for)), "value": v.value,
        })
    };
    field.values.iter().map(value).collect()
}

/// The values of the controlling field in the order that `validFor` counts them.
fn controlling_values(object: &Object, field: &Field) -> Option<Vec<String>> {
    let controller = object.field(field.controller.as_ref()?)?;
    Some(match controller.kind {
        Kind::Boolean => vec!["false".into(), "true".into()],
        _ => controller.values.iter().map(|v| v.value.clone()).collect(),
    })
}

/// A bit for each value of the controlling field, the first in the highest bit of the first byte, as base64
/// (SOAP API Developer Guide, PicklistEntry.validFor).
fn valid_for(controlling: &[String], allowed: &[String]) -> String {
    let mut bits = vec![0_u8; controlling.len().div_ceil(8)];
    for (n, value) in controlling.iter().enumerate() {
        if allowed.is_empty() || allowed.contains(value) {
            bits[n / 8] |= 0x80 >> (n % 8);
        }
    }
    BASE64_STANDARD.encode(bits)
}

#[cfg(test)]
mod tests {
    use super::valid_for;

    #[test]
    fn bits_count_from_the_left() {
        let all: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let picked = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(valid_for(&all, &picked(&["0"])), "gAA=");
        assert_eq!(valid_for(&all, &picked(&["7", "8"])), "AYA=");
        assert_eq!(valid_for(&all, &[]), "/8A=");
    }
}
