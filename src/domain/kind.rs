//! What a canonical field means, whatever the CRM stores it as.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::{Form, Value};

/// The meaning of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text.
    Text,
    /// One entry of a list.
    Choice,
    /// Several entries of a list.
    Choices,
    /// True or false.
    Flag,
    /// An exact number.
    Number,
    /// An amount with its currency.
    Money,
    /// A calendar date without a zone.
    Date,
    /// A moment.
    Instant,
    /// A phone number; how it is punctuated means nothing.
    Phone,
    /// A country, by its ISO 3166-1 alpha-2 code.
    Country,
    /// A state or province, by its ISO 3166-2 code, e.g. `US-OR`.
    State,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 11] = [
        Kind::Text,
        Kind::Choice,
        Kind::Choices,
        Kind::Flag,
        Kind::Number,
        Kind::Money,
        Kind::Date,
        Kind::Instant,
        Kind::Phone,
        Kind::Country,
        Kind::State,
    ];

    /// Its name in mapping files.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Choice => "choice",
            Kind::Choices => "choices",
            Kind::Flag => "flag",
            Kind::Number => "number",
            Kind::Money => "money",
            Kind::Date => "date",
            Kind::Instant => "instant",
            Kind::Phone => "phone",
            Kind::Country => "country",
            Kind::State => "state",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The form in which its values are compared.
    pub fn form(self) -> Form {
        match self {
            Kind::Instant => Form::Seconds,
            Kind::Phone => Form::Phone,
            Kind::Country => Form::Country,
            Kind::State => Form::State,
            Kind::Text
            | Kind::Choice
            | Kind::Choices
            | Kind::Flag
            | Kind::Number
            | Kind::Money
            | Kind::Date => Form::Plain,
        }
    }

    /// Whether it is a number in the CRM.
    pub fn is_numeric(self) -> bool {
        matches!(self, Kind::Number | Kind::Money)
    }

    /// Whether its values are text to us.
    pub fn is_text(self) -> bool {
        matches!(self, Kind::Text | Kind::Phone | Kind::Country | Kind::State)
    }

    /// Whether a value is of the kind; no value is of every kind.
    pub fn admits(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (_, Value::Null)
                | (
                    Kind::Text | Kind::Phone | Kind::Country | Kind::State,
                    Value::Text(_)
                )
                | (Kind::Choice, Value::Choice(_))
                | (Kind::Choices, Value::Choices(_))
                | (Kind::Flag, Value::Bool(_))
                | (Kind::Number, Value::Number(_))
                | (Kind::Money, Value::Money(_))
                | (Kind::Date, Value::Date(_))
                | (Kind::Instant, Value::Instant(_))
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
