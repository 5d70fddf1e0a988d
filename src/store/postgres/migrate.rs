//! Bringing a database to the schema of this program. Nodes that start together, or one after the other in a rolling
//! restart, wait for each other at an advisory lock and then find it done.

use cpq_domain::{Code, Error, Result};
use deadpool_postgres::Client;
use tokio::time::Instant;
use tokio_postgres::GenericClient;

use super::failure::failure;
use crate::migration::{Migrated, Migration, Plan, checksum, edited, newest, refuse_newer};

/// How errors call the work.
const DOING: &str = "to bring its schema up to date";

/// All steps, in order. Each has its twin of the same version and name in `migrations/sqlite`.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "0001_store",
        sql: include_str!("../../../migrations/postgres/0001_store.sql"),
    },
    Migration {
        version: 2,
        name: "0002_conflicts",
        sql: include_str!("../../../migrations/postgres/0002_conflicts.sql"),
    },
    Migration {
        version: 3,
        name: "0003_feeds",
        sql: include_str!("../../../migrations/postgres/0003_feeds.sql"),
    },
    Migration {
        version: 4,
        name: "0004_deletions",
        sql: include_str!("../../../migrations/postgres/0004_deletions.sql"),
    },
    Migration {
        version: 5,
        name: "0005_reconcile",
        sql: include_str!("../../../migrations/postgres/0005_reconcile.sql"),
    },
    Migration {
        version: 6,
        name: "0006_retention",
        sql: include_str!("../../../migrations/postgres/0006_retention.sql"),
    },
    Migration {
        version: 7,
        name: "0007_limits",
        sql: include_str!("../../../migrations/postgres/0007_limits.sql"),
    },
    Migration {
        version: 8,
        name: "0008_dead_letters",
        sql: include_str!("../../../migrations/postgres/0008_dead_letters.sql"),
    },
    Migration {
        version: 9,
        name: "0009_dashboard",
        sql: include_str!("../../../migrations/postgres/0009_dashboard.sql"),
    },
    Migration {
        version: 10,
        name: "0010_audit",
        sql: include_str!("../../../migrations/postgres/0010_audit.sql"),
    },
    Migration {
        version: 11,
        name: "0011_sessions",
        sql: include_str!("../../../migrations/postgres/0011_sessions.sql"),
    },
    Migration {
        version: 12,
        name: "0012_reach",
        sql: include_str!("../../../migrations/postgres/0012_reach.sql"),
    },
    Migration {
        version: 13,
        name: "0013_lookups",
        sql: include_str!("../../../migrations/postgres/0013_lookups.sql"),
    },
];

/// Advisory locks of ours are pairs: what for, and in which schema.
pub(super) const MIGRATING: i32 = 0x6370_7173;

const LEDGER: &str = "CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY,
  name TEXT COLLATE \"C\" NOT NULL, checksum TEXT COLLATE \"C\" NOT NULL, program TEXT COLLATE \"C\" NOT NULL)";
/// A copy of a database on another server brings numbers of transactions that are still to come there. Its rows count as
/// the oldest.
const AGE: &str = "UPDATE journal SET tx = 0 WHERE tx >= pg_current_xact_id()::TEXT::BIGINT;
  UPDATE quote_events SET tx = 0 WHERE tx >= pg_current_xact_id()::TEXT::BIGINT";

/// Applies what is missing, all of it or nothing.
pub(super) async fn run(client: &mut Client, place: &str) -> Result<Migrated> {
    run_to(client, place, MIGRATIONS).await
}

pub(super) async fn run_to(client: &mut Client, place: &str, migrations: &[Migration]) -> Result<Migrated> {
    let failed = |cause| failure(place, DOING, &cause).0;
    let tx = client.transaction().await.map_err(failed)?;
    let migrated = apply(&*tx, place, migrations).await?;
    tx.commit().await.map_err(failed)?;
    Ok(migrated)
}

/// What [`run`] would do. Reads only, in one snapshot.
pub(super) async fn plan(client: &mut Client, place: &str) -> Result<Plan> {
    let failed = |cause| failure(place, "to read its schema", &cause).0;
    let snapshot = client.build_transaction().read_only(true);
    let tx = snapshot.start().await.map_err(failed)?;
    let seen = look(&*tx, place).await?;
    refuse_newer(place, seen.version, newest(MIGRATIONS), seen.program.as_deref())?;
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.version <= seen.version)
    {
        verify(&*tx, place, migration).await?;
    }
    Ok(Plan::behind(seen.version, MIGRATIONS))
}

