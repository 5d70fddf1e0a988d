//! Where the server is, as a URL says it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// How long a connection may take to come about. A server that is there answers in milliseconds.
const CONNECT: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unconfirmed before a connection counts as dead.
const UNCONFIRMED: Duration = Duration::from_secs(30);

/// A server, a database and a user. Its `Debug` and its name hold no password.
#[derive(Clone)]
pub(crate) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// How errors name the store: the URL without password and options.
    pub(crate) place: Arc<str>,
}

/// How the connection is kept from strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not at all: the server is on this machine, or whoever wrote the URL said so.
    Off,
    /// TLS, and the server's certificate must be right for its name. Authorities: this file, or the system's.
    Verified { authorities: Option<PathBuf> },
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?option=value`. Options are those of libpq that tokio-postgres
    /// knows (docs.rs/tokio-postgres, `Config`), and of TLS `sslmode` and `sslrootcert`.
    ///
    /// Without `sslmode` a server on this machine is spoken to in the clear, and any other with verified TLS.
    pub(crate) fn parse(url: &str) -> Result<Address> {
        let (base, options) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authorities, mut kept) = (None, None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => authorities = Some(PathBuf::from(value)),
                _ => kept.push(option),
            }
        }
        // The library's own words could repeat a part of the URL, and with it a password.
        let mut config = Config::from_str(&format!("{base}?{}", kept.join("&"))).map_err(|_| {
            invalid("it does not parse").next(
                "write postgres://user:password@host:port/database, special characters of the password as %XX",
            )
        })?;
        if config.get_hosts().is_empty() {
            return Err(invalid("it names no host"));
        }
        let tls = tls(mode, authorities, is_here(&config))?;
        config.ssl_mode(match tls {
            Tls::Off => SslMode::Disable,
            Tls::Verified { .. } => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNCONFIRMED);
        }
        if config.get_application_name().is_none() {
            config.application_name("cpq");
        }
        let place = place(&config).into();
        Ok(Address { config, tls, place })
    }

    /// Whether the URL said a password.
    pub(crate) fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("place", &self.place)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

fn tls(mode: Option<&str>, authorities: Option<PathBuf>, here: bool) -> Result<Tls> {
    match mode {
        Some("disable") => Ok(Tls::Off),
        None if here && authorities.is_none() => Ok(Tls::Off),
        None | Some("require" | "verify-ca" | "verify-full") => Ok(Tls::Verified { authorities }),
        Some("allow" | "prefer") => Err(invalid("its sslmode would let anybody between read and write").next(
            "say sslmode=verify-full (with sslrootcert=FILE for an authority of your own), or sslmode=disable",
        )),
        Some(_) => {
            Err(invalid("its sslmode is unknown").next("say sslmode=verify-full, sslmode=require or sslmode=disable"))
        }
    }
}

/// Whether the server is on this machine: then nobody is between.
fn is_here(config: &Config) -> bool {
    let loopback =
        |name: &str| name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => loopback(name.trim_matches(['[', ']'])),
        Host::Unix(_) => true,
    })
}

fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let host = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let ports = config.get_ports();
        match ports.get(at).or(ports.first()) {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    });
    let hosts: Vec<String> = hosts.collect();
    let user = config.get_user().map_or(String::new(), |user| format!("{user}@"));
    let database = config
        .get_dbname()
        .map_or(String::new(), |name| format!("/{name}"));
    format!("postgres://{user}{}{database}", hosts.join(","))
}

fn invalid(why: &str) -> Error {
    Error::new(
        Code::ConfigInvalid,
        format!("the URL of the PostgreSQL store is wrong: {why}"),
    )
    .field("store.url")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> Error {
        Address::parse(url).expect_err(url)
    }

    #[test]
    fn a_password_is_in_no_name_and_no_error() {
        let url = "postgres://ann:CANARY@db.example:5433/crm?connect_timeout=3";
        let address = Address::parse(url).expect("it parses");
        assert_eq!(&*address.place, "postgres://ann@db.example:5433/crm");
        assert!(!format!("{address:?}").contains("CANARY"));
        for bad in [
            "postgres://ann:CANARY@db:99999999/x",
            "postgres://ann:CANARY@h/x?CANARY=1",
        ] {
            let error = refused(bad);
            assert_eq!(error.code, Code::ConfigInvalid);
            assert!(!format!("{error:?} {error}").contains("CANARY"), "{error:?}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        let tls = |url: &str| Address::parse(url).expect(url).tls;
        let verified = |authorities: Option<&str>| Tls::Verified {
            authorities: authorities.map(PathBuf::from),
        };
        assert_eq!(tls("postgres://ann@localhost/crm"), Tls::Off);
        assert_eq!(tls("postgres://ann@127.0.0.1/crm"), Tls::Off);
        assert_eq!(tls("postgres://ann@%2Fvar%2Frun%2Fpostgresql/crm"), Tls::Off);
        assert_eq!(tls("postgres://ann@db.example/crm"), verified(None));
        assert_eq!(tls("postgres://ann@localhost,db.example/crm"), verified(None));
        assert_eq!(tls("postgres://ann@db.example/crm?sslmode=disable"), Tls::Off);
        assert_eq!(
            tls("postgres://ann@localhost/crm?sslrootcert=/ca.pem"),
            verified(Some("/ca.pem"))
        );
        refused("postgres://ann@db.example/crm?sslmode=prefer");
        refused("postgres://ann@db.example/crm?sslmode=maybe");
        refused("postgres:///crm");
    }
}
