//! Avro schemas of events, by their ids, fetched once.
//!
//! An id is a fingerprint, so what it stands for never changes. Events of one answer may have different ones: each
//! event is read with its own ("Event Deserialization Considerations").

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use apache_avro::Schema;
use apache_avro::schema::RecordSchema;
use cpq_domain::Result;
use cpq_domain::error::Error;
use tokio::sync::OnceCell;

use super::bitmap::FieldShape;
use super::limits::SCHEMAS;

/// A schema, and what bitmaps need to know of it.
#[derive(Debug)]
pub(super) struct EventSchema {
    pub(super) avro: Schema,
    pub(super) fields: Vec<FieldShape>,
}

/// Why there is no schema.
#[derive(Debug)]
pub(super) enum Missing {
    /// It could not be had; nothing is known of the event.
    Failed(Error),
    /// There is none that can be used, however often one asks.
    Unusable(String),
}

type Slot = Arc<OnceCell<Arc<EventSchema>>>;

/// The schemas that were used last.
#[derive(Default)]
pub(super) struct Schemas {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_id: BTreeMap<String, Slot>,
    /// The order in which they came.
    order: VecDeque<String>,
}

impl Schemas {
    /// The schema of this id. All who want it at the same time wait for one `fetch`; a failed one is not kept.
    pub(super) async fn get<F>(
        &self,
        id: &str,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<EventSchema>, Missing>
    where
        F: Future<Output = Result<Arc<EventSchema>, Missing>>,
    {
        let slot = self.slot(id);
        let schema = slot.get_or_try_init(fetch).await?;
        Ok(schema.clone())
    }

    fn slot(&self, id: &str) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = kept.by_id.get(id) {
            return slot.clone();
        }
        while kept.order.len() >= SCHEMAS {
            let oldest = kept.order.pop_front().unwrap_or_default();
            kept.by_id.remove(&oldest);
        }
        let slot = Slot::default();
        kept.by_id.insert(id.to_owned(), slot.clone());
        kept.order.push_back(id.to_owned());
        slot
    }
}

impl EventSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// Why it is none of a record.
    pub(super) fn parse(json: &str) -> Result<EventSchema, String> {
        let avro = Schema::parse_str(json).map_err(|error| format!("the schema does not parse: {error}"))?;
        let Schema::Record(record) = &avro else {
            return Err("the schema is not that of a record".to_owned());
        };
        let mut records = BTreeMap::new();
        collect(&avro, &mut records);
        let shape = |field: &apache_avro::schema::RecordField| FieldShape {
            name: field.name.clone(),
            parts: parts(&field.schema, &records),
        };
        let fields = record.fields.iter().map(shape).collect();
        Ok(EventSchema { avro, fields })
    }
}

/// The records of a schema by name: a compound is defined where it comes first, and referred to afterwards.
fn collect<'a>(schema: &'a Schema, records: &mut BTreeMap<String, &'a RecordSchema>) {
    match schema {
        Schema::Record(record) => {
            records.insert(record.name.to_string(), record);
            record
                .fields
                .iter()
                .for_each(|field| collect(&field.schema, records));
        }
        Schema::Union(union) => union
            .variants()
            .iter()
            .for_each(|variant| collect(variant, records)),
        Schema::Array(array) => collect(&array.items, records),
        _ => {}
    }
}

/// Names of the fields of a compound.
fn parts(schema: &Schema, records: &BTreeMap<String, &RecordSchema>) -> Vec<String> {
    match schema {
        Schema::Record(record) => record.fields.iter().map(|field| field.name.clone()).collect(),
        Schema::Ref { name } => {
            let record = records.get(&name.to_string());
            let fields = record.map(|record| record.fields.iter().map(|field| field.name.clone()));
            fields.map(Iterator::collect).unwrap_or_default()
        }
        Schema::Union(union) => {
            let mut variants = union.variants().iter().map(|variant| parts(variant, records));
            variants.find(|parts| !parts.is_empty()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: &str = r#"{"type": "record", "name": "AccountChangeEvent", "namespace": "com.sforce.eventbus",
        "fields": [
        {"name": "Name", "type": ["null", "string",
            {"type": "record", "name": "Switchable_PersonName", "fields": [{"name": "FirstName", "type": ["null", "string"]}]}]},
        {"name": "BillingAddress", "type": ["null",
            {"type": "record", "name": "Address", "fields": [{"name": "Street", "type": ["null", "string"]}]}]},
        {"name": "ShippingAddress", "type": ["null", "Address"]},
        {"name": "Tags", "type": {"type": "array", "items": "string"}}]}"#;

    #[test]
    fn a_compound_is_known_where_it_is_defined_and_where_it_is_referred_to() {
        let schema = EventSchema::parse(ADDRESSES).expect("it parses");
        let parts: Vec<Vec<&str>> = schema
            .fields
            .iter()
            .map(|field| field.parts.iter().map(String::as_str).collect())
            .collect();
        assert_eq!(parts, [vec!["FirstName"], vec!["Street"], vec!["Street"], vec![]]);
        EventSchema::parse("\"string\"").expect_err("no record");
        EventSchema::parse("{").expect_err("no JSON");
    }

    #[tokio::test]
    async fn one_fetch_serves_all_and_a_failure_is_not_kept() {
        let schemas = Schemas::default();
        let failed = schemas
            .get("a", || async { Err(Missing::Unusable("no".into())) })
            .await;
        assert!(failed.is_err());
        let fetched = std::cell::Cell::new(0);
        let fetch = || async {
            fetched.set(fetched.get() + 1);
            tokio::task::yield_now().await;
            Ok(Arc::new(EventSchema::parse(ADDRESSES).expect("it parses")))
        };
        let (one, two) = tokio::join!(schemas.get("a", fetch), schemas.get("a", fetch));
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(fetched.get(), 1);
        for other in 0..SCHEMAS {
            let kept = schemas.get(&other.to_string(), fetch).await;
            assert!(kept.is_ok());
        }
        assert_eq!(schemas.kept.lock().expect("it is free").by_id.len(), SCHEMAS);
        assert!(schemas.get("a", fetch).await.is_ok());
        assert_eq!(fetched.get(), SCHEMAS + 2, "the oldest had to go");
    }
}
