//! Bodies of several named parts (`multipart/form-data`, RFC 7578; their form: RFC 2046 §5.1.1).

use http::{HeaderMap, header};
use std::ops::Range;

/// Name and place of each part of a body, in its order; what has no name is left out. `None` when the `Content-Type`
/// says no boundary.
pub fn parts(headers: &HeaderMap, body: &[u8]) -> Option<Vec<(String, Range<usize>)>> {
    let mark = [b"--", boundary(headers)?.as_bytes()].concat();
    let part = |range: Range<usize>| {
        let section = &body[range.clone()];
        let head = head_of(section)?;
        Some((name_of(&section[..head])?, range.start + head..range.end))
    };
    Some(sections(body, &mark).into_iter().filter_map(part).collect())
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let boundary = value.split(';').find_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary")
            .then(|| value.trim_matches('"').to_owned())
    })?;
    (!boundary.is_empty()).then_some(boundary)
}

/// What stands between the marks, without the line break before a mark, which belongs to it.
fn sections(body: &[u8], mark: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open = None;
    let mut at = 0;
    while let Some(start) = find(&body[at..], mark).map(|offset| at + offset) {
        let line_start = start == 0 || body[start - 1] == b'\n';
        let behind = start + mark.len();
        at = behind;
        if !line_start {
            continue;
        }
        if let Some(from) = open {
            let end = start - usize::from(start > 0);
            let end = end - usize::from(end > from && body[end - 1] == b'\r');
            found.push(from..end.max(from));
        }
        let line_end = find(&body[behind..], b"\n").map(|offset| behind + offset + 1);
        open = line_end.filter(|_| !body[behind..].starts_with(b"--"));
    }
    found
}

/// Length of the part's head with the blank line behind it.
fn head_of(section: &[u8]) -> Option<usize> {
    let ends = [(b"\r\n\r\n".as_slice(), 4), (b"\n\n".as_slice(), 2)];
    let found = ends
        .iter()
        .filter_map(|(end, length)| Some(find(section, end)? + length));
    found.min()
}

/// The `name` of the part's `Content-Disposition`.
fn name_of(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let line = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    line.split(';').find_map(|part| {
        let value = part.trim().strip_prefix("name=")?;
        Some(value.trim_matches('"').to_owned())
    })
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}
