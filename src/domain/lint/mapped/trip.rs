//! Sends typical values to the CRM and back, on paper.

use super::capacity::{self, Capacity};
use super::map::offered;
use super::{Codec, CounterExample, Doubt, Drawn, Flaw, Severity, samples, store};
use crate::kind::Kind;
use crate::schema::FieldSchema;
use crate::value::Value;

/// The first value that does not come back as it was.
pub(super) fn check(field: &Drawn, there: &FieldSchema) -> Vec<Doubt> {
    if field.computed() && field.sees_others {
        let message = format!(
            "`from_crm` of {} looks at other fields, so that going back cannot be tried",
            field.name
        );
        let fix = "see to it that it undoes `to_crm`, whatever the other fields hold";
        return vec![field.doubt(Flaw::NotReversible, Severity::Warning, message, fix)];
    }
    let holds = capacity::of(field.name.as_str(), field.kind, &field.currency);
    let mut doubts: Vec<Doubt> = zone(field, there).into_iter().collect();
    doubts.extend(empty(field, there, &holds));
    let translated = field
        .maps
        .iter()
        .map(|map| (&map.codec, Some(map.pairs.as_slice())));
    let plain = field.maps.is_empty().then_some((&field.codec, None));
    for (codec, map) in translated.chain(plain) {
        let mut samples = samples::samples(field, there, &holds, map);
        if field.computed() && holds.choices.is_empty() {
            samples.extend(meanings(field, there));
        }
        doubts.extend(
            samples
                .iter()
                .find_map(|value| trip(field, codec.as_ref(), there, value)),
        );
    }
    doubts
}

/// What the values that a picklist offers mean to us.
fn meanings(field: &Drawn, there: &FieldSchema) -> Vec<Value> {
    let json = offered(there)
        .into_iter()
        .map(|value| serde_json::Value::from(value).to_string());
    json.filter_map(|json| field.codec.receive(&json, &Value::Null).ok())
        .filter(|value| !value.is_null())
        .collect()
}

/// Whether an expression fails for what the CRM may hold. One that looks at other fields is left alone: those are not
/// known here.
pub(super) fn unreadable(field: &Drawn, there: &FieldSchema, doubts: &mut Vec<Doubt>) -> bool {
    if let Some(why) = &field.unreadable {
        let fix = "correct the name, or let our user see the field";
        doubts.push(field.doubt(Flaw::Missing, Severity::Error, why.clone(), fix));
        return true;
    }
    if field.from_crm.is_none() || field.sees_others {
        return false;
    }
    let failed = typical(there).into_iter().find_map(|json| {
        let why = field.codec.receive(&json, &Value::Null).err()?;
        Some((json, why))
    });
    let Some((json, why)) = failed else { return false };
    let message = format!(
        "`from_crm` makes no {} of what {} may hold",
        field.kind, field.place
    );
    let proof = CounterExample {
        value: format!("{json} in the CRM"),
        crm: why,
        back: None,
    };
    let fix = "let the expression take every value of the field, and give a value of the field's type";
    doubts.push(
        field
            .doubt(Flaw::Unreadable, Severity::Error, message, fix)
            .proved(proof),
    );
    true
}

/// What a CRM field of a type typically holds.
fn typical(there: &FieldSchema) -> Vec<String> {
    let offered = offered(there);
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| serde_json::Value::from(*text).to_string())
            .collect()
    };
    match there.kind.as_str() {
        "boolean" => vec!["true".to_owned(), "false".to_owned()],
        "double" | "currency" | "percent" => vec!["0".to_owned(), "1250.5".to_owned(), "-3".to_owned()],
        "int" | "long" => vec!["0".to_owned(), "1250".to_owned()],
        "date" => texts(&["2026-02-28"]),
        "datetime" => texts(&["2026-03-17T16:21:26.000+0000"]),
        _ if !offered.is_empty() => offered
            .iter()
            .map(|text| serde_json::Value::from(text.as_str()).to_string())
            .collect(),
        // What a free text means cannot be guessed.
        _ => Vec::new(),
    }
}

