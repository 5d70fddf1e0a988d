//! A named connection to a CRM or CPQ: what is needed to log in and to speak, without any secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::ConnectionName;

/// How a connection logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// Authorization code with PKCE on a loopback redirect (RFC 6749, RFC 7636, RFC 8252).
    Web,
    /// JWT bearer assertion signed with RS256 (RFC 7523).
    Jwt,
    /// Client credentials with the app's run-as user (RFC 6749 §4.4).
    ClientCredentials,
}

/// Which vendor stands behind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vendor {
    /// Salesforce Sales Cloud over its REST API.
    Salesforce,
}

/// The settings of a connection. Secrets are not here: they are sealed in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionSettings {
    /// Name, e.g. `crm`.
    pub name: ConnectionName,
    /// Vendor.
    pub vendor: Vendor,
    /// How it logs in.
    pub flow: Flow,
    /// Where the login endpoints are, e.g. `https://login.salesforce.com`; no path.
    pub login_url: String,
    /// The connected app's consumer key.
    pub client_id: String,
    /// User of the JWT flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Audience of the JWT flow where it differs from the login URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Scopes to ask for, in order.
    pub scopes: Vec<String>,
    /// When it was connected last.
    pub connected_at: Timestamp,
}

/// What a connection turned out to be when it was connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Where the data API is.
    pub instance_url: String,
    /// Organisation id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub organization_id: String,
    /// Id of the user that we act as.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_id: String,
    /// Name of the user that we act as.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Scopes that were granted.
    #[serde(default)]
    pub scopes: Vec<String>,
}
