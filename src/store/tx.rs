//! A transaction as the operations see it.

use std::borrow::Cow;

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::id::{
    ClientId, ConflictId, ConnectionName, CorrelationId, IdempotencyKey, OpportunityKey, QuoteId,
    QuoteNumber, RecordId, RunId,
};
use jiff::Timestamp;

use crate::counters;
use crate::row::{Cell, Row};

/// One transaction. Placeholders are `$1`, `$2`, … and mean the parameter of that number, in any order.
#[async_trait]
pub trait Tx: Send {
    /// Runs a statement without an answer. Returns how many rows it changed.
    async fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64>;

    /// Runs a statement and returns its rows, in order.
    async fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>>;

    /// The first row of the answer, if there is one.
    async fn first(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// See [`counters::draw`](crate::counters::draw). An engine that would make those who draw wait for each other has
    /// its own way.
    async fn draw(&mut self, counter: &str) -> Result<i64> {
        let row = self.first(counters::NEXT, params![counter]).await?;
        row.map_or(Ok(0), |mut row| row.take())
    }
}

/// A value handed to a statement.
#[derive(Clone, Debug)]
pub enum Param<'a> {
    /// SQL NULL.
    Null,
    /// A BIGINT; also a moment in microseconds since 1970, and true or false as 1 or 0.
    Int(i64),
    /// TEXT; also identifiers and JSON.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// Parameters of one statement, in the order of their numbers.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::tx::Param::from($value)),*] };
}
pub(crate) use params;

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Param::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a Cell> for Param<'a> {
    fn from(cell: &'a Cell) -> Self {
        match cell {
            Cell::Null => Param::Null,
            Cell::Int(number) => Param::Int(*number),
            Cell::Text(text) => Param::Text(Cow::Borrowed(text)),
            Cell::Bytes(bytes) => Param::Bytes(Cow::Borrowed(bytes)),
        }
    }
}

impl From<String> for Param<'_> {
    fn from(text: String) -> Self {
        Param::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Self {
        Param::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Param::Bytes(Cow::Borrowed(bytes))
    }
}

impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Param::Int(number)
    }
}

impl From<u32> for Param<'_> {
    fn from(number: u32) -> Self {
        Param::Int(number.into())
    }
}

impl From<bool> for Param<'_> {
    fn from(yes: bool) -> Self {
        Param::Int(yes.into())
    }
}

impl From<Timestamp> for Param<'_> {
    fn from(moment: Timestamp) -> Self {
        Param::Int(moment.as_microsecond())
    }
}

impl From<RunId> for Param<'_> {
    fn from(id: RunId) -> Self {
        Param::Text(Cow::Owned(id.to_string()))
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

/// Text identifiers go in as they are.
macro_rules! id_params {
    ($($id:ty),*) => {$(
        impl<'a> From<&'a $id> for Param<'a> {
            fn from(id: &'a $id) -> Self { Param::Text(Cow::Borrowed(id.as_str())) }
        }
    )*};
}
id_params!(
    ClientId,
    ConflictId,
    ConnectionName,
    CorrelationId,
    IdempotencyKey,
    OpportunityKey,
    QuoteId,
    QuoteNumber,
    RecordId
);
