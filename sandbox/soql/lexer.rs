//! Words, literals and signs of a query.

use super::fault::malformed;
use crate::org::ApiError;

/// One token with the byte where it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Byte offset in the query.
    pub at: usize,
}

/// Kinds of tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenKind {
    /// Keyword or name, dots included.
    Word(String),
    /// Quoted text with its escapes resolved.
    Text(String),
    /// Anything that starts with a digit or a sign: number, date, instant.
    Digits(String),
    /// `( ) , : = != < <= > >=`
    Sign(&'static str),
    /// The end.
    End,
}

/// Longest text between quotes that a condition may compare with (SOQL and SOSL Reference, limits).
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
        out.push(Token { kind, at: start });
    }
    out.push(Token {
        kind: TokenKind::End,
        at: query.len(),
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
    const SIGNS: [&str; 12] = ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", ",", ":", ";"];
    let rest = &query[*at..];
    let Some(found) = SIGNS.iter().find(|s| rest.starts_with(**s)) else {
        let odd = rest.chars().next().unwrap_or(' ');
        return Err(malformed(format!("unexpected token: '{odd}'")));
    };
    *at += found.len();
    Ok(if *found == "<>" { "!=" } else { found })
}

/// Reads text up to the closing quote and resolves escapes. `\_` and `\%` keep their backslash: only LIKE tells
/// them from wildcards.
fn quoted(query: &str, at: &mut usize) -> Result<String, ApiError> {
    let mut text = String::new();
    let mut chars = query[*at + 1..].char_indices();
    while let Some((offset, ch)) = chars.next() {
        match ch {
            '\'' => {
                *at += offset + 2;
                return if text.len() > TEXT_LIMIT {
                    Err(malformed("string literal too long"))
                } else {
                    Ok(text)
                };
            }
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                escape(escaped, &mut text, &mut chars)?;
            }
            other => text.push(other),
        }
    }
    Err(malformed("unexpected token: '<EOF>' (unterminated string)"))
}

fn escape(ch: Option<char>, text: &mut String, rest: &mut std::str::CharIndices<'_>) -> Result<(), ApiError> {
    match ch {
        Some('n' | 'N') => text.push('\n'),
        Some('r' | 'R') => text.push('\r'),
        Some('t' | 'T') => text.push('\t'),
        Some('b' | 'B') => text.push('\u{8}'),
        Some('f' | 'F') => text.push('\u{c}'),
        Some(c @ ('"' | '\'')) => text.push(c),
        // A backslash stays escaped as well, so that LIKE can tell it from the start of an escape.
        Some('\\') => text.push_str("\\\\"),
        Some(c @ ('_' | '%')) => text.extend(['\\', c]),
        Some('u') => {
            let hex: String = rest.by_ref().take(4).map(|(_, c)| c).collect();
            let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
            text.push(code.ok_or_else(|| malformed(format!("invalid unicode escape: \\u{hex}")))?);
        }
        other => {
            let shown = other.map(String::from).unwrap_or_default();
            return Err(malformed(format!("Invalid string escape: \\{shown}")));
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
