//! What a sandbox can be told at its start, and what of it can be changed while it runs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// How to start a sandbox. `Options::default()` listens on a free loopback port and keeps nothing on disk.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the HTTP listener; loopback only, port 0 picks a free one.
    pub listen: SocketAddr,
    /// Address of the HTTPS listener (same routes, own certificate authority); loopback only, port 0 picks a free one.
    pub tls_listen: Option<SocketAddr>,
    /// Address of the Pub/Sub API (gRPC over TLS, and without TLS); loopback only, port 0 picks a free one.
    pub pubsub_listen: Option<SocketAddr>,
    /// Further names of this host, as `acme.my.salesforce.com`: in the certificate, and in the addresses that clients
    /// get which came by that name. Whoever gives them sees to it that they lead to loopback.
    pub host_names: Vec<String>,
    /// Directory for snapshot, keys and certificates. Without one nothing is written, and there is no
    /// private key file for the JWT bearer flow.
    pub state_dir: Option<PathBuf>,
    /// Name of the seed scenario for a fresh org; without one the org has only its standard records.
    pub scenario: Option<String>,
    /// File with a fault plan, in the form that `PUT /sandbox/faults` takes.
    pub faults_file: Option<PathBuf>,
    /// Password of every user of the org.
    pub password: String,
    /// Settings to begin with; `/sandbox/config` changes them later, `/sandbox/reset` brings these back.
    pub settings: Settings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls_listen: None,
            pubsub_listen: None,
            host_names: Vec::new(),
            state_dir: None,
            scenario: None,
            faults_file: None,
            password: DEFAULT_PASSWORD.to_owned(),
            settings: Settings::default(),
        }
    }
}

/// Password of every user unless the options say otherwise. Not a secret: the server is on loopback and says it to all.
pub const DEFAULT_PASSWORD: &str = "sandbox-password-1";

/// Clients append a security token to the password; this one is accepted, and so is none.
pub const SECURITY_TOKEN: &str = "SANDBOXTOKEN";

