//! The strict first reading of an upload: is it a file of the declared form, and how many rows has it?
//!
//! Salesforce refuses files that lenient readers take ("Prepare CSV Files"). What passes here is read the same way
//! by every reader; what does not fails the job, with the words that the reader of Salesforce's own open client
//! (Web Services Connector) has for it.

use super::dialect::{Dialect, LineEnding};
use super::limits::{FIELD_CHARACTERS, HEADER_CHARACTERS, RECORD_CHARACTERS, RECORD_FIELDS};
use serde::{Deserialize, Serialize};

/// What the first reading found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scan {
    /// Byte where the rows begin, behind the header.
    pub rows_at: usize,
    /// Rows before the end or the trouble; blank lines are none.
    pub rows: u64,
    /// Why the job will fail.
    pub trouble: Option<String>,
}

/// Reads the whole file once.
pub fn scan(bytes: &[u8], dialect: Dialect) -> Scan {
    if std::str::from_utf8(bytes).is_err() {
        return Scan {
            trouble: Some("ClientInputError : The uploaded data is not encoded in UTF-8".to_owned()),
            ..Scan::default()
        };
    }
    let mut scanner = Scanner {
        bytes,
        dialect,
        at: 0,
        record: Record::default(),
    };
    let mut found = Scan::default();
    let mut header = true;
    loop {
        match scanner.record() {
            Err(trouble) => found.trouble = Some(trouble),
            Ok(false) => {}
            Ok(true) if header => {
                if scanner.at > HEADER_CHARACTERS {
                    let text = format!("the header row is longer than {HEADER_CHARACTERS} characters");
                    found.trouble = Some(unparsable(&text));
                }
                (header, found.rows_at) = (false, scanner.at);
            }
            Ok(true) => found.rows += 1,
        }
        if found.trouble.is_some() || scanner.at >= bytes.len() {
            return found;
        }
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    dialect: Dialect,
    at: usize,
    record: Record,
}

/// Measures of the record being read.
#[derive(Default)]
struct Record {
    fields: usize,
    field: usize,
    characters: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Plain,
    Quoted,
    Closed,
}

enum End {
    Value,
    Record,
}

impl Scanner<'_> {
    /// Reads one record; false for a blank line.
    fn record(&mut self) -> Result<bool, String> {
        self.record = Record::default();
        let mut place = Place::Start;
        while let Some(byte) = self.bytes.get(self.at).copied() {
            if place != Place::Quoted {
                match self.end(byte, place)? {
                    Some(End::Record) => return self.finish(),
                    Some(End::Value) => {
                        place = Place::Start;
                        continue;
                    }
                    None => {}
                }
            }
            self.at += 1;
            place = self.next(place, byte)?;
        }
        if place == Place::Quoted {
            return Err(unparsable("EOF reached before closing an opened quote"));
        }
        self.finish()
    }

    /// The place after a byte that ends nothing.
    fn next(&mut self, place: Place, byte: u8) -> Result<Place, String> {
        match (place, byte) {
            (Place::Start, b'"') => return Ok(Place::Quoted),
            (Place::Quoted, b'"') => return Ok(Place::Closed),
            (Place::Plain, b'"') => {
                let text = "Found unescaped quote. A value with quote should be within a quote";
                return Err(unparsable(text));
            }
            (Place::Closed, b'"') => {}
            (Place::Closed, _) => return Err(unparsable("Not expecting more text after end quote")),
            _ => {}
        }
        // Continuation bytes belong to the character before them.
        self.record.field += usize::from(byte & 0xC0 != 0x80);
        Ok(match place {
            Place::Start | Place::Plain => Place::Plain,
            Place::Quoted | Place::Closed => Place::Quoted,
        })
    }

    /// What ends before this byte, outside of quotes; the end is taken.
    fn end(&mut self, byte: u8, place: Place) -> Result<Option<End>, String> {
        if byte == self.dialect.delimiter.byte() {
            self.at += 1;
            self.end_field()?;
            return Ok(Some(End::Value));
        }
        let pair = byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
        let length = match (self.dialect.line_ending, byte, pair) {
            (LineEnding::Lf, b'\n', _) => 1,
            (LineEnding::Crlf, b'\r', true) => 2,
            (LineEnding::Lf, b'\r', false) if place != Place::Closed => return Ok(None),
            (_, b'\r' | b'\n', _) => return Err(wrong_line_ending(self.dialect.line_ending)),
            _ => return Ok(None),
        };
        self.at += length;
        Ok(Some(End::Record))
    }

    fn end_field(&mut self) -> Result<(), String> {
        let record = &mut self.record;
        record.fields += 1;
        record.characters += record.field;
        if record.field > FIELD_CHARACTERS {
            return Err(unparsable(&format!("Exceeded max field size: {}", record.field)));
        }
        if record.fields > RECORD_FIELDS {
            let text = format!("Exceeded max number of columns per record : {RECORD_FIELDS}");
            return Err(unparsable(&text));
        }
        record.field = 0;
        Ok(())
    }

    fn finish(&mut self) -> Result<bool, String> {
        self.end_field()?;
        let Record {
            fields, characters, ..
        } = self.record;
        if characters > RECORD_CHARACTERS {
            let text = format!(
                "Exceeded max length for one record: {characters}. Max length for one record should be less than or equal to {RECORD_CHARACTERS}"
            );
            return Err(unparsable(&text));
        }
        Ok(fields > 1 || characters > 0)
    }
}

