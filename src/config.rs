//! The configuration: an embedded file with every key, overlaid by the user's.

use std::path::{Path, PathBuf};

use cpq_domain::Result;
use cpq_domain::breaker::BreakerPolicy;
use cpq_domain::call_budget::{Purpose, Shares};
use cpq_domain::deletion::Deletes;
use cpq_domain::error::{Code, Error};
use cpq_domain::retry::RetryPolicy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::app::secret_text;
use crate::named_file;

mod differences;
mod sections;

pub use differences::differences;
pub use sections::*;

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
    /// Circuit breaker of each connection.
    pub circuit: BreakerPolicy,
    /// Shares of the CRM's calls.
    pub call_shares: Shares,
    /// Answers to records that are gone.
    pub deletes: Deletes,
    /// Reconcile.
    pub reconcile: ReconcileConfig,
    /// Replay of dead letters.
    pub replay: cpq_orchestrator::ReplaySettings,
    /// Following changes.
    pub changes: ChangesConfig,
    /// How long values are kept.
    pub retention: RetentionConfig,
    /// Webhook secrets.
    pub webhooks: WebhooksConfig,
    /// Salesforce outbound messages.
    pub outbound_messages: OutboundConfig,
    /// Sandbox.
    pub sandbox: SandboxConfig,
    /// Logs.
    pub log: LogConfig,
    /// Traces.
    pub traces: TracesConfig,
    /// Where everything is kept that is not configuration.
    #[serde(skip)]
    pub state_dir: PathBuf,
    /// The URL of the store, from whoever had a word.
    #[serde(skip)]
    store_url: Option<SecretString>,
}

impl Config {
    /// The defaults, overlaid by `file`, or by `cpq.toml` here if there is one.
    pub fn load(file: Option<&Path>, state_dir: &Path) -> Result<Config> {
        let mut config = match used(file) {
            Some(path) => {
                parse(&read(&path)?).map_err(|error| error.fact("file", path.display().to_string()))?
            }
            None => parse("")?,
        };
        config.state_dir = state_dir.to_owned();
        let url = std::mem::take(&mut config.store.url);
        config.name_store(&url);
        config.check()?;
        Ok(config)
    }

    /// From now on the store is behind this URL; an empty one changes nothing.
    pub fn name_store(&mut self, url: &str) {
        if !url.is_empty() {
            self.store_url = Some(SecretString::from(url.to_owned()));
        }
    }

    /// From now on the store is the file of the state directory, whatever was configured.
    pub fn forget_store_url(&mut self) {
        self.store_url = None;
    }

    /// The URL of the store, if it is not the file of the state directory. Holds a password, as a rule.
    pub fn store_url(&self) -> Result<Option<SecretString>> {
        let url = self.store_url.as_ref();
        url.map(|url| secret_text(url.expose_secret(), "store.url"))
            .transpose()
    }

    /// A path of the configuration, seen from the state directory.
    pub fn in_state_dir(&self, path: &Path) -> PathBuf {
        self.state_dir.join(path)
    }

