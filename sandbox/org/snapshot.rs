//! The whole org as one JSON document, and back.

use super::cursors::Cursors;
use super::transaction::ChangeLog;
use super::value::parse_instant;
use super::views::Views;
use super::{Binned, Id, Org, Row, Table, Value};
use crate::schema::{Customization, Kind, Object, Schema};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Form of the document; a reader refuses other ones.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    format: u32,
    organization: String,
    standard_pricebook: String,
    first_user: String,
    custom: Customization,
    #[serde(default)]
    schema_changed: Timestamp,
    #[serde(default)]
    locked: Vec<String>,
    objects: BTreeMap<String, Rows>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rows {
    made: u64,
    numbered: BTreeMap<String, u64>,
    rows: Vec<Map<String, Json>>,
}

impl Org {
    /// Everything but open cursors and the change log, which do not outlive a process.
    pub fn to_snapshot(&self) -> Json {
        let rows = |(at, object): (usize, &Object)| (object.name.clone(), rows_of(object, &self.tables[at]));
        let document = Document {
            format: FORMAT,
            organization: self.organization.clone(),
            standard_pricebook: self.standard_pricebook.to_string(),
            first_user: self.first_user.to_string(),
            custom: self.custom.clone(),
            schema_changed: self.schema_changed,
            locked: self.locked.iter().map(Id::to_string).collect(),
            objects: self.schema.objects().iter().enumerate().map(rows).collect(),
        };
        serde_json::to_value(document).unwrap_or(Json::Null)
    }

    /// An org from such a document.
    ///
    /// # Errors
    /// Says what does not fit: another form, an unknown object or field, a bad value.
    pub fn from_snapshot(json: Json) -> Result<Org, String> {
        let document: Document = serde_json::from_value(json).map_err(|e| format!("snapshot: {e}"))?;
        if document.format != FORMAT {
            return Err(format!(
                "snapshot has form {}, this program reads {FORMAT}",
                document.format
            ));
        }
        let schema = Schema::build(&document.custom)?;
        let mut tables: Vec<Table> = schema.objects().iter().map(Table::new).collect();
        for (name, rows) in document.objects {
            let at = schema
                .position(&name)
                .ok_or_else(|| format!("snapshot: unknown object {name}"))?;
            fill(&mut tables[at], schema.at(at), rows).map_err(|e| format!("snapshot: {name}: {e}"))?;
        }
        Ok(Org {
            schema: Arc::new(schema),
            custom: document.custom,
            tables,
            undo: Vec::new(),
            log: ChangeLog::default(),
            cursors: Cursors::default(),
            views: Views::default(),
            schema_changed: document.schema_changed,
            data_storage: None,
            locked: document.locked.iter().filter_map(|id| Id::parse(id)).collect(),
            organization: document.organization,
            standard_pricebook: id(&document.standard_pricebook)?,
            first_user: id(&document.first_user)?,
        })
    }
}

fn id(text: &str) -> Result<Id, String> {
    Id::parse(text).ok_or_else(|| format!("'{text}' is no record id"))
}

fn rows_of(object: &Object, table: &Table) -> Rows {
    let numbered = table
        .numbered
        .iter()
        .map(|(at, n)| (object.fields[*at].name.clone(), *n))
        .collect();
    Rows {
        made: table.made,
        numbered,
        rows: table.rows().map(|(id, row)| row_out(object, id, row)).collect(),
    }
}

fn row_out(object: &Object, id: Id, row: &Row) -> Map<String, Json> {
    let mut out = Map::new();
    out.insert("Id".into(), id.to_string().into());
    if row.deleted {
        out.insert("deleted".into(), true.into());
    }
    if let Some(bin) = &row.bin {
        out.insert("bin".into(), bin_out(bin));
    }
    for (field, value) in object.fields.iter().zip(&row.values).skip(1) {
        match value {
            Value::Null => {}
            // Decimals go out as text: a snapshot must not pass money through doubles.
            Value::Number(number) => drop(out.insert(field.name.clone(), number.to_string().into())),
            other => drop(out.insert(field.name.clone(), other.to_json(field.kind))),
        }
    }
    out
}

fn bin_out(bin: &Binned) -> Json {
    let unlinked: Vec<Json> = bin
        .unlinked
        .iter()
        .map(|(id, field)| json!([id.to_string(), field]))
        .collect();
    json!({"root": bin.root.to_string(), "unlinked": unlinked})
}

fn bin_in(json: &Json) -> Option<Binned> {
    let pair = |entry: &Json| {
        let id = entry.get(0)?.as_str().and_then(Id::parse)?;
        Some((id, entry.get(1)?.as_str()?.to_owned()))
    };
    Some(Binned {
        root: json.get("root")?.as_str().and_then(Id::parse)?,
        unlinked: json
            .get("unlinked")?
            .as_array()?
            .iter()
            .map(pair)
            .collect::<Option<_>>()?,
    })
}

fn fill(table: &mut Table, object: &Object, rows: Rows) -> Result<(), String> {
    table.made = rows.made;
    for (name, number) in rows.numbered {
        let at = object
            .position(&name)
            .ok_or_else(|| format!("unknown field {name}"))?;
        table.numbered.insert(at, number);
    }
    for map in rows.rows {
        let mut row = Row {
            deleted: false,
            bin: None,
            values: vec![Value::Null; object.fields.len()],
        };
        for (key, json) in &map {
            if key == "deleted" {
                row.deleted = json == &Json::Bool(true);
                continue;
            }
            if key == "bin" {
                let bin = bin_in(json).ok_or_else(|| format!("bin: bad value {json}"))?;
                row.bin = Some(Arc::new(bin));
                continue;
            }
            let at = object
                .position(key)
                .ok_or_else(|| format!("unknown field {key}"))?;
            let value = value_in(object.fields[at].kind, json);
            row.values[at] = value.ok_or_else(|| format!("{key}: bad value {json}"))?;
        }
        let id = row.values[0].as_id().ok_or("a row without Id")?;
        table.put(id, Some(row));
    }
    Ok(())
}

fn value_in(kind: Kind, json: &Json) -> Option<Value> {
    let text = json.as_str();
    match kind {
        Kind::Boolean => json.as_bool().map(Value::Bool),
        Kind::Id | Kind::Reference => text.and_then(Id::parse).map(Value::Id),
        Kind::Date => text.and_then(|t| t.parse().ok()).map(Value::Date),
        Kind::DateTime => text.and_then(parse_instant).map(Value::DateTime),
        _ if kind.is_number() => text.and_then(|t| t.parse().ok()).map(Value::Number),
        _ => text.map(Value::text),
    }
}
