//! Reads JSON strictly, and writes it in one form: two texts that mean the same become the same bytes.
//!
//! Strict means RFC 8259 with the advice of RFC 7493 (I-JSON): a name occurs once in an object, and the nesting has a
//! limit. In the canonical form names are sorted, white space is gone, and numbers are exact: `1`, `1.0` and `10e-1`
//! are one number, and no digit is lost to a binary float.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::limits::JSON_DEPTH;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Byte offset.
    pub(crate) at: usize,
    /// What is wrong, e.g. `the name "a" occurs twice in one object`.
    pub(crate) what: String,
}

impl Flaw {
    /// Line and column of the flaw, both counted from 1.
    pub(crate) fn place(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.at.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        (line, before.chars().rev().take_while(|c| *c != '\n').count() + 1)
    }
}

/// The canonical form of one JSON value.
pub(crate) fn canonical(text: &str) -> Result<String, Flaw> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.blank();
    let value = scanner.value(0)?;
    scanner.blank();
    match scanner.peek() {
        None => Ok(value),
        Some(_) => scanner.flaw("there is text behind the value"),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self, depth: usize) -> Result<String, Flaw> {
        if depth > JSON_DEPTH {
            return self.flaw(format!("the nesting is deeper than {JSON_DEPTH} levels"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(|text| quoted(&text)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) => self.flaw("a value was expected here"),
            None => self.flaw("the text ends where a value was expected"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<String, Flaw> {
        self.at += 1;
        let mut members = BTreeMap::new();
        self.blank();
        if self.take(b'}') {
            return Ok("{}".into());
        }
        loop {
            self.blank();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return self.flaw("a name in double quotes was expected here");
            }
            let name = self.string()?;
            self.blank();
            self.expect(b':')?;
            self.blank();
            let value = self.value(depth + 1)?;
            if members.insert(name.clone(), value).is_some() {
                let what = format!("the name {} occurs twice in one object", quoted(&name));
                return Err(Flaw { at: start, what });
            }
            self.blank();
            if self.take(b'}') {
                break;
            }
            self.expect(b',')?;
        }
        Ok(braced(
            '{',
            members
                .iter()
                .map(|(name, value)| format!("{}:{value}", quoted(name))),
            '}',
        ))
    }

    fn array(&mut self, depth: usize) -> Result<String, Flaw> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.take(b']') {
            return Ok("[]".into());
        }
        loop {
            self.blank();
            items.push(self.value(depth + 1)?);
            self.blank();
            if self.take(b']') {
                break;
            }
            self.expect(b',')?;
        }
        Ok(braced('[', items.into_iter(), ']'))
    }

    fn string(&mut self) -> Result<String, Flaw> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            self.at += match byte {
                b'"' => break,
                b'\\' => 2,
                _ => 1,
            };
        }
        self.at += 1;
        let Some(literal) = self.text.get(start..self.at) else {
            return Err(Flaw {
                at: start,
                what: "the string has no end".into(),
            });
        };
        serde_json::from_str(literal).map_err(|_| Flaw {
            at: start,
            what: "the string has a bad escape or a control character".into(),
        })
    }

    fn number(&mut self) -> Result<String, Flaw> {
        let start = self.at;
        let negative = self.take(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(Flaw {
                at: start,
                what: "a number must not start with a zero".into(),
            });
        }
        let fraction = if self.take(b'.') {
            self.digits()?
        } else {
            String::new()
        };
        let exponent = if self.take(b'e') || self.take(b'E') {
            self.exponent()?
        } else {
            0
        };
        Ok(exact(negative, &whole, &fraction, exponent))
    }

    fn exponent(&mut self) -> Result<i64, Flaw> {
        let start = self.at;
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let size: i64 = match self.digits()?.parse::<i32>() {
            Ok(size) => size.into(),
            Err(_) => {
                return Err(Flaw {
                    at: start,
                    what: "the exponent is out of range".into(),
                });
            }
        };
        Ok(if negative { -size } else { size })
    }

    fn digits(&mut self) -> Result<String, Flaw> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match &self.text[start..self.at] {
            "" => self.flaw("a digit was expected here"),
            digits => Ok(digits.to_owned()),
        }
    }

    fn word(&mut self, word: &str) -> Result<String, Flaw> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(word.to_owned());
        }
        self.flaw("a value was expected here")
    }

    fn expect(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.take(byte) {
            Ok(())
        } else {
            self.flaw(format!("`{}` was expected here", char::from(byte)))
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn flaw<T>(&self, what: impl Into<String>) -> Result<T, Flaw> {
        Err(Flaw {
            at: self.at,
            what: what.into(),
        })
    }
}

/// Digits without zeros at either end, and where the point is.
fn exact(negative: bool, whole: &str, fraction: &str, exponent: i64) -> String {
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let short = digits.trim_end_matches('0');
    if short.is_empty() {
        return "0".into();
    }
    let exponent = exponent - count(fraction.len()) + count(digits.len() - short.len());
    let mut text = String::from(if negative { "-" } else { "" });
    text.push_str(short);
    if exponent != 0 {
        let _ = write!(text, "e{exponent}");
    }
    text
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn braced(open: char, parts: impl Iterator<Item = String>, close: char) -> String {
    let mut text = String::from(open);
    for (index, part) in parts.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&part);
    }
    text.push(close);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_mean_the_same_become_the_same() {
        let first = canonical(" {\"b\": [1.50, -0, 1e2, true], \"a\": \"\\u00fc\"} ").expect("it is JSON");
        let second = canonical("{\"a\":\"ü\",\"b\":[15e-1,0.0,1E+2,true]}").expect("it is JSON");
        assert_eq!(first, second);
        assert_eq!(first, "{\"a\":\"ü\",\"b\":[15e-1,0,1e2,true]}");
    }

    #[test]
    fn no_digit_is_lost() {
        let (one, other) = ("9007199254740993", "9007199254740992");
        assert_ne!(canonical(one), canonical(other));
        assert_ne!(canonical("0.1"), canonical("0.10000000000000001"));
    }

    #[test]
    fn what_is_no_strict_json_is_refused_with_its_place() {
        let text = "{\"a\":1,\n \"a\":2}";
        let flaw = canonical(text).unwrap_err();
        assert_eq!(flaw.place(text), (2, 2));
        assert!(flaw.what.contains("twice"), "{}", flaw.what);
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "01",
            "1.",
            "+1",
            "nul",
            "\"a",
            "\"\\x\"",
            "\"\\",
            "1 2",
            "{a:1}",
            "1e+-2",
            "\"\t\"",
            "-",
        ] {
            assert!(canonical(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn nesting_ends_somewhere() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(canonical(&deep(JSON_DEPTH)).is_ok());
        assert!(
            canonical(&deep(JSON_DEPTH + 2))
                .unwrap_err()
                .what
                .contains("deeper")
        );
    }
}
