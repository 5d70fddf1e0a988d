//! The EXPANDED form of a schema (REST API Developer Guide, Platform Event Schema by Event Name): the JSON message of
//! older clients around the event, with its instants as text.

use serde_json::{Value as Json, json};

/// The expanded form of a schema's text; none when that is no schema.
pub fn expanded(schema: &str) -> Option<Json> {
    let schema: Json = serde_json::from_str(schema).ok()?;
    let fields: Vec<Json> = schema.get("fields")?.as_array()?.iter().map(column).collect();
    let payload = json!({"type": "record", "name": "Payload", "doc": "", "fields": fields});
    let event = json!({"type": "record", "name": "Event", "fields": [{"name": "replayId", "type": "long"}]});
    let data = json!({
        "type": "record", "name": "Data", "namespace": "", "fields": [
            {"name": "schema", "type": "string"}, {"name": "payload", "type": payload},
            {"name": "event", "type": event},
        ],
    });
    Some(json!({
        "name": schema.get("name")?, "namespace": schema.get("namespace")?, "type": "expanded-record",
        "fields": [{"name": "data", "type": data}, {"name": "channel", "type": "string"}],
    }))
}

/// A field whose `doc` names an instant, a date or a time is a string.
fn column(field: &Json) -> Json {
    let mut field = field.clone();
    let doc = field.get("doc").and_then(Json::as_str).unwrap_or_default();
    let timed = doc
        .split(':')
        .any(|part| matches!(part, "DateTime" | "DateOnly" | "TimeOnly"));
    if timed {
        field["type"] = match &field["type"] {
            Json::Array(_) => json!(["null", "string"]),
            _ => "string".into(),
        };
    }
    field
}
