//! What an event says, read from its Avro form.
//!
//! Sources: Change Data Capture Developer Guide, "Change Event Fields" and "Change Event Header Fields"; Platform Events
//! Developer Guide, "Platform Event Fields".

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use jiff::Timestamp;

use super::bitmap::{self, Named};
use super::schema::EventSchema;

/// Name of the header, which only change events have.
const HEADER: &str = "ChangeEventHeader";

/// The values of an event, by field.
pub(super) struct Record(Vec<(String, Value)>);

/// The header of a change event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The object whose records changed.
    pub(super) entity: String,
    /// The records as they are named: several when changes were merged, `006*` or a dummy when they cannot be.
    pub(super) ids: Vec<String>,
    pub(super) change: ChangeType,
    /// Which API and client the change came through; often empty.
    pub(super) origin: String,
    /// When the change was committed.
    pub(super) at: Timestamp,
    /// Id of the user.
    pub(super) by: String,
    /// Bitmaps of the fields that changed, those that were emptied included.
    pub(super) changed: Vec<String>,
}

/// What happened to the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeType {
    Create,
    Update,
    Delete,
    Undelete,
    GapCreate,
    GapUpdate,
    GapDelete,
    GapUndelete,
    /// More changed in one transaction than is told.
    GapOverflow,
    /// One that is not known, such as `SNAPSHOT`, which is reserved.
    Other,
}

impl ChangeType {
    fn of(symbol: &str) -> ChangeType {
        match symbol {
            "CREATE" => ChangeType::Create,
            "UPDATE" => ChangeType::Update,
            "DELETE" => ChangeType::Delete,
            "UNDELETE" => ChangeType::Undelete,
            "GAP_CREATE" => ChangeType::GapCreate,
            "GAP_UPDATE" => ChangeType::GapUpdate,
            "GAP_DELETE" => ChangeType::GapDelete,
            "GAP_UNDELETE" => ChangeType::GapUndelete,
            "GAP_OVERFLOW" => ChangeType::GapOverflow,
            _ => ChangeType::Other,
        }
    }
}

impl Record {
    /// Reads the bytes of an event with the schema that they were written in.
    ///
    /// # Errors
    /// Why they are none of that schema.
    pub(super) fn read(schema: &EventSchema, payload: &[u8]) -> Result<Record, String> {
        let mut bytes = payload;
        let reader = GenericDatumReader::builder(&schema.avro).build();
        let value = reader.and_then(|reader| reader.read_value(&mut bytes));
        match value.map_err(|error| format!("it does not fit its schema: {error}"))? {
            Value::Record(fields) if bytes.is_empty() => Ok(Record(fields)),
            Value::Record(_) => Err("it is longer than its schema says".to_owned()),
            _ => Err("it is no record".to_owned()),
        }
    }

    /// The header.
    ///
    /// # Errors
    /// What it lacks.
    pub(super) fn header(&self) -> Result<Header, String> {
        let Some(Value::Record(header)) = find(&self.0, HEADER) else {
            return Err("it has no header of a change event".to_owned());
        };
        let text = |name: &str| find(header, name).and_then(as_text).map(str::to_owned);
        let texts = |name: &str| find(header, name).and_then(as_texts);
        let must = |name: &str| format!("its header has no {name}");
        let millis = find(header, "commitTimestamp").and_then(as_millis);
        let symbol = match find(header, "changeType") {
            Some(Value::Enum(_, symbol) | Value::String(symbol)) => symbol,
            _ => return Err(must("changeType")),
        };
        Ok(Header {
            entity: text("entityName").ok_or_else(|| must("entityName"))?,
            ids: texts("recordIds").ok_or_else(|| must("recordIds"))?,
            change: ChangeType::of(symbol),
            origin: text("changeOrigin").unwrap_or_default(),
            at: millis.ok_or_else(|| must("commitTimestamp"))?,
            by: text("commitUser").unwrap_or_default(),
            changed: changed(texts("changedFields"), texts("nulledFields"), texts("diffFields")),
        })
    }

    /// A text of the event.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        find(&self.0, field).and_then(as_text)
    }

    /// A moment of the event.
    pub(super) fn moment(&self, field: &str) -> Option<Timestamp> {
        find(&self.0, field).and_then(as_millis)
    }
}

/// The client that a change came through, as in `com/salesforce/api/rest/68.0;client=cpq`.
pub(super) fn client(origin: &str) -> Option<&str> {
    origin
        .split(';')
        .skip(1)
        .find_map(|part| part.trim().strip_prefix("client="))
}

