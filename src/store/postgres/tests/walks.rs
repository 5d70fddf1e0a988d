//! How the server goes about our statements once the tables are large.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::super::{pool, texts};
use super::Schema;
use crate::statements;

/// Rows of each table: enough that reading all of them is never the cheapest way to a few.
const ROWS: u32 = 20_000;

/// Statements that are meant to read a table from end to end, by a part of their text.
const MEANT: &[&str] = &[
    // Every row is looked at, or counted.
    "WHERE TRUE",
    "SELECT state, COUNT(*) FROM runs",
    // A few rows for each connection, client or change of the matrix.
    "FROM grants WHERE removed = 0",
    "FROM feed_positions f JOIN",
    "FROM api_tokens ORDER BY",
    "FROM ownership ORDER BY",
];

/// Fills every table by its columns' types, without asking whether that makes sense. Only nothing runs, and no circuit
/// is open.
const FILL: &str = "DO $$
DECLARE t RECORD; c RECORD;
BEGIN
  FOR c IN SELECT conrelid::regclass AS rel, conname FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace AND contype IN ('c', 'f') LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.rel, c.conname);
  END LOOP;
  FOR t IN SELECT table_name AS name,
      string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns,
      string_agg(CASE WHEN column_name IN ('lease_until', 'purged') AND is_nullable = 'YES' THEN 'NULL' WHEN column_name = 'state' THEN '''s'' || i % 100'
        WHEN data_type = 'bigint' THEN 'i'
        WHEN data_type = 'bytea' THEN 'convert_to(''t'' || i, ''UTF8'')' ELSE '''t'' || i' END, ', '
        ORDER BY ordinal_position) AS cells
    FROM information_schema.columns WHERE table_schema = current_schema() AND is_generated = 'NEVER'
      AND table_name NOT IN ('schema_migrations', 'circuits') GROUP BY table_name LOOP
    EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM generate_series(1, ROWS) AS i', t.name, t.columns, t.cells);
  END LOOP;
END $$";

async fn plan(raw: &Client, sql: &str) -> String {
    let params = raw.prepare(sql).await.expect("prepares").params().len();
    let nothing = vec!["NULL"; params].join(", ");
    let values = if params == 0 {
        String::new()
    } else {
        format!("({nothing})")
    };
    let explain = format!("DEALLOCATE ALL; PREPARE s AS {sql}; EXPLAIN (COSTS OFF) EXECUTE s{values}");
    let answer = raw.simple_query(&explain).await.expect("explains");
    let lines = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Indexes that hold a small part of their table only: what waits, runs or is open. What is not purged yet is most of it,
/// once that is large.
async fn small_indexes(raw: &Client) -> Vec<String> {
    let sql = "SELECT i.indexrelid::regclass::TEXT FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
      WHERE i.indpred IS NOT NULL AND (t.reltuples <= 0 OR i.indexrelid::regclass::TEXT NOT LIKE '%\\_to\\_purge')";
    let rows = raw.query(sql, &[]).await.expect("indexes");
    rows.iter()
        .map(|row| format!(" using {} ", row.get::<_, String>(0)))
        .collect()
}

/// Whether a plan reads a table, or a whole index of it, with no condition on where to begin. No circuit is open while
/// all is well, so that table has no rows.
fn is_walk(plan: &str, small: &[String]) -> bool {
    let lines: Vec<&str> = plan
        .lines()
        .filter(|line| !line.contains("on circuits"))
        .collect();
    let begins = |at: usize| lines.get(at + 1).is_some_and(|next| next.contains("Index Cond"));
    let reads = |line: &str| {
        line.contains("Seq Scan on")
            || line.contains(" Scan using ") && !small.iter().any(|index| line.contains(index))
    };
    (0..lines.len()).any(|at| reads(lines[at]) && !begins(at))
}

/// Statements that read a table from end to end and are not meant to.
async fn walks(raw: &Client) -> Vec<String> {
    let small = small_indexes(raw).await;
    let mut walking = Vec::new();
    for (module, all) in statements() {
        for sql in all
            .into_iter()
            .filter(|sql| !MEANT.iter().any(|text| sql.contains(text)))
        {
            let plan = plan(raw, &texts::of(sql, false)).await;
            if is_walk(&plan, &small) {
                walking.push(format!("{module}: {sql}\n{plan}\n"));
            }
        }
    }
    walking
}

/// A part of the module path is what `./test` starts these by.
mod on_a_server {
    use super::*;

    /// The plans that the server makes for any values, as it does after a statement was used a few times. It keeps them
    /// while a table grows, until it counts its rows again; so they are looked at when the tables are new, and when they
    /// are large.
    #[tokio::test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    async fn no_statement_walks_a_table_by_accident() {
        let schema = Schema::new().await;
        drop(schema.store().await);
        let raw = schema.raw().await;
        let as_jobs = format!("{}; SET plan_cache_mode = force_generic_plan", pool::settings());
        raw.batch_execute(&as_jobs).await.expect("set");
        let when_new = walks(&raw).await;
        let fill = FILL.replace("ROWS", &ROWS.to_string());
        raw.batch_execute(&fill).await.expect("filled");
        raw.batch_execute("VACUUM ANALYZE").await.expect("counted");
        let when_large = walks(&raw).await;
        assert!(
            when_new.is_empty() && when_large.is_empty(),
            "while the tables are new:\n{}\nwhen they are large:\n{}",
            when_new.join("\n"),
            when_large.join("\n")
        );
        schema.remove().await;
    }
}
