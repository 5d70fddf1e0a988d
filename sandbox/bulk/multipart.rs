//! A job and its file in one request (Create a Job, Usage Notes).

use super::limits::MULTIPART_CHARACTERS;
use crate::multipart;
use crate::org::ApiError;
use axum::body::Bytes;
use http::HeaderMap;

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
    let parts = multipart::parts(headers, body).ok_or_else(|| broken("the boundary is missing"))?;
    let (mut job, mut content) = (None, None);
    for (name, range) in parts {
        match name.as_str() {
            "job" => job = Some(body.slice(range)),
            "content" => content = Some(body.slice(range)),
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

fn broken(why: &str) -> ApiError {
    ApiError::bad(
        "INVALID_MULTIPART_REQUEST",
        format!("The multipart request cannot be read: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header};
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
