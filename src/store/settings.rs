//! Small settings that the program keeps for itself, by name.

use cpq_domain::Result;

use crate::encode::bounded;
use crate::limits::TEXT_BYTES;
use crate::tx::{Tx, params};

const PUT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const GET: &str = "SELECT value FROM settings WHERE name = $1";
const REMOVE: &str = "DELETE FROM settings WHERE name = $1";

pub(crate) const STATEMENTS: &[&str] = &[PUT, GET, REMOVE];

/// Stores a setting.
pub async fn put(tx: &mut dyn Tx, name: &str, value: &str) -> Result<()> {
    bounded("a setting", value.len(), TEXT_BYTES)?;
    tx.execute(PUT, params![name, value]).await.map(drop)
}

/// A setting, if it was ever stored.
pub async fn get(tx: &mut dyn Tx, name: &str) -> Result<Option<String>> {
    tx.first(GET, params![name])
        .await?
        .map(|mut row| row.take())
        .transpose()
}

/// Forgets a setting. Returns whether there was one.
pub async fn remove(tx: &mut dyn Tx, name: &str) -> Result<bool> {
    Ok(tx.execute(REMOVE, params![name]).await? == 1)
}
