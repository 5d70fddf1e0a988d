//! A copy has every row of every table that there is, or there is no copy. Tables are read from the databases themselves,
//! so one that a migration adds is tried too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cpq_domain::error::Written;
use cpq_domain::{Code, Error, Result};
use cpq_store::{Copied, Progress, Store, StoreOptions};
use rusqlite::Connection;

use crate::server::Schema;

/// Rows in each table of the source: more than a page of a copy has.
const ROWS: usize = 2_100;
/// Tables with what is in them, each row as text.
type Contents = BTreeMap<String, Vec<String>>;

/// A store in a file, in a directory of its own.
struct Source {
    directory: tempfile::TempDir,
}

impl Source {
    async fn empty() -> Source {
        let source = Source {
            directory: tempfile::tempdir().expect("a directory"),
        };
        drop(Store::open(source.options()).await.expect("a store"));
        source.closed().await;
        source
    }

    /// With rows in every table.
    async fn filled() -> Source {
        let source = Source::empty().await;
        let raw = source.raw();
        raw.execute_batch("PRAGMA foreign_keys = OFF; BEGIN")
            .expect("begun");
        for table in tables(&raw) {
            fill(&raw, &table);
        }
        // As if the last rows had been removed: their numbers are not given again.
        raw.execute_batch("UPDATE sqlite_sequence SET seq = seq + 5")
            .expect("written");
        raw.execute_batch("COMMIT; PRAGMA foreign_keys = ON")
            .expect("written");
        let strays = "SELECT COUNT(*) FROM pragma_foreign_key_check";
        let strays: i64 = raw.query_row(strays, [], |row| row.get(0)).expect("asked");
        assert_eq!(strays, 0, "rows name rows that are there");
        source
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("source.db")
    }

    fn options(&self) -> StoreOptions {
        StoreOptions::at(self.path())
    }

    fn raw(&self) -> Connection {
        Connection::open(self.path()).expect("the file opens")
    }

    /// The threads of a store end after it was dropped; the last one removes the log.
    async fn closed(&self) {
        let log = self.path().with_file_name("source.db-wal");
        let gone = async {
            while log.exists() {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), gone).await;
        ended.expect("a store that nobody holds is closed");
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("read")
    }

    async fn copy(&self, to: &StoreOptions) -> Result<Copied> {
        let progress = Arc::new(Progress::default());
        let copied = Store::copy(self.options(), to.clone(), progress.clone()).await?;
        let counts = [&progress.all, &progress.copied, &progress.compared];
        let rows = copied.tables.iter().map(|table| table.rows).sum::<u64>();
        assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [rows; 3]);
        Ok(copied)
    }
}

fn texts(raw: &Connection, sql: &str) -> Vec<String> {
    let mut statement = raw.prepare(sql).expect("prepares");
    let rows = statement.query_map([], |row| row.get(0)).expect("runs");
    rows.collect::<rusqlite::Result<_>>().expect("reads")
}

fn tables(raw: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
      AND name <> 'schema_migrations'";
    texts(raw, sql)
}

