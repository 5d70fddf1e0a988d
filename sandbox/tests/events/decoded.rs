//! An event read back by the rules of the guides, without a line of the sandbox's own code.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use sandbox::events::{Event, ReplayId};
use serde_json::{Map, Value as Json};

#[derive(Debug)]
pub struct Decoded {
    pub replay_id: ReplayId,
    pub id: String,
    pub schema_id: String,
    pub payload: Json,
    schema: Json,
}

impl Decoded {
    pub fn of(event: &Event, schema: &str) -> Decoded {
        let parsed = Schema::parse_str(schema).unwrap();
        let mut bytes = &event.payload[..];
        let reader = GenericDatumReader::builder(&parsed).build().unwrap();
        let payload = plain(reader.read_value(&mut bytes).unwrap());
        assert!(bytes.is_empty(), "the datum ends where its schema does");
        Decoded {
            replay_id: event.replay_id,
            id: event.id.to_string(),
            schema_id: event.schema_id.to_string(),
            payload,
            schema: serde_json::from_str(schema).unwrap(),
        }
    }

    pub fn header(&self) -> &Json {
        &self.payload["ChangeEventHeader"]
    }

    pub fn change(&self) -> &str {
        self.header()["changeType"].as_str().unwrap()
    }

    pub fn entity(&self) -> &str {
        self.header()["entityName"].as_str().unwrap()
    }

    pub fn ids(&self) -> Vec<&str> {
        self.header()["recordIds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect()
    }

    /// The bitmaps of a list as they are.
    pub fn bits(&self, list: &str) -> Vec<&str> {
        self.header()[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect()
    }

    /// The names behind a list's bitmaps, sorted.
    pub fn names(&self, list: &str) -> Vec<String> {
        let mut names = Vec::new();
        for map in self.bits(list) {
            match map.split_once("-0x") {
                None => names.extend(bits(map.strip_prefix("0x").unwrap()).map(|bit| self.name(bit))),
                Some((parent, digits)) => {
                    let parent: usize = parent.parse().unwrap();
                    let parts = self.parts(parent);
                    names.extend(bits(digits).map(|bit| format!("{}.{}", self.name(parent), parts[bit])));
                }
            }
        }
        names.sort();
        names
    }

    pub fn changed(&self) -> Vec<String> {
        self.names("changedFields")
    }

    /// Values of the record that are not null.
    pub fn told(&self) -> Map<String, Json> {
        let fields = self.payload.as_object().unwrap().iter();
        fields
            .filter(|(name, value)| *name != "ChangeEventHeader" && !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn name(&self, at: usize) -> String {
        self.schema["fields"][at]["name"].as_str().unwrap().to_owned()
    }

    /// Names of a compound's parts; a record is defined once and then called by its name.
    fn parts(&self, at: usize) -> Vec<String> {
        let kind = &self.schema["fields"][at]["type"][1];
        let all = self.schema["fields"].as_array().unwrap();
        let record = match kind.as_str() {
            Some(name) => all
                .iter()
                .map(|field| &field["type"][1])
                .find(|kind| kind["name"] == name)
                .unwrap(),
            None => kind,
        };
        let parts = record["fields"].as_array().unwrap().iter();
        parts
            .map(|part| part["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Bits of a number in hexadecimal digits, which must be upper case and go in pairs.
fn bits(digits: &str) -> impl Iterator<Item = usize> {
    assert!(
        digits.len().is_multiple_of(2)
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
    );
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    let count = bytes.len() * 8;
    (0..count).filter(move |bit| bytes[bytes.len() - 1 - bit / 8] >> (bit % 8) & 1 == 1)
}

fn plain(value: Avro) -> Json {
    match value {
        Avro::Null => Json::Null,
        Avro::Union(_, inner) => plain(*inner),
        Avro::Record(fields) => Json::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, plain(value)))
                .collect(),
        ),
        Avro::Array(items) => items.into_iter().map(plain).collect(),
        Avro::Enum(_, text) | Avro::String(text) => text.into(),
        Avro::Boolean(flag) => flag.into(),
        Avro::Int(number) => number.into(),
        Avro::Long(number) => number.into(),
        Avro::Double(number) => number.into(),
        other => panic!("events have no such type: {other:?}"),
    }
}
