//! Whether hosts can be reached, with name, port and certificate told apart.

use std::error::Error as _;
use std::io::ErrorKind::PermissionDenied;
use std::net::IpAddr;
use std::time::Duration;

use cpq_auth::Reach;
use tokio::net::TcpStream;
use url::Url;

use super::connections::Patient;
use super::finding::{Check, Group};
use crate::changes::endpoint;
use crate::sides::{PROXY_VARIABLES, reach};

const HERE: Group = Group::Connection;
/// Time for a name, for a connection, and for a handshake, each.
const STEP: Duration = Duration::from_secs(5);
/// What to do about a host inside.
const PRIVATE: &str = "check the name; a CRM in a private network needs crm.private_network = true";

/// The login host, the instance, and the Pub/Sub API.
pub async fn hosts(patient: &Patient) -> Vec<Check> {
    let status = &patient.status;
    let (login, instance) = (&status.settings.login_url, &status.identity.instance_url);
    let pubsub = endpoint(&patient.ground.config.changes, instance).await;
    let authorities = patient.ground.config.crm.certificate_authorities();
    let authorities = authorities.unwrap_or_default();
    let reach = reach(patient.ground.config.crm.private_network);
    let (one, two) = tokio::join!(
        web("login host", login, &authorities, &reach),
        web("instance host", instance, &authorities, &reach),
    );
    let mut checks = vec![one, two];
    if let Some(endpoint) = pubsub {
        checks.push(events(&endpoint, &reach).await);
    }
    checks
}

async fn web(name: &'static str, url: &str, authorities: &[Vec<u8>], reach: &Reach) -> Check {
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
    if let Some(why) = parsed.as_ref().and_then(|url| reach.fault(url)) {
        return Check::fail(HERE, name, format!("{why}; nothing is sent there"), PRIVATE);
    }
    let reached = match connect(name, host, port, reach).await {
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
    match handshake(url, authorities, reach).await {
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
async fn events(endpoint: &str, reach: &Reach) -> Check {
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
    match connect(name, host, port, reach).await {
        Ok(reached) => Check::ok(HERE, name, reached),
        // Changes are looked for instead.
        Err(check) => check.softened(),
    }
}

/// Finds the host and opens a connection, to an address that calls may go to. Returns what was found in words.
async fn connect(name: &'static str, host: &str, port: u16, reach: &Reach) -> Result<String, Check> {
    let plain = host.trim_matches(['[', ']']);
    let found = addresses(name, plain, reach).await?;
    let mut why = "it has no address".to_owned();
    for address in &found {
        match tokio::time::timeout(STEP, TcpStream::connect((*address, port))).await {
            Ok(Ok(_)) => return Ok(open(plain, *address, port)),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = format!("no answer within {} s", STEP.as_secs()),
        }
    }
    let addresses: Vec<String> = found.iter().map(|address| address.to_string()).collect();
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

/// The addresses of a host that calls may go to.
async fn addresses(name: &'static str, host: &str, reach: &Reach) -> Result<Vec<IpAddr>, Check> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let resolver = "check the name, and this machine's resolver: `getent hosts` asks it";
    let (found, fix) = match tokio::time::timeout(STEP, reach.addresses(host)).await {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) if error.kind() == PermissionDenied => (error.to_string(), PRIVATE),
        Ok(Err(error)) => (format!("the name {host} cannot be resolved: {error}"), resolver),
        Err(_) => {
            let waited = STEP.as_secs();
            let found = format!("the resolver gave no answer for {host} within {waited} s");
            (found, resolver)
        }
    };
    Err(Check::fail(HERE, name, found, fix))
}

fn open(host: &str, address: IpAddr, port: u16) -> String {
    match host.parse::<IpAddr>().is_ok() {
        true => format!("port {port} of {address} is open"),
        false => format!("{host} is {address}, and port {port} is open"),
    }
}

/// Speaks TLS by the same means as all calls do. Whatever the host answers to that is an answer.
async fn handshake(url: &str, authorities: &[Vec<u8>], reach: &Reach) -> Result<(), String> {
    let http = reach.client(authorities, STEP);
    let http = http.map_err(|error| error.to_string())?;
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

/// The variable that sends calls by HTTPS to this host through a proxy, if one does.
fn proxy(host: &str) -> Option<&'static str> {
    let holds = |name: &&&str| {
        let is_for_clear = name.eq_ignore_ascii_case("HTTP_PROXY");
        !is_for_clear && std::env::var(name).is_ok_and(|value| !value.is_empty())
    };
    let here = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    let proxy = PROXY_VARIABLES.iter().find(holds)?;
    (!here).then_some(*proxy)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use async_trait::async_trait;
    use cpq_auth::Names;
    use tokio::net::TcpListener;

    use super::*;

    /// Every name leads to this machine.
    struct Inside;

    #[async_trait]
    impl Names for Inside {
        async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(vec![[127, 0, 0, 1].into()])
        }
    }

    #[tokio::test]
    async fn the_doctor_goes_where_calls_may_go_and_nowhere_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let reach = Reach::default().asking(Arc::new(Inside));
        let refused = connect("login host", "crm.example", port, &reach)
            .await
            .unwrap_err();
        assert!(refused.found.contains("nothing was sent"), "{}", refused.found);
        assert_eq!(refused.fix.as_deref(), Some(PRIVATE));
        let heard = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(heard.is_err(), "nobody came");
        let reach = reach.private(true);
        let reached = connect("login host", "crm.example", port, &reach).await;
        assert!(reached.unwrap().contains("is open"));
    }
}
