//! Start and stop.

mod connection;
mod routes;

use crate::bulk::{self, Bulk};
use crate::clock::Clock;
use crate::faults::FaultPlan;
use crate::limits::Limits;
use crate::oauth::{self, Access, Keys};
use crate::options::Options;
use crate::org::Org;
use crate::push::{self, Push};
use crate::state::{Addresses, Info, Parts, Sandbox, Shared, default_user, lock};
use crate::{pubsub, scenario, snapshot, tls};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

/// How long running requests may go on after a stop.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It has no authentication worth the name, so it must not be reachable from elsewhere.
    #[error("the sandbox listens on loopback only, and {0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address is taken, or not to be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It would stand in a certificate.
    #[error("{0:?} is no name of a host: letters, digits, hyphens and dots are, at most 253 of them")]
    HostName(String),
    /// Keys, certificates or the directory itself.
    #[error("cannot use the state directory")]
    State(#[source] io::Error),
    /// The message names the file and the way out.
    #[error("{0}")]
    Snapshot(String),
    /// No scenario of this name.
    #[error("there is no scenario called {0}")]
    UnknownScenario(String),
    /// The scenario does not fit the org.
    #[error("cannot load the scenario: {0}")]
    Scenario(String),
    /// The fault plan cannot be read.
    #[error("cannot use the fault plan {path}: {why}")]
    Faults {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A sandbox that is up. Dropping it does not stop it; [`Running::shutdown`] does.
pub struct Running {
    /// What `GET /sandbox/info` answers.
    pub info: Info,
    /// The sandbox behind it, for tests in the same process.
    pub sandbox: Shared,
    tasks: TaskTracker,
}

/// RFC 1123 §2.1.
fn is_host_name(name: &str) -> bool {
    let part = |part: &str| {
        let letters = part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        letters && (1..=63).contains(&part.len()) && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(part)
}

/// Brings a sandbox up; it is reachable when this returns.
///
/// # Errors
/// See [`Error`]. Nothing is left running.
pub async fn start(options: Options) -> Result<Running, Error> {
    let listener = bind(options.listen).await?;
    let tls_listener = match options.tls_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let pubsub_listener = match options.pubsub_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let addresses = Addresses {
        http: local(&listener, options.listen)?,
        tls: bound(tls_listener.as_ref(), options.tls_listen)?,
        pubsub: bound(pubsub_listener.as_ref(), options.pubsub_listen)?,
    };
    let mut options = options;
    if let Some(dir) = &mut options.state_dir {
        // Clients that run elsewhere are told where files in it are.
        *dir = std::path::absolute(&dir).map_err(Error::State)?;
        std::fs::create_dir_all(dir).map_err(Error::State)?;
    }
    if let Some(name) = options.host_names.iter().find(|name| !is_host_name(name)) {
        return Err(Error::HostName(name.clone()));
    }
    let tls = addresses
        .tls
        .or(addresses.pubsub)
        .map(|_| tls::configure(options.state_dir.as_deref(), &options.host_names))
        .transpose()
        .map_err(Error::State)?;
    let (config, ca_certificate_path) = tls.unzip();
    let sandbox = Arc::new(assemble(options, addresses, ca_certificate_path.flatten())?);
    let routes = routes::routes(sandbox.clone());
    let tasks = TaskTracker::new();
    tasks.spawn(connection::accept(
        listener,
        None,
        sandbox.clone(),
        routes.clone(),
        tasks.clone(),
    ));
    if let Some(listener) = tls_listener {
        tasks.spawn(connection::accept(
            listener,
            config.clone().map(TlsAcceptor::from),
            sandbox.clone(),
            routes,
            tasks.clone(),
        ));
    }
    if let (Some(listener), Some(config)) = (pubsub_listener, config) {
        let acceptor = TlsAcceptor::from(tls::for_http2(&config));
        tasks.spawn(pubsub::accept(listener, acceptor, sandbox.clone(), tasks.clone()));
    }
    tasks.spawn(push::run(sandbox.clone()));
    tasks.spawn(snapshot::keep(sandbox.clone()));
    tasks.spawn(bulk::work(sandbox.clone()));
    Ok(Running {
        info: sandbox.info(),
        sandbox,
        tasks,
    })
}

impl Running {
    /// Waits until somebody asks the sandbox to stop (`POST /sandbox/shutdown`).
    pub async fn stopped(&self) {
        self.sandbox.stop.cancelled().await;
    }

    /// Stops accepting, lets running requests finish for a few seconds, writes the last snapshot.
    pub async fn shutdown(self) {
        self.sandbox.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(FAREWELL, self.tasks.wait()).await.is_err() {
            tracing::warn!("some requests were still running at the end");
        }
        if let Err(error) = snapshot::write(&self.sandbox) {
            tracing::error!(%error, "the last snapshot was not written");
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })
}

fn local(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, Error> {
    listener
        .local_addr()
        .map_err(|source| Error::Listen { address, source })
}

fn bound(listener: Option<&TcpListener>, asked: Option<SocketAddr>) -> Result<Option<SocketAddr>, Error> {
    listener
        .zip(asked)
        .map(|(one, asked)| local(one, asked))
        .transpose()
}

/// Continues the snapshot of the state directory, or begins with a fresh org.
fn assemble(
    options: Options,
    addresses: Addresses,
    ca_certificate_path: Option<std::path::PathBuf>,
) -> Result<Sandbox, Error> {
    let keys = Keys::open(options.state_dir.as_deref()).map_err(Error::State)?;
    let plan = options.faults_file.as_deref().map(faults_from).transpose()?;
    let restored = options
        .state_dir
        .as_deref()
        .map(snapshot::read)
        .transpose()
        .map_err(Error::Snapshot)?
        .flatten();
    let (clock, limits, mut access, mut org, events, bulk, push) = match restored {
        Some(found) => (
            found.clock,
            found.limits,
            found.access,
            found.org,
            found.events,
            found.bulk,
            found.push,
        ),
        None => {
            let clock = Clock::default();
            let org = fresh_org(options.scenario.as_deref(), clock.now())?;
            let (limits, access) = (Limits::default(), Access::default());
            (clock, limits, access, org, None, Bulk::default(), Push::default())
        }
    };
    org.set_data_storage(options.settings.data_storage_mb);
    let run_as = default_user(&org).map(|user| user.username);
    oauth::register_default_apps(&mut access, run_as, keys.jwt_public_key.clone());
    let parts = Parts {
        clock,
        limits,
        access,
        keys,
        org,
        bulk,
        push,
        events,
        addresses,
        ca_certificate_path,
    };
    let sandbox = Sandbox::new(options, parts).map_err(Error::Snapshot)?;
    if let Some(plan) = plan {
        sandbox.faults.replace(plan);
    }
    Ok(sandbox)
}

/// An org with the records of a named scenario, or only its standard ones.
///
/// # Errors
/// Unknown or unfitting scenarios.
pub fn fresh_org(scenario: Option<&str>, now: jiff::Timestamp) -> Result<Org, Error> {
    let mut org = Org::empty(now);
    if let Some(name) = scenario {
        let scenario = scenario::named(name).ok_or_else(|| Error::UnknownScenario(name.to_owned()))?;
        org.load(&scenario, now).map_err(Error::Scenario)?;
    }
    Ok(org)
}

fn faults_from(path: &Path) -> Result<FaultPlan, Error> {
    let wrong = |why: String| Error::Faults {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    FaultPlan::parse(value).map_err(wrong)
}

/// Brings back what a fresh start has, without touching listeners and keys.
///
/// # Errors
/// As [`fresh_org`].
pub fn reset(sandbox: &Sandbox, scenario: Option<&str>) -> Result<(), Error> {
    let scenario = scenario.or(sandbox.options.scenario.as_deref());
    sandbox.clock.set_offset(0);
    let mut org = fresh_org(scenario, sandbox.clock.now())?;
    org.set_data_storage(sandbox.options.settings.data_storage_mb);
    let mut access = Access::default();
    let run_as = default_user(&org).map(|user| user.username);
    oauth::register_default_apps(&mut access, run_as, sandbox.keys.jwt_public_key.clone());
    // First, so that no job writes into the new org.
    sandbox.bulk.clear();
    *lock(&sandbox.access) = access;
    *lock(&sandbox.settings) = sandbox.options.settings.clone();
    sandbox.replace_org(org);
    sandbox.events.quota().clear();
    sandbox.limits.clear();
    sandbox.requests.clear();
    sandbox.faults.replace(FaultPlan::default());
    sandbox.touch();
    Ok(())
}
