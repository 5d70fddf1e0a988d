//! Everything one running sandbox knows.

use crate::bulk::Bulk;
use crate::clock::Clock;
use crate::door::InFlight;
use crate::events::{Counts, Events, Quota, Stored};
use crate::faults::Faults;
use crate::limits::Limits;
use crate::oauth::{Access, Keys};
use crate::options::{Options, Settings};
use crate::org::{Org, User};
use crate::pubsub::Desk;
use crate::push::Push;
use crate::requests::RequestLog;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Newest API version served, Winter '27.
pub const API_VERSION: &str = "68.0";

/// Takes a lock. A panic elsewhere must not turn into a second one here: what the lock protects is kept
/// consistent by short, complete assignments.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared by every request.
pub type Shared = Arc<Sandbox>;

/// One running sandbox. No lock is held across an await, and when two are needed, `org` is taken last; only those of
/// `events`, `push` and `faults`, which are asked with the org in hand, come after it.
pub struct Sandbox {
    /// The time.
    pub clock: Clock,
    /// API calls used.
    pub limits: Limits,
    /// What was called.
    pub requests: RequestLog,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// Apps, grants and sessions.
    pub access: Mutex<Access>,
    /// Signing keys.
    pub keys: Keys,
    /// Settings in force.
    pub settings: Arc<Mutex<Settings>>,
    /// Requests being answered.
    pub in_flight: InFlight,
    /// Records.
    pub org: Mutex<Org>,
    /// Change events and platform events.
    pub events: Events,
    /// Calls of the Pub/Sub API.
    pub pubsub: Desk,
    /// Bulk jobs.
    pub bulk: Bulk,
    /// Outbound messages and callouts.
    pub push: Push,
    /// Where it listens.
    pub addresses: Addresses,
    /// How it was started.
    pub options: Options,
    /// Where `ca.pem` lies, if there is TLS and a state directory.
    pub ca_certificate_path: Option<PathBuf>,
    /// Ends the server when cancelled.
    pub stop: CancellationToken,
    changes: AtomicU64,
}

/// Bound addresses.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// HTTP.
    pub http: SocketAddr,
    /// HTTPS.
    pub tls: Option<SocketAddr>,
    /// gRPC.
    pub pubsub: Option<SocketAddr>,
}

impl Addresses {
    /// Base URL over HTTPS. The certificate is made out to localhost and to both numbers of loopback; not every machine
    /// has the name for version 6.
    pub fn tls_url(&self) -> Option<String> {
        self.tls.map(|at| match at {
            SocketAddr::V4(at) => format!("https://localhost:{}", at.port()),
            SocketAddr::V6(at) => format!("https://[::1]:{}", at.port()),
        })
    }
}

/// What a client has to know to log in; the JSON of `GET /sandbox/info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Base URL over HTTP.
    pub instance_url: String,
    /// Base URL over HTTPS, if there is a TLS listener.
    pub tls_instance_url: Option<String>,
    /// Host and port of the Pub/Sub API, if served.
    pub pub_sub_endpoint: Option<String>,
    /// Certificate of the authority that signed the TLS certificate.
    pub ca_certificate_path: Option<PathBuf>,
    /// Newest API version.
    pub api_version: &'static str,
    /// Organization id, 18 characters.
    pub organization_id: String,
    /// Login name of the org's first user.
    pub username: String,
    /// Password of every user.
    pub password: String,
    /// Consumer key of the confidential app.
    pub client_id: String,
    /// Consumer secret of that app.
    pub client_secret: String,
    /// Private key whose public half is registered with that app, PEM.
    pub jwt_private_key_path: Option<PathBuf>,
}

/// The parts that exist before the sandbox does.
pub(crate) struct Parts {
    pub clock: Clock,
    pub limits: Limits,
    pub access: Access,
    pub keys: Keys,
    pub org: Org,
    pub bulk: Bulk,
    pub push: Push,
    /// The bus of a snapshot; without one it begins anew.
    pub events: Option<Stored>,
    pub addresses: Addresses,
    pub ca_certificate_path: Option<PathBuf>,
}

