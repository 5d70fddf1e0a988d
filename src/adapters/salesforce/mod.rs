//! Salesforce Sales Cloud over its REST API. See `README.md` beside this file for what is called and what the org
//! needs.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::adapter::{
    Call, CallBudget, CrmAdapter, CrmSnapshot, CrmWrite, CrmWritten, Mapping, Probe, Tally,
};
use cpq_domain::change::ChangeFeed;
use cpq_domain::deletion::Fate;
use cpq_domain::id::{OpportunityKey, RecordId};
use cpq_domain::paging::{FoundSnapshots, SnapshotPage};
use cpq_domain::schema::CrmSchema;
use cpq_domain::view::View;
use cpq_domain::world::World;
use jiff::Timestamp;

use crate::batch::Gather;
use crate::credentials::Credentials;
use entries::Entries;
use fields::Field;
use layout::Layout;
use read::{Reads, Wanted};
use rest::Rest;
use write::{Bodies, Ordered, Writes};

mod captured;
mod composite;
mod config;
mod convert;
mod describe;
mod drawn;
mod entries;
mod errors;
mod fate;
mod fields;
mod layout;
mod limit_info;
mod lines;
mod page;
mod polling;
mod probe;
pub mod pubsub;
mod query;
mod quote_record;
mod read;
mod record_id;
mod rest;
mod snapshot;
mod soql;
#[cfg(test)]
mod spoilt;
mod values;
mod write;

pub use config::Config;
pub use drawn::drawn;
pub use fields::{DEFAULTS as FIELDS, Fault};
pub use layout::is_lack;
pub use polling::{FOUND_AFTER, Polling, PollingFeed, Watched};

/// What a connection of these settings syncs: all that its field files name, or with a schema what of it the org has.
///
/// # Errors
/// [`cpq_domain::Code::ConfigInvalid`] when a setting makes no sense.
pub fn mapping(config: &Config, schema: Option<&CrmSchema>) -> Result<Mapping> {
    let layout = Layout::new(config, &fields::load(config)?, schema)?;
    Ok(Arc::unwrap_or_clone(layout.mapping))
}

/// Every mistake in the settings' own field entries, each with its place.
pub fn faults(config: &Config) -> Vec<Fault> {
    fields::faults(config)
}

/// One Salesforce org. Reads and writes of different syncs that come at the same time share calls.
pub struct SalesforceAdapter {
    org: Arc<Org>,
    reads: Gather<Reads>,
    writes: Gather<Writes>,
}

/// What reads and writes share.
struct Org {
    rest: Rest,
    config: Config,
    fields: Vec<Field>,
    layout: RwLock<Arc<Layout>>,
    entries: Entries,
    /// Held while the org is described, so that it happens once.
    describing: tokio::sync::Mutex<()>,
}

impl SalesforceAdapter {
    /// An adapter for one connection. With `schema`, from an earlier [`CrmAdapter::describe`], no describe is needed;
    /// without it the first read or write describes the org first.
    ///
    /// # Errors
    /// [`cpq_domain::Code::ConfigInvalid`] when a setting makes no sense.
    pub fn new(
        config: Config,
        credentials: Arc<dyn Credentials>,
        world: Arc<dyn World>,
        schema: Option<&CrmSchema>,
    ) -> Result<Self> {
        let fields = fields::load(&config)?;
        let layout = Layout::new(&config, &fields, schema)?;
        let rest = Rest::new(&config, credentials, world)?;
        let (layout, describing) = (RwLock::new(Arc::new(layout)), tokio::sync::Mutex::default());
        let org = Arc::new(Org {
            rest,
            config,
            fields,
            layout,
            entries: Entries::default(),
            describing,
        });
        Ok(SalesforceAdapter {
            reads: Gather::new(Reads(org.clone())),
            writes: Gather::new(Writes(org.clone())),
            org,
        })
    }

    /// What the org tells of changes by itself, over its Pub/Sub API. Nothing is called before the feed is opened.
    ///
    /// # Errors
    /// [`cpq_domain::Code::ConfigInvalid`] when a setting makes no sense.
    pub fn pubsub(&self, settings: pubsub::Settings) -> Result<Arc<dyn ChangeFeed>> {
        Ok(Arc::new(pubsub::PubSub::new(self.org.clone(), settings)?))
    }
}

