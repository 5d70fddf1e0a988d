//! The write-ahead log of a store in use.

use cpq_domain::Result;

use super::failure::failure;
use super::open::File;

/// Moves what is in the log into the file and cuts the log off. `false` if somebody reads from it for longer than a
/// connection waits (sqlite.org/pragma.html, `wal_checkpoint`). Blocks.
pub(crate) fn empty_log(file: &File) -> Result<bool> {
    let connection = file.to_write()?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    let busy = busy.map_err(|cause| failure(file.place(), "to empty its log", cause))?;
    Ok(busy == 0)
}