/// Settings that can be changed while the sandbox runs (`/sandbox/config`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Refresh-token rotation: every refresh returns a new refresh token and the old one dies.
    pub rotation: bool,
    /// Under rotation, presenting a spent refresh token revokes the whole grant.
    pub reuse_detection: bool,
    /// Seconds a session lives after its last use; Salesforce's default is two hours.
    pub session_lifetime_seconds: u32,
    /// API calls allowed in a rolling day; a full sandbox org has five million.
    pub daily_api_requests: u64,
    /// Events delivered to all subscribers together in a rolling day; Unlimited Edition has fifty thousand.
    pub daily_delivered_events: u64,
    /// Platform events published in an hour; Unlimited Edition has two hundred and fifty thousand.
    pub hourly_published_events: u64,
    /// Changes of one transaction that are told one by one; what is beyond becomes one overflow event for each object.
    pub change_overflow_after: u64,
    /// API calls beyond the allowance that are still answered: the allowance is soft, a cap behind it is not.
    pub daily_api_overrun: u64,
    /// Allotments of single apps, by consumer key; they show in `Sforce-Limit-Info` and in `/limits`.
    pub app_allotments: BTreeMap<String, u64>,
    /// Long requests that may be under way at once; five in a Developer Edition and 25 elsewhere when absent.
    pub concurrent_requests: Option<usize>,
    /// Seconds after which a request counts as a long one.
    pub long_request_seconds: u32,
    /// Data storage in megabytes; a record takes two kilobytes.
    pub data_storage_mb: u64,
    /// Seconds by which `updated` and `deleted` lag behind what was written.
    pub replication_lag_seconds: u32,
    /// Live grants per user and app; one more silently revokes the oldest.
    pub max_grants: usize,
    /// How long a refresh is under way, in milliseconds: a second refresh with the same token in that time
    /// is answered `token request is already being processed`.
    pub refresh_window_millis: u64,
    /// Logins of one user in an hour; refreshes are none. Beyond it the answer is `login rate exceeded`.
    pub logins_per_hour: u32,
    /// Wrong passwords in a row that lock a user out for fifteen minutes; 0 never does.
    pub max_invalid_logins: u32,
    /// Whether a password without the security token is refused, as from a network that the org does not trust.
    pub security_token_required: bool,
    /// Whether users with the right credentials are let in at all.
    pub admission: Admission,
    /// Authorize without a person: `/services/oauth2/authorize` redirects at once, as the `login_hint` user
    /// or the org's first user.
    pub auto_approve: bool,
    /// Pub/Sub API: an answer without events goes out when a stream that is owed some was silent for so many
    /// milliseconds. Salesforce promises 270 seconds at most; about 60 were observed.
    pub pubsub_keepalive_millis: u64,
    /// A subscription that is owed nothing ends after so many milliseconds ("Subscribe RPC Method").
    pub pubsub_idle_millis: u64,
    /// A publish stream on which nothing is published ends after so many milliseconds ("PublishStream RPC Method").
    pub publish_idle_millis: u64,
    /// Streams open at a time over all topics, publishers and subscribers together.
    pub pubsub_max_streams: usize,
    /// Milliseconds that a bulk job waits in the queue, before each of its transactions and before its end, so that
    /// its states can be watched.
    pub bulk_delay_millis: u64,
    /// Bulk jobs stay where they are until this is taken back.
    pub bulk_hold: bool,
    /// Whether users may delete for good with a bulk job; in a real org few may.
    pub bulk_hard_delete: bool,
    /// Records of a page of bulk query results when the client does not say how many it wants.
    pub bulk_page_records: usize,
    /// Batches of bulk ingest jobs allowed in a rolling day.
    pub daily_bulk_batches: u64,
    /// Bulk query jobs allowed in a rolling day.
    pub daily_bulk_query_jobs: u64,
    /// Milliseconds, in the sandbox's time, from the first failed delivery of an outbound message to the next try;
    /// then doubled each time.
    pub outbound_retry_millis: u64,
    /// Longest time between two tries, in milliseconds; Salesforce's is two hours.
    pub outbound_retry_longest_millis: u64,
    /// Age in seconds at which an undelivered outbound message is dropped; Salesforce's is 24 hours.
    pub outbound_life_seconds: u32,
    /// How long an endpoint may take over an outbound message, in milliseconds of the machine's time; Salesforce
    /// waits 60 seconds.
    pub outbound_timeout_millis: u64,
    /// Deliveries under way at once to one endpoint.
    pub deliveries_per_endpoint: usize,
}

/// What stands between a user and the org, whatever the credentials ("Restrict Where and When Users Can Log In").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Admission {
    /// Nothing.
    #[default]
    Open,
    /// The login ranges of network addresses.
    IpRestricted,
    /// The login hours.
    OutsideHours,
    /// The org is switched off.
    OrganizationInactive,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rotation: false,
            reuse_detection: true,
            session_lifetime_seconds: 7_200,
            daily_api_requests: 5_000_000,
            daily_delivered_events: 50_000,
            hourly_published_events: 250_000,
            change_overflow_after: 100_000,
            daily_api_overrun: 0,
            app_allotments: BTreeMap::new(),
            concurrent_requests: None,
            long_request_seconds: 20,
            data_storage_mb: 20_480,
            replication_lag_seconds: 0,
            max_grants: 5,
            refresh_window_millis: 20,
            logins_per_hour: 3_600,
            max_invalid_logins: 10,
            security_token_required: false,
            admission: Admission::Open,
            auto_approve: false,
            pubsub_keepalive_millis: 60_000,
            pubsub_idle_millis: 70_000,
            publish_idle_millis: 70_000,
            pubsub_max_streams: 2_000,
            bulk_delay_millis: 0,
            bulk_hold: false,
            bulk_hard_delete: true,
            bulk_page_records: 100_000,
            daily_bulk_batches: 15_000,
            daily_bulk_query_jobs: 10_000,
            outbound_retry_millis: 30_000,
            outbound_retry_longest_millis: 7_200_000,
            outbound_life_seconds: 86_400,
            outbound_timeout_millis: 60_000,
            deliveries_per_endpoint: 2,
        }
    }
}
