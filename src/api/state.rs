//! What the routes work with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cpq_auth::Broker;
use cpq_domain::Result;
use cpq_domain::desk::QuoteDesk;
use cpq_domain::id::ConnectionName;
use cpq_domain::lint::Finding;
use cpq_domain::ownership::Matrix;
use cpq_domain::world::World;
use cpq_orchestrator::Engine;
use cpq_store::Store;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::metrics::Figures;
use crate::outbound::OutboundSettings;
use crate::signature::WebhookSecret;
use crate::throttle::Throttle;

/// The matrix in force, asked for at each call: it may change while we serve.
pub type MatrixSource = Arc<dyn Fn() -> InForce + Send + Sync>;

/// What the rules are, and whether newer ones were refused.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The last good matrix.
    pub matrix: Arc<Matrix>,
    /// Why a newer text did not come into force, for people.
    pub refused: Option<String>,
}

/// Tells what is wrong with the matrix in force, and whether the org was asked what it has. Asks nobody outside.
pub type Findings = Arc<dyn Fn() -> BoxFuture<'static, Result<(Vec<Finding>, bool)>> + Send + Sync>;

/// Tells why the service cannot do its work just now; nothing when it can.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Vec<String>> + Send + Sync>;

/// Tells which organization each connection leads to. Asks nobody outside.
pub type Organizations =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<(ConnectionName, String)>>> + Send + Sync>;

/// Told of a connection that was just made: reads what the CRM's objects look like, and lets syncs go on that wait for it.
/// Tells what cannot be synced there, each with its reason, and how many go on.
pub type Welcome =
    Arc<dyn Fn(ConnectionName) -> BoxFuture<'static, Result<(Vec<String>, usize)>> + Send + Sync>;

/// Everything that the routes work with. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Takes and runs syncs.
    pub engine: Engine,
    /// Keeps tokens.
    pub store: Store,
    /// The embedded CPQ; `None` when the CPQ is another system, and then the quote routes answer 404.
    pub desk: Option<Arc<dyn QuoteDesk>>,
    /// Clock and random bytes.
    pub world: Arc<dyn World>,
    /// The ownership matrix in force.
    pub matrix: MatrixSource,
    /// What is wrong with it.
    pub findings: Findings,
    /// Logs connections in and out.
    pub broker: Arc<Broker>,
    /// What is done once one is connected.
    pub welcome: Welcome,
    /// Connections with the ids of their organizations.
    pub organizations: Organizations,
    /// Settings.
    pub settings: Arc<ApiSettings>,
    /// Reasons against being ready, beyond the store, which the API asks itself.
    pub readiness: Readiness,
    /// Places of those who follow the events; see [`ApiState::places`].
    pub readers: Arc<Semaphore>,
    /// How often somebody may come.
    pub throttle: Throttle,
    /// Says that the service ends. What never ends by itself, as a stream of events, ends then.
    pub stopping: CancellationToken,
    /// What `/metrics` read of the store last.
    pub figures: Figures,
}

impl ApiState {
    /// As many places as there may be readers.
    pub fn places() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(limits::STREAMS_OF_EVENTS))
    }
}

/// Settings of the API.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// How long a request waits for its sync when the caller does not say.
    pub default_wait: Duration,
    /// The longest wait that a caller can ask for.
    pub max_wait: Duration,
    /// The CRM connection that is meant when a request names none.
    pub default_connection: ConnectionName,
    /// Secrets of the webhook senders, by source. Several at once while a sender changes its secret.
    pub webhooks: BTreeMap<String, Vec<WebhookSecret>>,
    /// Senders of Salesforce outbound messages, and what their records mean.
    pub outbound: OutboundSettings,
    /// Host names under which we may be called.
    pub hosts: Hosts,
    /// Proxies in front of us: their word counts for whom a request comes from and whether it came by TLS.
    pub trusted_proxies: Vec<IpAddr>,
    /// Where people look at a quote, with `{id}` or `{number}` in it.
    pub quote_page: Option<String>,
    /// Whether callers on this machine may read `/metrics` without a token. A request that a trusted proxy hands on comes
    /// from whom the proxy names; leave it off behind one that names nobody.
    pub metrics_open_on_loopback: bool,
}

impl Default for ApiSettings {
    fn default() -> Self {
        ApiSettings {
            default_wait: limits::DEFAULT_WAIT,
            max_wait: limits::MAX_WAIT,
            default_connection: ConnectionName::new("crm").expect("`crm` fits the rule of connection names"),
            webhooks: BTreeMap::new(),
            outbound: OutboundSettings::default(),
            hosts: Hosts::default(),
            trusted_proxies: Vec::new(),
            quote_page: None,
            metrics_open_on_loopback: false,
        }
    }
}

/// Host names under which we may be called.
///
/// A service that listens on loopback trusts its machine. A page on the web can let its own name point to 127.0.0.1
/// and so reach us through a browser ("DNS rebinding"); the name in `Host` gives it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Whether names of this machine (`localhost`, 127.0.0.0/8, `::1`) are the only ones besides `allow`.
    pub loopback_only: bool,
    /// Further names, without port. Empty and not `loopback_only`: every name.
    pub allow: Vec<String>,
}

impl Hosts {
    /// The rule for a service that listens on `address`.
    pub fn of_listener(address: IpAddr, allow: Vec<String>) -> Hosts {
        Hosts {
            loopback_only: address.is_loopback(),
            allow,
        }
    }

    /// Whether we may be called by this `host[:port]`.
    pub fn admits(&self, authority: Option<&str>) -> bool {
        if !self.loopback_only && self.allow.is_empty() {
            return true;
        }
        let Some(host) = authority.map(without_port) else {
            return false;
        };
        let listed = self
            .allow
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host));
        listed || (self.loopback_only && is_loopback(host))
    }
}

fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or(authority, |(address, _)| address);
    }
    authority.split_once(':').map_or(authority, |(host, _)| host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_on_loopback_answers_to_names_of_this_machine_only() {
        let hosts = Hosts::of_listener([127, 0, 0, 1].into(), vec!["cpq.internal".into()]);
        for good in [
            "127.0.0.1:8080",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8080",
            "cpq.internal:80",
        ] {
            assert!(hosts.admits(Some(good)), "{good}");
        }
        for bad in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "[2001:db8::1]",
            "",
        ] {
            assert!(!hosts.admits(Some(bad)), "{bad}");
        }
        assert!(!hosts.admits(None));
        assert!(Hosts::of_listener([0, 0, 0, 0].into(), vec![]).admits(Some("anything.example")));
    }
}
