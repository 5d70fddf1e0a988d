//! A store in a file, as the source of a copy: held shut, and read from one end to the other.

use std::path::Path;
use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;

use super::failure::failure;
use super::session::cell;
use super::{migrate, open};
use crate::copy::{Column, ColumnKind, Page, Sum, Table};
use crate::limits::{COPY_PAGE_BYTES, COPY_PAGE_ROWS};
use crate::row::Cell;

/// How long to wait for others that have the file open. A command ends in that time; a service does not.
const OTHERS: Duration = Duration::from_secs(2);

/// The only connection that there is to the file.
pub(crate) struct Source {
    connection: Connection,
    place: String,
    /// Whether there was a log beside the file.
    logged: bool,
}

impl Source {
    /// Opens the file so that nobody else has it open, or opens it meanwhile; tells its tables, those first that others
    /// refer to. Not a byte of the file or its log is changed. Blocks.
    ///
    /// [`Code::RequestInvalid`] when there is no such store, another process has it open, or its schema is old;
    /// [`Code::StoreTooNew`] when a newer program wrote it.
    pub(crate) fn open(path: &Path) -> Result<(Source, Vec<Table>)> {
        let place = path.display().to_string();
        if !path.exists() {
            let message = format!("there is no store at {place}");
            return Err(Error::new(Code::RequestInvalid, message).next("name the file with --from"));
        }
        let logged = open::log_of(path).exists();
        let connection = open::alone(path, &place)?;
        let source = Source {
            connection,
            place,
            logged,
        };
        source.shut().map_err(|cause| source.refused(cause))?;
        let plan = migrate::plan(&source.connection, &source.place)?;
        if !plan.missing.is_empty() {
            let message = format!(
                "the store {} has schema {}; a copy is made from schema {}",
                source.place, plan.from, plan.to
            );
            return Err(Error::new(Code::RequestInvalid, message)
                .next("cpq store migrate, with the source as the configured store"));
        }
        let tables = tables(&source.connection).map_err(|cause| source.failed(cause))?;
        Ok((source, tables))
    }

    /// In this locking mode a reader of a log wants the file for itself (sqlite.org/wal.html, "Use of WAL Without
    /// Shared-Memory"), and whoever has it open keeps it from that.
    fn shut(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.busy_timeout(OTHERS)?;
        // A log with something in it is left as it is; one that there was not goes when this connection does.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, self.logged)?;
        connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
        connection.execute_batch("BEGIN EXCLUSIVE")
    }

    fn refused(&self, cause: rusqlite::Error) -> Error {
        let busy = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked];
        match cause.sqlite_error_code() {
            Some(code) if busy.contains(&code) => {
                let message = format!("the store {} is open in another process", self.place);
                Error::new(Code::RequestInvalid, message).next(
                    "stop every cpq that has it open, and try again: what they would write meanwhile would be lost",
                )
            }
            _ => self.failed(cause),
        }
    }

    fn failed(&self, cause: rusqlite::Error) -> Error {
        failure(&self.place, "to be copied", cause)
    }

    /// Sends every row of the table, page by page, and tells their sum. Ends early when nobody takes them. Blocks.
    pub(crate) fn send(&mut self, table: &Table, to: &mpsc::Sender<Page>) -> Result<Sum> {
        let sql = select(table);
        let mut pages = Pages {
            to,
            page: Vec::new(),
            bytes: 0,
            taken: true,
        };
        let sum = scan(&self.connection, &sql, table.columns.len(), |row| pages.add(row));
        let sum = sum.map_err(|cause| self.failed(cause))?;
        pages.flush();
        Ok(sum)
    }
}

/// The page in the making.
struct Pages<'a> {
    to: &'a mpsc::Sender<Page>,
    page: Page,
    bytes: usize,
    taken: bool,
}

impl Pages<'_> {
    /// Whether to go on.
    fn add(&mut self, row: Vec<Cell>) -> bool {
        self.bytes += row.iter().map(size).sum::<usize>();
        self.page.push(row);
        if self.page.len() >= COPY_PAGE_ROWS || self.bytes >= COPY_PAGE_BYTES {
            self.flush();
        }
        self.taken
    }

    fn flush(&mut self) {
        self.bytes = 0;
        let page = std::mem::take(&mut self.page);
        self.taken = self.taken && self.to.blocking_send(page).is_ok();
    }
}

fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Null | Cell::Int(_) => size_of::<Cell>(),
        Cell::Text(text) => size_of::<Cell>() + text.len(),
        Cell::Bytes(bytes) => size_of::<Cell>() + bytes.len(),
    }
}

/// Goes through every row of an answer and tells their sum, until `take` wants no more.
pub(super) fn scan(
    connection: &Connection,
    sql: &str,
    columns: usize,
    mut take: impl FnMut(Vec<Cell>) -> bool,
) -> rusqlite::Result<Sum> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut sum = Sum::default();
    while let Some(row) = rows.next()? {
        let cells: rusqlite::Result<Vec<Cell>> = (0..columns).map(|at| cell(row.get_ref(at)?)).collect();
        let cells = cells?;
        sum.add(&cells);
        if !take(cells) {
            break;
        }
    }
    Ok(sum)
}

/// All rows of a table.
pub(super) fn select(table: &Table) -> String {
    format!("SELECT {} FROM {}", names(table), quoted(&table.name))
}

/// The columns of a table, quoted, with commas between.
pub(super) fn names(table: &Table) -> String {
    let quoted = table.columns.iter().map(|column| quoted(&column.name));
    quoted.collect::<Vec<_>>().join(", ")
}

/// A name as a statement takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tables of a store but the list of its migrations, those first that others refer to.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
      AND name <> 'schema_migrations' ORDER BY name";
    let mut left = texts(connection, sql)?;
    let mut found: Vec<Table> = Vec::new();
    while !left.is_empty() {
        let before = left.len();
        for name in std::mem::take(&mut left) {
            let sql = format!("SELECT \"table\" FROM pragma_foreign_key_list('{name}')");
            let referred = texts(connection, &sql)?;
            let ready = |other: &String| *other == name || found.iter().any(|table| table.name == *other);
            match referred.iter().all(ready) {
                true => found.push(table(connection, name)?),
                false => left.push(name),
            }
        }
        // Tables that refer to each other in a circle go in any order; the target says what it thinks of that.
        if left.len() == before {
            let first = left.remove(0);
            found.push(table(connection, first)?);
        }
    }
    Ok(found)
}

fn texts(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

fn table(connection: &Connection, name: String) -> rusqlite::Result<Table> {
    let sql = format!("SELECT name, type FROM pragma_table_xinfo('{name}') WHERE hidden = 0 ORDER BY cid");
    let mut statement = connection.prepare(&sql)?;
    let columns = statement.query_map([], |row| {
        let kind: String = row.get(1)?;
        let kind = match kind.as_str() {
            "INTEGER" => ColumnKind::Number,
            "BLOB" => ColumnKind::Bytes,
            _ => ColumnKind::Text,
        };
        Ok(Column {
            name: row.get(0)?,
            kind,
        })
    })?;
    let columns = columns.collect::<rusqlite::Result<_>>()?;
    let count = format!("SELECT COUNT(*) FROM {}", quoted(&name));
    let rows: i64 = connection.query_row(&count, [], |row| row.get(0))?;
    let given = "SELECT (SELECT seq FROM sqlite_sequence WHERE name = ?1)";
    let last_number = connection.query_row(given, [&name], |row| row.get(0))?;
    Ok(Table {
        name,
        columns,
        rows: rows.unsigned_abs(),
        last_number,
    })
}