/// Applies what is missing within the transaction that is open on the connection.
pub(super) async fn apply(
    tx: &impl GenericClient,
    place: &str,
    migrations: &[Migration],
) -> Result<Migrated> {
    let failed = |cause| failure(place, DOING, &cause).0;
    // Another node may need minutes for a large table; whoever waits for it is not in a hurry.
    let patient = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0";
    tx.batch_execute(patient).await.map_err(failed)?;
    tx.execute(
        "SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))",
        &[&MIGRATING],
    )
    .await
    .map_err(failed)?;
    let seen = look(tx, place).await?;
    refuse_newer(place, seen.version, newest(MIGRATIONS), seen.program.as_deref())?;
    if !seen.ledger {
        tx.batch_execute(LEDGER).await.map_err(failed)?;
    }
    let mut migrated = Migrated::begin(seen.version, migrations);
    for migration in migrations {
        if migration.version <= seen.version {
            verify(tx, place, migration).await?;
            continue;
        }
        let begun = Instant::now();
        step(tx, place, migration).await?;
        migrated.note(migration.name, begun);
    }
    if !migrations.is_empty() {
        tx.batch_execute(AGE).await.map_err(failed)?;
    }
    Ok(migrated)
}

async fn verify(tx: &impl GenericClient, place: &str, migration: &Migration) -> Result<()> {
    let failed = |cause| failure(place, "to read its schema", &cause).0;
    let sql = "SELECT checksum FROM schema_migrations WHERE version = $1";
    let row = tx.query_opt(sql, &[&migration.version]).await.map_err(failed)?;
    let applied: Option<String> = row.map(|row| row.get(0));
    match applied == Some(checksum(migration.sql)) {
        true => Ok(()),
        false => Err(edited(place, migration)),
    }
}

async fn step(tx: &impl GenericClient, place: &str, migration: &Migration) -> Result<()> {
    let checksum = checksum(migration.sql);
    let failed = |cause| failure(place, &format!("the migration {}", migration.name), &cause).0;
    tx.batch_execute(migration.sql).await.map_err(failed)?;
    let noted = "INSERT INTO schema_migrations (version, name, checksum, program) VALUES ($1, $2, $3, $4)";
    let program = env!("CARGO_PKG_VERSION");
    tx.execute(noted, &[&migration.version, &migration.name, &checksum, &program])
        .await
        .map(drop)
        .map_err(failed)
}

/// What the schema says about itself.
struct Seen {
    ledger: bool,
    version: i64,
    program: Option<String>,
}

async fn look(tx: &impl GenericClient, place: &str) -> Result<Seen> {
    let failed = |cause| failure(place, "to read its schema", &cause).0;
    let sql = "SELECT to_regclass(quote_ident(current_schema()) || '.schema_migrations') IS NOT NULL,
      to_regclass(quote_ident(current_schema()) || '.runs') IS NOT NULL, current_schema() IS NOT NULL";
    let row = tx.query_one(sql, &[]).await.map_err(failed)?;
    let (ledger, tables, schema): (Option<bool>, Option<bool>, bool) = (row.get(0), row.get(1), row.get(2));
    if !schema {
        let message = format!("the store {place} has no schema to keep its tables in");
        return Err(
            Error::new(Code::StoreUnavailable, message).next("create the schema that search_path names")
        );
    }
    let ledger = ledger.unwrap_or(false);
    if !ledger && tables.unwrap_or(false) {
        let message = format!("the database of {place} holds the tables of another program");
        return Err(Error::new(Code::StoreUnavailable, message)
            .next("name another database or schema; this one was not changed"));
    }
    let newest = match ledger {
        false => None,
        true => {
            let sql = "SELECT version, program FROM schema_migrations ORDER BY version DESC LIMIT 1";
            tx.query_opt(sql, &[]).await.map_err(failed)?
        }
    };
    Ok(Seen {
        ledger,
        version: newest.as_ref().map_or(0, |row| row.get(0)),
        program: newest.map(|row| row.get(1)),
    })
}
