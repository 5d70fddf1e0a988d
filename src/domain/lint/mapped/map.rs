//! Value maps against the picklist, and against being read backwards.

use super::{CounterExample, Doubt, Drawn, Flaw, Severity, ValueMap};
use crate::schema::FieldSchema;

pub(super) fn check(field: &Drawn, there: &FieldSchema, record_types: &[String], doubts: &mut Vec<Doubt>) {
    many_to_one(field, doubts);
    for map in &field.maps {
        record_type(field, map, record_types, doubts);
        against_picklist(field, map, there, doubts);
    }
}

/// Two CRM values with one meaning: only the first of them is ever written.
pub(super) fn many_to_one(field: &Drawn, doubts: &mut Vec<Doubt>) {
    if !field.written {
        return;
    }
    for map in &field.maps {
        let again = map.pairs.iter().enumerate().find_map(|(at, (crm, ours))| {
            let first = map.pairs[..at].iter().find(|(_, other)| other == ours)?;
            Some((crm, ours, &first.0))
        });
        let Some((crm, ours, first)) = again else { continue };
        let message = format!(
            "{first:?} and {crm:?} of {} are both {ours:?}{}",
            field.place,
            of(map)
        );
        let proof = CounterExample {
            value: format!("{crm:?} in the CRM"),
            crm: format!("{ours:?} in the CPQ"),
            back: Some(format!("{first:?} in the CRM")),
        };
        let fix = "give each its own canonical value, or set `writable = false`";
        doubts.push(
            field
                .doubt(Flaw::ManyToOne, Severity::Error, message, fix)
                .proved(proof),
        );
    }
}

fn of(map: &ValueMap) -> String {
    let record_type = map.record_type.as_ref();
    record_type.map_or(String::new(), |name| format!(" for the record type {name}"))
}

fn record_type(field: &Drawn, map: &ValueMap, known: &[String], doubts: &mut Vec<Doubt>) {
    let Some(name) = map
        .record_type
        .as_ref()
        .filter(|name| !known.is_empty() && !known.contains(name))
    else {
        return;
    };
    let message = format!("the opportunity has no record type {name}, so that its value map is never used");
    let fix = format!("it has: {}", known.join(", "));
    doubts.push(field.doubt(Flaw::UnknownRecordType, Severity::Error, message, fix));
}

fn against_picklist(field: &Drawn, map: &ValueMap, there: &FieldSchema, doubts: &mut Vec<Doubt>) {
    let offered = offered(there);
    if offered.is_empty() {
        return;
    }
    let named = |value: &String| map.pairs.iter().any(|(crm, _)| crm == value);
    if let Some(value) = offered.iter().find(|value| !named(value)) {
        let message = format!(
            "{} offers {value:?}, which the value map{} does not name",
            field.place,
            of(map)
        );
        let proof = CounterExample {
            value: format!("{value:?} in the CRM"),
            crm: "refused: it has no meaning".to_owned(),
            back: None,
        };
        let fix = format!("add {value:?} to `values`");
        doubts.push(
            field
                .doubt(Flaw::Unmapped, Severity::Error, message, fix)
                .proved(proof),
        );
    }
    if let Some((value, _)) = map.pairs.iter().find(|(crm, _)| !offered.contains(crm)) {
        let message = format!(
            "the value map{} names {value:?}, which {} does not offer",
            of(map),
            field.place
        );
        let fix = format!("it offers: {}", offered.join(", "));
        let (lint, severity) = match there.choices.is_empty() {
            true => (Flaw::UnknownChoice, Severity::Warning),
            false if field.written => (Flaw::NoSuchChoice, Severity::Error),
            false => (Flaw::UnknownChoice, Severity::Warning),
        };
        doubts.push(field.doubt(lint, severity, message, fix));
    }
}

/// Every value that a picklist offers, whether it is restricted or not.
pub(super) fn offered(there: &FieldSchema) -> Vec<String> {
    if there.kind == "boolean" {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    there.choices.iter().chain(&there.suggested).cloned().collect()
}
