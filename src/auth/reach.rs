//! Where requests of ours may go: to no address that is only reached from inside, unless the configuration says so.
//!
//! A name that an attacker controls may lead anywhere, and to another place each time it is asked. So the addresses are
//! checked at the moment of connecting, and what was checked is what is connected to (OWASP "Server-Side Request Forgery
//! Prevention Cheat Sheet").

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::addresses::{Kind, kind};

/// Who knows the addresses of a name.
#[async_trait]
pub trait Names: Send + Sync {
    /// All addresses of the name, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When the name is not known, or nobody can be asked.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Where requests of a connection may go. Cheap to clone.
#[derive(Clone)]
pub struct Reach {
    private: bool,
    gateways: Arc<BTreeSet<String>>,
    names: Arc<dyn Names>,
}

impl Default for Reach {
    /// Public addresses only; and this machine, where a URL names it as such.
    fn default() -> Self {
        Reach {
            private: false,
            gateways: Arc::default(),
            names: Arc::new(Machine),
        }
    }
}

impl std::fmt::Debug for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reach")
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}

impl Reach {
    /// The same, into private networks too if `allowed`. Link-local addresses and those at which clouds tell machines
    /// their secrets stay out of reach.
    #[must_use]
    pub fn private(self, allowed: bool) -> Reach {
        Reach {
            private: allowed,
            ..self
        }
    }

    /// The same, with proxies of these names, which somebody configured: they may be anywhere.
    #[must_use]
    pub fn through(self, gateways: impl IntoIterator<Item = String>) -> Reach {
        Reach {
            gateways: Arc::new(gateways.into_iter().collect()),
            ..self
        }
    }

    /// The same, with names asked elsewhere.
    #[must_use]
    pub fn asking(self, names: Arc<dyn Names>) -> Reach {
        Reach { names, ..self }
    }

    /// Why a URL must not be called, as far as the URL itself tells. What its name leads to shows at the time of the call.
    pub fn fault(&self, url: &Url) -> Option<String> {
        let address = match url.host()? {
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
            Host::Domain(_) => return None,
        };
        // Whoever writes 127.0.0.1 means this machine.
        match kind(address) {
            Kind::Loopback => None,
            other => self.refusal(other).map(|what| format!("{address} is {what}")),
        }
    }

    /// The addresses of a name that may be connected to.
    ///
    /// # Errors
    /// When nobody knows the name; [`io::ErrorKind::PermissionDenied`] when none of its addresses may be.
    pub async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let told = self.names.addresses(name).await?;
        if self.gateways.contains(name) {
            return Ok(told);
        }
        let local = name.eq_ignore_ascii_case("localhost");
        let why_not = |address: &IpAddr| match kind(*address) {
            Kind::Loopback if local => None,
            _ if local => Some("not this machine"),
            other => self.refusal(other),
        };
        let refused = told
            .iter()
            .find_map(|address| Some((*address, why_not(address)?)));
        let good: Vec<IpAddr> = told
            .into_iter()
            .filter(|address| why_not(address).is_none())
            .collect();
        match refused {
            Some((address, what)) if good.is_empty() => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{name} leads to {address}, which is {what}; nothing was sent there"),
            )),
            _ => Ok(good),
        }
    }

    fn refusal(&self, kind: Kind) -> Option<&'static str> {
        match kind {
            Kind::Public => None,
            Kind::Private | Kind::Loopback if self.private => None,
            Kind::Private => Some("an address of a private network, and the configuration allows none"),
            Kind::Loopback => {
                Some("an address of this machine, and the configuration allows none under such a name")
            }
            Kind::Never => Some("a link-local address or one that is no host's; no configuration allows it"),
        }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = reach.addresses(name.as_str()).await?;
            // Port 0 is replaced by that of the URL.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

/// The names as this machine knows them.
struct Machine;

#[async_trait]
impl Names for Machine {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}
