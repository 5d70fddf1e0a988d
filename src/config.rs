//! The configuration: an embedded file with every key, overlaid by the user's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cpq_adapters::salesforce::Watched;
use cpq_domain::Result;
use cpq_domain::deletion::Deletes;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::ConnectionName;
use cpq_domain::retry::RetryPolicy;
use serde::Deserialize;

/// The text with every key, its meaning and its default.
pub const DEFAULTS: &str = include_str!("../cpq.default.toml");

/// The whole configuration. Each part is documented key by key in `cpq.default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Store.
    pub store: StoreConfig,
    /// API.
    pub service: ServiceConfig,
    /// CRM.
    pub crm: CrmConfig,
    /// CPQ.
    pub cpq: CpqConfig,
    /// Embedded CPQ.
    pub quoting: cpq_quoting::QuotingSettings,
    /// Ownership matrix.
    pub ownership: OwnershipConfig,
    /// Sealing of tokens.
    pub sealing: SealingConfig,
    /// Retry schedule.
    pub retry: RetryPolicy,
    /// Answers to records that are gone.
    pub deletes: Deletes,
    /// Reconcile.
    pub reconcile: ReconcileConfig,
    /// Replay of dead letters.
    pub replay: cpq_orchestrator::ReplaySettings,
    /// Following changes.
    pub changes: ChangesConfig,
    /// Webhook secrets.
    pub webhooks: WebhooksConfig,
    /// Salesforce outbound messages.
    pub outbound_messages: OutboundConfig,
    /// Sandbox.
    pub sandbox: SandboxConfig,
    /// Logs.
    pub log: LogConfig,
    /// Where everything is kept that is not configuration.
    #[serde(skip)]
    pub state_dir: PathBuf,
}

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
    }
    /// `[service]`
    ServiceConfig {
        /// Address of the API.
        listen: SocketAddr,
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
    }
    /// `[cpq]`
    CpqConfig {
        /// Where quotes live.
        kind: CpqKind,
        /// Base URL of a CPQ elsewhere.
        url: String,
        /// Variable with its token.
        token_variable: String,
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

impl Config {
    /// The defaults, overlaid by `file`, or by `cpq.toml` here if there is one.
    pub fn load(file: Option<&Path>, state_dir: &Path) -> Result<Config> {
        let found = Path::new("cpq.toml");
        let text = match file {
            Some(path) => Some((path, read(path)?)),
            None if found.exists() => Some((found, read(found)?)),
            None => None,
        };
        let mut config = match text {
            Some((path, text)) => {
                parse(&text).map_err(|error| error.fact("file", path.display().to_string()))?
            }
            None => parse("")?,
        };
        config.state_dir = state_dir.to_owned();
        config.check()?;
        Ok(config)
    }

    /// A path of the configuration, seen from the state directory.
    pub fn in_state_dir(&self, path: &Path) -> PathBuf {
        self.state_dir.join(path)
    }

    fn check(&self) -> Result<()> {
        let refuse =
            |key: &str, why: &str| Err(Error::new(Code::ConfigInvalid, format!("{key} {why}")).field(key));
        for (key, address) in [
            ("service.listen", self.service.listen),
            ("sandbox.listen", self.sandbox.listen),
        ] {
            if !address.ip().is_loopback() {
                return refuse(key, "must be a loopback address such as 127.0.0.1:7080");
            }
        }
        if self.service.concurrency == 0 || self.service.concurrency > 4_096 {
            return refuse("service.concurrency", "must be between 1 and 4096");
        }
        self.changes.check()?;
        self.quoting.check()?;
        self.deletes.check()?;
        self.replay.check()?;
        if self.service.lease_seconds == 0 || self.service.lease_seconds > 600 {
            return refuse("service.lease_seconds", "must be between 1 and 600");
        }
        if !(1..=100).contains(&self.reconcile.calls_percent) {
            return refuse("reconcile.calls_percent", "must be between 1 and 100");
        }
        if !(1..=256).contains(&self.reconcile.repairs_at_once) {
            return refuse("reconcile.repairs_at_once", "must be between 1 and 256");
        }
        if self.cpq.kind == CpqKind::Rest && self.cpq.url.is_empty() {
            return refuse("cpq.url", "is needed when cpq.kind is \"rest\"");
        }
        Ok(())
    }
}

impl ChangesConfig {
    fn check(&self) -> Result<()> {
        let refuse = |key: &str, why: &str| {
            let key = format!("changes.{key}");
            Err(Error::new(Code::ConfigInvalid, format!("{key} {why}")).field(key))
        };
        if !(1..=86_400).contains(&self.poll_seconds) {
            return refuse("poll_seconds", "must be between 1 and 86400");
        }
        if !(1..=1_440).contains(&self.safety_net_minutes) {
            return refuse("safety_net_minutes", "must be between 1 and 1440");
        }
        if !(0..=1_440).contains(&self.overlap_minutes) {
            return refuse("overlap_minutes", "must be between 0 and 1440");
        }
        if !(1..=2_000).contains(&self.page_rows) {
            return refuse("page_rows", "must be between 1 and 2000");
        }
        if self.watch.is_empty() && self.mode != ChangesMode::Off {
            return refuse("watch", "must name something; mode = \"off\" looks for nothing");
        }
        if self.look_again_hours > 87_600 {
            return refuse("look_again_hours", "must be at most 87600, or 0 for never");
        }
        if !(1..=200).contains(&self.look_again_batch) {
            return refuse("look_again_batch", "must be between 1 and 200");
        }
        Ok(())
    }
}

impl CrmConfig {
    /// The certificate authorities of `ca_file`.
    pub fn certificate_authorities(&self) -> Result<Vec<Vec<u8>>> {
        if self.ca_file.as_os_str().is_empty() {
            return Ok(Vec::new());
        }
        let pem = std::fs::read(&self.ca_file).map_err(|error| {
            let message = format!("cannot read crm.ca_file {}: {error}", self.ca_file.display());
            Error::new(Code::ConfigInvalid, message)
                .field("crm.ca_file")
                .cause(error)
        })?;
        Ok(vec![pem])
    }
}

impl CrmConfig {
    /// The text of `fields_file`; none when there is none.
    pub fn fields(&self) -> Result<Option<String>> {
        if self.fields_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.fields_file).map_err(|error| {
            let message = format!(
                "cannot read the field mapping {}: {error}",
                self.fields_file.display()
            );
            Error::new(Code::ConfigInvalid, message)
                .field("crm.fields_file")
                .cause(error)
        })?;
        Ok(Some(text))
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the configuration file {}: {error}", path.display());
        Error::new(Code::ConfigInvalid, message).next("name an existing file with --config")
    })
}

