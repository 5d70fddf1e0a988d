//! From the bytes of a request to its text: byte order mark, `charset` of the content type, or XML declaration
//! (XML 1.0, appendix F; RFC 7303 §3).

use super::fault::Fault;
use http::{HeaderMap, header};
use std::borrow::Cow;

/// Bytes in which an XML declaration must name its encoding.
const DECLARATION: usize = 200;

/// The text, without byte order mark and leading white space.
///
/// # Errors
/// `UNKNOWN_EXCEPTION` for encodings that are not known and bytes that do not fit theirs.
pub fn text<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, str>, Fault> {
    let text = decoded(headers, body)?;
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_start()),
        Cow::Owned(text) => Cow::Owned(text.trim_start().to_owned()),
    })
}

fn decoded<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, str>, Fault> {
    match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let name = charset(headers).or_else(|| declared(body)).unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => utf8(body),
                "iso-8859-1" | "latin1" => Ok(body.iter().map(|byte| char::from(*byte)).collect()),
                "utf-16" | "utf-16be" => utf16(body, u16::from_be_bytes),
                "utf-16le" => utf16(body, u16::from_le_bytes),
                _ => Err(Fault::unreadable("The encoding of the request is not supported")),
            }
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|_| Fault::unreadable("Invalid byte in a UTF-8 sequence"))
}

fn utf16(bytes: &[u8], pair: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, Fault> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|two| pair(*two));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text)),
        _ => Err(Fault::unreadable("Invalid bytes in a UTF-16 sequence")),
    }
}

fn charset(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let named = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })?;
    Some(named.trim().trim_matches('"').to_owned())
}

/// `encoding="…"` of an XML declaration in an encoding that begins like ASCII.
fn declared(body: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&body[..body.len().min(DECLARATION)]).into_owned();
    let (declaration, _) = head.trim_start().strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, body: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().expect("a header"));
        text(&headers, body).ok().map(Cow::into_owned)
    }

    #[test]
    fn the_same_text_comes_in_many_encodings() {
        let utf16: Vec<u8> = "\u{feff}<é/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (kind, body) in [
            ("text/xml", "\u{feff} <é/>".as_bytes()),
            ("text/xml; charset=ISO-8859-1", b"<\xE9/>"),
            ("text/xml;charset=\"utf-8\"", "\n<é/>".as_bytes()),
            ("text/xml", &utf16),
        ] {
            assert_eq!(read(kind, body).as_deref(), Some("<é/>"));
        }
        let declared = b"<?xml version='1.0' encoding='iso-8859-1'?><\xE9/>";
        assert!(read("text/xml", declared).is_some_and(|text| text.ends_with("<é/>")));
        assert_eq!(read("text/xml", b"<\xE9/>"), None);
        assert_eq!(read("text/xml; charset=klingon", b"<a/>"), None);
        assert_eq!(read("text/xml", b"\xFF\xFEa"), None);
    }
}
