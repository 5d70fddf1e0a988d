//! Managed event subscriptions: what Pub/Sub clients subscribe to by name, with the position that they committed
//! ("ManagedEventSubscription", Tooling API and Metadata API).

use super::Id;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Most of them in one org ("Pub/Sub API Allocations").
const MOST: usize = 200;
/// First characters of their ids.
const PREFIX: [u8; 3] = *b"18x";
/// Longest developer name.
const NAME_MOST: usize = 80;

/// A subscription as an administrator describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscriptionSpec {
    /// Name, unique in the org.
    pub developer_name: String,
    /// Label; the name when absent.
    #[serde(default)]
    pub label: String,
    /// Topic, such as `/data/OpportunityChangeEvent`.
    pub topic_name: String,
    /// Where it begins when nothing was committed.
    #[serde(default)]
    pub default_replay: Preset,
    /// Where it begins when what was committed is no longer kept.
    #[serde(default)]
    pub error_recovery_replay: Preset,
    /// Whether clients may use it.
    #[serde(default)]
    pub state: RunState,
}

/// A place to begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Preset {
    /// Behind the newest event.
    #[default]
    Latest,
    /// At the oldest event that is kept.
    Earliest,
}

/// Whether a subscription may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunState {
    /// It may.
    #[default]
    Run,
    /// It may not; streams end, and the committed position is forgotten.
    Stop,
}

/// A subscription of the org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Id (18 characters), beginning with `18x`.
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub spec: SubscriptionSpec,
    /// The position that was committed last.
    pub committed: Option<u64>,
}

/// What changes of a subscription, as an administrator says it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SubscriptionChange {
    /// New label.
    pub label: Option<String>,
    /// New place to begin.
    pub default_replay: Option<Preset>,
    /// New place to begin again.
    pub error_recovery_replay: Option<Preset>,
    /// New state.
    pub state: Option<RunState>,
}

/// All subscriptions of an org.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Subscriptions {
    made: u64,
    list: Vec<Subscription>,
    #[serde(skip)]
    changed: watch::Sender<()>,
}

impl Subscriptions {
    /// Adds one.
    ///
    /// # Errors
    /// A sentence when the name is no good or taken, or there are too many.
    pub fn create(&mut self, mut spec: SubscriptionSpec) -> Result<Subscription, String> {
        if !is_developer_name(&spec.developer_name) {
            return Err(format!(
                "'{}' is no developer name: letters, digits and single underscores, beginning with a letter",
                spec.developer_name
            ));
        }
        if self.named(&spec.developer_name).is_some() {
            return Err(format!(
                "there is a managed subscription {} already",
                spec.developer_name
            ));
        }
        if self.list.len() == MOST {
            return Err(format!("at most {MOST} managed subscriptions are allowed"));
        }
        if spec.label.is_empty() {
            spec.label.clone_from(&spec.developer_name);
        }
        self.made += 1;
        let made = Subscription {
            id: Id::new(PREFIX, self.made).to_string(),
            spec,
            committed: None,
        };
        self.list.push(made.clone());
        Ok(made)
    }

    /// Changes one. Stopping it forgets what was committed.
    pub fn change(&mut self, developer_name: &str, change: &SubscriptionChange) -> Option<Subscription> {
        let found = self.list.iter_mut().find(|one| one.is_named(developer_name))?;
        if let Some(label) = &change.label {
            found.spec.label.clone_from(label);
        }
        found.spec.default_replay = change.default_replay.unwrap_or(found.spec.default_replay);
        found.spec.error_recovery_replay = change
            .error_recovery_replay
            .unwrap_or(found.spec.error_recovery_replay);
        found.spec.state = change.state.unwrap_or(found.spec.state);
        if found.spec.state == RunState::Stop {
            found.committed = None;
        }
        let changed = found.clone();
        self.changed.send_replace(());
        Some(changed)
    }

    /// Removes one; false when there is none.
    pub fn delete(&mut self, developer_name: &str) -> bool {
        let before = self.list.len();
        self.list.retain(|one| !one.is_named(developer_name));
        self.changed.send_replace(());
        self.list.len() < before
    }

    /// Notes the position up to which the client is done.
    pub fn commit(&mut self, id: &str, position: u64) {
        if let Some(found) = self.list.iter_mut().find(|one| one.id == id) {
            found.committed = Some(position);
        }
    }

    /// All of them in the order of their making.
    pub fn all(&self) -> &[Subscription] {
        &self.list
    }

    /// By developer name, in any case.
    pub fn named(&self, developer_name: &str) -> Option<&Subscription> {
        self.list.iter().find(|one| one.is_named(developer_name))
    }

    /// By id, in either form.
    pub fn with_id(&self, id: &str) -> Option<&Subscription> {
        let id = Id::parse(id)?.to_string();
        self.list.iter().find(|one| one.id == id)
    }

    /// Told of changes and deletions; closed when the org was replaced.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl Subscription {
    fn is_named(&self, name: &str) -> bool {
        self.spec.developer_name.eq_ignore_ascii_case(name)
    }
}

/// Letters, digits and underscores, a letter first, no underscore at the end and no two together (Metadata API
/// Developer Guide, fullName).
fn is_developer_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= NAME_MOST
        && name
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
        && name.bytes().all(known)
        && !name.ends_with('_')
        && !name.contains("__")
}
