//! `/sandbox/define` and `/sandbox/permissions`: what the org is made of, while it runs.

use super::{Complaint, read};
use crate::events::{Capture, Channel};
use crate::scenario::fields_in_order;
use crate::schema::custom::{DuplicateSpec, PermissionSpec, RecordTypeSpec, ValidationSpec};
use crate::schema::{Customization, EventSpec, FieldSpec, ObjectSpec};
use crate::state::{Shared, lock};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a definition brings, in the words that a scenario has for it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Definition {
    objects: Vec<ObjectSpec>,
    fields: BTreeMap<String, Vec<FieldSpec>>,
    record_types: Vec<RecordTypeSpec>,
    validation_rules: Vec<ValidationSpec>,
    duplicate_rules: Vec<DuplicateSpec>,
    permissions: Vec<PermissionSpec>,
    platform_events: Vec<EventSpec>,
    capture: Option<Vec<String>>,
    channels: Vec<Channel>,
}

/// `POST /sandbox/define`: adds objects, fields, record types, rules, platform events and channels; what has a known name takes the place of the
/// old one. All or nothing.
pub async fn define(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let asked: Definition = read(&body)?;
    let objects = asked.objects.iter().map(|object| object.name.clone());
    let events = asked.platform_events.iter().map(|event| event.name.clone());
    let names: Vec<String> = objects.chain(events).collect();
    let more = Customization {
        objects: asked.objects,
        fields: fields_in_order(&asked.fields),
        record_types: asked.record_types,
        validation_rules: asked.validation_rules,
        duplicate_rules: asked.duplicate_rules,
        permissions: asked.permissions,
        platform_events: asked.platform_events,
        capture: Capture {
            entities: asked.capture,
            channels: asked.channels,
            ..Capture::default()
        },
        ..Customization::default()
    };
    let now = sandbox.clock.now();
    let mut org = lock(&sandbox.org);
    let types = org.define(&more, now).map_err(Complaint)?;
    let schema = org.schema();
    let prefix = |name: &String| {
        schema
            .object(name)
            .map(|o| (name.clone(), o.prefix_text().to_owned()))
    };
    let objects: BTreeMap<String, String> = names.iter().filter_map(prefix).collect();
    drop(org);
    sandbox.touch();
    let types: BTreeMap<&str, String> = more
        .record_types
        .iter()
        .map(|kind| kind.name.as_str())
        .zip(types.iter().map(ToString::to_string))
        .collect();
    Ok(Json(
        json!({"status": "defined", "objects": objects, "recordTypes": types}),
    ))
}

/// `GET /sandbox/permissions`.
pub async fn permissions(State(sandbox): State<Shared>) -> Json<Vec<PermissionSpec>> {
    Json(lock(&sandbox.org).customization().permissions.clone())
}

/// `PUT /sandbox/permissions`: these entries and no others.
pub async fn permit(
    State(sandbox): State<Shared>,
    body: Bytes,
) -> Result<Json<Vec<PermissionSpec>>, Complaint> {
    let entries: Vec<PermissionSpec> = read(&body)?;
    let now = sandbox.clock.now();
    lock(&sandbox.org)
        .permit(entries.clone(), now)
        .map_err(Complaint)?;
    sandbox.touch();
    Ok(Json(entries))
}
