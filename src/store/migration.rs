//! Steps from one schema to the next, whatever engine takes them.

use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use tokio::time::Instant;

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

/// What was done to bring a store to the schema of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Schema that it had; 0 when there was none.
    pub from: i64,
    /// Schema that it has now.
    pub to: i64,
    /// What was applied, in order; empty when it was up to date.
    pub applied: Vec<Applied>,
}

/// A migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Name of its file.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// What would be done to bring a store to the schema of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Schema that it has; 0 when there is none.
    pub from: i64,
    /// Schema that it would have.
    pub to: i64,
    /// Names of the migrations that would be applied, in order.
    pub missing: Vec<&'static str>,
}

impl Plan {
    /// The plan of a store that has schema `from`.
    pub(crate) fn behind(from: i64, migrations: &[Migration]) -> Plan {
        let missing = migrations.iter().filter(|migration| migration.version > from);
        Plan {
            from,
            to: newest(migrations),
            missing: missing.map(|migration| migration.name).collect(),
        }
    }
}

impl Migrated {
    /// Nothing done yet to a store that has schema `from`.
    pub(crate) fn begin(from: i64, migrations: &[Migration]) -> Migrated {
        Migrated {
            from,
            to: newest(migrations),
            applied: Vec::new(),
        }
    }

    /// One migration more, begun at that moment.
    pub(crate) fn note(&mut self, name: &'static str, begun: Instant) {
        let took = begun.elapsed();
        self.applied.push(Applied { name, took });
    }
}

/// The schema that these lead to.
pub(crate) fn newest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |migration| migration.version)
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
