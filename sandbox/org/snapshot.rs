//! The whole org as lines of JSON, and back. The first line is about the org; then come the records, each on a line,
//! behind the name of their object on a line of its own. So neither side holds more than one line beside the org.

use super::cursors::Cursors;
use super::subscriptions::Subscriptions;
use super::transaction::ChangeLog;
use super::value::parse_instant;
use super::views::Views;
use super::{Binned, Id, Org, Row, Table, Value};
use crate::schema::{Customization, Kind, Object, Schema};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// Form of the lines; a reader refuses other ones.
const FORMAT: u32 = 2;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Head {
    format: u32,
    organization: String,
    standard_pricebook: String,
    first_user: String,
    custom: Customization,
    #[serde(default)]
    schema_changed: Timestamp,
    #[serde(default)]
    locked: Vec<String>,
    objects: BTreeMap<String, Counters>,
    #[serde(default)]
    subscriptions: Subscriptions,
}

/// What an object has given out so far.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Counters {
    made: u64,
    numbered: BTreeMap<String, u64>,
}

/// The org as it was at one moment, to be written down while the org itself goes on.
pub struct Still {
    head: Head,
    schema: Arc<Schema>,
    rows: Vec<BTreeMap<Id, Arc<Row>>>,
}

impl Still {
    /// Writes all lines.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        line(out, &self.head)?;
        for (object, rows) in self.schema.objects().iter().zip(&self.rows) {
            line(out, &object.name)?;
            for (id, row) in rows {
                line(out, &row_out(object, *id, row))?;
            }
        }
        Ok(())
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

impl Org {
    /// Everything but open cursors and commits nobody has taken, which do not outlive a process.
    pub fn still(&self) -> Still {
        let counters = |(object, table): (&Object, &Table)| (object.name.clone(), counters(object, table));
        let head = Head {
            format: FORMAT,
            organization: self.organization.clone(),
            standard_pricebook: self.standard_pricebook.to_string(),
            first_user: self.first_user.to_string(),
            custom: self.custom.clone(),
            schema_changed: self.schema_changed,
            locked: self.locked.iter().map(Id::to_string).collect(),
            objects: self
                .schema
                .objects()
                .iter()
                .zip(&self.tables)
                .map(counters)
                .collect(),
            subscriptions: self.subscriptions.clone(),
        };
        Still {
            head,
            schema: self.schema(),
            rows: self.tables.iter().map(Table::still).collect(),
        }
    }

    /// An org from such lines.
    ///
    /// # Errors
    /// Says what does not fit: another form, an unknown object or field, a bad value, a broken line.
    pub fn read(lines: &mut impl BufRead) -> Result<Org, String> {
        let mut text = String::new();
        lines.read_line(&mut text).map_err(|e| format!("snapshot: {e}"))?;
        let head: Head = serde_json::from_str(&text).map_err(|e| format!("snapshot: {e}"))?;
        if head.format != FORMAT {
            return Err(format!(
                "snapshot has form {}, this program reads {FORMAT}",
                head.format
            ));
        }
        let mut org = Org::of(head)?;
        org.read_rows(lines).map_err(|why| format!("snapshot: {why}"))?;
        Ok(org)
    }

    /// The org of a first line, still without records.
    fn of(head: Head) -> Result<Org, String> {
        let schema = Schema::build(&head.custom)?;
        let mut tables: Vec<Table> = schema.objects().iter().map(Table::new).collect();
        for (name, counters) in head.objects {
            let at = schema
                .position(&name)
                .ok_or_else(|| format!("snapshot: unknown object {name}"))?;
            count_on(&mut tables[at], schema.at(at), counters)
                .map_err(|e| format!("snapshot: {name}: {e}"))?;
        }
        Ok(Org {
            schema: Arc::new(schema),
            capture: Arc::new(head.custom.capture.clone()),
            quota: Arc::default(),
            outbox: Vec::new(),
            enqueued: VecDeque::new(),
            custom: head.custom,
            tables,
            undo: Vec::new(),
            log: ChangeLog::default(),
            cursors: Cursors::default(),
            views: Views::default(),
            recent: super::recent::Recent::default(),
            schema_changed: head.schema_changed,
            data_storage: None,
            copying_lines: false,
            held_totals: None,
            locked: head.locked.iter().filter_map(|id| Id::parse(id)).collect(),
            subscriptions: head.subscriptions,
            organization: head.organization,
            standard_pricebook: id(&head.standard_pricebook)?,
            first_user: id(&head.first_user)?,
        })
    }

    fn read_rows(&mut self, lines: &mut impl BufRead) -> Result<(), String> {
        let (schema, mut at) = (self.schema(), None);
        let mut text = String::new();
        while lines.read_line(&mut text).map_err(|e| e.to_string())? > 0 {
            match serde_json::from_str(&text).map_err(|e| e.to_string())? {
                Json::String(name) => {
                    at = Some(
                        schema
                            .position(&name)
                            .ok_or_else(|| format!("unknown object {name}"))?,
                    )
                }
                Json::Object(map) => {
                    let at = at.ok_or("a record before the name of its object")?;
                    let (id, row) =
                        row_in(schema.at(at), &map).map_err(|e| format!("{}: {e}", schema.at(at).name))?;
                    self.tables[at].put(id, Some(Arc::new(row)));
                }
                _ => return Err("a line that is neither a name nor a record".to_owned()),
            }
            text.clear();
        }
        Ok(())
    }

    /// The same org once more, without open cursors and transactions.
    pub fn copy(&self) -> Org {
        Org {
            schema: self.schema(),
            capture: self.capture.clone(),
            quota: self.quota.clone(),
            custom: self.custom.clone(),
            tables: self.tables.clone(),
            undo: Vec::new(),
            log: ChangeLog::default(),
            outbox: Vec::new(),
            enqueued: VecDeque::new(),
            cursors: Cursors::default(),
            views: Views::default(),
            recent: super::recent::Recent::default(),
            schema_changed: self.schema_changed,
            data_storage: self.data_storage,
            copying_lines: false,
            held_totals: None,
            locked: self.locked.clone(),
            subscriptions: self.subscriptions.clone(),
            organization: self.organization.clone(),
            standard_pricebook: self.standard_pricebook,
            first_user: self.first_user,
        }
    }
}

fn id(text: &str) -> Result<Id, String> {
    Id::parse(text).ok_or_else(|| format!("'{text}' is no record id"))
}

fn counters(object: &Object, table: &Table) -> Counters {
    let numbered = table
        .numbered
        .iter()
        .map(|(at, n)| (object.fields[*at].name.clone(), *n))
        .collect();
    Counters {
        made: table.made,
        numbered,
    }
}

fn count_on(table: &mut Table, object: &Object, counters: Counters) -> Result<(), String> {
    table.made = counters.made;
    for (name, number) in counters.numbered {
        let at = object
            .position(&name)
            .ok_or_else(|| format!("unknown field {name}"))?;
        table.numbered.insert(at, number);
    }
    Ok(())
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

fn row_in(object: &Object, map: &Map<String, Json>) -> Result<(Id, Row), String> {
    let mut row = Row {
        deleted: false,
        bin: None,
        values: vec![Value::Null; object.fields.len()],
    };
    for (key, json) in map {
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
    Ok((id, row))
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
