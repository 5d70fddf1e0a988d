//! What became of one row.

use crate::org::{ApiError, Id};
use serde::{Deserialize, Serialize};

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Outcome {
    /// The record was written.
    Done {
        /// Which record.
        id: Id,
        /// Whether it was made.
        created: bool,
    },
    /// It was not.
    Failed {
        /// Which record, if the row named one.
        id: Option<Id>,
        /// The text of `sf__Error`.
        error: Box<str>,
    },
}

impl Outcome {
    /// A refused row.
    pub fn failed(id: Option<Id>, error: &ApiError) -> Self {
        Self::Failed {
            id,
            error: error_text(error).into(),
        }
    }

    /// Whether the row was refused.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Bytes of its text.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Done { .. } => 0,
            Self::Failed { error, .. } => error.len(),
        }
    }
}

/// `CODE:message:Field1 Field2 --`, and `CODE:message:--` when no field is concerned.
pub fn error_text(error: &ApiError) -> String {
    let mut fields = error.fields.clone().unwrap_or_default();
    fields.push("--".to_owned());
    format!("{}:{}:{}", error.error_code, error.message, fields.join(" "))
}

/// Compact for the snapshot: `+id` made, `=id` changed, `!id text` refused.
impl From<Outcome> for String {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done { id, created: true } => format!("+{id}"),
            Outcome::Done { id, created: false } => format!("={id}"),
            Outcome::Failed { id, error } => {
                let id = id.map(|id| id.to_string()).unwrap_or_default();
                format!("!{id} {error}")
            }
        }
    }
}

impl TryFrom<String> for Outcome {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no outcome of a row");
        let (kind, rest) = text.split_at_checked(1).ok_or_else(wrong)?;
        let done = |created| {
            let id = Id::parse(rest).ok_or_else(wrong)?;
            Ok(Self::Done { id, created })
        };
        match kind {
            "+" => done(true),
            "=" => done(false),
            "!" => {
                let (id, error) = rest.split_once(' ').ok_or_else(wrong)?;
                Ok(Self::Failed {
                    id: Id::parse(id),
                    error: error.into(),
                })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_their_fields_or_none() {
        let missing = ApiError::data(
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [A, B]",
            &["A", "B"],
        );
        assert_eq!(
            error_text(&missing),
            "REQUIRED_FIELD_MISSING:Required fields are missing: [A, B]:A B --"
        );
        assert_eq!(
            error_text(&ApiError::deleted()),
            "ENTITY_IS_DELETED:entity is deleted:--"
        );
    }

    #[test]
    fn outcomes_survive_their_text() {
        let id = Id::new(*b"001", 7);
        let refused = ApiError::data("X", "a b:c", &[]);
        for outcome in [
            Outcome::Done { id, created: true },
            Outcome::Done { id, created: false },
            Outcome::failed(Some(id), &refused),
            Outcome::failed(None, &refused),
        ] {
            assert_eq!(Outcome::try_from(String::from(outcome.clone())), Ok(outcome));
        }
        for bad in ["", "+", "?001", "!", "é"] {
            assert!(Outcome::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
