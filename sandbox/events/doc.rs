//! The `doc` of a field in a schema: the only place that tells a date from an instant and money from a percentage.

use crate::schema::{Field, Kind, Object};

/// Type of a field in Salesforce's own words, as seen in schemas of real orgs.
pub fn kind(field: &Field) -> &'static str {
    match field.kind {
        Kind::Id | Kind::Reference => "EntityId",
        Kind::String => "Text",
        Kind::Textarea => "StringPlusClob",
        Kind::Boolean => "Boolean",
        Kind::Int => "Integer",
        Kind::Double => "Double",
        Kind::Currency => "Currency",
        Kind::Percent => "Percent",
        Kind::Date => "DateOnly",
        Kind::DateTime => "DateTime",
        Kind::Time => "TimeOnly",
        // Whether values can be added in Setup; the describe does not say, but a restricted list is mostly fixed.
        Kind::Picklist if field.restricted && !field.custom => "StaticEnum",
        Kind::Picklist => "DynamicEnum",
        Kind::MultiPicklist => "MultiEnum",
        Kind::Email => "Email",
        Kind::Phone => "Phone",
        Kind::Url => "Url",
        Kind::Address => "Address",
    }
}

/// The whole `doc`: role, type, and the id of a custom field.
pub fn of(object: &Object, field: &Field) -> String {
    let (role, kind) = match (field.name.as_str(), field.kind) {
        ("CreatedDate", _) => ("CreatedDate", "DateTime"),
        (_, Kind::Reference) => ("ForeignKey", "EntityId"),
        _ if field.external_id && !field.custom => ("Data", "ExternalId"),
        _ => ("Data", kind(field)),
    };
    if field.custom {
        let id = super::digest::field_id(&object.name, &field.name);
        return format!("{role}:{kind}:{id}");
    }
    format!("{role}:{kind}")
}
