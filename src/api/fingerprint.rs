//! What makes two requests under one idempotency key the same request.

use aws_lc_rs::digest;
use cpq_domain::id::ConnectionName;
use http::{Method, Uri};

/// Changes when the rules below change, so that a new version of this program never takes an old request for another.
const VERSION: &str = "cpq-fingerprint-1";

/// SHA-256 over method, path, sorted query, the connection of the token and canonical body: the same words mean another
/// opportunity when another connection's token says them. Headers are left out: they change between repeats.
pub(crate) fn of(method: &Method, uri: &Uri, own: Option<&ConnectionName>, canonical_body: &str) -> [u8; 32] {
    let mut query: Vec<(String, String)> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    query.sort();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    // What no JSON begins with.
    let own = own.map(|own| format!("only {own}\n")).unwrap_or_default();
    // No part but the last can hold a line end, so no two requests give one text.
    let path = uri.path();
    sha256(format!("{VERSION}\n{method}\n{path}\n{query}\n{own}{canonical_body}").as_bytes())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// A hash as people compare it.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_query_does_not_matter_and_everything_else_does() {
        let print = |uri: &str, body: &str| of(&Method::POST, &uri.parse().expect("a URI"), None, body);
        let first = print("/a?x=1&y=a%20b", "{}");
        assert_eq!(first, print("/a?y=a+b&x=1", "{}"));
        assert_ne!(first, print("/b?x=1&y=a+b", "{}"));
        assert_ne!(first, print("/a?x=1&y=a+b", "{\"a\":1}"));
        assert_ne!(
            first,
            of(
                &Method::PATCH,
                &"/a?x=1&y=a+b".parse().expect("a URI"),
                None,
                "{}"
            )
        );
        let (uri, own) = ("/a?x=1&y=a+b".parse().expect("a URI"), ConnectionName::new("hub"));
        let own = own.expect("a name");
        assert_ne!(first, of(&Method::POST, &uri, Some(&own), "{}"));
    }
}
