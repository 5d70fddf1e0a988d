//! One connection to SQLite, and the transaction that jobs see on it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::{Code, Error, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, params_from_iter};

use super::failure::failure;
use super::sql::Texts;
use crate::limits::{ANSWER_ROWS, PREPARED_STATEMENTS};
use crate::row::{Cell, Row};
use crate::tx::{Param, Tx};

/// A connection with its prepared statements.
pub(crate) struct Session {
    connection: Connection,
    texts: Texts,
    /// How errors name the store.
    place: Arc<str>,
    /// Whether jobs may only read now.
    reading: bool,
}

impl Session {
    pub(super) fn new(connection: Connection, place: Arc<str>) -> Session {
        connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        Session {
            connection,
            texts: Texts::default(),
            place,
            reading: false,
        }
    }

    /// Runs a statement that has neither parameters nor an answer.
    pub(super) fn run(&self, sql: &str, doing: &str) -> Result<()> {
        let run = || self.connection.prepare_cached(sql)?.raw_execute();
        run()
            .map(drop)
            .map_err(|cause| failure(&self.place, doing, cause))
    }

    /// Whether every write is refused from now on. Asked of each statement, and not set with `PRAGMA query_only`: such a
    /// pragma makes SQLite compile every prepared statement of the connection anew (`OP_Expire` in its `pragma.c`), and
    /// a store in memory changes between reading and writing at every job.
    pub(super) fn only_read(&mut self, reading: bool) {
        self.reading = reading;
    }

    /// Whether no transaction is open. SQLite ends one by itself when the disk fails in the middle.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Drives a job to its end. Its awaits are all on this session and therefore ready; a job that waits for anything
    /// else would hold up every writer, so it is refused. A job that panics fails alone.
    pub(crate) fn drive<T>(
        &mut self,
        job: impl FnOnce(&mut dyn Tx) -> BoxFuture<'_, Result<T>>,
    ) -> Result<T> {
        let driven = catch_unwind(AssertUnwindSafe(|| job(self).now_or_never()));
        match driven {
            Ok(Some(result)) => result,
            Ok(None) => {
                let message = "a job of the store waited for something that is not the store";
                Err(Error::new(Code::Internal, message))
            }
            Err(panic) => {
                let message = format!("a job of the store panicked: {}", panic_text(panic.as_ref()));
                Err(Error::new(Code::Internal, message))
            }
        }
    }

    fn with<T>(
        &mut self,
        sql: &'static str,
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let text = self.texts.of(sql);
        let run = || {
            let mut statement = self.connection.prepare_cached(text)?;
            match self.reading && !statement.readonly() {
                true => Ok(None),
                false => work(&mut statement).map(Some),
            }
        };
        let done =
            run().map_err(|cause| failure(&self.place, &format!("at `{} …`", beginning(sql)), cause))?;
        done.ok_or_else(|| {
            let message = format!("a job that may only read tried `{} …`", beginning(sql));
            Error::new(Code::Internal, message)
        })
    }
}

/// The first words of a statement, which name it in an error.
fn beginning(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().take(6).collect();
    words.join(" ")
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[async_trait]
impl Tx for Session {
    async fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        self.with(sql, |statement| statement.execute(params_from_iter(params)))
            .map(|changed| changed as u64)
    }

    async fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let answer = self.with(sql, |statement| {
            let columns = statement.column_count();
            let mut rows = statement.query(params_from_iter(params))?;
            let mut answer = Vec::new();
            while let Some(row) = rows.next()? {
                if answer.len() == ANSWER_ROWS {
                    return Ok(None);
                }
                let cells: rusqlite::Result<_> = (0..columns).map(|at| cell(row.get_ref(at)?)).collect();
                answer.push(Row::new(sql, cells?));
            }
            Ok(Some(answer))
        })?;
        answer.ok_or_else(|| {
            Error::new(
                Code::Internal,
                format!("a statement answered more than {ANSWER_ROWS} rows"),
            )
        })
    }
}

pub(super) fn cell(value: ValueRef<'_>) -> rusqlite::Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(_) => Cell::Text(value.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_owned()),
        ValueRef::Real(number) => Cell::Text(number.to_string()),
    })
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Null => ValueRef::Null,
            Param::Int(number) => ValueRef::Integer(*number),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Work for a session, with whoever waits for its result.
pub(crate) trait Job: Send {
    /// Does the work and remembers the result. Returns whether what it wrote is to be kept.
    fn run(&mut self, session: &mut Session) -> bool;

    /// Answers whoever waits: with the result, or with the failure that undid it.
    fn answer(self: Box<Self>, undone: Option<Error>);
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// Statements over tables with partial indexes used to be compiled at each new value.
    #[test]
    fn a_statement_is_compiled_once_whatever_it_is_bound_to() {
        let (mut session, _) = crate::sqlite::in_memory().expect("a store");
        const LOOK: &str = "SELECT id FROM runs WHERE state = $1 AND ready_at <= $2 LIMIT $3";
        for (state, most) in [("queued", 7_u32), ("parked", 1), ("dead", 50)] {
            let asked = session
                .query(LOOK, crate::tx::params![state, 5_i64, i64::from(most)])
                .now_or_never();
            asked.expect("no wait").expect("an answer");
        }
        let text = session.texts.of(LOOK);
        let statement = session.connection.prepare_cached(text).expect("known");
        assert_eq!(statement.get_status(StatementStatus::Run), 3);
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }

    /// A store in memory has one connection for both.
    #[test]
    fn a_change_between_reading_and_writing_compiles_nothing_anew() {
        let (mut session, _) = crate::sqlite::in_memory().expect("a store");
        const LOOK: &str = "SELECT id FROM runs WHERE state = $1";
        for reading in [true, false, true] {
            session.only_read(reading);
            let asked = session.query(LOOK, crate::tx::params!["queued"]).now_or_never();
            asked.expect("no wait").expect("an answer");
        }
        let text = session.texts.of(LOOK);
        let statement = session.connection.prepare_cached(text).expect("known");
        assert_eq!(statement.get_status(StatementStatus::Run), 3);
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
