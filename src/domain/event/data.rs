//! What a journal row carries, kept as the text that is stored.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::{RawValue, to_raw_value};

/// A JSON value as its text. What a step of a quote with thousands of lines found is long, and as a tree of values it
/// would be many times that: each is read straight into its type, once, by whoever wants it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(Option<Box<RawValue>>);

impl Data {
    /// No data: `null`.
    pub const NONE: Data = Data(None);

    /// The text of a value.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Data> {
        let raw = to_raw_value(value)?;
        Ok(Data((raw.get() != "null").then_some(raw)))
    }

    /// Takes over a text, after a look at whether it is JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: String) -> serde_json::Result<Data> {
        let raw = RawValue::from_string(text)?;
        Ok(Data((raw.get() != "null").then_some(raw)))
    }

    /// Whether it is `null`.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        self.0.as_deref().map_or("null", RawValue::get)
    }

    /// The value. What the type does not name is passed over.
    ///
    /// # Errors
    /// When the text is no such value.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(self.text())
    }

    /// The whole as a tree. For rows that are small, and for people.
    pub fn json(&self) -> Json {
        self.read().unwrap_or_default()
    }
}

impl From<Json> for Data {
    fn from(value: Json) -> Data {
        Data::of(&value).unwrap_or_default()
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Data) -> bool {
        self.text() == other.text()
    }
}
