//! What a check found.

use std::time::Duration;

use cpq_domain::error::{Code, Error};
use serde::Serialize;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not looked at, for the reason that is told.
    Skipped,
    /// It works, and somebody should know.
    Warn,
    /// Something cannot be done.
    Fail,
}

impl Verdict {
    /// The word that people see.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Skipped => "skipped",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

/// What a check is about, in the order in which people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The configuration file and what it names.
    Configuration,
    /// The directory with keys, tokens and the store's file.
    StateDirectory,
    /// The store.
    Store,
    /// The running service.
    Service,
    /// The CPQ.
    Cpq,
    /// One connection to a CRM.
    Connection,
    /// What waits for somebody.
    Work,
}

impl Group {
    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Configuration => "configuration",
            Group::StateDirectory => "state directory",
            Group::Store => "store",
            Group::Service => "service",
            Group::Cpq => "CPQ",
            Group::Connection => "connection",
            Group::Work => "what waits for somebody",
        }
    }
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What it is about.
    pub group: Group,
    /// Its name within the group.
    pub name: &'static str,
    /// The connection that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// How it went.
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub found: String,
    /// The single things that were found, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<String>,
    /// The next command, or the key of the configuration to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The code of the failure, which has a page in docs/errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Whether it is the doctor that failed.
    #[serde(skip)]
    pub broken: bool,
}

impl Check {
    fn new(group: Group, name: &'static str, verdict: Verdict, found: impl Into<String>) -> Check {
        Check {
            group,
            name,
            connection: None,
            verdict,
            found: found.into(),
            more: Vec::new(),
            fix: None,
            code: None,
            broken: false,
        }
    }

    /// As it should be.
    pub fn ok(group: Group, name: &'static str, found: impl Into<String>) -> Check {
        Check::new(group, name, Verdict::Ok, found)
    }

    /// Not looked at.
    pub fn skipped(group: Group, name: &'static str, why: impl Into<String>) -> Check {
        Check::new(group, name, Verdict::Skipped, why)
    }

    /// It works, and somebody should know.
    pub fn warn(group: Group, name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check::new(group, name, Verdict::Warn, found).fix(fix)
    }

    /// Something cannot be done.
    pub fn fail(group: Group, name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check::new(group, name, Verdict::Fail, found).fix(fix)
    }

    /// Something failed with an error, which knows its way out.
    pub fn failed(group: Group, name: &'static str, error: &Error) -> Check {
        let place = [&error.place.object, &error.place.field];
        let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
        let place = (!place.is_empty()).then(|| format!("where: {}", place.join(", ")));
        let said = error.upstream.as_ref().map(|said| {
            let words = [said.status.to_string(), said.code.clone(), said.message.clone()];
            let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
            format!("answered: {}", words.join(" "))
        });
        let cause = std::error::Error::source(error).map(|cause| format!("caused by: {cause}"));
        let mut check = Check::fail(group, name, error.to_string(), error.advice());
        check.more.extend(place.into_iter().chain(said).chain(cause));
        check.code = Some(error.code);
        check
    }

    /// The doctor itself could not.
    pub fn broken(group: Group, why: &str) -> Check {
        let found = format!("the checks of this group broke off: {why}");
        let mut check = Check::fail(
            group,
            "doctor",
            found,
            "report it, with what `cpq doctor -v` logs",
        );
        check.broken = true;
        check
    }

    /// The same of a connection.
    pub fn of(mut self, connection: &str) -> Check {
        self.connection = Some(connection.to_owned());
        self
    }

    /// With the single things that were found.
    pub fn with(mut self, more: impl IntoIterator<Item = String>) -> Check {
        self.more.extend(more);
        self
    }

    /// At most a warning.
    pub fn softened(mut self) -> Check {
        self.verdict = self.verdict.min(Verdict::Warn);
        self
    }

    fn fix(mut self, fix: impl Into<String>) -> Check {
        self.fix = Some(fix.into());
        self
    }
}

/// A check that ends in time, or says that it did not.
pub async fn within(
    limit: Duration,
    group: Group,
    name: &'static str,
    check: impl Future<Output = Check>,
) -> Check {
    let late = |_| {
        let found = format!("no answer within {} s", limit.as_secs());
        Check::fail(
            group,
            name,
            found,
            "try again; if it stays so, look at the network and at the load of the other side",
        )
    };
    tokio::time::timeout(limit, check).await.unwrap_or_else(late)
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// A number and what is counted, in the right form.
pub fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}
