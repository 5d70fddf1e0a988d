//! Forms of answers: the array of errors, pretty printing, pages of the edge.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;
use std::io;

/// Content type of the data API.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");
/// Content type of its answers in XML.
pub const XML: HeaderValue = HeaderValue::from_static("application/xml;charset=UTF-8");
/// `Cache-Control` of every answer of the data API.
pub const NO_CACHE: HeaderValue =
    HeaderValue::from_static("no-cache,must-revalidate,max-age=0,no-store,private");

/// One error of the data API.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!([{"message": message, "errorCode": code}]);
    (
        status,
        [(header::CONTENT_TYPE, JSON), (header::CACHE_CONTROL, NO_CACHE)],
        body.to_string(),
    )
        .into_response()
}

/// What the edge in front of an instance says when there is no instance to ask.
pub fn html_error(status: StatusCode, text: &str) -> Response {
    let page = format!("<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>");
    (status, [(header::CONTENT_TYPE, "text/html; charset=UTF-8")], page).into_response()
}

/// Text made safe for XML and HTML, in elements and attributes. Letters that XML 1.0 §2.2 does not know are left away, as
/// no reader would take a document that holds one.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    push_escaped(&mut safe, text);
    safe
}

/// The same, behind what is there already.
pub fn push_escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // As it stands, a reader would make a line feed of it (XML 1.0 §2.11).
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(letter),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => out.push(other),
        }
    }
}

/// JSON as the data API writes it: compact, or spread out when `X-PrettyPrint` asks for it.
pub fn json_bytes(value: &Value, headers: &HeaderMap) -> Vec<u8> {
    let pretty = headers
        .get("x-prettyprint")
        .is_some_and(|asked| matches!(asked.as_bytes(), b"1" | b"true"));
    let mut bytes = Vec::new();
    let written = if pretty {
        value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes,
            Spread::default(),
        ))
    } else {
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Compact))
    };
    written.expect("a JSON value has only string keys, and a vector takes every byte");
    bytes
}

/// Without spaces, numbers as Java writes them.
struct Compact;

impl Formatter for Compact {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(java_double(value).as_bytes())
    }
}

/// A double as `Double.toString` writes it: plain between 0.001 and ten million, else `1.39E8`
/// (Java SE API, Double.toString). Salesforce serialises its numbers that way.
pub fn java_double(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => scientific,
    }
}

/// The spacing of Jackson's default printer, which Salesforce uses: `"a" : 1`, arrays on one line, `[ ]`.
#[derive(Default)]
struct Spread {
    depth: usize,
    filled: bool,
}

impl Spread {
    fn line<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Spread {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(java_double(value).as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"[")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b" " } else { b", " })
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" ]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.line(writer)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" : ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(writer)?;
        } else {
            writer.write_all(b" ")?;
        }
        self.filled = true;
        writer.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_is_read_as_xml_whatever_it_holds() {
        let all: String = (0..=0x1_0FFF).filter_map(char::from_u32).collect();
        let document = format!("<a b=\"{0}\">{0}</a>", escaped(&all));
        let read = roxmltree::Document::parse(&document).expect("it is well formed");
        let kept: String = all
            .chars()
            .filter(|letter| {
                matches!(letter, '\t' | '\n' | '\r')
                    || !matches!(letter, '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
            })
            .collect();
        assert_eq!(read.root_element().text(), Some(kept.as_str()));
    }

    #[test]
    fn numbers_look_like_those_of_java() {
        for (value, text) in [
            (0.0, "0.0"),
            (300.0, "300.0"),
            (9_999_999.99, "9999999.99"),
            (10_000_000.0, "1.0E7"),
            (139_000_000.0, "1.39E8"),
            (-48_250_000.5, "-4.82500005E7"),
            (0.001, "0.001"),
            (0.000_25, "2.5E-4"),
        ] {
            assert_eq!(java_double(value), text);
            assert_eq!(text.parse::<f64>().unwrap(), value);
            let json = json_bytes(&serde_json::json!([value]), &HeaderMap::new());
            assert_eq!(String::from_utf8(json).unwrap(), format!("[{text}]"));
        }
    }

    #[test]
    fn pretty_is_spaced_like_jackson() {
        let headers =
            HeaderMap::from_iter([("x-prettyprint".parse().unwrap(), HeaderValue::from_static("1"))]);
        let value =
            serde_json::json!({"a": 1, "none": [], "empty": {}, "rows": [{"b": null}, 2], "in": {"c": "d"}});
        let text = String::from_utf8(json_bytes(&value, &headers)).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\" : 1,\n  \"none\" : [ ],\n  \"empty\" : { },\n  \"rows\" : [ {\n    \"b\" : null\n  }, 2 ],\n  \
             \"in\" : {\n    \"c\" : \"d\"\n  }\n}"
        );
        assert_eq!(
            json_bytes(&value, &HeaderMap::new()),
            value.to_string().into_bytes()
        );
    }
}
