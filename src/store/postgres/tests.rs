//! What holds on a real server only.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use cpq_domain::Code;
use tokio_postgres::NoTls;

use super::migrate::{MIGRATIONS, run_to};
use super::{Address, make_schema, pool, remove_schema, texts};
use crate::migration::Migration;
use crate::{Store, StoreOptions, Tx, counters, settings, statements};

mod walks;

/// Columns that one engine alone has, with their reason: what PostgreSQL's readers of all runs go by.
const PECULIAR: &[&str] = &["journal.tx", "quote_events.tx"];

/// Schemas that this process has made.
static MADE: AtomicU32 = AtomicU32::new(0);

struct Schema {
    server: String,
    name: String,
    url: String,
}

impl Schema {
    async fn new() -> Schema {
        let server =
            std::env::var("CPQ_TEST_POSTGRES_URL").expect("CPQ_TEST_POSTGRES_URL names a server; see ./test");
        let name = format!("u{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let url = make_schema(&server, &name).await.expect("a schema");
        Schema { server, name, url }
    }

    async fn store(&self) -> Store {
        let options = StoreOptions::at_url(&self.url).expect("a URL");
        Store::open(options).await.expect("the store opens")
    }

    async fn raw(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.expect("a server");
        tokio::spawn(connection);
        client
    }

    async fn remove(self) {
        remove_schema(&self.server, &self.name).await.expect("removed");
    }
}

async fn draw_and_put(tx: &mut dyn Tx) -> cpq_domain::Result<i64> {
    let number = counters::draw(tx, "n").await?;
    settings::put(tx, "held", "y").await?;
    Ok(number)
}

async fn until_somebody_waits_for(raw: &tokio_postgres::Client) {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))";
    while !raw.query_one(sql, &[]).await.expect("asked").get::<_, bool>(0) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// A part of the module path is what `./test` starts these by.
mod on_a_server {
    use super::*;