/// Puts rows into a table that differ in every column, with all that its constraints let through.
fn fill(raw: &Connection, table: &str) {
    let columns = format!(
        "SELECT name || ' ' || type || CASE \"notnull\" WHEN 0 THEN ' NULL' ELSE '' END FROM pragma_table_xinfo('{table}')
         WHERE hidden = 0"
    );
    let columns = texts(raw, &columns);
    let keys = texts(
        raw,
        &format!("SELECT \"from\" FROM pragma_foreign_key_list('{table}')"),
    );
    let made = texts(
        raw,
        &format!("SELECT sql FROM sqlite_schema WHERE name = '{table}'"),
    )
    .remove(0);
    for number in 1..=ROWS as i64 {
        let values = columns.iter().map(|column| {
            let (name, kind) = column.split_once(' ').expect("two words");
            value(table, name, kind, number, &made, &keys)
        });
        let values: Vec<String> = values.collect();
        let names: Vec<&str> = columns
            .iter()
            .filter_map(|column| column.split(' ').next())
            .collect();
        let sql = format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        );
        raw.execute(&sql, [])
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn value(table: &str, column: &str, kind: &str, number: i64, made: &str, keys: &[String]) -> String {
    let allowed = format!("CHECK ({column} IN");
    if let Some((_, allowed)) = made.split_once(&allowed) {
        return allowed
            .trim_start()
            .trim_start_matches('(')
            .split([',', ')'])
            .next()
            .expect("a value")
            .to_owned();
    }
    let is_named = matches!((table, column), ("runs", "id") | ("api_tokens", "id"));
    if is_named || keys.iter().any(|key| key == column) {
        return format!("'run {number:08}'");
    }
    match (kind, number) {
        ("INTEGER", 3) if column != "position" => i64::MIN.to_string(),
        ("INTEGER", _) => (number * 3).to_string(),
        ("TEXT", _) => format!("'{table}.{column} ü € 𝄞 \t\\ {number:08}'"),
        ("BLOB", 1) => "x'00ff0a5c2778'".to_owned(),
        ("BLOB", _) => format!("x'{number:032x}'"),
        // The same with NULL every other time; a primary key of a kind of its own is never NULL.
        (kind, _) if number % 2 == 0 => {
            value(table, column, kind.trim_end_matches(" NULL"), number, made, keys)
        }
        ("INTEGER NULL", _) if column == "position" => (number * 3).to_string(),
        _ => "NULL".to_owned(),
    }
}

/// What is in a file.
fn of_file(path: &Path) -> Contents {
    let raw = Connection::open(path).expect("the file opens");
    let row = |table: &String| {
        let columns = format!("SELECT name FROM pragma_table_xinfo('{table}') ORDER BY name");
        let cells = texts(&raw, &columns).into_iter().map(|name| {
            format!("'{name}=' || CASE typeof({name}) WHEN 'blob' THEN lower(hex({name})) ELSE coalesce({name}, 'null') END")
        });
        let cells = cells.collect::<Vec<_>>().join(" || '; ' || ");
        let mut rows = texts(&raw, &format!("SELECT {cells} FROM {table}"));
        rows.sort();
        rows
    };
    tables(&raw)
        .into_iter()
        .map(|table| (table.clone(), row(&table)))
        .collect()
}

/// What is in a schema of a server, but for the columns that a file has not.
async fn of_server(url: &str) -> Contents {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("a server");
    tokio::spawn(connection);
    let sql = "SELECT table_name::TEXT, string_agg('''' || column_name || '='' || ' || CASE data_type WHEN 'bytea'
        THEN 'coalesce(encode(' || column_name || ', ''hex''), ''null'')'
        ELSE 'coalesce(' || column_name || '::TEXT, ''null'')' END, ' || ''; '' || ' ORDER BY column_name COLLATE \"C\")
      FROM information_schema.columns WHERE table_schema = current_schema() AND column_name <> 'tx'
        AND table_name <> 'schema_migrations' GROUP BY table_name";
    let mut contents = Contents::new();
    for row in client.query(sql, &[]).await.expect("tables") {
        let (table, cells): (String, String) = (row.get(0), row.get(1));
        let rows = client
            .query(&format!("SELECT {cells} FROM {table}"), &[])
            .await
            .expect("rows");
        let mut rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        rows.sort();
        contents.insert(table, rows);
    }
    contents
}

fn refused(result: Result<Copied>, code: Code, words: &str) -> Error {
    let error = result.expect_err("it is refused");
    assert_eq!((error.code, error.written), (code, Written::No), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    error
}

fn assert_same(wanted: &Contents, found: &Contents) {
    assert_eq!(
        wanted.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (table, rows) in wanted {
        assert_eq!(rows.len(), ROWS, "{table} was filled");
        let differs = rows
            .iter()
            .zip(&found[table])
            .find(|(wanted, found)| wanted != found);
        assert_eq!((differs, rows.len()), (None, found[table].len()), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_takes_every_row_of_every_table() {
    let source = Source::filled().await;
    let before = source.bytes();
    let target = source.directory.path().join("target.db");
    let copied = source.copy(&StoreOptions::at(&target)).await.expect("copied");
    assert!(source.bytes() == before, "the source is as it was");
    assert_eq!(copied.tables.len(), tables(&source.raw()).len());
    assert_same(&of_file(&source.path()), &of_file(&target));
    let given = |path: &Path| {
        texts(
            &Connection::open(path).expect("opens"),
            "SELECT name || seq FROM sqlite_sequence ORDER BY name",
        )
    };
    assert_eq!(
        given(&target),
        given(&source.path()),
        "numbers go on where they were"
    );
    let again = source.copy(&StoreOptions::at(&target)).await;
    refused(again, Code::RequestInvalid, "runs (2100)");
    refused(
        source.copy(&source.options()).await,
        Code::RequestInvalid,
        "into itself",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_somebody_has_open_is_refused() {
    let source = Source::empty().await;
    let target = source.directory.path().join("target.db");
    let open = Store::open(source.options()).await.expect("it opens");
    refused(
        source.copy(&StoreOptions::at(&target)).await,
        Code::RequestInvalid,
        "open in another process",
    );
    assert!(!target.exists(), "nothing was made");
    drop(open);
    source.closed().await;
    source.copy(&StoreOptions::at(&target)).await.expect("copied");
}

/// As after a kill: what was committed last is in the log only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_log_is_copied() {
    let source = Source::filled().await;
    let path = |name: &str| source.directory.path().join(name);
    let writer = source.raw();
    writer
        .execute("INSERT INTO counters VALUES ('late', 7)", [])
        .expect("written");
    let killed = Source {
        directory: tempfile::tempdir().expect("a directory"),
    };
    for suffix in ["", "-wal"] {
        let from = path(&format!("source.db{suffix}"));
        let to = killed.path().with_file_name(format!("source.db{suffix}"));
        std::fs::copy(from, to).expect("copied as it stands");
    }
    let log = killed.path().with_file_name("source.db-wal");
    let before = (killed.bytes(), std::fs::read(&log).expect("read"));
    assert!(!before.1.is_empty(), "the row is in the log");
    let target = path("target.db");
    killed.copy(&StoreOptions::at(&target)).await.expect("copied");
    assert!(
        (killed.bytes(), std::fs::read(&log).expect("read")) == before,
        "the source is as it was"
    );
    assert_eq!(of_file(&target)["counters"].len(), ROWS + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_of_another_schema_or_none_is_refused() {
    let source = Source::empty().await;
    let target = StoreOptions::at(source.directory.path().join("target.db"));
    let plan = Store::plan(source.options()).await.expect("planned");
    assert_eq!((plan.from, plan.missing.len()), (plan.to, 0));
    let raw = source.raw();
    raw.execute_batch("PRAGMA user_version = 999").expect("written");
    drop(raw);
    refused(source.copy(&target).await, Code::StoreTooNew, "schema 999");
    let nowhere = StoreOptions::at(source.directory.path().join("nowhere.db"));
    let copied = Store::copy(nowhere, target, Arc::default()).await;
    refused(copied, Code::RequestInvalid, "no store");
    assert_eq!(
        std::fs::read_dir(source.directory.path()).expect("read").count(),
        1,
        "nothing was made"
    );
}

/// `./test` starts these by a part of their path.
mod on_a_server {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn a_server_takes_every_row_of_every_table() {
        let (source, schema) = (Source::filled().await, Schema::new().await);
        let before = source.bytes();
        let copied = source.copy(&schema.options()).await.expect("copied");
        assert!(source.bytes() == before, "the source is as it was");
        let wanted = of_file(&source.path());
        assert_same(&wanted, &of_server(schema.url()).await);
        assert_eq!(copied.tables.len(), wanted.len());
        let (client, connection) = tokio_postgres::connect(schema.url(), tokio_postgres::NoTls)
            .await
            .expect("a server");
        tokio::spawn(connection);
        for table in ["journal", "decisions", "quote_events"] {
            let sql = format!("SELECT nextval(pg_get_serial_sequence('{table}', 'position'))");
            let next: i64 = client.query_one(&sql, &[]).await.expect("a number").get(0);
            assert_eq!(next, ROWS as i64 * 3 + 6, "{table} goes on where it was");
        }
        let late = "SELECT COUNT(*) FROM journal WHERE tx <> 0";
        let late: i64 = client.query_one(late, &[]).await.expect("a count").get(0);
        assert_eq!(late, 0, "copied rows come before all others");
        refused(
            source.copy(&schema.options()).await,
            Code::RequestInvalid,
            "runs (2100)",
        );
        schema.remove().await;
    }

    /// One text in the last table cannot be copied: then nothing of the others is, not even a table.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn a_copy_that_fails_late_leaves_nothing_and_the_next_one_works() {
        let (source, schema) = (Source::filled().await, Schema::new().await);
        let bad =
            "UPDATE webhook_deliveries SET delivery_id = 'a' || char(0) WHERE delivery_id LIKE '% 00002000'";
        assert_eq!(source.raw().execute(bad, []).expect("written"), 1);
        let error = refused(
            source.copy(&schema.options()).await,
            Code::StoreUnavailable,
            "webhook_deliveries",
        );
        assert!(error.to_string().contains("delivery_id"), "{error}");
        assert!(of_server(schema.url()).await.is_empty(), "not a table is there");
        let good = "UPDATE webhook_deliveries SET delivery_id = 'a' WHERE instr(delivery_id, char(0)) > 0";
        assert_eq!(source.raw().execute(good, []).expect("written"), 1);
        source.copy(&schema.options()).await.expect("copied");
        assert_same(&of_file(&source.path()), &of_server(schema.url()).await);
        schema.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn a_server_with_one_row_or_strange_columns_is_refused_and_stays_as_it_is() {
        let (source, schema) = (Source::filled().await, Schema::new().await);
        let store = schema.open().await;
        store
            .write(|tx| Box::pin(cpq_store::counters::next(tx, "a")))
            .await
            .expect("a row");
        let before = of_server(schema.url()).await;
        refused(
            source.copy(&schema.options()).await,
            Code::RequestInvalid,
            "counters (1)",
        );
        assert_eq!(of_server(schema.url()).await, before);
        let (client, connection) = tokio_postgres::connect(schema.url(), tokio_postgres::NoTls)
            .await
            .expect("a server");
        tokio::spawn(connection);
        let strange = "DELETE FROM counters; ALTER TABLE quotes ADD COLUMN mine BIGINT";
        client.batch_execute(strange).await.expect("changed");
        refused(
            source.copy(&schema.options()).await,
            Code::StoreUnavailable,
            "quotes.mine",
        );
        schema.remove().await;
    }
}