fn trip(field: &Drawn, codec: &dyn Codec, there: &FieldSchema, value: &Value) -> Option<Doubt> {
    let value = value.canonical(field.shape);
    if value.is_null() {
        return None;
    }
    let refused = |why: String| {
        let lint = match why.contains("restricted picklist") {
            true => Flaw::NoSuchChoice,
            false => Flaw::NotReversible,
        };
        let message = format!("{} cannot hold {value}", field.place);
        let proof = CounterExample {
            value: value.to_string(),
            crm: why,
            back: None,
        };
        Some(
            field
                .doubt(lint, Severity::Error, message, fix(field, lint))
                .proved(proof),
        )
    };
    let sent = match codec.send(&value) {
        Ok(sent) => sent,
        Err(why) => return refused(why),
    };
    let kept = match store(there, &sent) {
        Ok(kept) => kept,
        Err(why) => return refused(why),
    };
    let back = codec.receive(&kept, &value);
    let same = back
        .as_ref()
        .is_ok_and(|back| back.canonical(field.shape) == value);
    if same {
        return None;
    }
    let proof = CounterExample {
        value: value.to_string(),
        crm: kept,
        back: Some(back.map_or_else(|why| why, |back| back.canonical(field.shape).to_string())),
    };
    let message = format!("{value} does not come back from {} as it was", field.place);
    Some(
        field
            .doubt(
                Flaw::NotReversible,
                Severity::Error,
                message,
                fix(field, Flaw::NotReversible),
            )
            .proved(proof),
    )
}

fn fix(field: &Drawn, lint: Flaw) -> &'static str {
    match lint {
        Flaw::NoSuchChoice if field.maps.is_empty() => {
            "name the CRM's words in `values`, add the value to the picklist, or let the picklist be unrestricted"
        }
        Flaw::NoSuchChoice => "add the value to the picklist, or map it to one that is there",
        _ if field.computed() => {
            "make `from_crm` undo what `to_crm` does, to the last digit, for every value"
        }
        _ if !field.maps.is_empty() => "name every value in `values`",
        _ => "map the field with the type that it has, or set `writable = false`",
    }
}

/// A field that may be empty to us and not in the CRM, or reads as something when it is.
fn empty(field: &Drawn, there: &FieldSchema, holds: &Capacity) -> Option<Doubt> {
    if holds.filled || field.once {
        return None;
    }
    let sent = match field.codec.send(&Value::Null) {
        Ok(sent) => sent,
        Err(why) => {
            let message = format!("`to_crm` of {} fails where there is no value", field.name);
            let proof = CounterExample {
                value: "no value".to_owned(),
                crm: why,
                back: None,
            };
            let fix = "begin it with what is meant for no value, e.g. `if value == () { () } else { … }`";
            return Some(
                field
                    .doubt(Flaw::NotReversible, Severity::Error, message, fix)
                    .proved(proof),
            );
        }
    };
    if let Err(why) = store(there, &sent) {
        let message = format!("{} may be empty, and {} may not", field.name, field.place);
        let proof = CounterExample {
            value: "no value".to_owned(),
            crm: why,
            back: None,
        };
        let fix = "say with `default` what is written then, or let the CRM field be empty";
        return Some(
            field
                .doubt(Flaw::Required, Severity::Error, message, fix)
                .proved(proof),
        );
    }
    if field.has_default && there.nillable {
        let message = format!("no value of {} is read back as its default", field.name);
        let fix = "leave `default` out where the CRM field may be empty";
        return Some(field.doubt(Flaw::NotReversible, Severity::Warning, message, fix));
    }
    None
}

/// A date that the CRM keeps as a moment depends on a zone.
fn zone(field: &Drawn, there: &FieldSchema) -> Option<Doubt> {
    if field.kind != Kind::Date || there.kind != "datetime" || field.zone.is_some() || field.computed() {
        return None;
    }
    let message = format!(
        "{} is a moment, and the zone in which it is a date is not known; UTC is taken",
        field.place
    );
    let proof = CounterExample {
        value: "23:30 on 31 December in New York".to_owned(),
        crm: "04:30 on 1 January in UTC".to_owned(),
        back: Some("1 January".to_owned()),
    };
    let fix = "set `crm.time_zone`, or let our user read Organization.TimeZoneSidKey";
    Some(
        field
            .doubt(Flaw::NoZone, Severity::Error, message, fix)
            .proved(proof),
    )
}
