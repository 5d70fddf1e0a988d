//! Bringing a store to the schema of this program.

use cpq_domain::{Code, Error, Result};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use tokio::time::Instant;

use super::failure::failure;
use crate::migration::{self, Migrated, Migration, Plan, checksum, edited};

/// Marks the file as ours (`PRAGMA application_id`): the letters `cpqs`.
const APPLICATION_ID: i32 = 0x6370_7173;

/// How errors call the work.
const DOING: &str = "to bring its schema up to date";

/// All steps, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "0001_store",
        sql: include_str!("../../../migrations/sqlite/0001_store.sql"),
    },
    Migration {
        version: 2,
        name: "0002_conflicts",
        sql: include_str!("../../../migrations/sqlite/0002_conflicts.sql"),
    },
    Migration {
        version: 3,
        name: "0003_feeds",
        sql: include_str!("../../../migrations/sqlite/0003_feeds.sql"),
    },
    Migration {
        version: 4,
        name: "0004_deletions",
        sql: include_str!("../../../migrations/sqlite/0004_deletions.sql"),
    },
    Migration {
        version: 5,
        name: "0005_reconcile",
        sql: include_str!("../../../migrations/sqlite/0005_reconcile.sql"),
    },
    Migration {
        version: 6,
        name: "0006_retention",
        sql: include_str!("../../../migrations/sqlite/0006_retention.sql"),
    },
    Migration {
        version: 7,
        name: "0007_limits",
        sql: include_str!("../../../migrations/sqlite/0007_limits.sql"),
    },
    Migration {
        version: 8,
        name: "0008_dead_letters",
        sql: include_str!("../../../migrations/sqlite/0008_dead_letters.sql"),
    },
    Migration {
        version: 9,
        name: "0009_dashboard",
        sql: include_str!("../../../migrations/sqlite/0009_dashboard.sql"),
    },
    Migration {
        version: 10,
        name: "0010_audit",
        sql: include_str!("../../../migrations/sqlite/0010_audit.sql"),
    },
    Migration {
        version: 11,
        name: "0011_sessions",
        sql: include_str!("../../../migrations/sqlite/0011_sessions.sql"),
    },
    Migration {
        version: 12,
        name: "0012_reach",
        sql: include_str!("../../../migrations/sqlite/0012_reach.sql"),
    },
    Migration {
        version: 13,
        name: "0013_lookups",
        sql: include_str!("../../../migrations/sqlite/0013_lookups.sql"),
    },
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, program TEXT NOT NULL) STRICT";

/// Refuses a file that is not a store, is damaged, or was written by a newer program. Changes nothing.
pub(super) fn check(connection: &Connection, place: &str) -> Result<()> {
    let seen = look(connection).map_err(|cause| failure(place, "to open", cause))?;
    if seen.application != APPLICATION_ID && seen.objects > 0 {
        let message = format!("the file {place} holds the data of another program");
        return Err(
            Error::new(Code::StoreUnavailable, message).next("name another file; this one was not changed")
        );
    }
    refuse_newer(&seen, place)
}

/// Applies what is missing, all of it or nothing. Other processes wait, then find it done.
pub(super) fn run(connection: &mut Connection, place: &str) -> Result<Migrated> {
    run_to(connection, place, MIGRATIONS)
}

fn run_to(connection: &mut Connection, place: &str, migrations: &[Migration]) -> Result<Migrated> {
    // What is up to date is not locked: beside a service that writes much, each command would wait for its turn.
    if let Some(nothing) = up_to_date(connection, place, migrations)? {
        return Ok(nothing);
    }
    let begun = connection.transaction_with_behavior(TransactionBehavior::Exclusive);
    let tx = begun.map_err(|cause| failure(place, DOING, cause))?;
    let migrated = apply(&tx, place, migrations)?;
    tx.commit().map_err(|cause| failure(place, DOING, cause))?;
    Ok(migrated)
}

/// That nothing is missing, if so. Reads only.
fn up_to_date(connection: &Connection, place: &str, migrations: &[Migration]) -> Result<Option<Migrated>> {
    let seen = look(connection).map_err(|cause| failure(place, DOING, cause))?;
    refuse_newer(&seen, place)?;
    if seen.program.is_none() || seen.version < migration::newest(migrations) {
        return Ok(None);
    }
    for migration in migrations {
        verify(connection, place, migration)?;
    }
    Ok(Some(Migrated::begin(seen.version, migrations)))
}

/// Applies what is missing within the exclusive transaction that is open on the connection.
pub(super) fn apply(connection: &Connection, place: &str, migrations: &[Migration]) -> Result<Migrated> {
    // Looked at again under the lock: another process may have been faster, or newer.
    let seen = look(connection).map_err(|cause| failure(place, DOING, cause))?;
    refuse_newer(&seen, place)?;
    connection
        .execute(LEDGER, [])
        .map_err(|cause| failure(place, DOING, cause))?;
    let mut migrated = Migrated::begin(seen.version, migrations);
    for migration in migrations {
        if migration.version <= seen.version {
            verify(connection, place, migration)?;
            continue;
        }
        let begun = Instant::now();
        step(connection, place, migration)?;
        migrated.note(migration.name, begun);
    }
    Ok(migrated)
}

