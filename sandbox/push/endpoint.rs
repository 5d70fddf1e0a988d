//! Where deliveries may go: to this machine and nowhere else.

use reqwest::redirect::Policy;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// Longest URL of an endpoint; Salesforce's text area is shorter.
const MAX_URL: usize = 2_000;

/// Reads the URL of an endpoint.
///
/// # Errors
/// A sentence that says what is wrong: another scheme than `http` and `https`, another host than one of loopback,
/// a port that Salesforce does not connect to, credentials.
pub fn check(text: &str) -> Result<Url, String> {
    if text.len() > MAX_URL {
        return Err(format!("the endpoint URL is longer than {MAX_URL} bytes"));
    }
    let url = Url::parse(text).map_err(|error| format!("the endpoint URL {text} cannot be read: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the endpoint URL {text} is neither http nor https"));
    }
    if !url.host().is_some_and(is_loopback) {
        return Err(format!(
            "the sandbox sends to loopback only, and {text} is elsewhere: use 127.0.0.1, [::1] or localhost"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the endpoint URL holds credentials; Salesforce sends none".to_owned());
    }
    // SOAP API Developer Guide, Defining Outbound Messaging.
    match url.port_or_known_default() {
        Some(80 | 443 | 1024..) => Ok(url),
        _ => Err(format!(
            "the endpoint URL {text} has a port that Salesforce does not connect to: 80, 443, and 1024 to 65535"
        )),
    }
}

fn is_loopback(host: Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    }
}

/// A client that cannot leave the machine either: no proxy, no redirects, no name server. Any certificate is good
/// enough, as nobody can have a public one for loopback. Connections are not kept, so that an endpoint that was
/// restarted never meets half a connection.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .resolve_to_addrs("localhost", &loopback.map(|address| SocketAddr::new(address, 0)))
        .tls_danger_accept_invalid_certs(true)
        .http1_only()
        .pool_max_idle_per_host(0)
        .build()
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_loopback_is_sent_to() {
        for good in [
            "http://127.0.0.1:8080/in",
            "http://127.9.8.7:1024",
            "http://localhost:65535/a?b=c",
            "https://LOCALHOST/x",
            "https://[::1]:8443/",
            "http://2130706433/",
        ] {
            assert!(check(good).is_ok(), "{good}: {:?}", check(good));
        }
        for bad in [
            "http://10.0.0.1/",
            "http://0.0.0.0:8080/",
            "http://example.com/",
            "http://localhost.example.com/",
            "http://localhost./",
            "http://127.0.0.1.nip.io/",
            "http://[::ffff:127.0.0.1]:8080/",
            "http://[::]/",
            "http://user:secret@127.0.0.1:8080/",
            "http://127.0.0.1:22/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "127.0.0.1:8080",
            "",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
