//! Every Avro schema that was ever in force, by its id.

use super::digest;
use crate::state::lock;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value as Json, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};

/// Schemas kept at most; an org whose fields change more often than this is a loop.
const KEPT: usize = 2_000;

/// A schema with its id.
#[derive(Debug)]
pub struct Known {
    /// 22 characters; also the schema's `uuid`.
    pub id: Arc<str>,
    /// Name of the event: `OpportunityChangeEvent`, `Order_Shipped__e`.
    pub kind: Arc<str>,
    /// The schema as JSON.
    pub text: Arc<str>,
    parsed: OnceLock<Option<apache_avro::Schema>>,
}

impl Known {
    /// Names a schema by its content and writes the name into it.
    pub fn new(kind: &str, fields: Vec<Json>) -> Known {
        let mut schema = json!({
            "name": kind, "namespace": "com.sforce.eventbus", "type": "record", "fields": fields,
        });
        let id = digest::id(schema.to_string().as_bytes());
        schema["uuid"] = id.as_str().into();
        Known {
            id: id.into(),
            kind: kind.into(),
            text: schema.to_string().into(),
            parsed: OnceLock::new(),
        }
    }

    /// The same from its text, as a snapshot holds it; none when that is no such schema.
    pub fn read(text: &str) -> Option<Known> {
        let json: Json = serde_json::from_str(text).ok()?;
        Some(Known {
            id: json.get("uuid")?.as_str()?.into(),
            kind: json.get("name")?.as_str()?.into(),
            text: text.into(),
            parsed: OnceLock::new(),
        })
    }

    /// The schema for the library that reads events.
    pub fn parsed(&self) -> Option<&apache_avro::Schema> {
        self.parsed
            .get_or_init(|| apache_avro::Schema::parse_str(&self.text).ok())
            .as_ref()
    }

    /// Reads a whole datum of this schema; none when it is cut short, followed by something, or no such datum.
    pub fn decode(&self, bytes: &[u8]) -> Option<Avro> {
        let schema = self.parsed()?;
        let reader = GenericDatumReader::builder(schema).build().ok()?;
        let value = reader.read_value(&mut &*bytes).ok()?;
        // The library takes the end of the input for a null, and does not mind what follows a datum. Written again, a
        // whole datum is the same.
        let writer = GenericDatumWriter::builder(schema).build().ok()?;
        let mut again = Vec::with_capacity(bytes.len());
        writer.write_value_ref(&mut again, &value).ok()?;
        (again == bytes).then_some(value)
    }
}

/// Schemas by id, and in the order of their coming.
#[derive(Debug, Default)]
pub struct Registry {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    in_order: VecDeque<Arc<Known>>,
    by_id: HashMap<Arc<str>, Arc<Known>>,
}

impl Registry {
    /// Adds a schema, or gives back the one that is there already.
    pub fn add(&self, known: Known) -> Arc<Known> {
        let mut shelf = lock(&self.shelf);
        if let Some(there) = shelf.by_id.get(&known.id) {
            return there.clone();
        }
        let known = Arc::new(known);
        shelf.by_id.insert(known.id.clone(), known.clone());
        shelf.in_order.push_back(known.clone());
        if shelf.in_order.len() > KEPT
            && let Some(oldest) = shelf.in_order.pop_front()
        {
            shelf.by_id.remove(&oldest.id);
        }
        known
    }

    /// The schema with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Known>> {
        lock(&self.shelf).by_id.get(id).cloned()
    }

    /// All texts, oldest first, for the snapshot.
    pub fn texts(&self) -> Vec<Arc<str>> {
        lock(&self.shelf)
            .in_order
            .iter()
            .map(|known| known.text.clone())
            .collect()
    }
}
