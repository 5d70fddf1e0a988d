//! Words, literals and signs of a query.

use super::fault::syntax;
use crate::org::ApiError;

/// One token with the bytes it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte.
    pub at: usize,
    /// First byte after it.
    pub end: usize,
}

/// Kinds of tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenKind {
    /// Keyword or name, dots included.
    Word(String),
    /// Quoted text with its escapes resolved; see [`plain`].
    Text(String),
    /// Anything that starts with a digit or a sign: number, date, instant, time.
    Digits(String),
    /// `( ) , : = != < <= > >=`
    Sign(&'static str),
    /// The end.
    End,
}

/// Longest text between quotes that a condition may compare with, in characters (SOQL and SOSL Reference, WHERE).
const TEXT_LIMIT: usize = 4_000;

/// Splits a query into tokens; the last one is [`TokenKind::End`].
///
/// # Errors
/// MALFORMED_QUERY for characters that no query may have, unclosed quotes and unknown escapes.
pub fn tokens(query: &str) -> Result<Vec<Token>, ApiError> {
    let bytes = query.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'\'' => TokenKind::Text(quoted(query, &mut at)?),
            b if b.is_ascii_alphabetic() || b == b'_' => TokenKind::Word(run(query, &mut at, is_word)),
            b if b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.') => {
                TokenKind::Digits(run(query, &mut at, is_digits))
            }
            _ => TokenKind::Sign(sign(query, &mut at)?),
        };
        out.push(Token {
            kind,
            at: start,
            end: at,
        });
    }
    out.push(Token {
        kind: TokenKind::End,
        at: query.len(),
        end: query.len(),
    });
    Ok(out)
}

fn run(query: &str, at: &mut usize, belongs: fn(u8) -> bool) -> String {
    let rest = &query.as_bytes()[*at..];
    let length = rest.iter().position(|b| !belongs(*b)).unwrap_or(rest.len());
    let start = *at;
    *at += length;
    query[start..*at].to_owned()
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')
}

fn is_digits(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b':')
}

fn sign(query: &str, at: &mut usize) -> Result<&'static str, ApiError> {
    const SIGNS: [&str; 11] = ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", ",", ":"];
    let rest = &query[*at..];
    let Some(found) = SIGNS.iter().find(|s| rest.starts_with(**s)) else {
        let odd = rest.chars().next().unwrap_or(' ');
        return Err(syntax(query, *at, &format!("unexpected token: '{odd}'")));
    };
    *at += found.len();
    Ok(if *found == "<>" { "!=" } else { found })
}

/// Reads text up to the closing quote and resolves escapes. `\_` and `\%` keep their backslash: only LIKE tells
/// them from wildcards.
fn quoted(query: &str, at: &mut usize) -> Result<String, ApiError> {
    let start = *at;
    let body = &query[start + 1..];
    let Some(length) = closing(body) else {
        let reason = format!(
            "line 1:{} mismatched character '<EOF>' expecting '''",
            query.len()
        );
        return Err(syntax(query, query.len(), &reason));
    };
    *at = start + length + 2;
    let raw = &body[..length];
    let text = unescaped(raw).map_err(|fault| {
        let reason = format!("Invalid string literal '{raw}'. {fault} in string literal.");
        syntax(query, start, &reason)
    })?;
    if text.chars().count() > TEXT_LIMIT {
        let reason = format!("string literal exceeds the maximum of {TEXT_LIMIT} characters");
        return Err(syntax(query, start, &reason));
    }
    Ok(text)
}

/// Byte of the closing quote.
fn closing(body: &str) -> Option<usize> {
    let mut escaped = false;
    body.bytes().position(|b| {
        let closes = b == b'\'' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

fn unescaped(raw: &str) -> Result<String, String> {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(ch) = chars.next() {
        match ch {
            '\\' => escape(&mut chars, &mut text)?,
            other => text.push(other),
        }
    }
    Ok(text)
}

/// SOQL and SOSL Reference, Quoted String Escape Sequences.
fn escape(chars: &mut std::str::Chars<'_>, text: &mut String) -> Result<(), String> {
    match chars.next() {
        Some('n' | 'N') => text.push('\n'),
        Some('r' | 'R') => text.push('\r'),
        Some('t' | 'T') => text.push('\t'),
        Some('b' | 'B') => text.push('\u{8}'),
        Some('f' | 'F') => text.push('\u{c}'),
        Some(c @ ('"' | '\'')) => text.push(c),
        // A backslash stays escaped as well, so that LIKE can tell it from the start of an escape.
        Some('\\') => text.push_str("\\\\"),
        Some(c @ ('_' | '%')) => text.extend(['\\', c]),
        Some(u @ ('u' | 'U')) => {
            let hex: String = chars.take(4).collect();
            let shaped = hex.len() == 4 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            let code = u32::from_str_radix(&hex, 16).ok().filter(|_| shaped);
            match code.and_then(char::from_u32) {
                Some('\\') => text.push_str("\\\\"),
                Some(ch) => text.push(ch),
                None => return Err(format!("Illegal unicode sequence. '\\{u}{hex}'")),
            }
        }
        other => {
            let shown = other.map(String::from).unwrap_or_default();
            return Err(format!("Illegal character sequence '\\{shown}'"));
        }
    }
    Ok(())
}

/// Text as compared by everything but LIKE: the escapes that were kept for it are resolved.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(ch) = chars.next() {
        out.push(if ch == '\\' {
            chars.next().unwrap_or('\\')
        } else {
            ch
        });
    }
    out
}
