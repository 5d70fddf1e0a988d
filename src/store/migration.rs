//! Steps from one schema to the next, whatever engine takes them.

use cpq_domain::{Code, Error, Result};

use crate::checksum::Checksum;

/// A step from one schema to the next. Once released, its text never changes.
pub(crate) struct Migration {
    /// Schema version that it leads to: 1, 2, …
    pub(crate) version: i64,
    /// Name of its file.
    pub(crate) name: &'static str,
    /// Its statements.
    pub(crate) sql: &'static str,
}

/// Refuses a store that a newer program has changed.
pub(crate) fn refuse_newer(place: &str, theirs: i64, ours: i64, program: Option<&str>) -> Result<()> {
    if theirs <= ours {
        return Ok(());
    }
    let message = format!(
        "the store {place} has schema {theirs} (program {}); this program {} knows schema {ours}",
        program.unwrap_or("unknown"),
        env!("CARGO_PKG_VERSION")
    );
    Err(Error::new(Code::StoreTooNew, message)
        .fact("storeSchema", theirs)
        .fact("programSchema", ours))
}

/// The text of a step is not the one that the store was made with.
pub(crate) fn edited(place: &str, migration: &Migration) -> Error {
    let message = format!(
        "the store {place} was made with another text of the migration {}, so its tables may differ",
        migration.name
    );
    Error::new(Code::StoreUnavailable, message).next("start the program that made it, or restore a backup")
}

/// Line ends aside: it is to notice an edit, not an attack.
pub(crate) fn checksum(sql: &str) -> String {
    let mut sum = Checksum::new();
    sql.split('\r').for_each(|part| sum.add(part.as_bytes()));
    format!("{:016x}", sum.value())
}
