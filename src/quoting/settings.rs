//! What an administrator decides about quoting.

use cpq_domain::id::QuoteNumber;
use cpq_domain::{Code, Error, Result};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::limits::VALIDITY_DAYS_MAX;

/// Digits to which a sequence may be padded. A number has 40 characters, and 2^64 has 20 digits.
const PADDING_MAX: usize = 20;

/// Settings of the embedded CPQ. Every field may be left out; the defaults suit a small sales team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotingSettings {
    /// A discount above this percentage of the list price needs an approval. 100 or more: none ever does.
    pub approval_above_discount_percent: Decimal,
    /// Days for which a new offer holds when nobody says until when.
    pub default_validity_days: i64,
    /// How quotes are numbered: `{year}` and `{sequence}`, or `{sequence:04}` to pad with zeros. The sequence starts
    /// again each year, so both must occur.
    pub number_format: NumberFormat,
    /// The year in numbers, instead of the current one in UTC.
    pub year: Option<i16>,
    /// Currency of quotes for which the CRM names none. Without it such a quote is refused: a guessed currency is a
    /// wrong price.
    pub default_currency: Option<String>,
}

impl Default for QuotingSettings {
    fn default() -> Self {
        QuotingSettings {
            approval_above_discount_percent: Decimal::from(20),
            default_validity_days: 30,
            number_format: NumberFormat::default(),
            year: None,
            default_currency: None,
        }
    }
}

impl QuotingSettings {
    /// Refuses settings that no quote could be made under, with [`Code::ConfigInvalid`] naming the key.
    pub fn check(&self) -> Result<()> {
        if !(0..=VALIDITY_DAYS_MAX).contains(&self.default_validity_days) {
            let why = format!("must be from 0 to {VALIDITY_DAYS_MAX}");
            return Err(invalid("default_validity_days", &why));
        }
        if self.approval_above_discount_percent < Decimal::ZERO {
            return Err(invalid("approval_above_discount_percent", "must be at least 0"));
        }
        if self.year.is_some_and(|year| !(1..=9999).contains(&year)) {
            return Err(invalid("year", "must be from 1 to 9999"));
        }
        match &self.default_currency {
            Some(code) if !is_currency(code) => {
                let why = format!("is {code:?}; it must be an ISO 4217 code such as USD");
                Err(invalid("default_currency", &why))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the text has the form of an ISO 4217 alphabetic code.
pub(crate) fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn invalid(key: &str, why: &str) -> Error {
    Error::new(Code::ConfigInvalid, format!("quoting.{key} {why}")).field(format!("quoting.{key}"))
}

/// A checked pattern of quote numbers, e.g. `Q-{year}-{sequence:04}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NumberFormat {
    text: String,
    padding: usize,
}

impl NumberFormat {
    /// Checks a pattern.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when a part is missing or unknown, or when it makes no valid [`QuoteNumber`].
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text: String = text.into();
        let refuse = |why: &str| invalid("number_format", &format!("is {text:?}; {why}"));
        let (start, end) = sequence_part(&text).ok_or_else(|| refuse("it must contain {sequence} once"))?;
        let padding = padding(&text[start..end])
            .ok_or_else(|| refuse("write {sequence}, or {sequence:04} with 0 to 20 digits"))?;
        if text.matches("{year}").count() != 1 {
            return Err(refuse(
                "it must contain {year} once: the sequence starts again each year",
            ));
        }
        let format = NumberFormat { text, padding };
        format.number(9999, u64::MAX).map_err(|error| {
            invalid(
                "number_format",
                &format!("is {:?}; it makes no valid number", format.text),
            )
            .cause(error)
        })?;
        Ok(format)
    }

    /// The number of the `sequence`-th quote of a year.
    ///
    /// # Errors
    /// None for a checked format; the result is checked all the same.
    pub fn number(&self, year: i16, sequence: u64) -> Result<QuoteNumber> {
        let (start, end) =
            sequence_part(&self.text).ok_or_else(|| invalid("number_format", "lost its {sequence}"))?;
        let width = self.padding;
        let number = format!("{}{sequence:0width$}{}", &self.text[..start], &self.text[end..]);
        QuoteNumber::new(number.replace("{year}", &year.to_string()))
    }
}

/// Where `{sequence…}` starts and ends.
fn sequence_part(text: &str) -> Option<(usize, usize)> {
    let start = text.find("{sequence")?;
    let end = start + text[start..].find('}')? + 1;
    (!text[end..].contains("{sequence")).then_some((start, end))
}

/// How far `{sequence}` or `{sequence:04}` pads.
fn padding(part: &str) -> Option<usize> {
    let inside = part.strip_prefix("{sequence")?.strip_suffix('}')?;
    match inside.strip_prefix(':') {
        None => inside.is_empty().then_some(0),
        Some(digits) => digits.parse().ok().filter(|padding| *padding <= PADDING_MAX),
    }
}

impl Default for NumberFormat {
    fn default() -> Self {
        NumberFormat {
            text: "Q-{year}-{sequence:04}".into(),
            padding: 4,
        }
    }
}

impl TryFrom<String> for NumberFormat {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        NumberFormat::new(text)
    }
}

impl From<NumberFormat> for String {
    fn from(format: NumberFormat) -> String {
        format.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_the_format_says() {
        let usual = NumberFormat::default();
        assert_eq!(usual, NumberFormat::new("Q-{year}-{sequence:04}").unwrap());
        assert_eq!(usual.number(2026, 137).unwrap().as_str(), "Q-2026-0137");
        assert_eq!(usual.number(2026, 123_456).unwrap().as_str(), "Q-2026-123456");
        let bare = NumberFormat::new("{sequence}/{year}").unwrap();
        assert_eq!(bare.number(2027, 5).unwrap().as_str(), "5/2027");
    }

    #[test]
    fn a_format_that_would_repeat_or_break_numbers_is_refused() {
        let bad = [
            "Q-{year}",
            "Q-{sequence}",
            "Q {year}-{sequence}",
            "{year}{sequence:99}",
            "{year}{sequence:x}",
            "{year}{sequence",
            "{year}{sequences}",
            "{year}{sequence}{sequence}",
            "{month}{year}{sequence}",
            "a-very-long-prefix-indeed-{year}-{sequence}",
        ];
        for text in bad {
            let error = NumberFormat::new(text).expect_err(text);
            assert_eq!(error.code, Code::ConfigInvalid, "{text}");
            assert_eq!(error.place.field.as_deref(), Some("quoting.number_format"));
        }
    }

    #[test]
    fn settings_come_from_a_table_and_are_checked() {
        let read: QuotingSettings =
            serde_json::from_str(r#"{"approval_above_discount_percent":"12.5","year":2026}"#).unwrap();
        assert_eq!(read.default_validity_days, 30);
        assert_eq!(read.approval_above_discount_percent.to_string(), "12.5");
        for plain in ["20", "12.5"] {
            let text = format!(r#"{{"approval_above_discount_percent":{plain}}}"#);
            let read: QuotingSettings = serde_json::from_str(&text).unwrap();
            assert_eq!(read.approval_above_discount_percent.to_string(), plain);
        }
        assert!(read.check().is_ok());
        let wrong = QuotingSettings {
            default_currency: Some("usd".into()),
            ..read
        };
        assert_eq!(wrong.check().unwrap_err().code, Code::ConfigInvalid);
    }
}