    #[tokio::test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn every_statement_prepares() {
        let schema = Schema::new().await;
        drop(schema.store().await);
        let raw = schema.raw().await;
        for (module, all) in statements() {
            for sql in all {
                for reading in [false, true] {
                    let prepared = raw.prepare(&texts::of(sql, reading)).await;
                    assert!(prepared.is_ok(), "{module}: {sql}: {:?}", prepared.err());
                }
            }
        }
        schema.remove().await;
    }

    /// A table or column that exists in one engine only is a migration that was forgotten for the other.
    #[tokio::test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn both_engines_have_the_same_tables_and_columns() {
        let schema = Schema::new().await;
        drop(schema.store().await);
        let sql = "SELECT table_name || '.' || column_name || ' ' || CASE data_type WHEN 'bigint' THEN 'INTEGER'
            WHEN 'bytea' THEN 'BLOB' ELSE upper(data_type) END || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
          FROM information_schema.columns WHERE table_schema = current_schema()";
        let rows = schema.raw().await.query(sql, &[]).await.expect("columns");
        let theirs: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let peculiar = |column: &String| PECULIAR.contains(&column.split(' ').next().unwrap_or_default());
        let theirs: BTreeSet<String> = theirs.into_iter().filter(|column| !peculiar(column)).collect();
        let missing: Vec<_> = sqlite_columns().difference(&theirs).cloned().collect();
        let more: Vec<_> = theirs.difference(&sqlite_columns()).cloned().collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "only in SQLite: {missing:#?}; only in PostgreSQL: {more:#?}"
        );
        schema.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn both_engines_have_the_same_indexes() {
        let schema = Schema::new().await;
        drop(schema.store().await);
        let sql = "SELECT indexname::TEXT FROM pg_indexes WHERE schemaname = current_schema()
          AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'";
        let rows = schema.raw().await.query(sql, &[]).await.expect("indexes");
        let theirs: BTreeSet<String> = rows
            .iter()
            .map(|row| row.get(0))
            .filter(|name: &String| !name.ends_with("_by_transaction"))
            .collect();
        assert_eq!(theirs, sqlite_indexes());
        schema.remove().await;
    }

    /// Nodes of a rolling restart meet at the migration; each finds it done, or does it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn nodes_that_start_together_migrate_once() {
        let schema = Schema::new().await;
        let nodes =
            (0..6).map(|_| tokio::spawn(Store::open(StoreOptions::at_url(&schema.url).expect("a URL"))));
        for node in nodes.collect::<Vec<_>>() {
            node.await.expect("no panic").expect("it opens");
        }
        let count = "SELECT count(*) FROM schema_migrations";
        let row = schema.raw().await.query_one(count, &[]).await.expect("counted");
        assert_eq!(row.get::<_, i64>(0), MIGRATIONS.len() as i64);
        schema.remove().await;
    }

    #[tokio::test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn every_older_schema_becomes_the_newest_and_a_newer_one_is_refused() {
        let schema = Schema::new().await;
        for version in 0..=MIGRATIONS.len() {
            migrate(&schema, &MIGRATIONS[..version])
                .await
                .expect("an older schema");
            migrate(&schema, MIGRATIONS).await.expect("the newest");
            let raw = schema.raw().await;
            let again = format!("DROP SCHEMA {0} CASCADE; CREATE SCHEMA {0}", schema.name);
            if version < MIGRATIONS.len() {
                raw.batch_execute(&again).await.expect("emptied");
            }
        }
        let newer = "INSERT INTO schema_migrations VALUES (9999, 'later', '', '99.0.0')";
        schema.raw().await.batch_execute(newer).await.expect("made newer");
        let error = Store::open(StoreOptions::at_url(&schema.url).expect("a URL")).await;
        let error = error.expect_err("refused");
        assert_eq!(error.code, Code::StoreTooNew, "{error}");
        assert!(error.to_string().contains("99.0.0"), "{error}");
        schema.remove().await;
    }

    async fn migrate(schema: &Schema, migrations: &[Migration]) -> cpq_domain::Result<()> {
        let address = Address::parse(&schema.url).expect("a URL");
        let pool = pool::pool(&address).expect("a pool");
        let mut client = pool.get().await.expect("a connection");
        run_to(&mut client, "it", migrations).await.map(drop)
    }

    #[tokio::test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn the_tables_of_another_program_are_left_alone() {
        let schema = Schema::new().await;
        schema
            .raw()
            .await
            .batch_execute("CREATE TABLE runs (x INT)")
            .await
            .expect("made");
        let error = Store::open(StoreOptions::at_url(&schema.url).expect("a URL")).await;
        let error = error.expect_err("refused");
        assert!(error.to_string().contains("another program"), "{error}");
        schema.remove().await;
    }

    /// A job that drew a number and is held up keeps nobody from drawing the next.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn numbers_are_drawn_while_others_are_not_committed_yet() {
        let schema = Schema::new().await;
        let store = schema.store().await;
        let row = store.write(|tx| Box::pin(settings::put(tx, "held", "x"))).await;
        row.expect("a row");
        let raw = schema.raw().await;
        let hold = "BEGIN; SELECT 1 FROM settings WHERE name = 'held' FOR UPDATE";
        raw.batch_execute(hold).await.expect("the row is held");
        let drawer = store.clone();
        let held = tokio::spawn(async move { drawer.write(|tx| Box::pin(draw_and_put(tx))).await });
        until_somebody_waits_for(&raw).await;
        let next = store.write(|tx| Box::pin(counters::draw(tx, "n"))).await;
        assert_eq!(next.expect("drawn"), 2);
        assert!(!held.is_finished());
        raw.batch_execute("COMMIT").await.expect("let go");
        assert_eq!(held.await.expect("no panic").expect("kept"), 1);
        schema.remove().await;
    }

    /// Rows that came with a copy of the database from a server with more transactions behind it.
    #[tokio::test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn a_reader_follows_what_was_copied_from_another_server() {
        let schema = Schema::new().await;
        drop(schema.store().await);
        let copied = "INSERT INTO quote_events (root_id, sequence, quote_id, kind, at, data, tx)
          VALUES ('q', 1, 'q', 'quote.created', 0, '{}', 4000000000000)";
        schema.raw().await.batch_execute(copied).await.expect("copied");
        let store = schema.store().await;
        let events = store
            .read(|tx| Box::pin(crate::quote_events::after(tx, 0, 9)))
            .await;
        assert_eq!(events.expect("read").len(), 1);
        schema.remove().await;
    }
}

fn sqlite_columns() -> BTreeSet<String> {
    in_sqlite(
        "SELECT m.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" THEN ' NOT NULL' ELSE '' END
         FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'",
    )
    .into_iter()
    // What SQLite numbers itself is never NULL, and says so only in PostgreSQL.
    .map(|column| match column.contains(".position INTEGER") {
        true => format!("{} NOT NULL", column.trim_end_matches(" NOT NULL")),
        false => column,
    })
    .collect()
}

fn sqlite_indexes() -> BTreeSet<String> {
    in_sqlite("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
}

fn in_sqlite(sql: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    crate::sqlite::file_at(path.clone()).expect("a store");
    let raw = rusqlite::Connection::open(path).expect("the file opens");
    let mut statement = raw.prepare(sql).expect("prepares");
    let rows = statement.query_map([], |row| row.get(0)).expect("runs");
    rows.collect::<rusqlite::Result<_>>().expect("reads")
}