impl Sandbox {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the events of the snapshot cannot be read.
    pub(crate) fn new(options: Options, parts: Parts) -> Result<Self, String> {
        let settings = Arc::new(Mutex::new(options.settings.clone()));
        let faults = Arc::new(Faults::default());
        let counts = parts.events.as_ref().map_or_else(Counts::default, Stored::counts);
        let quota = Arc::new(Quota::new(settings.clone(), counts));
        let events = match parts.events {
            Some(stored) => Events::restore(stored, faults.clone(), quota.clone())?,
            None => Events::new(faults.clone(), quota.clone()),
        };
        let mut org = parts.org;
        org.set_quota(quota);
        Ok(Self {
            clock: parts.clock,
            limits: parts.limits,
            requests: RequestLog::default(),
            faults,
            access: Mutex::new(parts.access),
            keys: parts.keys,
            settings,
            in_flight: InFlight::default(),
            org: Mutex::new(org),
            events,
            pubsub: Desk::default(),
            bulk: parts.bulk,
            push: parts.push,
            addresses: parts.addresses,
            ca_certificate_path: parts.ca_certificate_path,
            options,
            stop: CancellationToken::new(),
            changes: AtomicU64::new(0),
        })
    }

    /// Puts another org in the place of the present one, as a refresh of a real sandbox does: what was told of the old
    /// one is no longer to be had.
    pub fn replace_org(&self, mut org: Org) {
        org.set_quota(self.events.quota().clone());
        let mut place = lock(&self.org);
        *place = org;
        self.events.restart();
        self.push.begin_anew();
    }

    /// Puts the same org with more in it in its place; what was told of it stays true.
    pub fn extend_org(&self, mut org: Org) {
        org.set_quota(self.events.quota().clone());
        *lock(&self.org) = org;
    }

    /// The settings at this moment.
    pub fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    /// How long a session lives after its last use.
    pub fn session_lifetime(&self) -> SignedDuration {
        SignedDuration::from_secs(lock(&self.settings).session_lifetime_seconds.into())
    }

    /// Whether the API calls of the rolling day are used up, with those by which the org may overrun them.
    pub fn calls_are_used_up(&self, now: Timestamp) -> bool {
        let most = {
            let settings = lock(&self.settings);
            settings
                .daily_api_requests
                .saturating_add(settings.daily_api_overrun)
        };
        self.limits.used(now) >= most
    }

    /// Tells everybody who listens what was committed to the org. Called with the org in hand after every write, so
    /// that events stand in the order of their transactions, and are there when the writer has its answer.
    pub fn announce(&self, org: &mut Org) {
        let commits = org.take_commits();
        if !commits.is_empty() {
            self.events.absorb(org, &commits);
            self.push.absorb(org, &commits, self.clock.now(), &self.faults);
        }
    }

    /// Says that something worth a snapshot has changed.
    pub fn touch(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often [`Sandbox::touch`] was called.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// What `GET /sandbox/info` says now.
    pub fn info(&self) -> Info {
        let default_app = crate::oauth::default_app();
        let (organization_id, username) = {
            let org = lock(&self.org);
            (
                org.organization_id().to_owned(),
                default_user(&org).map(|user| user.username).unwrap_or_default(),
            )
        };
        Info {
            instance_url: format!("http://{}", self.addresses.http),
            tls_instance_url: self.addresses.tls_url(),
            pub_sub_endpoint: self.addresses.pubsub.map(|at| format!("localhost:{}", at.port())),
            ca_certificate_path: self.ca_certificate_path.clone(),
            api_version: API_VERSION,
            organization_id,
            username,
            password: self.options.password.clone(),
            client_id: default_app.id.to_owned(),
            client_secret: default_app.secret.to_owned(),
            jwt_private_key_path: self.keys.jwt_private_key_path.clone(),
        }
    }
}

/// The user that every org starts with: who logs in when nobody says otherwise.
pub fn default_user(org: &Org) -> Option<User> {
    org.user(&org.first_user().to_string())
}