    fn check(&self) -> Result<()> {
        let refuse =
            |key: &str, why: &str| Err(Error::new(Code::ConfigInvalid, format!("{key} {why}")).field(key));
        if !self.sandbox.listen.ip().is_loopback() {
            return refuse(
                "sandbox.listen",
                "must be a loopback address such as 127.0.0.1:7070",
            );
        }
        let (certificate, key) = (&self.service.tls_certificate, &self.service.tls_key);
        if certificate.as_os_str().is_empty() != key.as_os_str().is_empty() {
            return refuse("service.tls_certificate", "and service.tls_key belong together");
        }
        if self.service.requests_per_second > 0 && self.service.requests_burst == 0 {
            return refuse(
                "service.requests_burst",
                "must be at least 1 where requests are limited",
            );
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
        if self.call_shares.percent(Purpose::Live) == 0 {
            return refuse(
                "call_shares",
                "must leave something of 100 percent for live syncs",
            );
        }
        if self.circuit.failures_in_a_row == 0 || self.circuit.calls_min == 0 || self.circuit.open_ms == 0 {
            return refuse(
                "circuit",
                "takes no zero for failures_in_a_row, calls_min and open_ms",
            );
        }
        if self.retry.budget_burst == 0 || self.retry.budget_per_minute == 0 {
            return refuse("retry", "takes no zero for budget_burst and budget_per_minute");
        }
        if !(1..=256).contains(&self.reconcile.repairs_at_once) {
            return refuse("reconcile.repairs_at_once", "must be between 1 and 256");
        }
        if !(0.0..=1.0).contains(&self.traces.ratio) {
            return refuse("traces.ratio", "must be between 0.0 and 1.0");
        }
        let page = &self.cpq.quote_page;
        let is_page = page.starts_with("https://") || page.starts_with("http://");
        if !(page.is_empty() || is_page && (page.contains("{id}") || page.contains("{number}"))) {
            return refuse(
                "cpq.quote_page",
                "must be an http or https URL with {id} or {number} in it",
            );
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
        let pem = named_file::bytes(&self.ca_file).map_err(|error| {
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
        let text = named_file::text(&self.fields_file).map_err(|error| {
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

/// The file that is read: the one that is named, or `cpq.toml` here.
fn used(file: Option<&Path>) -> Option<PathBuf> {
    let found = Path::new("cpq.toml");
    let named = file.map(Path::to_owned);
    named.or_else(|| found.exists().then(|| found.to_owned()))
}

fn read(path: &Path) -> Result<String> {
    named_file::text(path).map_err(|error| {
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
                format!("the configuration is wrong: {}", unquoted(error.message().trim())),
            )
            .next("compare with `cpq config show`, which lists every key")
        })
}

/// The message without the text that it quotes: what stands in the wrong place may be a secret.
fn unquoted(message: &str) -> String {
    const BEFORE: &str = "string \"";
    let quoted = message.find(BEFORE).zip(message.rfind("\", expected"));
    match quoted {
        Some((from, to)) if from + BEFORE.len() <= to => {
            format!("{}…{}", &message[..from + BEFORE.len()], &message[to..])
        }
        _ => message.to_owned(),
    }
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
#[path = "../tests/mutation/mod.rs"]
mod mutation;

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

    /// Whatever a person writes, it is taken or refused, and never by a panic.
    #[test]
    fn a_spoilt_configuration_is_taken_or_refused() {
        let own = b"[crm]\ncurrency = \"EUR\"\n[webhooks]\nsources = { a = \"env:A\" }\n";
        // The whole file is long: a few cases of it are as good as many of the short one.
        for case in 0..mutation::cases() / 10 {
            let text = mutation::spoilt(&[own, &DEFAULTS.as_bytes()[..4_000]], case);
            if let Ok(config) = parse(&String::from_utf8_lossy(&text)) {
                let _ = config.check();
            }
        }
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_repeated() {
        for text in [
            "[outbound_messages]\nsources = { a = \"canary\" }\n",
            "[outbound_messages]\nsources = { a = \"ca\\\"nary\\\", expected canary\" }\n",
            "[service]\nconcurrency = \"canary\"\n",
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("expected") && !error.contains("nary"), "{error}");
        }
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
    fn what_would_open_a_door_unseen_is_refused() {
        for (text, field) in [
            ("[sandbox]\nlisten = \"0.0.0.0:80\"\n", "sandbox.listen"),
            ("[service]\ntls_key = \"tls.key\"\n", "service.tls_certificate"),
            ("[service]\nrequests_burst = 0\n", "service.requests_burst"),
        ] {
            let error = parse(text).expect("it parses").check().unwrap_err();
            assert_eq!(error.place.field.as_deref(), Some(field), "{text}");
        }
    }
}
