//! Rows of an answer, read cell by cell.

use cpq_domain::event::Data;
use cpq_domain::id::{
    ClientId, ConflictId, ConnectionName, CorrelationId, LineKey, OpportunityKey, QuoteId, QuoteNumber,
    RecordId, RunId,
};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row. Each read takes the next cell, in the order of the statement's columns.
#[derive(Debug)]
pub struct Row {
    sql: &'static str,
    cells: std::vec::IntoIter<Cell>,
    taken: usize,
}

impl Row {
    /// A row of the answer to `sql`. For engines.
    pub fn new(sql: &'static str, cells: Vec<Cell>) -> Row {
        Row {
            sql,
            cells: cells.into_iter(),
            taken: 0,
        }
    }

    /// The next cell as a `T`. [`Code::Internal`] when it holds something else: then statement and reader disagree, or
    /// somebody else wrote to the store.
    pub fn take<T: FromCell>(&mut self) -> Result<T> {
        let cell = self.cells.next();
        self.taken += 1;
        T::from_cell(cell.unwrap_or(Cell::Null)).map_err(|why| self.wrong(why))
    }

    /// The next cell, a JSON text.
    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let text: String = self.take()?;
        serde_json::from_str(&text).map_err(|why| self.wrong(why))
    }

    /// The next cell, a JSON text that is kept as one.
    pub fn data(&mut self) -> Result<Data> {
        let text: String = self.take()?;
        Data::parse(text).map_err(|why| self.wrong(why))
    }

    /// The next cell, a JSON text or NULL.
    pub fn json_or_none<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let text: Option<String> = self.take()?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|why| self.wrong(why))
    }

    /// The next cell, the name of a variant of a closed list.
    pub fn word<T: DeserializeOwned>(&mut self) -> Result<T> {
        let text: String = self.take()?;
        serde_json::from_value(text.into()).map_err(|why| self.wrong(why))
    }

    fn wrong(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let statement: String = self.sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
        let message = format!(
            "the store holds an unreadable value: column {} of `{statement} …`",
            self.taken
        );
        Error::new(Code::Internal, message).cause(why)
    }
}

/// What can be read from a cell.
pub trait FromCell: Sized {
    /// The value, or why the cell is not one.
    fn from_cell(cell: Cell) -> Result<Self, String>;
}

fn kind(cell: &Cell) -> &'static str {
    match cell {
        Cell::Null => "nothing",
        Cell::Int(_) => "a number",
        Cell::Text(_) => "text",
        Cell::Bytes(_) => "bytes",
    }
}

impl FromCell for i64 {
    fn from_cell(cell: Cell) -> Result<Self, String> {
        match cell {
            Cell::Int(number) => Ok(number),
            other => Err(format!("it is {}, not a number", kind(&other))),
        }
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell) -> Result<Self, String> {
        match cell {
            Cell::Text(text) => Ok(text),
            other => Err(format!("it is {}, not text", kind(&other))),
        }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: Cell) -> Result<Self, String> {
        match cell {
            Cell::Bytes(bytes) => Ok(bytes),
            other => Err(format!("it is {}, not bytes", kind(&other))),
        }
    }
}

impl FromCell for bool {
    fn from_cell(cell: Cell) -> Result<Self, String> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl FromCell for Timestamp {
    fn from_cell(cell: Cell) -> Result<Self, String> {
        Timestamp::from_microsecond(i64::from_cell(cell)?).map_err(|why| why.to_string())
    }
}

impl FromCell for RunId {
    fn from_cell(cell: Cell) -> Result<Self, String> {
        uuid::Uuid::parse_str(&String::from_cell(cell)?)
            .map(RunId)
            .map_err(|why| why.to_string())
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell) -> Result<Self, String> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

/// Numbers that are narrower than a BIGINT.
macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl FromCell for $number {
            fn from_cell(cell: Cell) -> Result<Self, String> {
                let number = i64::from_cell(cell)?;
                <$number>::try_from(number).map_err(|why| format!("{number}: {why}"))
            }
        }
    )*};
}
numbers!(u16, u32, u64);

/// Text identifiers are checked again when they come back.
macro_rules! ids {
    ($($id:ty),*) => {$(
        impl FromCell for $id {
            fn from_cell(cell: Cell) -> Result<Self, String> {
                <$id>::new(String::from_cell(cell)?).map_err(|why| why.to_string())
            }
        }
    )*};
}
ids!(
    ClientId,
    ConflictId,
    ConnectionName,
    CorrelationId,
    LineKey,
    OpportunityKey,
    QuoteId,
    QuoteNumber,
    RecordId
);
