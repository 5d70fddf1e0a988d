//! Changes as Salesforce tells them: change events and platform events over its Pub/Sub API (gRPC, Avro).
//!
//! For each topic a task receives (`receive`), at its own pace and into a bounded queue. The open feed (`stream`) works
//! off one answer after the other: events are read with the schemas that they name (`schema`, `event`, `bitmap`), become
//! hints about opportunities (`delivery`, `canonical`), for which one call looks up what the events do not say
//! (`lookup`). An answer is delivered with the position behind it (`place`), as a whole.
//!
//! Nothing is skipped in silence. What cannot be read, what was merged away, and everything around an opening at the
//! end becomes a sweep; a position that is no longer good is an error, never a jump to the end.

use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::change::{ChangeFeed, ChangeStream, Position};

use super::Org;
use link::Link;
use schema::Schemas;
use settings::Topic;
use stream::Stream;

mod bitmap;
mod canonical;
mod connector;
mod delivery;
mod errors;
mod event;
mod limits;
mod link;
mod lookup;
mod place;
mod receive;
mod schema;
mod settings;
mod stream;
mod wire;

pub use settings::{PlatformEvent, Settings};

/// The feed of one org.
pub(super) struct PubSub {
    org: Arc<Org>,
    settings: Settings,
    topics: Vec<Topic>,
    schemas: Arc<Schemas>,
}

impl PubSub {
    pub(super) fn new(org: Arc<Org>, settings: Settings) -> Result<PubSub> {
        let topics = settings
            .checked()
            .map_err(|error| error.connection(org.rest.connection()))?;
        Ok(PubSub {
            org,
            settings,
            topics,
            schemas: Arc::default(),
        })
    }
}

impl PubSub {
    /// Asks for every topic whether it may be read.
    pub(super) async fn may_follow(&self) -> Result<()> {
        let rest = &self.org.rest;
        let (authorities, reach) = (&self.org.config.ca_certificates_pem, &self.org.config.reach);
        let endpoint = &self.settings.endpoint;
        let link = Link::connect(
            endpoint,
            authorities,
            reach,
            rest.credentials(),
            rest.connection(),
        )
        .await?;
        for topic in &self.topics {
            link.may_subscribe(&topic.name).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ChangeFeed for PubSub {
    fn name(&self) -> &str {
        "pubsub"
    }

    async fn open(&self, call: &Call, after: Option<&Position>) -> Result<Box<dyn ChangeStream>> {
        let (org, schemas) = (self.org.clone(), self.schemas.clone());
        let stream = Stream::open(org, call, &self.settings, &self.topics, schemas, after).await?;
        Ok(Box::new(stream))
    }
}
