//! A job and its file in one request (Create a Job, Usage Notes; form of the body: RFC 2046, 5.1.1).

use super::limits::MULTIPART_CHARACTERS;
use crate::org::ApiError;
use axum::body::Bytes;
use http::{HeaderMap, header};

/// The two parts.
pub struct Parts {
    /// Properties of the job, JSON.
    pub job: Bytes,
    /// The file.
    pub content: Bytes,
}

/// Takes a body apart.
///
/// # Errors
/// A boundary or a part that is missing, and a file that is too long for this way.
pub fn read(headers: &HeaderMap, body: &Bytes) -> Result<Parts, ApiError> {
    let boundary = boundary(headers).ok_or_else(|| broken("the boundary is missing"))?;
    let mark = [b"--", boundary.as_bytes()].concat();
    let (mut job, mut content) = (None, None);
    for range in sections(body, &mark) {
        let section = &body[range.clone()];
        let Some(head) = head_of(section) else {
            continue;
        };
        let part = Some(body.slice(range.start + head..range.end));
        match name_of(&section[..head]).as_deref() {
            Some("job") => job = part,
            Some("content") => content = part,
            _ => {}
        }
    }
    let job = job.ok_or_else(|| broken("the part named job is missing"))?;
    let content = content.ok_or_else(|| broken("the part named content is missing"))?;
    if String::from_utf8_lossy(&content).chars().count() > MULTIPART_CHARACTERS {
        let message = format!("The content part is longer than {MULTIPART_CHARACTERS} characters");
        return Err(ApiError::bad("EXCEEDED_MAX_SIZE_REQUEST", message));
    }
    Ok(Parts { job, content })
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
fn sections(body: &[u8], mark: &[u8]) -> Vec<std::ops::Range<usize>> {
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

fn broken(why: &str) -> ApiError {
    ApiError::bad(
        "INVALID_MULTIPART_REQUEST",
        format!("The multipart request cannot be read: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn parts(boundary: &str, body: &str) -> Result<(String, String), &'static str> {
        let value = format!("multipart/form-data; boundary={boundary}");
        let headers = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_str(&value).expect("a header"),
        )]);
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        read(&headers, &Bytes::from(body.to_owned()))
            .map(|parts| (text(parts.job), text(parts.content)))
            .map_err(|error| error.error_code)
    }

    #[test]
    fn both_line_endings_are_read_and_the_file_keeps_its_own() {
        for (eol, boundary) in [("\n", "\"BOUNDARY\""), ("\r\n", "BOUNDARY")] {
            let body = [
                "--BOUNDARY",
                "Content-Type: application/json",
                "Content-Disposition: form-data; name=\"job\"",
                "",
                "{\"object\":\"Contact\"}",
                "",
                "--BOUNDARY",
                "Content-Type: text/csv",
                "content-disposition: form-data; name=\"content\"; filename=\"content\"",
                "",
                "LastName\nA--BOUNDARY\nB",
                "--BOUNDARY--",
            ]
            .join(eol);
            let (job, content) = parts(boundary, &body).expect("two parts");
            assert_eq!(job.trim(), "{\"object\":\"Contact\"}");
            assert_eq!(content, "LastName\nA--BOUNDARY\nB");
        }
    }

    #[test]
    fn what_is_missing_is_refused() {
        assert_eq!(parts("", "--\n"), Err("INVALID_MULTIPART_REQUEST"));
        assert_eq!(parts("B", "--B\n\nx\n--B--"), Err("INVALID_MULTIPART_REQUEST"));
        let long = "é".repeat(MULTIPART_CHARACTERS + 1);
        let head = |name: &str| format!("--B\nContent-Disposition: form-data; name=\"{name}\"\n\n");
        let body = format!("{}{{}}\n{}{long}\n--B--", head("job"), head("content"));
        assert_eq!(parts("B", &body), Err("EXCEEDED_MAX_SIZE_REQUEST"));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "(--B|\r|\n|name=|Content-Disposition:|;|\"job\"|\"content\"|x|-){0,40}") {
            drop(parts("B", &body));
        }
    }
}
