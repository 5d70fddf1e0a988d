//! How a file is written: what stands between values and what ends a line (Bulk API 2.0 Developer Guide, Create a Job).

use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// Byte order mark of UTF-8.
pub const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What stands between two values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Delimiter {
    /// `` ` ``
    Backquote,
    /// `^`
    Caret,
    /// `,`
    #[default]
    Comma,
    /// `|`
    Pipe,
    /// `;`
    Semicolon,
    /// Tabulator.
    Tab,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LineEnding {
    /// Line feed.
    #[default]
    Lf,
    /// Carriage return and line feed.
    Crlf,
}

/// Both together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialect {
    /// Between values.
    pub delimiter: Delimiter,
    /// After lines.
    pub line_ending: LineEnding,
}

/// A text behind a byte order mark, both in one read: a reader takes a mark alone for the end.
pub struct Marked<'a> {
    mark: &'a [u8],
    text: &'a [u8],
}

impl Read for Marked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mark = self.mark.read(into)?;
        Ok(mark + self.text.read(&mut into[mark..])?)
    }
}

impl Delimiter {
    /// The byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Backquote => b'`',
            Self::Caret => b'^',
            Self::Comma => b',',
            Self::Pipe => b'|',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }

    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backquote => "BACKQUOTE",
            Self::Caret => "CARET",
            Self::Comma => "COMMA",
            Self::Pipe => "PIPE",
            Self::Semicolon => "SEMICOLON",
            Self::Tab => "TAB",
        }
    }

    /// The delimiter of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Backquote,
            Self::Caret,
            Self::Comma,
            Self::Pipe,
            Self::Semicolon,
            Self::Tab,
        ];
        all.into_iter().find(|one| one.name() == name)
    }
}

impl LineEnding {
    /// The bytes.
    pub fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
        }
    }

    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::Crlf => "CRLF",
        }
    }

    /// The line ending of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Lf, Self::Crlf].into_iter().find(|one| one.name() == name)
    }
}

impl Dialect {
    /// A reader of these bytes; rows may have any number of values, and the first is not taken for a header. It drops
    /// a byte order mark, and gets one to drop: Salesforce takes those that editors write for a part of the first name.
    /// Positions count from the beginning of this mark.
    pub fn reader(self, bytes: &[u8]) -> csv::Reader<Marked<'_>> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter.byte())
            .terminator(self.terminator())
            .has_headers(false)
            .flexible(true)
            .from_reader(Marked {
                mark: MARK,
                text: bytes,
            })
    }

    /// A writer that puts every value into quotes, as results of jobs have them.
    pub fn writer(self, bytes: Vec<u8>) -> csv::Writer<Vec<u8>> {
        csv::WriterBuilder::new()
            .delimiter(self.delimiter.byte())
            .terminator(self.terminator())
            .quote_style(csv::QuoteStyle::Always)
            .flexible(true)
            .from_writer(bytes)
    }

    fn terminator(self) -> csv::Terminator {
        match self.line_ending {
            LineEnding::Lf => csv::Terminator::Any(b'\n'),
            LineEnding::Crlf => csv::Terminator::CRLF,
        }
    }
}
