//! Forms in which records and answers are written.

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

/// A form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Form {
    /// Rows of text.
    #[default]
    Csv,
    /// JSON.
    Json,
    /// XML; what a job has that does not say.
    Xml,
}

impl Form {
    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }

    /// The form of this name; those with attachments in a zip file are not served.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Csv, Self::Json, Self::Xml]
            .into_iter()
            .find(|one| one.name() == name)
    }

    /// The media type.
    pub fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        }
    }

    /// The form in which answers about a job of this form are written: there is no CSV for them (Content Type Header).
    pub fn of_answers(self) -> Self {
        match self {
            Self::Json => Self::Json,
            Self::Csv | Self::Xml => Self::Xml,
        }
    }

    /// The form that the `Content-Type` of a request names. `Accept` says nothing here.
    pub fn asked(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        Self::of_media(text)
    }

    /// The form of a `Content-Type`, whatever its parameters.
    fn of_media(text: &str) -> Option<Self> {
        let media = text.split(';').next().unwrap_or_default().trim();
        match media.to_ascii_lowercase().as_str() {
            "text/csv" => Some(Self::Csv),
            "application/json" => Some(Self::Json),
            "application/xml" | "text/xml" => Some(Self::Xml),
            _ => None,
        }
    }
}
