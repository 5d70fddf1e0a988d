//! One transaction on one connection, as a job sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use cpq_domain::{Code, Error, Result};
use deadpool_postgres::Client;
use futures_util::future::join;
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::{SimpleQueryMessage, Statement};

use super::failure::{Kind, failure};
use super::numbers::Numbers;
use super::texts;
use crate::limits::ANSWER_ROWS;
use crate::row::{Cell, Row};
use crate::tx::{Param, Tx};

/// One snapshot for all that a job reads.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 0::TEXT";
/// The number of the transaction comes with its beginning: it tells later whether a commit came through whose answer was
/// lost.
const BEGIN_WRITING: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_current_xact_id()::TEXT";

/// A transaction that begins with its first statement, in the same breath.
pub(super) struct Session {
    client: Client,
    place: Arc<str>,
    numbers: Arc<Numbers>,
    reading: bool,
    /// The transaction's number, once it has begun.
    begun: Option<String>,
    /// What the first statement that failed means. The server takes no other one after it.
    failed: Option<Kind>,
    /// Whether an answer of the server is being waited for.
    asking: Arc<AtomicBool>,
}

impl Session {
    pub(super) fn new(client: Client, place: Arc<str>, numbers: Arc<Numbers>, reading: bool) -> Session {
        Session {
            client,
            place,
            numbers,
            reading,
            begun: None,
            failed: None,
            asking: Arc::default(),
        }
    }

    /// Whether a job that waits does so for the server.
    pub(super) fn asking(&self) -> Arc<AtomicBool> {
        self.asking.clone()
    }

    /// What the first failure means, if a statement failed.
    pub(super) fn failed(&self) -> Option<Kind> {
        self.failed
    }

    /// The number of the transaction, if it has begun.
    pub(super) fn number(&self) -> Option<&str> {
        self.begun.as_deref()
    }

    /// Commits what was begun.
    pub(super) async fn commit(self) -> std::result::Result<(), tokio_postgres::Error> {
        let done = self.client.batch_execute("COMMIT").await;
        if done.is_err() {
            self.discard();
        }
        done
    }

    /// Undoes what was begun. A connection on which that fails is not used again.
    pub(super) async fn roll_back(self) {
        if (self.begun.is_some() || self.failed.is_some())
            && self.client.batch_execute("ROLLBACK").await.is_err()
        {
            self.discard();
        }
    }

    /// Takes the connection out of the pool and closes it.
    fn discard(self) {
        drop(deadpool_postgres::Object::take(self.client));
    }

    async fn statement(&mut self, sql: &'static str) -> Result<Statement> {
        let text = texts::of(sql, self.reading);
        let prepared = self.client.prepare_cached(&text).await;
        prepared.map_err(|cause| self.failure(sql, &cause))
    }

    /// The statement that opens the transaction, if it is not open yet.
    fn opening(&self) -> Option<&'static str> {
        match (&self.begun, self.reading) {
            (Some(_), _) => None,
            (None, true) => Some(BEGIN_READING),
            (None, false) => Some(BEGIN_WRITING),
        }
    }

    /// Takes what the server said to an opening and to the work behind it.
    fn answered<T>(&mut self, sql: &'static str, answer: Answered<T>) -> Result<T> {
        let (number, answer) = answer;
        match number {
            Some(Ok(number)) => self.begun = Some(number),
            Some(Err(cause)) => return Err(self.failure(sql, &cause)),
            None => {}
        }
        answer.map_err(|cause| self.failure(sql, &cause))
    }

    fn failure(&mut self, sql: &str, cause: &tokio_postgres::Error) -> Error {
        let statement: Vec<&str> = sql.split_whitespace().take(6).collect();
        let statement = statement.join(" ");
        if self.reading && cause.code().is_some_and(|state| state.code() == "25006") {
            return self.refuse_to_write(&statement);
        }
        let (error, kind) = failure(&self.place, &format!("at `{statement} …`"), cause);
        self.failed.get_or_insert(kind);
        error
    }

    fn refuse_to_write(&mut self, what: &str) -> Error {
        self.failed.get_or_insert(Kind::Final);
        let message = format!("a job that may only read tried `{what} …`");
        Error::new(Code::Internal, message)
    }
}

fn number(answer: &[SimpleQueryMessage]) -> String {
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.unwrap_or_default().to_owned()
}

/// Marks the time in which a job waits for the server.
struct Asking(Arc<AtomicBool>);

impl Asking {
    fn begin(flag: &Arc<AtomicBool>) -> Asking {
        flag.store(true, Ordering::Relaxed);
        Asking(flag.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

type FromServer<T> = std::result::Result<T, tokio_postgres::Error>;
type Answered<T> = (Option<FromServer<String>>, FromServer<T>);

/// Sends the opening, if one is due, and right behind it the work: both futures send as soon as they are looked at, the
/// first one first.
async fn ask<T>(
    client: &Client,
    opening: Option<&str>,
    work: impl Future<Output = FromServer<T>>,
) -> Answered<T> {
    let Some(opening) = opening else {
        return (None, work.await);
    };
    let (opened, answer) = join(client.simple_query(opening), work).await;
    (Some(opened.map(|rows| number(&rows))), answer)
}

/// The rows of an answer; `None` when there are too many.
async fn rows(
    client: &Client,
    sql: &'static str,
    statement: &Statement,
    params: &[Param<'_>],
) -> FromServer<Option<Vec<Row>>> {
    let stream = client.query_raw(statement, params.iter()).await?;
    pin_mut!(stream);
    let mut answer = Vec::new();
    while let Some(row) = stream.try_next().await? {
        if answer.len() == ANSWER_ROWS {
            return Ok(None);
        }
        let cells: FromServer<Vec<Cell>> = (0..row.len()).map(|at| row.try_get(at)).collect();
        answer.push(Row::new(sql, cells?));
    }
    Ok(Some(answer))
}

#[async_trait]
impl Tx for Session {
    async fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        let _asking = Asking::begin(&self.asking);
        let statement = self.statement(sql).await?;
        let work = self.client.execute_raw(&statement, params.iter());
        let answer = ask(&self.client, self.opening(), work).await;
        self.answered(sql, answer)
    }

    async fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let _asking = Asking::begin(&self.asking);
        let statement = self.statement(sql).await?;
        let work = rows(&self.client, sql, &statement, params);
        let answer = ask(&self.client, self.opening(), work).await;
        self.answered(sql, answer)?.ok_or_else(|| {
            let message = format!("a statement answered more than {ANSWER_ROWS} rows");
            Error::new(Code::Internal, message)
        })
    }

    async fn draw(&mut self, counter: &str) -> Result<i64> {
        if self.reading {
            return Err(self.refuse_to_write("to draw a number"));
        }
        let _asking = Asking::begin(&self.asking);
        let drawn = self.numbers.draw(counter).await;
        drawn.map_err(|(error, kind)| {
            self.failed.get_or_insert(kind);
            error
        })
    }
}
