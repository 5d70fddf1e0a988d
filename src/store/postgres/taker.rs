//! A store on a server, as the target of a copy: one transaction, which fills each table with `COPY`.

use std::sync::atomic::Ordering;

use cpq_domain::error::Written;
use cpq_domain::{Code, Error, Result};
use deadpool_postgres::Client;
use futures_util::{TryStreamExt, pin_mut};
use tokio::sync::mpsc;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::address::Address;
use super::failure::{Kind, failure};
use super::migrate::{self, MIGRATIONS};
use super::{pool, server};
use crate::copy::{Column, ColumnKind, Page, Progress, Sum, Table, other_schema, refuse_rows};
use crate::row::Cell;
use crate::tx::Param;

/// Columns that this engine alone has: the transaction that wrote the row. Numbers of the server's own begin above 0, so
/// rows that were copied come before all that are written later, in the order of their positions.
const PECULIAR: &str = "tx";
/// Stored columns of the store's tables, and which of them numbers the rows.
const COLUMNS: &str = "SELECT c.relname::TEXT, a.attname::TEXT, t.typname::TEXT, a.attidentity <> ''
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
  WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attgenerated = '' ORDER BY c.relname, a.attnum";
/// A table is filled and read in one statement each, however long it takes; the server still ends the transaction of a
/// copy that fell silent.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = 0";

/// An empty store whose only writer this is. Dropping it closes the connection, and the server undoes what was not
/// committed.
pub(crate) struct Taker {
    client: Client,
    place: String,
    columns: Vec<TheirColumn>,
}

struct TheirColumn {
    table: String,
    name: String,
    kind: Option<ColumnKind>,
    numbers: bool,
}

impl Taker {
    /// Connects, brings the schema up to date and sees that the store is empty and has the tables of the source. Nodes
    /// that start meanwhile wait for the end of the copy; those that run cannot write.
    ///
    /// [`Code::RequestInvalid`] when it has rows; it was not changed then.
    pub(crate) async fn begin(address: &Address, tables: &[Table]) -> Result<Taker> {
        let client = server::connect(&pool::pool(address)?, &address.place).await?;
        server::check(&client, &address.place).await?;
        let mut taker = Taker {
            // Its pool goes away here, so the connection ends with this transaction.
            client,
            place: address.place.to_string(),
            columns: Vec::new(),
        };
        match taker.prepare(tables).await {
            Ok(()) => Ok(taker),
            Err(error) => {
                taker.give_up().await;
                Err(error)
            }
        }
    }

