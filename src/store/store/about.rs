//! What the store is, for people who look after it.

use std::time::Duration;

use cpq_domain::Result;
use serde::Serialize;

use super::{Engine, Store};

/// Engine, size and distance of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Engine and version, e.g. `SQLite 3.51.3` or `PostgreSQL 17.6`.
    pub engine: String,
    /// Bytes of the data.
    pub bytes: u64,
    /// Bytes of the write-ahead log beside a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    /// Version of TLS to a server; none where it is spoken to in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// How long a server took for an answer that costs it nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_in: Option<Duration>,
}

impl Store {
    /// What is behind this store. Changes nothing.
    pub async fn about(&self) -> Result<About> {
        let (bytes, log_bytes) = match &self.0.engine {
            Engine::Server(server) => return server.about().await,
            Engine::File { readers, .. } => {
                let (file, log) = readers.file().sizes();
                (file, Some(log))
            }
            Engine::Memory(_) => (0, None),
        };
        Ok(About {
            engine: format!("SQLite {}", rusqlite::version()),
            bytes,
            log_bytes,
            tls: None,
            answered_in: None,
        })
    }
}
