//! A store in a file, as the target of a copy: one transaction.

use std::path::{Path, PathBuf};

use cpq_domain::{Error, Result};
use rusqlite::{Connection, params_from_iter};
use tokio::sync::mpsc;

use super::failure::failure;
use super::source::{names, quoted, scan, select, tables};
use super::{migrate, open};
use crate::copy::{Page, Progress, Sum, Table, other_schema, refuse_rows};
use crate::row::Cell;
use crate::tx::Param;

/// An empty store whose only writer this is.
pub(crate) struct Taker {
    connection: Connection,
    path: PathBuf,
    place: String,
    /// Whether the file was made for the copy.
    made: bool,
}

impl Taker {
    /// Opens the file, making it where it is missing, brings its schema up to date and sees that it is empty and has the
    /// tables of the source. Blocks.
    ///
    /// [`Code::RequestInvalid`] when it has rows; it was not changed then.
    pub(crate) fn begin(path: &Path, wanted: &[Table]) -> Result<Taker> {
        let made = !path.exists();
        let place = path.display().to_string();
        let connection = open::to_write(path, &place)?;
        let taker = Taker {
            connection,
            path: path.to_owned(),
            place,
            made,
        };
        match taker.prepare(wanted) {
            Ok(()) => Ok(taker),
            Err(error) => {
                taker.give_up();
                Err(error)
            }
        }
    }

    fn prepare(&self, wanted: &[Table]) -> Result<()> {
        self.run("BEGIN EXCLUSIVE")?;
        migrate::apply(&self.connection, &self.place, migrate::MIGRATIONS)?;
        let found = tables(&self.connection).map_err(|cause| self.failed(cause))?;
        let filled = found.iter().filter(|table| table.rows > 0);
        let filled: Vec<_> = filled.map(|table| (table.name.clone(), table.rows)).collect();
        refuse_rows(&self.place, &filled)?;
        for table in wanted {
            let there = found.iter().find(|found| found.name == table.name);
            if there.is_none_or(|there| there.columns != table.columns) {
                let what = format!("the table {} is missing there, or has other columns", table.name);
                return Err(other_schema(&self.place, &what));
            }
        }
        Ok(())
    }

    /// Writes what comes. A page is written in milliseconds, so nothing that matters waits for it.
    pub(crate) async fn take(
        &mut self,
        table: &Table,
        mut pages: mpsc::Receiver<Page>,
        progress: &Progress,
    ) -> Result<()> {
        while let Some(page) = pages.recv().await {
            let rows = page.len() as u64;
            self.insert(table, page).map_err(|cause| self.failed(cause))?;
            progress
                .copied
                .fetch_add(rows, std::sync::atomic::Ordering::Relaxed);
        }
        self.number(table).map_err(|cause| self.failed(cause))
    }

    fn insert(&self, table: &Table, page: Page) -> rusqlite::Result<()> {
        let marks = vec!["?"; table.columns.len()].join(", ");
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({marks})",
            quoted(&table.name),
            names(table)
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        for row in &page {
            statement.execute(params_from_iter(row.iter().map(Param::from)))?;
        }
        Ok(())
    }

    /// The next row gets the number that it would have got in the source.
    fn number(&self, table: &Table) -> rusqlite::Result<()> {
        let Some(last) = table.last_number else {
            return Ok(());
        };
        let forget = "DELETE FROM sqlite_sequence WHERE name = ?1";
        self.connection.execute(forget, [&table.name])?;
        let note = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
        self.connection.execute(note, (&table.name, last)).map(drop)
    }

    /// The sum over what is in the table now.
    pub(crate) fn read_back(&mut self, table: &Table, progress: &Progress) -> Result<Sum> {
        let counted = |_: Vec<Cell>| {
            progress
                .compared
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            true
        };
        let sum = scan(&self.connection, &select(table), table.columns.len(), counted);
        sum.map_err(|cause| self.failed(cause))
    }

    pub(crate) fn commit(self) -> Result<()> {
        let done = self.run("COMMIT");
        if done.is_err() {
            self.give_up();
        }
        done
    }

    /// Undoes all. A file that was made for the copy goes too.
    pub(crate) fn give_up(self) {
        let Taker {
            connection,
            path,
            made,
            ..
        } = self;
        // Closing it undoes what was not committed.
        drop(connection);
        if made {
            for suffix in ["", "-wal", "-shm"] {
                // What cannot be removed is an empty store, into which the next copy goes.
                let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
            }
        }
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.connection
            .execute_batch(sql)
            .map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: rusqlite::Error) -> Error {
        failure(&self.place, "to take the copy", cause)
    }
}
