//! The configuration: whether it is read, what it changes, and whether what it names is there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cpq_adapters::salesforce;
use cpq_api::{PathSecret, WebhookSecret};
use cpq_domain::Result;
use secrecy::ExposeSecret;

use super::Named;
use super::finding::{Check, Group, count};
use crate::app::secret_text;
use crate::config::{Config, CpqKind, differences};
use crate::sides::salesforce_config;

const HERE: Group = Group::Configuration;

/// The checks, and the configuration if it can be read.
pub fn examine(named: &Named) -> (Vec<Check>, Option<Config>) {
    let mut config = match Config::load(named.config, named.state_dir) {
        Ok(config) => config,
        Err(error) => return (vec![Check::failed(HERE, "file", &error)], None),
    };
    config.name_store(named.store.unwrap_or_default());
    let checks = vec![
        file(named.config),
        secrets(&config),
        mapping_file(&config),
        retention(&config),
        senders(&config),
    ];
    (checks, Some(config))
}

fn file(named: Option<&Path>) -> Check {
    match differences(named) {
        Err(error) => Check::failed(HERE, "file", &error),
        Ok((None, _)) => Check::ok(
            HERE,
            "file",
            "there is no cpq.toml here: the defaults are in force",
        ),
        Ok((Some(file), changed)) => {
            let keys = count(changed.len(), "key differs", "keys differ");
            let found = format!("{}: {keys} from the defaults", file.display());
            let words = changed.iter().map(|one| one.words());
            match others_may_read(&file) && changed.iter().any(|one| one.value.is_none()) {
                true => Check::warn(
                    HERE,
                    "file",
                    format!("{found}; it may hold secrets, and others may read it"),
                    format!(
                        "run `chmod 600 {}`, or name environment variables: \"env:NAME\"",
                        file.display()
                    ),
                ),
                false => Check::ok(HERE, "file", found),
            }
            .with(words)
        }
    }
}

fn others_may_read(file: &PathBuf) -> bool {
    std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

/// Everything that is written as `env:NAME`, and the token of a CPQ elsewhere.
fn secrets(config: &Config) -> Check {
    let mut faults = Vec::new();
    let mut named = 0;
    let mut look = |secret: &str, field: String, check: &dyn Fn(&str) -> Result<()>| {
        named += usize::from(secret.starts_with("env:"));
        let text = secret_text(secret, &field);
        let checked = text.and_then(|text| check(text.expose_secret()));
        faults.extend(checked.err().map(|error| format!("{field}: {error}")));
    };
    for (source, secret) in &config.webhooks.sources {
        let field = format!("webhooks.sources.{source}");
        look(secret, field, &|text| {
            WebhookSecret::parse(&text.to_owned().into()).map(drop)
        });
    }
    for (source, secrets) in &config.outbound_messages.sources {
        for secret in secrets {
            let field = format!("outbound_messages.sources.{source}");
            look(secret, field, &|text| {
                PathSecret::parse(&text.to_owned().into()).map(drop)
            });
        }
    }
    if config.cpq.kind == CpqKind::Rest {
        look(
            &format!("env:{}", config.cpq.token_variable),
            "cpq.token_variable".to_owned(),
            &|_| Ok(()),
        );
    }
    faults.extend(config.store_url().err().map(|error| error.to_string()));
    match faults.is_empty() {
        true => Check::ok(HERE, "secrets", format!("{} named by env: are set", count(named, "secret", "secrets"))),
        false => Check::fail(
            HERE,
            "secrets",
            format!("{} cannot be used", count(faults.len(), "secret", "secrets")),
            "set the variable where `cpq serve` is started, and here for this check; a service does not start without it",
        )
        .with(faults),
    }
}

/// Read without an org: mistakes in the file itself.
fn mapping_file(config: &Config) -> Check {
    let read = salesforce_config(&config.crm, &config.crm.connection);
    let read = read.and_then(|crm| salesforce::mapping(&crm, None));
    match read {
        Err(error) => Check::failed(HERE, "field mapping", &error),
        Ok(mapping) => {
            let file = config.crm.fields_file.display().to_string();
            let from = if file.is_empty() {
                "built in".to_owned()
            } else {
                file
            };
            Check::ok(
                HERE,
                "field mapping",
                format!(
                    "{} mapped ({from})",
                    count(mapping.fields.len(), "field", "fields")
                ),
            )
        }
    }
}

fn retention(config: &Config) -> Check {
    let kept = &config.retention;
    let all = [
        ("journal", kept.journal_days),
        ("decisions", kept.decisions_days),
        ("conflicts", kept.conflicts_days),
        ("certificates", kept.certificates_days),
    ];
    let days = |(name, days): &(&str, u32)| match days {
        0 => format!("{name} for ever"),
        days => format!("{name} {days} days"),
    };
    let words = all.iter().map(days).collect::<Vec<_>>().join(", ");
    let endless: Vec<String> = all
        .iter()
        .filter(|(_, days)| *days == 0)
        .map(|(name, _)| format!("retention.{name}_days"))
        .collect();
    match endless.is_empty() {
        true => Check::ok(HERE, "retention", words),
        false => Check::warn(
            HERE,
            "retention",
            format!("{words}: values of customers are never removed"),
            format!("give {} a number of days", endless.join(" and ")),
        ),
    }
}

/// Whether other systems can tell of changes by themselves.
fn senders(config: &Config) -> Check {
    let (hooks, messages) = (
        config.webhooks.sources.len(),
        config.outbound_messages.sources.len(),
    );
    let bare = config
        .outbound_messages
        .sources
        .iter()
        .filter(|(_, secrets)| secrets.is_empty());
    let bare: Vec<&str> = bare.map(|(source, _)| source.as_str()).collect();
    if !bare.is_empty() {
        let fix = "give each a secret, e.g. [\"env:CPQ_OUTBOUND_MESSAGE_SECRET\"], or take the source out";
        let found = format!(
            "without a secret, so nothing of them is let in: outbound_messages.sources.{}",
            bare.join(", ")
        );
        return Check::fail(HERE, "webhooks", found, fix);
    }
    let found = match hooks + messages {
        0 => "no source is configured, so no webhook and no outbound message is let in".to_owned(),
        _ => format!(
            "{} of webhooks and {} of outbound messages, each with a secret",
            count(hooks, "source", "sources"),
            count(messages, "source", "sources")
        ),
    };
    Check::ok(HERE, "webhooks", found)
}
