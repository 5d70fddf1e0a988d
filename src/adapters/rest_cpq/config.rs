//! What a connection to a CPQ over HTTP can be told.

use cpq_auth::Reach;
use cpq_domain::id::ConnectionName;
use secrecy::SecretString;

/// Settings of the adapter.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the connection, for errors and metrics.
    pub connection: ConnectionName,
    /// Origin of the CPQ, with a path before `/api/v1` if it has one, e.g. `https://cpq.example`.
    pub base_url: String,
    /// Bearer token (RFC 6750).
    pub token: SecretString,
    /// Whether the CPQ can say what a write would lead to.
    pub preview: bool,
    /// Certificate authorities to trust beside the built-in ones, as PEM.
    pub ca_certificates_pem: Vec<Vec<u8>>,
    /// Where requests may go.
    pub reach: Reach,
}

impl Config {
    /// The usual settings.
    pub fn new(connection: ConnectionName, base_url: impl Into<String>, token: SecretString) -> Self {
        Config {
            connection,
            base_url: base_url.into(),
            token,
            preview: true,
            ca_certificates_pem: Vec::new(),
            reach: Reach::default(),
        }
    }
}
