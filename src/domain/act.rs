//! What people and programs did, as it is told in the audit log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// Who, as our keys know it: the client of a token, or `cli` and `service` for what does not come through the API.
    pub client: String,
    /// For whom the client says that it acts. Its word alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// From where: a network address, or the account and host of a command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What: a route of the API, or a word such as `token.create`.
    pub act: String,
    /// To what.
    pub subject: String,
    /// Name of the request, in answers and logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

/// What is told of an act: that it is about to be done, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The act.
    #[serde(flatten)]
    pub act: Act,
    /// Position of the entry of which this is the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<i64>,
    /// How it ended: `done`, or an error code; absent before the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}