    async fn prepare(&mut self, tables: &[Table]) -> Result<()> {
        self.run(BEGIN).await?;
        migrate::apply(&**self.client, &self.place, MIGRATIONS).await?;
        self.columns = self.their_columns().await?;
        for table in tables {
            self.compare(table)?;
        }
        let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
        self.run(&format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", ")))
            .await?;
        let mut filled = Vec::new();
        for table in tables {
            let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
            let row = self
                .client
                .query_one(&sql, &[])
                .await
                .map_err(|cause| self.failed(&cause))?;
            let rows: i64 = row.get(0);
            if rows > 0 {
                filled.push((table.name.clone(), rows.unsigned_abs()));
            }
        }
        refuse_rows(&self.place, &filled)
    }

    async fn their_columns(&self) -> Result<Vec<TheirColumn>> {
        let rows = self
            .client
            .query(COLUMNS, &[])
            .await
            .map_err(|cause| self.failed(&cause))?;
        let columns = rows.iter().map(|row| TheirColumn {
            table: row.get(0),
            name: row.get(1),
            kind: kind(row.get(2)),
            numbers: row.get(3),
        });
        Ok(columns.collect())
    }

    fn columns_of<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a TheirColumn> {
        self.columns.iter().filter(|column| column.table == table.name)
    }

    /// Refuses a table whose columns are not those of the source, but for the peculiar ones.
    fn compare(&self, table: &Table) -> Result<()> {
        let missing = table.columns.iter().find(|column| !self.has(table, column));
        let strange = self.columns_of(table).find(|theirs| {
            theirs.name != PECULIAR && !table.columns.iter().any(|column| column.name == theirs.name)
        });
        let numbers = self.columns_of(table).any(|column| column.numbers);
        let what = match (missing, strange) {
            (Some(column), _) => format!(
                "{}.{} is missing there, or of another kind",
                table.name, column.name
            ),
            (_, Some(column)) => format!("{}.{} is there only", table.name, column.name),
            _ if table.last_number.is_some() && !numbers => format!("{} numbers no rows there", table.name),
            _ => return Ok(()),
        };
        Err(other_schema(&self.place, &what))
    }

    fn has(&self, table: &Table, column: &Column) -> bool {
        let mut theirs = self.columns_of(table);
        theirs.any(|theirs| theirs.name == column.name && theirs.kind == Some(column.kind))
    }

    /// Writes what comes.
    pub(crate) async fn take(
        &mut self,
        table: &Table,
        mut pages: mpsc::Receiver<Page>,
        progress: &Progress,
    ) -> Result<()> {
        let failed = |cause: tokio_postgres::Error| self.failed(&cause);
        let peculiar = self.columns_of(table).any(|column| column.name == PECULIAR);
        let mut names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let mut types: Vec<Type> = table.columns.iter().map(|column| type_of(column.kind)).collect();
        if peculiar {
            names.push(quoted(PECULIAR));
            types.push(Type::INT8);
        }
        let sql = format!(
            "COPY {} ({}) FROM STDIN BINARY",
            quoted(&table.name),
            names.join(", ")
        );
        let sink = self.client.copy_in(&sql).await.map_err(failed)?;
        let writer = BinaryCopyInWriter::new(sink, &types);
        pin_mut!(writer);
        while let Some(page) = pages.recv().await {
            for row in &page {
                refuse_zeros(table, row)?;
                let oldest = peculiar.then_some(Param::Int(0));
                let cells: Vec<Param<'_>> = row.iter().map(Param::from).chain(oldest).collect();
                writer.as_mut().write_raw(&cells).await.map_err(failed)?;
            }
            progress.copied.fetch_add(page.len() as u64, Ordering::Relaxed);
        }
        writer.finish().await.map_err(failed)?;
        // Otherwise plans are made for an empty table until the server looks at it by itself.
        self.run(&format!("ANALYZE {}", quoted(&table.name))).await?;
        self.number(table).await
    }

    /// The next row gets the number that it would have got in the source. `setval` would outlive a transaction that is
    /// undone.
    async fn number(&self, table: &Table) -> Result<()> {
        let numbering = self.columns_of(table).find(|column| column.numbers);
        let (Some(last), Some(column)) = (table.last_number, numbering) else {
            return Ok(());
        };
        let (table, column, next) = (quoted(&table.name), quoted(&column.name), last + 1);
        self.run(&format!(
            "ALTER TABLE {table} ALTER COLUMN {column} RESTART WITH {next}"
        ))
        .await
    }

    /// The sum over what is in the table now.
    pub(crate) async fn read_back(&mut self, table: &Table, progress: &Progress) -> Result<Sum> {
        let failed = |cause: tokio_postgres::Error| self.failed(&cause);
        let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), quoted(&table.name));
        let none: [Param<'_>; 0] = [];
        let rows = self.client.query_raw(&sql, none.iter()).await.map_err(failed)?;
        pin_mut!(rows);
        let mut sum = Sum::default();
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let cells: std::result::Result<Vec<Cell>, _> = (0..row.len()).map(|at| row.try_get(at)).collect();
            sum.add(&cells.map_err(failed)?);
            progress.compared.fetch_add(1, Ordering::Relaxed);
        }
        Ok(sum)
    }

    pub(crate) async fn commit(self) -> Result<()> {
        let Err(cause) = self.client.batch_execute("COMMIT").await else {
            return Ok(());
        };
        let (error, kind) = failure(&self.place, "to commit the copy", &cause);
        match kind {
            Kind::Lost => Err(error
                .written(Written::Unknown)
                .next("look with `cpq store check` at the target; if it is empty, copy again")),
            Kind::Met | Kind::Final => Err(error),
        }
    }

    /// Undoes all.
    pub(crate) async fn give_up(self) {
        // A server that does not hear it undoes it when the connection ends.
        drop(self.client.batch_execute("ROLLBACK").await);
    }

    async fn run(&self, sql: &str) -> Result<()> {
        self.client
            .batch_execute(sql)
            .await
            .map_err(|cause| self.failed(&cause))
    }

    fn failed(&self, cause: &tokio_postgres::Error) -> Error {
        failure(&self.place, "to take the copy", cause).0
    }
}

fn kind(of: &str) -> Option<ColumnKind> {
    match of {
        "int8" => Some(ColumnKind::Number),
        "text" => Some(ColumnKind::Text),
        "bytea" => Some(ColumnKind::Bytes),
        _ => None,
    }
}

fn type_of(kind: ColumnKind) -> Type {
    match kind {
        ColumnKind::Number => Type::INT8,
        ColumnKind::Text => Type::TEXT,
        ColumnKind::Bytes => Type::BYTEA,
    }
}

/// A text of a server has no character 0 (PostgreSQL, 8.3 "Character Types"). The value itself may be anybody's.
fn refuse_zeros(table: &Table, row: &[Cell]) -> Result<()> {
    let zero = |cell: &Cell| matches!(cell, Cell::Text(text) if text.contains('\0'));
    let Some(at) = row.iter().position(zero) else {
        return Ok(());
    };
    let key = match row.first() {
        Some(Cell::Int(number)) => number.to_string(),
        Some(Cell::Text(text)) => text.replace('\0', "\\0"),
        _ => "?".to_owned(),
    };
    let message = format!(
        "the row {key} of the table {} holds a character 0 in {}, which no PostgreSQL server takes",
        table.name, table.columns[at].name
    );
    Err(Error::new(Code::StoreUnavailable, message))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
