//! Stored events as people read them: decoded, with names for bits.

use super::bus::Event;
use super::{Events, ReplayId, Topic};
use apache_avro::types::Value as Avro;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Lists of the header that hold bitmaps.
const BITMAPS: [&str; 3] = ["nulledFields", "diffFields", "changedFields"];

impl Events {
    /// At most so many events after this position, or without one the last so many; none when the position cannot be
    /// read from.
    pub fn show(
        &self,
        topic: Option<&Topic>,
        after: Option<u64>,
        most: usize,
        now: Timestamp,
    ) -> Option<Vec<Json>> {
        let shown = |events: &[Arc<Event>]| events.iter().map(|event| self.shown(event)).collect();
        let Some(after) = after else {
            let all = self.bus.stretch(topic, self.bus.beginning(now), usize::MAX, now);
            let all = all.ok()?.events;
            return Some(shown(&all[all.len().saturating_sub(most)..]));
        };
        let page = self.bus.stretch(topic, ReplayId(after), most, now).ok()?;
        Some(shown(&page.events))
    }

    fn shown(&self, event: &Event) -> Json {
        let (name, channel) = event.kind.split_once('@').unzip();
        let mut out = json!({
            "replayId": event.replay_id.0, "replayIdBase64": STANDARD.encode(event.replay_id.to_bytes()),
            "id": *event.id, "event": name.unwrap_or(&event.kind), "at": event.at, "schemaId": *event.schema_id,
            "bytes": event.payload.len(),
        });
        if let Some(channel) = channel {
            out["channel"] = channel.into();
        }
        let known = self.registry.get(&event.schema_id);
        let payload = known.as_ref().and_then(|known| known.decode(&event.payload));
        let mut payload = payload.map_or(Json::Null, plain);
        if let Some(schema) = known.and_then(|known| serde_json::from_str(&known.text).ok()) {
            name_bits(&mut payload, &schema);
        }
        out["payload"] = payload;
        out
    }
}

/// Puts names in the place of bitmaps.
fn name_bits(payload: &mut Json, schema: &Json) {
    let Some(header) = payload.get_mut("ChangeEventHeader") else {
        return;
    };
    for list in BITMAPS {
        let maps = header[list].as_array().cloned().unwrap_or_default();
        let names = maps
            .iter()
            .filter_map(Json::as_str)
            .flat_map(|map| names(map, &schema["fields"]));
        header[list] = names.map(Json::from).collect();
    }
}

/// The fields of one bitmap: `0x0A`, or `4-0x01` for parts of field 4.
fn names(map: &str, fields: &Json) -> Vec<String> {
    let (parent, digits) = map
        .split_once("-0x")
        .unwrap_or(("", map.trim_start_matches("0x")));
    let bits = digits.bytes().rev().enumerate().flat_map(|(at, digit)| {
        let four = char::from(digit).to_digit(16).unwrap_or_default();
        (0..4)
            .filter(move |bit| four >> bit & 1 == 1)
            .map(move |bit| at * 4 + bit)
    });
    let name = |fields: &Json, bit: usize| fields[bit]["name"].as_str().unwrap_or("?").to_owned();
    match parent.parse::<usize>() {
        Err(_) => bits.map(|bit| name(fields, bit)).collect(),
        Ok(at) => {
            let (compound, parts) = (name(fields, at), parts(fields, at));
            bits.map(|bit| format!("{compound}.{}", name(parts, bit)))
                .collect()
        }
    }
}

/// The parts of a compound field: where they are defined, which is at the first field of that type.
fn parts(fields: &Json, at: usize) -> &Json {
    let kind = &fields[at]["type"][1];
    let all = fields.as_array().map(Vec::as_slice).unwrap_or_default();
    let defined = all
        .iter()
        .map(|field| &field["type"][1])
        .find(|other| other["name"] == *kind);
    &defined.unwrap_or(kind)["fields"]
}

fn plain(value: Avro) -> Json {
    match value {
        Avro::Union(_, inner) => plain(*inner),
        Avro::Record(fields) => Json::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, plain(value)))
                .collect::<Map<_, _>>(),
        ),
        Avro::Array(items) => items.into_iter().map(plain).collect(),
        Avro::Enum(_, symbol) | Avro::String(symbol) => symbol.into(),
        Avro::Boolean(flag) => flag.into(),
        Avro::Int(number) => number.into(),
        Avro::Long(number) => number.into(),
        Avro::Double(number) => number.into(),
        _ => Json::Null,
    }
}
