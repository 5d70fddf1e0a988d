//! Whether hosts can be reached, with name, port and certificate told apart.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::Certificate;
use tokio::net::{TcpStream, lookup_host};
use url::Url;

use super::connections::Patient;
use super::finding::{Check, Group};
use crate::changes::endpoint;

const HERE: Group = Group::Connection;
/// Time for a name, for a connection, and for a handshake, each.
const STEP: Duration = Duration::from_secs(5);
/// Variables with a proxy for HTTPS, in either case.
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// The login host, the instance, and the Pub/Sub API.
pub async fn hosts(patient: &Patient) -> Vec<Check> {
    let status = &patient.status;
    let (login, instance) = (&status.settings.login_url, &status.identity.instance_url);
    let pubsub = endpoint(&patient.ground.config.changes, instance).await;
    let authorities = patient.ground.config.crm.certificate_authorities();
    let authorities = authorities.unwrap_or_default();
    let (one, two) = tokio::join!(
        web("login host", login, &authorities),
        web("instance host", instance, &authorities),
    );
    let mut checks = vec![one, two];
    if let Some(endpoint) = pubsub {
        checks.push(events(&endpoint).await);
    }
    checks
}

async fn web(name: &'static str, url: &str, authorities: &[Vec<u8>]) -> Check {
    let parsed = Url::parse(url).ok();
    let host = parsed
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    let Some((host, port)) = host else {
        return Check::fail(
            HERE,
            name,
            format!("{url} is no URL with a host"),
            "run `cpq auth connect-crm` again",
        );
    };
    if let Some(proxy) = proxy(host) {
        return Check::skipped(
            HERE,
            name,
            format!("calls go through the proxy of {proxy}; the check of the API tells whether it works"),
        );
    }
    let reached = match connect(name, host, port).await {
        Ok(reached) => reached,
        Err(check) => return check,
    };
    if !url.starts_with("https://") {
        return Check::ok(
            HERE,
            name,
            format!("{reached}; without TLS, as only this machine may be"),
        );
    }
    match handshake(url, authorities).await {
        Ok(()) => Check::ok(HERE, name, format!("{reached}, and its certificate is trusted")),
        Err(why) => Check::fail(
            HERE,
            name,
            format!("{reached}, and TLS fails: {why}"),
            "if a proxy of yours opens TLS, name its certificate authority in crm.ca_file; else check this machine's clock and ca-certificates",
        ),
    }
}

/// The Pub/Sub API is reached directly always. Its certificate is checked where its topics are.
async fn events(endpoint: &str) -> Check {
    let name = "Pub/Sub host";
    let bare = endpoint
        .trim_start_matches("http://")
        .trim_start_matches("https://");
    let parts = bare
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let Some((host, port)) = parts else {
        let found = format!("{endpoint} names no host and port");
        return Check::fail(
            HERE,
            name,
            found,
            "correct changes.pubsub_endpoint, e.g. \"api.pubsub.salesforce.com:7443\"",
        );
    };
    match connect(name, host, port).await {
        Ok(reached) => Check::ok(HERE, name, reached),
        // Changes are looked for instead.
        Err(check) => check.softened(),
    }
}

/// Finds the host and opens a connection. Returns what was found in words.
async fn connect(name: &'static str, host: &str, port: u16) -> Result<String, Check> {
    let plain = host.trim_matches(['[', ']']);
    let resolver = "check the name, and this machine's resolver: `getent hosts` asks it";
    let found = match tokio::time::timeout(STEP, lookup_host((plain, port))).await {
        Ok(Ok(found)) => found.collect::<Vec<SocketAddr>>(),
        Ok(Err(error)) => {
            return Err(Check::fail(
                HERE,
                name,
                format!("the name {host} cannot be resolved: {error}"),
                resolver,
            ));
        }
        Err(_) => {
            let found = format!(
                "the resolver gave no answer for {host} within {} s",
                STEP.as_secs()
            );
            return Err(Check::fail(HERE, name, found, resolver));
        }
    };
    let mut why = "it has no address".to_owned();
    for address in &found {
        match tokio::time::timeout(STEP, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(open(plain, address.ip(), port)),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = format!("no answer within {} s", STEP.as_secs()),
        }
    }
    let addresses: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
    Err(Check::fail(
        HERE,
        name,
        format!(
            "{host} resolves to {}, and port {port} cannot be reached: {why}",
            addresses.join(", ")
        ),
        format!("let this machine open connections to {host}:{port} (firewall, routes)"),
    ))
}

fn open(host: &str, address: IpAddr, port: u16) -> String {
    match host.parse::<IpAddr>().is_ok() {
        true => format!("port {port} of {address} is open"),
        false => format!("{host} is {address}, and port {port} is open"),
    }
}

/// Speaks TLS by the same means as all calls do. Whatever the host answers to that is an answer.
async fn handshake(url: &str, authorities: &[Vec<u8>]) -> Result<(), String> {
    let mut builder = reqwest::Client::builder()
        .timeout(STEP)
        .redirect(reqwest::redirect::Policy::none());
    for pem in authorities {
        let certificates = Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
        builder = builder.tls_certs_merge(certificates);
    }
    let http = builder.build().map_err(|error| error.to_string())?;
    let Err(error) = http.head(url).send().await else {
        return Ok(());
    };
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    Err(words)
}

/// The variable that sends calls to this host through a proxy, if one does.
fn proxy(host: &str) -> Option<&'static str> {
    let is_set = |name: &&&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let here = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    let proxy = PROXIES.iter().find(is_set)?;
    (!here).then_some(*proxy)
}
