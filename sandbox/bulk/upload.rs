//! The file of an ingest job, how far it is worked off, and what became of its rows.

use super::dialect::{Dialect, MARK, Marked};
use super::limits::BATCH_ROWS;
use super::outcome::Outcome;
use super::scan::{Scan, scan};
use axum::body::Bytes;
use csv::StringRecord;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The file and its state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    #[serde(with = "super::kept")]
    bytes: Bytes,
    scan: Scan,
    /// Byte where the first row begins that was not looked at.
    next: usize,
    outcomes: Arc<Vec<Outcome>>,
    failed: u64,
    refused_bytes: usize,
}

impl Upload {
    /// Takes a file in.
    pub fn new(bytes: Bytes, dialect: Dialect) -> Self {
        let scan = scan(&bytes, dialect);
        Self {
            next: scan.rows_at,
            bytes,
            scan,
            outcomes: Arc::default(),
            failed: 0,
            refused_bytes: 0,
        }
    }

    /// Rows looked at.
    pub fn processed(&self) -> u64 {
        self.outcomes.len() as u64
    }

    /// Rows refused.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Rows of the file, as far as it can be read.
    pub fn rows(&self) -> u64 {
        self.scan.rows
    }

    /// Rows that can still be taken. A batch that cannot be read to its end is not begun.
    pub fn ready(&self) -> u64 {
        let unreadable = match self.scan.trouble {
            Some(_) => self.scan.rows % BATCH_ROWS,
            None => 0,
        };
        self.scan.rows - unreadable - self.processed()
    }

    /// Why the file cannot be read to its end.
    pub fn trouble(&self) -> Option<&str> {
        self.scan.trouble.as_deref()
    }

    /// Bytes that this takes in memory.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.outcomes.len() * size_of::<Outcome>() + self.refused_bytes
    }

    /// The names of the columns.
    pub fn header(&self, dialect: Dialect) -> StringRecord {
        let mut rows = self.read(dialect, 0, self.scan.rows_at);
        rows.next().unwrap_or_default()
    }

    /// The header row as it was uploaded, without its end; empty when the file has none.
    pub fn header_text(&self) -> &str {
        let text = self.bytes.get(..self.scan.rows_at).unwrap_or_default();
        std::str::from_utf8(text)
            .unwrap_or_default()
            .trim_matches(['\r', '\n'])
    }

    /// The rows that were not looked at, as they were uploaded.
    pub fn unprocessed(&self) -> &[u8] {
        self.bytes.get(self.next..).unwrap_or_default()
    }

    /// The next rows, at most so many, and the byte behind them.
    pub fn take(&self, dialect: Dialect, most: usize) -> (Vec<StringRecord>, usize) {
        let mut rows = self.read(dialect, self.next, self.bytes.len());
        let taken: Vec<StringRecord> = rows.by_ref().take(most).collect();
        let behind = self.next + rows.read_bytes();
        (taken, behind)
    }

    /// Notes what became of the rows before this byte.
    pub fn note(&mut self, outcomes: Vec<Outcome>, behind: usize) {
        self.failed += outcomes.iter().filter(|one| one.is_failure()).count() as u64;
        self.refused_bytes += outcomes.iter().map(Outcome::text_bytes).sum::<usize>();
        Arc::make_mut(&mut self.outcomes).extend(outcomes);
        self.next = behind;
        // A line feed may be left of the last row's end.
        if self.bytes.get(behind.wrapping_sub(1)) == Some(&b'\r') && self.bytes.get(behind) == Some(&b'\n') {
            self.next += 1;
        }
    }

    /// What became of the rows that were looked at.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The rows that were looked at, each with what became of it.
    pub fn looked_at(&self, dialect: Dialect) -> impl Iterator<Item = (StringRecord, &Outcome)> {
        self.read(dialect, self.scan.rows_at, self.next)
            .zip(self.outcomes.iter())
    }

    fn read(&self, dialect: Dialect, from: usize, to: usize) -> Rows<'_> {
        Rows {
            reader: dialect.reader(self.bytes.get(from..to).unwrap_or_default()),
        }
    }
}

/// Rows of a part of the file; blank lines are none.
struct Rows<'a> {
    reader: csv::Reader<Marked<'a>>,
}

impl Rows<'_> {
    fn read_bytes(&self) -> usize {
        let bytes = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        bytes.saturating_sub(MARK.len())
    }
}

impl Iterator for Rows<'_> {
    type Item = StringRecord;

    fn next(&mut self) -> Option<StringRecord> {
        let mut row = StringRecord::new();
        // The scan has seen that this is text; what is not ends the file here.
        while self.reader.read_record(&mut row).unwrap_or(false) {
            if row.len() != 1 || !row[0].is_empty() {
                return Some(row);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::dialect::LineEnding;
    use crate::org::Id;
    use proptest::prelude::*;

    proptest! {
        /// Taken in pieces, a file gives the same rows as taken whole, and what is left is the rest of its text.
        #[test]
        fn pieces_add_up(
            rows in prop::collection::vec("[a\"\r\n,é\u{feff}]{1,6}", 0..20), most in 1..7_usize, crlf in any::<bool>(),
        ) {
            let line_ending = if crlf { LineEnding::Crlf } else { LineEnding::Lf };
            let dialect = Dialect { line_ending, ..Dialect::default() };
            let mut writer = dialect.writer(Vec::new());
            for row in std::iter::once("Name").chain(rows.iter().map(String::as_str)) {
                writer.write_record([row]).unwrap();
            }
            let mut upload = Upload::new(writer.into_inner().unwrap().into(), dialect);
            prop_assert_eq!((upload.rows(), upload.trouble()), (rows.len() as u64, None));
            let mut seen = Vec::new();
            loop {
                let (taken, behind) = upload.take(dialect, most);
                if taken.is_empty() {
                    break;
                }
                seen.extend(taken.iter().map(|row| row[0].to_owned()));
                let done = Outcome::Done { id: Id::new(*b"001", 1), created: true };
                upload.note(vec![done; taken.len()], behind);
                let text = [b"Name", line_ending.text().as_bytes(), upload.unprocessed()].concat();
                let left = Upload::new(text.into(), dialect).rows();
                prop_assert_eq!(left, upload.rows() - upload.processed());
            }
            prop_assert_eq!(&seen, &rows);
            prop_assert_eq!(upload.looked_at(dialect).count(), rows.len());
            prop_assert_eq!(upload.unprocessed(), b"");
        }
    }
}