/// Names of the API of the fields that a header names: the parts of an address are fields of their own there.
///
/// # Errors
/// Which bitmap is wrong.
pub(super) fn changed_names(header: &Header, schema: &EventSchema) -> Result<Vec<String>, String> {
    let named = bitmap::decode(&header.changed, &schema.fields)?;
    let mut names: Vec<String> = named.iter().flat_map(api_names).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn api_names(named: &Named) -> Vec<String> {
    let field = &named.field.name;
    let parts: Vec<&str> = match named.part {
        Some(part) => vec![part],
        None => named.field.parts.iter().map(String::as_str).collect(),
    };
    let parts = parts.into_iter().map(|part| api_name(field, part));
    parts.chain([field.clone()]).collect()
}

/// The part of a compound as a field of the object: `BillingAddress.Street` is `BillingStreet`, and the parts of a name
/// stand for themselves ("Compound Fields").
fn api_name(field: &str, part: &str) -> String {
    match (field.strip_suffix("__c"), field.strip_suffix("Address")) {
        (Some(custom), _) => format!("{custom}__{part}__s"),
        (None, Some(kind)) => format!("{kind}{part}"),
        (None, None) => part.to_owned(),
    }
}

/// The three lists as one: what was emptied or sent as a difference changed too.
fn changed(
    changed: Option<Vec<String>>,
    nulled: Option<Vec<String>>,
    diff: Option<Vec<String>>,
) -> Vec<String> {
    [changed, nulled, diff].into_iter().flatten().flatten().collect()
}

fn find<'a>(fields: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    let value = fields
        .iter()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value)?;
    match value {
        Value::Union(_, inner) => Some(inner),
        value => Some(value),
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn as_texts(value: &Value) -> Option<Vec<String>> {
    let Value::Array(entries) = value else { return None };
    entries
        .iter()
        .map(|entry| as_text(entry).map(str::to_owned))
        .collect()
}

fn as_millis(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Long(millis) | Value::TimestampMillis(millis) => Timestamp::from_millisecond(*millis).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mutation;

    #[test]
    fn our_client_is_told_from_others_to_the_letter() {
        assert_eq!(client("com/salesforce/api/rest/68.0;client=cpq"), Some("cpq"));
        assert_eq!(
            client("com/salesforce/api/soap/61.0;client=SfdcInternalAPI/"),
            Some("SfdcInternalAPI/")
        );
        assert_eq!(client("com/salesforce/api/rest/68.0;client=cpq2"), Some("cpq2"));
        assert_eq!(client("com/salesforce/api/rest/68.0"), None);
        assert_eq!(client(""), None);
    }

    #[test]
    fn parts_of_compounds_have_the_names_of_the_api() {
        for (field, part, name) in [
            ("BillingAddress", "Street", "BillingStreet"),
            ("Address", "City", "City"),
            ("Name", "FirstName", "FirstName"),
            ("Site__c", "Latitude", "Site__Latitude__s"),
        ] {
            assert_eq!(api_name(field, part), name);
        }
    }

    /// Events as Salesforce encodes them, and the schema beside them, spoilt.
    #[test]
    fn a_spoilt_event_or_schema_is_read_or_refused() {
        let json = br#"{"type":"record","name":"OpportunityChangeEvent","namespace":"com.sforce.eventbus","fields":[
            {"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader","fields":[
            {"name":"entityName","type":"string"},{"name":"recordIds","type":{"type":"array","items":"string"}},
            {"name":"changeType","type":{"type":"enum","name":"ChangeType","symbols":["CREATE","UPDATE"]}},
            {"name":"commitTimestamp","type":"long"},{"name":"changedFields","type":{"type":"array","items":"string"}}]}},
            {"name":"Name","type":["null","string"]},{"name":"Amount","type":["null","double"]}]}"#;
        let event = b"\x16Opportunity\x02\x24006Sb0000000001IAA\x00\x02\x80\xa0\xb2\x8a\xfc\x66\x02\x080x06\x00\x02\x06abc\x00";
        let schema = EventSchema::parse(std::str::from_utf8(json).expect("UTF-8")).expect("it parses");
        for case in 0..mutation::cases() {
            let bytes = mutation::spoilt(&[event], case);
            if let Ok(record) = Record::read(&schema, &bytes)
                && let Ok(header) = record.header()
            {
                let _ = bitmap::decode(&header.changed, &schema.fields);
            }
            let text = mutation::spoilt(&[json], case);
            let _ = EventSchema::parse(&String::from_utf8_lossy(&text));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let json = r#"{"type": "record", "name": "E", "fields": [
                {"name": "Name", "type": ["null", "string"]}, {"name": "Ids", "type": {"type": "array", "items": "string"}}]}"#;
            let schema = EventSchema::parse(json).expect("it parses");
            if let Ok(record) = Record::read(&schema, &bytes) {
                prop_assert!(record.header().is_err());
            }
        }
    }
}