fn unparsable(why: &str) -> String {
    format!("InvalidBatch : Failed to parse CSV. {why}")
}

fn wrong_line_ending(declared: LineEnding) -> String {
    format!(
        "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {}",
        declared.name()
    )
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Delimiter;
    use super::*;
    use proptest::prelude::*;

    fn lf() -> Dialect {
        Dialect::default()
    }

    fn crlf() -> Dialect {
        Dialect {
            line_ending: LineEnding::Crlf,
            ..Dialect::default()
        }
    }

    fn trouble(text: &str, dialect: Dialect) -> String {
        scan(text.as_bytes(), dialect).trouble.unwrap_or_default()
    }

    #[test]
    fn rows_are_counted_without_blank_lines_and_with_line_breaks_in_quotes() {
        let found = scan(b"A,B\n1,2\n\n\"x\ny\",\"a \"\"b\"\"\"\n,\n\"\"\nlast,", lf());
        assert_eq!((found.rows_at, found.rows, found.trouble), (4, 4, None));
        let found = scan(b"A,B\r\n1,\"x\ny\"\r\n", crlf());
        assert_eq!((found.rows_at, found.rows, found.trouble), (5, 1, None));
        assert_eq!(scan(b"", lf()), Scan::default());
    }

    #[test]
    fn a_line_ending_that_was_not_declared_is_told() {
        let lf_wrong =
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF";
        for text in ["A\r\n1\r\n", "A\n1\r\n", "\"A\"\r\n"] {
            assert_eq!(trouble(text, lf()), lf_wrong, "{text:?}");
        }
        for text in ["A\n1\n", "A\r\n1\n", "A\r\n1\r2\r\n"] {
            assert!(trouble(text, crlf()).ends_with("setting is CRLF"), "{text:?}");
        }
        assert_eq!(trouble("A\n1\r2\n", lf()), "");
    }

    #[test]
    fn quotes_in_the_wrong_places_are_told() {
        for (text, part) in [
            ("\u{feff}\"Id\"\n", "Found unescaped quote"),
            ("A\nx\"y\n", "Found unescaped quote"),
            ("A,B\n\"x\" ,y\n", "Not expecting more text after end quote"),
            ("A,B\n1, \"y\"\n", "Found unescaped quote"),
            ("A\n\"x\n", "EOF reached before closing"),
        ] {
            assert!(
                trouble(text, lf()).contains(part),
                "{text:?}: {}",
                trouble(text, lf())
            );
        }
    }

    #[test]
    fn measures_are_in_characters_and_have_ends() {
        let fits = "ä".repeat(FIELD_CHARACTERS);
        assert_eq!(trouble(&format!("A\n{fits}\n"), lf()), "");
        assert!(trouble(&format!("A\n{fits}ä\n"), lf()).contains("max field size: 131073"));
        let wide = ",".repeat(RECORD_FIELDS);
        assert!(trouble(&format!("A\n{wide}\n"), lf()).contains("max number of columns"));
        let long = [fits.as_str(); 4].join(",");
        assert!(trouble(&format!("A\n{long}\n"), lf()).contains("max length for one record: 524288"));
        let header = "A".repeat(HEADER_CHARACTERS + 1);
        assert!(trouble(&format!("{header}\n1\n"), lf()).contains("header row"));
        assert!(
            scan(b"A\n\xff\n", lf())
                .trouble
                .unwrap_or_default()
                .contains("UTF-8")
        );
    }

    fn dialects() -> impl Strategy<Value = Dialect> {
        let delimiter = prop::sample::select(vec![Delimiter::Comma, Delimiter::Tab, Delimiter::Caret]);
        let ending = prop::sample::select(vec![LineEnding::Lf, LineEnding::Crlf]);
        (delimiter, ending).prop_map(|(delimiter, line_ending)| Dialect {
            delimiter,
            line_ending,
        })
    }

    proptest! {
        /// Whatever passes the scan is read by the reader as exactly so many rows.
        #[test]
        fn the_reader_sees_the_rows_that_were_counted(
            text in "[a,^\t\"\r\n é\u{feff}]{0,60}", dialect in dialects(),
        ) {
            let found = scan(text.as_bytes(), dialect);
            if found.trouble.is_none() {
                let blank = |row: &csv::StringRecord| row.len() == 1 && row[0].is_empty();
                let rows = dialect.reader(&text.as_bytes()[found.rows_at..]).into_records();
                let rows = rows.map(|row| row.expect("valid text")).filter(|row| !blank(row));
                prop_assert_eq!(rows.count() as u64, found.rows);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), dialect in dialects()) {
            scan(&bytes, dialect);
        }
    }
}