/// What [`run`] would do. Reads only.
pub(super) fn plan(connection: &Connection, place: &str) -> Result<Plan> {
    check(connection, place)?;
    let seen = look(connection).map_err(|cause| failure(place, "to read its schema", cause))?;
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.version <= seen.version)
    {
        verify(connection, place, migration)?;
    }
    Ok(Plan::behind(seen.version, MIGRATIONS))
}

fn step(connection: &Connection, place: &str, migration: &Migration) -> Result<()> {
    let checksum = checksum(migration.sql);
    let apply = || {
        connection.execute_batch(migration.sql)?;
        connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum, program) VALUES (?1, ?2, ?3, ?4)",
            (
                migration.version,
                migration.name,
                &checksum,
                env!("CARGO_PKG_VERSION"),
            ),
        )?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", migration.version)
    };
    apply().map_err(|cause| failure(place, &format!("the migration {}", migration.name), cause))
}

fn verify(connection: &Connection, place: &str, migration: &Migration) -> Result<()> {
    let sql = "SELECT checksum FROM schema_migrations WHERE version = ?1";
    let applied: Option<String> = connection
        .query_row(sql, [migration.version], |row| row.get(0))
        .optional()
        .map_err(|cause| failure(place, "to read its schema", cause))?;
    if applied == Some(checksum(migration.sql)) {
        return Ok(());
    }
    Err(edited(place, migration))
}

/// What the file says about itself.
struct Seen {
    application: i32,
    version: i64,
    objects: i64,
    program: Option<String>,
}

fn look(connection: &Connection) -> rusqlite::Result<Seen> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let ledger = number("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'")?;
    let newest = "SELECT program FROM schema_migrations ORDER BY version DESC LIMIT 1";
    let program = match ledger {
        0 => None,
        _ => connection.query_row(newest, [], |row| row.get(0)).optional()?,
    };
    Ok(Seen {
        application: connection.query_row("PRAGMA application_id", [], |row| row.get(0))?,
        version: number("PRAGMA user_version")?,
        objects: number("SELECT count(*) FROM sqlite_schema")?,
        program,
    })
}

fn refuse_newer(seen: &Seen, place: &str) -> Result<()> {
    let ours = migration::newest(MIGRATIONS);
    migration::refuse_newer(place, seen.version, ours, seen.program.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().expect("memory opens")
    }

    fn tables(connection: &Connection) -> Vec<String> {
        let sql = "SELECT name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name";
        let mut statement = connection.prepare(sql).expect("prepares");
        let rows = statement.query_map([], |row| row.get(0)).expect("runs");
        rows.collect::<rusqlite::Result<_>>().expect("reads")
    }

    #[test]
    fn every_older_schema_becomes_the_newest() {
        let mut fresh = memory();
        run(&mut fresh, "fresh").expect("migrated");
        for version in 0..=MIGRATIONS.len() {
            let mut old = memory();
            run_to(&mut old, "old", &MIGRATIONS[..version]).expect("made old");
            run(&mut old, "old").expect("migrated");
            assert_eq!(tables(&old), tables(&fresh), "from version {version}");
            let seen = look(&old).expect("looked");
            assert_eq!(
                (seen.application, seen.version),
                (APPLICATION_ID, MIGRATIONS.len() as i64)
            );
        }
    }

    #[test]
    fn a_store_that_is_up_to_date_opens_beside_one_that_writes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cpq.db");
        let mut writer = Connection::open(&path).expect("opens");
        run(&mut writer, "writer").expect("migrated");
        writer.execute_batch("BEGIN IMMEDIATE").expect("begins");
        let mut other = Connection::open(&path).expect("opens");
        other.busy_timeout(std::time::Duration::ZERO).expect("no wait");
        let migrated = run(&mut other, "other").expect("it waits for nobody");
        assert!(migrated.applied.is_empty());
    }

    #[test]
    fn versions_count_up_and_name_their_files() {
        for (number, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, number);
            assert!(
                migration.name.starts_with(&format!("{number:04}_")),
                "{}",
                migration.name
            );
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let first = Migration {
            version: 1,
            name: "0001_a",
            sql: "CREATE TABLE a (x)",
        };
        let broken = Migration {
            version: 2,
            name: "0002_b",
            sql: "CREATE TABLE b (x); CREATE TABLE b (x)",
        };
        let mut store = memory();
        let error = run_to(&mut store, "it", &[first, broken]).expect_err("it fails");
        assert!(error.to_string().contains("0002_b"), "{error}");
        assert!(tables(&store).is_empty());
    }

    #[test]
    fn an_edited_migration_is_noticed_and_line_ends_are_not() {
        let migration = |sql| Migration {
            version: 1,
            name: "0001_a",
            sql,
        };
        let mut store = memory();
        run_to(&mut store, "it", &[migration("CREATE TABLE a (x);\n")]).expect("migrated");
        run_to(&mut store, "it", &[migration("CREATE TABLE a (x);\r\n")]).expect("the same text");
        let error =
            run_to(&mut store, "it", &[migration("CREATE TABLE a (y);\n")]).expect_err("another text");
        assert_eq!(error.code, Code::StoreUnavailable);
    }
}
