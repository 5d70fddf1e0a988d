//! Identifiers. Each is a type of its own, checked where it enters, so that one can never stand in for another.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::limits;

/// A text identifier with its rule, made by [`text_ids!`]. The pattern (ECMA-262) is the same rule for the API's
/// description; a test compares the two.
macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $code:ident, $rule:expr, $says:literal, $pattern:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(pattern = $pattern))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text against the rule of this identifier.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text: String = text.into();
                let rule: fn(&str) -> bool = $rule;
                if rule(&text) {
                    return Ok($name(text));
                }
                let shown: String = text.chars().take(40).collect();
                Err(Error::new(Code::$code, format!("{} {shown:?} is malformed: {}", $what, $says)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> { $name::new(text) }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String { id.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    )*};
}

fn word(text: &str, max: usize, also: &[u8]) -> bool {
    (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
}

/// At most 18 digits, so that the number fits 64 bits.
fn numbered_conflict(text: &str) -> bool {
    text.strip_prefix("cf-")
        .is_some_and(|n| (1..=18).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
}

fn visible(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|b| (0x21..=0x7e).contains(&b))
}

text_ids! {
    /// Name of a connection to a CRM or CPQ, e.g. `crm`. Used in commands, logs and metrics.
    ConnectionName, "connection name", RequestInvalid, |t| word(t, 40, b"-_"),
        "use 1 to 40 letters, digits, `-` or `_`", "^[A-Za-z0-9_-]{1,40}$";
    /// How people name an opportunity: its business number (`OPP-4482`) or its CRM id.
    OpportunityKey, "opportunity", RequestInvalid, |t| word(t, limits::OPPORTUNITY_KEY_CHARS, b"-_.:/#"),
        "use 1 to 255 letters, digits or -_.:/#", "^[A-Za-z0-9_.:/#-]{1,255}$";
    /// The CRM's own id of a record. Salesforce ids are always the 18-character form here.
    RecordId, "record id", RequestInvalid, |t| word(t, 80, b"-_"), "use 1 to 80 letters, digits, `-` or `_`",
        "^[A-Za-z0-9_-]{1,80}$";
    /// Correlation id: ours (`csync-001`) or the caller's.
    CorrelationId, "correlation id", RequestInvalid, |t| visible(t, limits::CORRELATION_CHARS),
        "use 1 to 80 visible ASCII characters", "^[!-~]{1,80}$";
    /// Key under which a request is done at most once.
    IdempotencyKey, "idempotency key", IdempotencyKeyInvalid, |t| visible(t, limits::IDEMPOTENCY_KEY_CHARS),
        "use 1 to 255 visible ASCII characters", "^[!-~]{1,255}$";
    /// Id of a quote (one revision) in its CPQ.
    QuoteId, "quote id", RequestInvalid, |t| word(t, limits::QUOTE_ID_CHARS, b"-_"),
        "use 1 to 80 letters, digits, `-` or `_`", "^[A-Za-z0-9_-]{1,80}$";
    /// Number of a quote as people say it, e.g. `Q-2026-0137`. The same for all revisions.
    QuoteNumber, "quote number", RequestInvalid, |t| word(t, limits::QUOTE_NUMBER_CHARS, b"-_./"),
        "use 1 to 40 letters, digits or -_./", "^[A-Za-z0-9_./-]{1,40}$";
    /// Identity of a quote line, stable over revisions and reordering; the join between CRM and CPQ lines.
    LineKey, "line key", RequestInvalid, |t| word(t, 64, b"-_"), "use 1 to 64 letters, digits, `-` or `_`",
        "^[A-Za-z0-9_-]{1,64}$";
    /// A conflict as people say it, e.g. `cf-001`.
    ConflictId, "conflict id", RequestInvalid, numbered_conflict, "use `cf-` and a number, e.g. cf-001",
        "^cf-[0-9]{1,18}$";
    /// Who calls our API: the stable name of a token's owner, never the token.
    ClientId, "client id", RequestInvalid, |t| word(t, 80, b"-_.:@"), "use 1 to 80 letters, digits or -_.:@",
        "^[A-Za-z0-9_.:@-]{1,80}$";
}

impl ConflictId {
    /// The conflict of that number.
    pub fn numbered(number: i64) -> ConflictId {
        ConflictId(format!("cf-{number:03}"))
    }

    /// Its number: `cf-7` and `cf-007` are the same conflict.
    pub fn number(&self) -> i64 {
        self.0[3..].parse().unwrap_or_default()
    }
}

/// Id of a run, time-ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Uuid);

impl RunId {
    /// Comes after every run that was accepted before this moment, and before those that came later (UUID version 7: the
    /// milliseconds come first; RFC 9562 §5.7).
    pub fn first_at(moment: Timestamp) -> RunId {
        let milliseconds = u128::try_from(moment.as_millisecond()).unwrap_or_default();
        RunId(Uuid::from_u128(milliseconds << 80))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What runs one at a time: one opportunity of one connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The opportunity as it was named, until a run has read it; then its business number, or the CRM's id where it has none.
    pub opportunity: OpportunityKey,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.connection, self.opportunity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opportunity_key_takes_numbers_and_ids_and_refuses_soql() {
        assert!(OpportunityKey::new("OPP-4482").is_ok());
        assert!(OpportunityKey::new("006D000000Kv3g5IAB").is_ok());
        for bad in ["", "a' OR Id != '", "a b", "ü", &"x".repeat(256)] {
            assert!(OpportunityKey::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    /// What a pattern allows in each place, and the most and the least of it: enough to tell it from the rule.
    #[cfg(feature = "openapi")]
    #[test]
    fn the_pattern_of_each_id_is_its_rule() {
        use utoipa::PartialSchema;
        fn pattern<T: PartialSchema>() -> String {
            let told = serde_json::to_value(T::schema()).unwrap();
            told["pattern"].as_str().expect("a pattern").to_owned()
        }
        fn agrees<T: PartialSchema>(takes: fn(&str) -> bool, most: usize) {
            let pattern = pattern::<T>();
            let class = pattern.trim_start_matches("^[").split(']').next().unwrap();
            assert!(pattern.ends_with(&format!("{{1,{most}}}$")), "{pattern}");
            let visible = class == "!-~";
            for byte in 0x20..=0x7e_u8 {
                let one = char::from(byte).to_string();
                let listed = class
                    .replace("A-Z", "")
                    .replace("a-z", "")
                    .replace("0-9", "")
                    .contains(&one);
                let allowed = if visible {
                    byte > 0x20
                } else {
                    byte.is_ascii_alphanumeric() || listed
                };
                assert_eq!(takes(&one), allowed, "{one:?} and {pattern}");
            }
            assert!(
                takes(&"x".repeat(most)) && !takes(&"x".repeat(most + 1)),
                "{pattern}"
            );
            assert!(!takes("") && !takes("ü") && !takes("a\nb"), "{pattern}");
        }
        agrees::<ConnectionName>(|text| ConnectionName::new(text).is_ok(), 40);
        agrees::<OpportunityKey>(|text| OpportunityKey::new(text).is_ok(), 255);
        agrees::<RecordId>(|text| RecordId::new(text).is_ok(), 80);
        agrees::<CorrelationId>(|text| CorrelationId::new(text).is_ok(), 80);
        agrees::<IdempotencyKey>(|text| IdempotencyKey::new(text).is_ok(), 255);
        agrees::<QuoteId>(|text| QuoteId::new(text).is_ok(), 80);
        agrees::<QuoteNumber>(|text| QuoteNumber::new(text).is_ok(), 40);
        agrees::<LineKey>(|text| LineKey::new(text).is_ok(), 64);
        agrees::<ClientId>(|text| ClientId::new(text).is_ok(), 80);
        assert_eq!(pattern::<ConflictId>(), "^cf-[0-9]{1,18}$");
    }

    #[test]
    fn a_malformed_id_says_what_would_be_right() {
        let error = IdempotencyKey::new("a\nb").unwrap_err();
        assert_eq!(error.code, Code::IdempotencyKeyInvalid);
        assert!(error.to_string().contains("visible ASCII"), "{error}");
    }
}
