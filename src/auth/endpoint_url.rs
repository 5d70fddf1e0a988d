//! Which hosts may get our secrets (mix-up and request-forgery guard, RFC 9700 §2.1 and §4.4).

use cpq_domain::connection::ConnectionSettings;
use cpq_domain::{Code, Error, Result};
use url::{Host, Url};

/// Where Salesforce keeps login and data hosts (Salesforce Help "My Domain URL Formats").
const VENDOR_DOMAINS: [&str; 3] = ["salesforce.com", "force.com", "salesforce.mil"];

/// Checks a login URL: an origin without path, over https, or over http on this machine.
pub(crate) fn login_url(text: &str) -> Result<Url> {
    let wrong = |why: &str| {
        Error::new(
            Code::ConfigInvalid,
            format!("the login URL {text:?} cannot be used: {why}"),
        )
        .next("use an origin such as https://login.salesforce.com or https://<my-domain>.my.salesforce.com")
    };
    let url = Url::parse(text).map_err(|cause| wrong(&cause.to_string()))?;
    match origin_fault(&url) {
        Some(why) => Err(wrong(why)),
        None => Ok(url),
    }
}

/// One of the vendor's OAuth endpoints at the login host, e.g. `token`.
pub(crate) fn oauth(settings: &ConnectionSettings, endpoint: &str) -> Result<Url> {
    let mut url = login_url(&settings.login_url)?;
    url.set_path(&format!("/services/oauth2/{endpoint}"));
    Ok(url)
}

/// Checks the data host that a token answer names, against the login host that gave the answer. Returns its origin
/// without a slash at the end.
pub(crate) fn instance_url(settings: &ConnectionSettings, text: &str) -> Result<String> {
    let wrong = |why: &str| {
        let message = format!("the CRM named the data host {text:?}, which is refused: {why}");
        Error::new(Code::ProtocolViolation, message)
            .connection(settings.name.as_str())
            .next("check the login URL of the connection: its answer does not come from the vendor")
    };
    let url = Url::parse(text).map_err(|cause| wrong(&cause.to_string()))?;
    if let Some(why) = origin_fault(&url) {
        return Err(wrong(why));
    }
    if !trusted(&login_url(&settings.login_url)?, &url) {
        return Err(wrong("it is neither the login host nor a host of the vendor"));
    }
    Ok(url.origin().ascii_serialization())
}

/// Whether a bearer token that came from `login` may be sent to the host of `other`.
pub(crate) fn trusted(login: &Url, other: &Url) -> bool {
    if is_loopback(login) || is_loopback(other) {
        return is_loopback(login) && is_loopback(other);
    }
    let vendor = |host: &str| {
        VENDOR_DOMAINS
            .iter()
            .any(|domain| host.strip_suffix(domain).is_some_and(|head| head.ends_with('.')))
    };
    let host = other.host_str().unwrap_or_default();
    other.scheme() == "https"
        && (other.origin() == login.origin() || (other.port().is_none() && vendor(host)))
}

/// Whether the host is this machine: a loopback address or `localhost`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn origin_fault(url: &Url) -> Option<&'static str> {
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        _ => return Some("it must be https, or http on this machine"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("it must not hold a user or password");
    }
    (url.path() != "/" || url.query().is_some() || url.fragment().is_some())
        .then_some("it must not have a path or query")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(login: &str, instance: &str) -> Result<String> {
        instance_url(&crate::grant::tests::settings(login), instance)
    }

    #[test]
    fn hosts_of_the_vendor_and_the_login_host_are_taken() {
        for (login, instance) in [
            ("https://login.salesforce.com", "https://acme.my.salesforce.com"),
            (
                "https://login.salesforce.com",
                "https://acme--uat.sandbox.my.salesforce.com/",
            ),
            ("https://test.salesforce.com", "https://acme.lightning.force.com"),
            ("https://crm.example.com:8443", "https://crm.example.com:8443"),
            ("http://127.0.0.1:7070", "https://localhost:7443"),
            ("http://[::1]:7070", "http://127.0.0.1:7070"),
        ] {
            assert!(check(login, instance).is_ok(), "{login} → {instance} was refused");
        }
        assert_eq!(
            check("http://127.0.0.1:7", "http://127.0.0.1:7/").unwrap(),
            "http://127.0.0.1:7"
        );
    }

    #[test]
    fn every_other_host_is_refused() {
        for instance in [
            "http://acme.my.salesforce.com",
            "https://salesforce.com.evil.example",
            "https://evilsalesforce.com",
            "https://acme.my.salesforce.com@evil.example",
            "https://user@acme.my.salesforce.com",
            "https://acme.my.salesforce.com:8443",
            "https://acme.my.salesforce.com/path",
            "https://169.254.169.254",
            "http://127.0.0.1:7070",
            "https://localhost",
            "file:///etc/passwd",
            "",
        ] {
            let error = check("https://login.salesforce.com", instance).expect_err(instance);
            assert_eq!(error.code, Code::ProtocolViolation, "{instance}");
        }
        assert!(check("http://127.0.0.1:7070", "https://acme.my.salesforce.com").is_err());
    }

    #[test]
    fn a_login_url_is_an_origin_over_https() {
        assert!(login_url("https://login.salesforce.com").is_ok());
        for bad in [
            "http://login.salesforce.com",
            "https://a.example/services",
            "login.salesforce.com",
            "https://u:p@a.b",
        ] {
            assert_eq!(login_url(bad).expect_err(bad).code, Code::ConfigInvalid, "{bad}");
        }
    }
}
