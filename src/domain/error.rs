//! The one error of the house: what happened, where, why, whether anything was written, and what to do next.

use std::fmt;

use serde::{Deserialize, Serialize};

mod code;
mod hold;
mod redact;

pub use code::{Class, Code};
pub use hold::{Hold, LimitKind};
pub use redact::redacted;

/// `Result` with the error of the house.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether the failed operation changed a foreign system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// Nothing was changed anywhere outside this process.
    #[default]
    No,
    /// Some of the intended changes are in place; the journal names them.
    Partly,
    /// The answer was lost: the change may or may not be in place. It is read back before anything is sent again.
    Unknown,
}

/// What a vendor said, kept to the letter: its codes are an open list and its words help a person search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// HTTP status, 0 when there was none.
    pub status: u16,
    /// The vendor's own code, e.g. `UNABLE_TO_LOCK_ROW`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The vendor's message, without what looks like a secret, cut to [`crate::limits::UPSTREAM_MESSAGE_CHARS`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Where it happened. Empty parts are left out of every output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Name of the connection, e.g. `crm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Vendor object, e.g. `Opportunity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Record id or business number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Field, in the vendor's or in our canonical name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Step of the run, e.g. `write.crm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// Everything that can go wrong, in one shape for the API, the CLI, the journal and the dead letters.
///
/// `Display` gives the message only; the cause is reachable through [`std::error::Error::source`] and is printed once,
/// by whoever handles the error.
#[derive(Debug)]
pub struct Error {
    /// Which of the closed list of failures this is. Each has a page in `docs/errors/`.
    pub code: Code,
    /// What happened, in a sentence for a person.
    pub message: String,
    /// Where it happened.
    pub place: Box<Place>,
    /// Whether anything was written.
    pub written: Written,
    /// The next command or action.
    pub next: Option<String>,
    /// Earliest moment at which trying again makes sense, in milliseconds from now. A floor, never a promise.
    pub retry_after_ms: Option<u64>,
    /// The vendor's own words.
    pub upstream: Option<Box<Upstream>>,
    /// Machine-readable facts about this failure beyond the fixed parts, e.g. `allowed` transitions.
    pub facts: Option<Box<serde_json::Map<String, serde_json::Value>>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure with its sentence. The next step is the code's usual one until [`Error::next`] replaces it.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error {
            code,
            message: message.into(),
            place: Box::default(),
            written: Written::No,
            next: None,
            retry_after_ms: None,
            upstream: None,
            facts: None,
            source: None,
        }
    }

    /// Adds the cause. It is shown in logs and in `caused by:` lines, never in the API's message.
    #[must_use]
    pub fn cause(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Says whether anything was written.
    #[must_use]
    pub fn written(mut self, written: Written) -> Self {
        self.written = written;
        self
    }

    /// Names the connection.
    #[must_use]
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.place.connection = Some(name.into());
        self
    }

    /// Names the vendor object.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.place.object = Some(object.into());
        self
    }

    /// Names the record.
    #[must_use]
    pub fn record(mut self, record: impl Into<String>) -> Self {
        self.place.record = Some(record.into());
        self
    }

    /// Names the field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.place.field = Some(field.into());
        self
    }

    /// Names the step of the run.
    #[must_use]
    pub fn step(mut self, step: impl Into<String>) -> Self {
        self.place.step = Some(step.into());
        self
    }

    /// Adds the vendor's words, without what looks like a secret ([`redacted`]).
    #[must_use]
    pub fn upstream(mut self, status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let message = redacted(&message)
            .chars()
            .take(crate::limits::UPSTREAM_MESSAGE_CHARS)
            .collect();
        self.upstream = Some(Box::new(Upstream {
            status,
            code: code.into(),
            message,
        }));
        self
    }

    /// Adds one machine-readable fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.facts
            .get_or_insert_default()
            .insert(name.to_owned(), value.into());
        self
    }

    /// Sets the floor before the next try.
    #[must_use]
    pub fn retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.retry_after_ms = Some(milliseconds);
        self
    }

    /// How the engine treats this failure.
    pub fn class(&self) -> Class {
        self.code.class()
    }

    /// What to do next: the specific advice if there is one, else the code's usual one.
    pub fn advice(&self) -> &str {
        self.next.as_deref().unwrap_or_else(|| self.code.usual_next())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// An error as it is stored and sent: `{"code","message","correlationId","details"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ErrorReport))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The code, e.g. `TOKEN_EXPIRED`.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// Correlation id of the request or run; absent before one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Where, why, whether anything was written, and what to do next.
    pub details: Details,
}

/// The second half of a [`Report`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ErrorDetails))]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Where it happened.
    #[serde(flatten)]
    pub place: Place,
    /// Whether anything was written.
    pub written: Written,
    /// The next command or action.
    pub next: String,
    /// Where the code is explained.
    pub docs: String,
    /// Milliseconds to wait at least before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The vendor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// Further facts, by name.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub facts: serde_json::Map<String, serde_json::Value>,
}

impl Error {
    /// The stored and sent form of this error. The cause stays behind: it may hold what outsiders must not see.
    pub fn report(&self, correlation_id: Option<&str>) -> Report {
        Report {
            code: self.code,
            message: self.message.clone(),
            correlation_id: correlation_id.map(str::to_owned),
            details: Details {
                place: (*self.place).clone(),
                written: self.written,
                next: self.advice().to_owned(),
                docs: format!("docs/errors/{}.md", self.code),
                retry_after_ms: self.retry_after_ms,
                upstream: self.upstream.as_deref().cloned(),
                facts: self.facts.as_deref().cloned().unwrap_or_default(),
            },
        }
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        let mut error = Error::new(report.code, report.message).written(report.details.written);
        error.place = Box::new(report.details.place);
        error.next = Some(report.details.next).filter(|next| !next.is_empty());
        error.retry_after_ms = report.details.retry_after_ms;
        error.upstream = report.details.upstream.map(Box::new);
        error.facts = Some(report.details.facts)
            .filter(|facts| !facts.is_empty())
            .map(Box::new);
        error
    }
}