impl SalesforceAdapter {
    /// What the CRM's clock shows now, to the second, by the last answer that carried a date; none before one did.
    pub fn clock(&self) -> Option<Timestamp> {
        self.org.rest.crm_now()
    }

    /// Objects whose changes become events, on whatever channel; `None` where our user may not see which they are.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn captured(&self, call: &Call) -> Result<Option<BTreeSet<String>>> {
        captured::captured(&self.org.rest, call).await
    }

    /// Whether the topics of these settings are there, and ours to read. Opens the Pub/Sub API and reads no event.
    ///
    /// # Errors
    /// Those of [`SalesforceAdapter::pubsub`]; [`cpq_domain::Code::CrmUnavailable`] when the endpoint cannot be reached,
    /// and the CRM's refusals.
    pub async fn may_follow(&self, settings: pubsub::Settings) -> Result<()> {
        pubsub::PubSub::new(self.org.clone(), settings)?
            .may_follow()
            .await
    }
}

impl Org {
    fn known(&self) -> Arc<Layout> {
        self.layout.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The layout of the org, which is described first if it never was.
    async fn layout(&self, call: &Call) -> Result<Arc<Layout>> {
        let known = self.known();
        if known.described {
            return Ok(known);
        }
        let _one_at_a_time = self.describing.lock().await;
        if !self.known().described {
            self.describe(call).await?;
        }
        Ok(self.known())
    }

    async fn describe(&self, call: &Call) -> Result<CrmSchema> {
        let schema = describe::describe(&self.rest, call, &self.fields).await?;
        let layout = Layout::new(&self.config, &self.fields, Some(&schema))?;
        for warning in &layout.mapping.warnings {
            tracing::warn!(connection = self.rest.connection(), "{warning}");
        }
        *self.layout.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(layout);
        Ok(schema)
    }
}

#[async_trait]
impl CrmAdapter for SalesforceAdapter {
    fn mapping(&self) -> Arc<Mapping> {
        self.org.known().mapping.clone()
    }

    async fn probe(&self, call: &Call) -> Result<Probe> {
        probe::probe(&self.org.rest, call).await
    }

    async fn describe(&self, call: &Call) -> Result<CrmSchema> {
        self.org.describe(call).await
    }

    async fn read(&self, call: &Call, key: &OpportunityKey) -> Result<CrmSnapshot> {
        self.reads
            .call(Wanted {
                call: call.clone(),
                key: key.clone(),
            })
            .await
    }

    async fn fate(&self, call: &Call, opportunity: &RecordId) -> Result<Fate> {
        fate::of(&self.org.rest, call, opportunity).await
    }

    async fn write(&self, call: &Call, write: &CrmWrite) -> Result<CrmWritten> {
        if write.patch.is_empty() {
            return Ok(CrmWritten {
                view: View::default(),
                modified_at: write.unmodified_since,
            });
        }
        let layout = self.org.layout(call).await?;
        let entries = self
            .org
            .entries
            .find(&self.org.rest, call, &layout, write)
            .await?;
        let bodies = Bodies::of(&layout, self.org.rest.connection(), call, write, &entries)?;
        let ordered = Ordered {
            call: call.clone(),
            write: write.clone(),
            bodies,
        };
        let written = self.writes.call(ordered).await;
        if written.is_err() && !entries.is_empty() {
            self.org.entries.forget();
        }
        written
    }

    async fn page(
        &self,
        call: &Call,
        since: Option<Timestamp>,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<SnapshotPage> {
        page::page(&self.org, call, since, after, limit).await
    }

    async fn find_many(&self, call: &Call, ids: &[RecordId]) -> Result<FoundSnapshots> {
        page::find_many(&self.org, call, ids).await
    }

    fn budget(&self) -> Option<CallBudget> {
        self.org.rest.budget()
    }

    fn tally(&self) -> Option<Tally> {
        Some(self.org.rest.tally())
    }
}
