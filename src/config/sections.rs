//! The sections of the configuration, key by key. What each key means, and its default, is told in `cpq.default.toml`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use cpq_adapters::salesforce::Watched;
use cpq_domain::id::ConnectionName;
use serde::Deserialize;

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$key_doc])* pub $key: $kind,)* }
    )*};
}

sections! {
    /// `[store]`
    StoreConfig {
        /// Database file.
        file: PathBuf,
        /// URL of the server in its place, or empty. May hold a password; taken out when the configuration is loaded.
        url: String,
    }
    /// `[service]`
    ServiceConfig {
        /// Address of the API.
        listen: SocketAddr,
        /// Certificate with its chain, as PEM, or empty.
        tls_certificate: PathBuf,
        /// Its key, as PEM, or empty.
        tls_key: PathBuf,
        /// Whether tokens may cross the network in clear.
        plain_http_beyond_loopback: bool,
        /// Names under which the service is called, beside those of this machine.
        host_names: Vec<String>,
        /// Proxies whose word counts for whom a request comes from.
        trusted_proxies: Vec<IpAddr>,
        /// Whether callers on this machine read the metrics without a token.
        metrics_open_on_loopback: bool,
        /// Requests of one client in a second; 0: no limit.
        requests_per_second: u32,
        /// Requests of one client at once.
        requests_burst: u32,
        /// Refused requests of one address in a minute; 0: no limit.
        refusals_per_minute: u32,
        /// Logins tried from one address in a minute; 0: no limit.
        logins_per_minute: u32,
        /// Syncs at the same time.
        concurrency: usize,
        /// Seconds to wait for a sync to end.
        default_wait_seconds: u64,
        /// Seconds without a sign of life after which another process takes a sync over.
        lease_seconds: u32,
    }
    /// `[crm]`
    CrmConfig {
        /// Default connection.
        connection: ConnectionName,
        /// API version, e.g. `68.0`.
        api_version: String,
        /// Business number field.
        opportunity_number_field: String,
        /// Correlation id field, or empty.
        correlation_field: String,
        /// External id of a line.
        line_key_field: String,
        /// Object of the quote's own record, or empty.
        quote_object: String,
        /// External id of that record.
        quote_key_field: String,
        /// From the opportunity to that record.
        quote_relationship: String,
        /// Currency of a single-currency org.
        currency: String,
        /// Entries on top of the built-in field mapping, or empty.
        fields_file: PathBuf,
        /// Zone of the organisation's days, or empty.
        time_zone: String,
        /// Certificate authorities to trust beside the system's, as PEM, or empty.
        ca_file: PathBuf,
        /// Whether the CRM may be in a private network.
        private_network: bool,
    }
    /// `[cpq]`
    CpqConfig {
        /// Where quotes live.
        kind: CpqKind,
        /// Base URL of a CPQ elsewhere.
        url: String,
        /// Where people look at a quote there, or empty.
        quote_page: String,
        /// Variable with its token.
        token_variable: String,
        /// Whether it may be in a private network.
        private_network: bool,
    }
    /// `[ownership]`
    OwnershipConfig {
        /// Matrix file, or empty.
        file: PathBuf,
    }
    /// `[sealing]`
    SealingConfig {
        /// Key file.
        key_file: PathBuf,
    }
    /// `[reconcile]`
    ReconcileConfig {
        /// Hours between two looks at everything; 0 for never.
        full_every_hours: u32,
        /// Hours between two looks at what changed; 0 for never.
        changes_every_hours: u32,
        /// Whether the schedule repairs.
        repair: bool,
        /// Share of the CRM's calls of a day, in percent.
        calls_percent: u64,
        /// Syncs of a repair under way at once.
        repairs_at_once: usize,
    }
    /// `[changes]`
    ChangesConfig {
        /// How the service learns of changes in the CRM.
        mode: ChangesMode,
        /// Topics of events.
        topics: Vec<String>,
        /// Platform events that name an opportunity: the field that does, by topic.
        events: BTreeMap<String, String>,
        /// Host and port of the Pub/Sub API; empty: Salesforce's, or the sandbox's own.
        pubsub_endpoint: String,
        /// Seconds between two looks where events are not read.
        poll_seconds: u64,
        /// Minutes between two looks where they are.
        safety_net_minutes: u64,
        /// Minutes by which looks overlap.
        overlap_minutes: i64,
        /// Whose changes are looked for.
        watch: Vec<Watched>,
        /// Rows of a page.
        page_rows: u32,
        /// Which changed opportunities are synced.
        follow: FollowConfig,
        /// Runs that may wait before no more changes are read.
        backlog_max: u32,
        /// Age of the last look, in hours, after which the schedule looks again; 0: never.
        look_again_hours: u32,
        /// Opportunities that it looks at in ten minutes.
        look_again_batch: u32,
    }
    /// `[retention]`
    RetentionConfig {
        /// Days for journals of runs that ended well; 0 for ever.
        journal_days: u32,
        /// Days for values of decisions; 0 for ever.
        decisions_days: u32,
        /// Days for values of closed conflicts; 0 for ever.
        conflicts_days: u32,
        /// Days for certificates; 0 for ever.
        certificates_days: u32,
    }
    /// `[webhooks]`
    WebhooksConfig {
        /// Secret by source.
        sources: BTreeMap<String, String>,
    }
    /// `[outbound_messages]`
    OutboundConfig {
        /// Secrets by source.
        sources: BTreeMap<String, Vec<String>>,
        /// Field that names the opportunity, by object.
        opportunity_fields: BTreeMap<String, String>,
    }
    /// `[sandbox]`
    SandboxConfig {
        /// HTTP address.
        listen: SocketAddr,
        /// HTTPS address.
        tls_listen: SocketAddr,
        /// gRPC address.
        pubsub_listen: SocketAddr,
    }
    /// `[log]`
    LogConfig {
        /// Levels.
        level: String,
        /// `human` or `json`.
        format: LogFormat,
    }
    /// `[traces]`
    TracesConfig {
        /// Collector, or empty.
        endpoint: String,
        /// Whether spans may go to another machine without TLS.
        plain_text: bool,
        /// Share of the traces that are sent.
        ratio: f64,
        /// Whether what failed is sent in any case.
        keep_failures: bool,
    }
}

/// Where quotes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CpqKind {
    /// Here.
    Embedded,
    /// Behind the REST contract, elsewhere.
    Rest,
}

/// How the service learns of changes in the CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ChangesMode {
    /// The CRM tells of them; where it does not, by looking.
    Events,
    /// By looking.
    Polling,
    /// Not at all.
    Off,
}

/// Which changed opportunities are synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FollowConfig {
    /// Those with a quote.
    Quoted,
    /// Every one.
    All,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// For machines.
    Json,
}
