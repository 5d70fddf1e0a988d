//! JSON bodies as they came: read with the complaints of the parser that Salesforce uses (Jackson), and places in them.

use crate::org::ApiError;
use serde_json::Value as Json;
use serde_json::error::Category;

/// Reads a body.
///
/// # Errors
/// JSON_PARSER_ERROR with the place.
pub fn read(bytes: &[u8]) -> Result<Json, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| complaint(bytes, &error))
}

/// The parser's words for what is wrong with a body; the place is line and column, both from 1.
fn complaint(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line().max(1), error.column());
    let what = match error.classify() {
        Category::Eof if bytes.iter().all(u8::is_ascii_whitespace) => {
            "No content to map to Object due to end of input".to_owned()
        }
        Category::Eof => "Unexpected end-of-input".to_owned(),
        _ => {
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            match found(bytes, line, column) {
                Some(c) => format!("Unexpected character ('{c}' (code {})): {said}", u32::from(c)),
                None => said.to_owned(),
            }
        }
    };
    ApiError::bad(
        "JSON_PARSER_ERROR",
        format!("{what} at [line:{line}, column:{column}]"),
    )
}

/// The character at a place.
fn found(bytes: &[u8], line: usize, column: usize) -> Option<char> {
    let text = bytes.split(|b| *b == b'\n').nth(line - 1)?;
    let from = text.get(column.checked_sub(1)?..)?;
    let byte = *from.first()?;
    match byte {
        b if b.is_ascii() => Some(char::from(b)),
        _ => std::str::from_utf8(from).ok()?.chars().next(),
    }
}

/// Line and column, both from 1, just after the first character of the value of a key of the outermost object: where
/// the parser stands when it cannot make the value of the field's type.
pub fn place_of(bytes: &[u8], key: &str) -> Option<(usize, usize)> {
    let mut walk = Walk {
        bytes,
        at: 0,
        depth: 0,
    };
    while let Some(token) = walk.next() {
        let Token::Text(from, to) = token else {
            continue;
        };
        if walk.depth != 1 || bytes.get(from..to) != Some(key.as_bytes()) || !walk.colon() {
            continue;
        }
        walk.space();
        let before = &bytes[..walk.at];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let column = before.iter().rev().take_while(|b| **b != b'\n').count();
        return Some((line, column + 2));
    }
    None
}

/// Whether a text was passed, with its bounds inside the quotes, or anything else.
enum Token {
    Text(usize, usize),
    Other,
}

/// A walk over JSON that is known to be well formed; it only counts brackets and skips texts.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl Walk<'_> {
    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn colon(&mut self) -> bool {
        self.space();
        let found = self.bytes.get(self.at) == Some(&b':');
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Option<Token> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        match byte {
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b'"' => return Some(self.text()),
            _ => {}
        }
        Some(Token::Other)
    }

    fn text(&mut self) -> Token {
        let from = self.at;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Token::Text(from, self.at - 1);
                }
                _ => self.at += 1,
            }
        }
        self.at = self.bytes.len();
        Token::Text(from, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(text: &str) -> String {
        read(text.as_bytes()).expect_err("broken").message
    }

    #[test]
    fn complaints_name_what_was_found_and_where() {
        assert!(message("").starts_with("No content to map to Object due to end of input at [line:1"));
        assert!(message("{\"a\":1").contains("Unexpected end-of-input at [line:1, column:6]"));
        let extra = message("{\n \"a\": 1,}");
        assert!(
            extra.contains("('}' (code 125))") && extra.ends_with("at [line:2, column:9]"),
            "{extra}"
        );
        assert!(
            message("{'a': 1}").contains("(''' (code 39))"),
            "{}",
            message("{'a': 1}")
        );
    }

    #[test]
    fn places_are_those_of_the_outermost_keys() {
        let text = br#"{"B":{"Amount":1},"Amount":"abc"}"#;
        assert_eq!(place_of(text, "Amount"), Some((1, 29)));
        assert_eq!(place_of(br#"{"Amount":"abc"}"#, "Amount"), Some((1, 12)));
        assert_eq!(
            place_of(b"{\n  \"x\\\"Amount\": 1,\n  \"Amount\" : \"abc\"}", "Amount"),
            Some((3, 15))
        );
        assert_eq!(place_of(b"[]", "Amount"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..60), key in "[a\"\\\\]{0,3}") {
            drop(read(&bytes));
            if let Some((line, column)) = place_of(&bytes, &key) {
                prop_assert!(line >= 1 && column >= 1);
            }
        }
    }
}