/// Overlays the defaults with the user's text. Both are parsed as tables first, so that a user's file need not repeat
/// what it does not change; an unknown key is found with its place in the user's text.
fn parse(text: &str) -> Result<Config> {
    let mut merged: toml::Table = DEFAULTS
        .parse()
        .expect("the embedded defaults parse; a test loads them");
    let user: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| refused(text, &error))?;
    overlay(&mut merged, user);
    toml::Value::Table(merged)
        .try_into()
        .map_err(|error: toml::de::Error| {
            Error::new(
                Code::ConfigInvalid,
                format!("the configuration is wrong: {}", error.message().trim()),
            )
            .next("compare with `cpq config show`, which lists every key")
        })
}

fn refused(text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map_or(1, |span| {
        text[..span.start.min(text.len())].matches('\n').count() + 1
    });
    Error::new(
        Code::ConfigInvalid,
        format!(
            "the configuration does not parse at line {line}: {}",
            error.message()
        ),
    )
}

fn overlay(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => overlay(under, over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_load_and_a_users_key_wins() {
        let config = parse("[crm]\ncurrency = \"EUR\"\n").expect("it loads");
        assert_eq!(config.crm.currency, "EUR");
        assert_eq!(config.crm.api_version, "68.0");
        assert_eq!(config.replay, cpq_orchestrator::ReplaySettings::default());
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = parse("[crm]\ncurency = \"EUR\"\n").unwrap_err();
        assert!(error.to_string().contains("curency"), "{error}");
    }

    #[test]
    fn a_pace_or_page_that_makes_no_sense_is_refused() {
        for bad in [
            "poll_seconds = 0",
            "page_rows = 2001",
            "watch = []",
            "look_again_batch = 0",
            "overlap_minutes = -1",
        ] {
            let config = parse(&format!("[changes]\n{bad}\n")).expect("it parses");
            let key = bad.split(' ').next().expect("a key");
            let field = config.check().expect_err(bad).place.field;
            assert_eq!(field, Some(format!("changes.{key}")), "{bad}");
        }
        assert!(parse("[changes]\nwatch = [\"lead\"]\n").is_err());
    }

    #[test]
    fn only_loopback_is_listened_on() {
        let config = parse("[service]\nlisten = \"0.0.0.0:80\"\n").expect("it parses");
        assert_eq!(
            config.check().unwrap_err().place.field.as_deref(),
            Some("service.listen")
        );
    }
}
