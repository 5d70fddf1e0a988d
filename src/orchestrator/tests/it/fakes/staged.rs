//! Lines on their way to the CRM in memory: a few at a time, between two marks on the quote's record.

use std::collections::BTreeMap;

use cpq_domain::adapter::{CrmWrite, Mapped, Mapping};
use cpq_domain::quote::{SYNC_STATE, complete, writing};
use cpq_domain::value::{Shape, Value};
use cpq_domain::view::{FieldName, LineChange, Patch, View};

/// Fields of a line that this CRM keeps.
const KEPT: [&str; 5] = [
    "line.sku",
    "line.name",
    "line.quantity",
    "line.list_unit",
    "line.net_total",
];

/// Lets the lines and the mark be written.
pub fn writable(mapping: &mut Mapping) {
    for name in KEPT.iter().copied().chain(["line.exists", SYNC_STATE]) {
        let (path, writable, shape) = (format!("Written.{name}"), true, Shape::default());
        let mapped = Mapped {
            path,
            writable,
            shape,
        };
        mapping.fields.insert(FieldName::new(name), mapped);
    }
}

/// The calls of a write, each a write of its own. The first of several sets the mark, the last everything but lines.
pub fn calls(write: &CrmWrite, lines_a_call: Option<usize>) -> Vec<CrmWrite> {
    let most = lines_a_call.unwrap_or(usize::MAX);
    if write.patch.lines.len() <= most {
        return vec![write.clone()];
    }
    let lines: Vec<_> = write.patch.lines.clone().into_iter().collect();
    let chunks: Vec<_> = lines.chunks(most).collect();
    let last = chunks.len() - 1;
    let revision = write.quote_record.as_ref().map_or(1, |record| record.revision);
    let stage = |(at, lines): (usize, &&[_])| {
        let mark = |text: String| BTreeMap::from([(SYNC_STATE.into(), Value::text(text))]);
        let mut fields = match at {
            _ if at == last => mark(complete(revision)),
            0 => mark(writing(revision)),
            _ => BTreeMap::new(),
        };
        fields.extend(write.patch.fields.clone().into_iter().filter(|_| at == last));
        let lines = lines.iter().cloned().collect();
        CrmWrite {
            patch: Patch { fields, lines },
            ..write.clone()
        }
    };
    chunks.iter().enumerate().map(stage).collect()
}

/// Does what one call wants.
pub fn apply(view: &mut View, write: &CrmWrite) {
    view.fields.extend(write.patch.fields.clone());
    for (key, change) in &write.patch.lines {
        let LineChange::Put(fields) = change else {
            view.lines.remove(key);
            continue;
        };
        let is_new = !view.lines.contains_key(key);
        let line = view.lines.entry(key.clone()).or_default();
        if let (true, Some(whole)) = (is_new, write.lines.get(key)) {
            line.extend(whole.fields.clone());
        }
        line.extend(fields.clone());
        line.retain(|field, _| KEPT.contains(&field.as_str()));
    }
}

/// Of what is held now, that which the call was about.
pub fn sent(mut held: View, write: &CrmWrite) -> View {
    held.fields
        .retain(|field, _| write.patch.fields.contains_key(field));
    held.lines.retain(|key, _| write.patch.lines.contains_key(key));
    held
}
