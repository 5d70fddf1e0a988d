//! Where a request comes from: the other end of the connection, or whom a proxy of ours names.

use std::net::IpAddr;

use http::HeaderMap;

/// Header to which each proxy adds whom it was called by.
const FORWARDED: &str = "x-forwarded-for";

/// The address of the client. A trusted proxy's word counts: of those it names, the last one that is no trusted proxy
/// itself. What stands before that anybody may have written.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(&peer) {
        return peer;
    }
    let lines: Vec<&str> = headers
        .get_all(FORWARDED)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut farthest = peer;
    for named in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = address(named.trim()) else {
            break;
        };
        farthest = address;
        if !trusted.contains(&address) {
            break;
        }
    }
    farthest
}

/// Whether the client came by TLS: to ourselves, or to a trusted proxy that says so.
pub(crate) fn is_secure(own: bool, peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> bool {
    let told = || {
        headers
            .get("x-forwarded-proto")
            .is_some_and(|value| value == "https")
    };
    own || (trusted.contains(&peer.to_canonical()) && told())
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').split(']').next().unwrap_or_default();
    let parsed = bare.parse().ok();
    parsed
        .or_else(|| {
            text.parse::<std::net::SocketAddr>()
                .ok()
                .map(|address| address.ip())
        })
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str]) -> String {
        let headers = forwarded
            .iter()
            .map(|line| {
                (
                    http::header::HeaderName::from_static(FORWARDED),
                    line.parse().unwrap(),
                )
            })
            .collect();
        let trusted = ["127.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_nobody_else() {
        assert_eq!(seen("192.0.2.7", &["203.0.113.9"]), "192.0.2.7");
        assert_eq!(seen("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            seen("127.0.0.1", &["198.51.100.1, 203.0.113.9"]),
            "203.0.113.9",
            "what the client wrote itself does not count"
        );
        assert_eq!(
            seen("127.0.0.1", &["203.0.113.9, 10.0.0.2"]),
            "203.0.113.9",
            "two proxies of ours"
        );
        assert_eq!(seen("127.0.0.1", &["198.51.100.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["[2001:db8::1]:8080"]), "2001:db8::1");
        assert_eq!(seen("127.0.0.1", &["203.0.113.9:443"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["unknown"]), "127.0.0.1");
        assert_eq!(seen("::ffff:127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
    }
}
