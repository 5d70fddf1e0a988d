//! What a configuration file says otherwise than the defaults.

use std::path::{Path, PathBuf};

use cpq_domain::Result;
use serde::Serialize;

use super::{DEFAULTS, read, refused, used};

/// Keys whose values may be secrets themselves. They are named, and never shown.
const SECRETS: [&str; 3] = ["store.url", "webhooks.sources", "outbound_messages.sources"];

/// A key with another value than the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name, with the sections before it.
    pub key: String,
    /// What the file says; none where it may be a secret.
    pub value: Option<String>,
    /// The default; none where there is none.
    pub default: Option<String>,
}

impl Difference {
    /// In a few words.
    pub fn words(&self) -> String {
        let value = self.value.as_deref().unwrap_or("(not shown)");
        match &self.default {
            Some(default) => format!("{} = {value} (default {default})", self.key),
            None => format!("{} = {value}", self.key),
        }
    }
}

/// The file that is in force, if there is one, and what it changes, in the order of its keys.
pub fn differences(file: Option<&Path>) -> Result<(Option<PathBuf>, Vec<Difference>)> {
    let Some(file) = used(file) else {
        return Ok((None, Vec::new()));
    };
    let text = read(&file)?;
    let theirs: toml::Table = text.parse().map_err(|error| refused(&text, &error))?;
    let ours: toml::Table = DEFAULTS
        .parse()
        .expect("the embedded defaults parse; a test loads them");
    let mut found = Vec::new();
    compare("", &theirs, &ours, &mut found);
    Ok((Some(file), found))
}

fn compare(prefix: &str, theirs: &toml::Table, ours: &toml::Table, found: &mut Vec<Difference>) {
    for (name, value) in theirs {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match (value, ours.get(name)) {
            (toml::Value::Table(theirs), Some(toml::Value::Table(ours)))
                if !SECRETS.contains(&key.as_str()) =>
            {
                compare(&key, theirs, ours, found);
            }
            (value, default) if Some(value) == default => {}
            (value, default) => {
                let is_secret = SECRETS.contains(&key.as_str());
                found.push(Difference {
                    value: (!is_secret).then(|| value.to_string()),
                    default: default.filter(|_| !is_secret).map(ToString::to_string),
                    key,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_and_no_secret_is() {
        let theirs: toml::Table = "[crm]\ncurrency = \"EUR\"\napi_version = \"68.0\"\n[webhooks]\nsources = { flow = \"whsec_CANARY\" }\n"
            .parse()
            .expect("it parses");
        let mut found = Vec::new();
        compare("", &theirs, &DEFAULTS.parse().expect("it parses"), &mut found);
        let words: Vec<String> = found.iter().map(Difference::words).collect();
        assert_eq!(
            words,
            [
                "crm.currency = \"EUR\" (default \"USD\")",
                "webhooks.sources = (not shown)"
            ]
        );
    }
}
