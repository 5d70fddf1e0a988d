//! Events: what the org tells subscribers about changes, and what publishers tell each other through it.
//!
//! A committed transaction becomes change events ([`telling`]) in the form that the org's objects have now
//! ([`cast`], [`layout`]); they pass the fault rules ([`stage`]) and are stored ([`bus`]).

mod avro;
mod bitmap;
mod bus;
mod capture;
mod cast;
mod change;
mod columns;
mod diff;
mod digest;
mod doc;
mod drafts;
mod expanded;
mod filter;
mod header;
mod layout;
mod made;
mod order;
mod platform;
mod publish;
mod quota;
mod registry;
mod replay;
mod shown;
mod stage;
mod stored;
mod telling;
mod topic;

pub use bus::{Bus, Event, Page, Unreadable};
pub use capture::{Capture, Channel, ChannelType, Member, STANDARD, event_name, object_of};
pub use expanded::expanded;
pub use header::ChangeType;
pub use made::Made;
pub use order::stands_in_events;
pub use publish::{LARGEST, Refused};
pub use quota::{Counts, EventUsage, Quota};
pub use replay::ReplayId;
pub use stored::Stored;
pub use topic::{NoTopic, Topic};

use crate::faults::{Faults, Happening};
use crate::oauth::random;
use crate::org::{Commit, Org, Publication, Value};
use crate::schema::Object;
use crate::state::lock;
use axum::body::Bytes;
use cast::Cast;
use jiff::Timestamp;
use registry::{Known, Registry};
use stage::{Ready, Stage};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use telling::Teller;

/// The event bus of one sandbox with what it needs to know about its topics.
#[derive(Debug, Default)]
pub struct Events {
    /// The stored events.
    pub bus: Bus,
    registry: Registry,
    stage: Stage,
    faults: Arc<Faults>,
    quota: Arc<Quota>,
    cast: Mutex<Option<Arc<Cast>>>,
    /// The last transaction's `commitNumber`.
    commits: AtomicI64,
}

impl Events {
    /// An empty bus under these fault rules and allowances. Its positions begin somewhere, so that one of another
    /// sandbox is hardly ever one of this.
    pub fn new(faults: Arc<Faults>, quota: Arc<Quota>) -> Events {
        Events {
            bus: Bus::after(random::below(FIRST_POSITION)),
            commits: AtomicI64::new(FIRST_COMMIT),
            faults,
            quota,
            ..Events::default()
        }
    }

    /// Puts the change events of these transactions on the bus, in their order, and what was published in them.
    /// Subscribers see them together: they are those of one call.
    pub fn absorb(&self, org: &Org, commits: &[Commit]) {
        let cast = self.cast(org);
        let teller = Teller {
            org,
            cast: &cast,
            registry: &self.registry,
            faults: &self.faults,
            overflow_after: self.quota.overflow_after(),
        };
        self.bus.together(|| {
            commits
                .iter()
                .for_each(|commit| self.send_commit(&teller, commit))
        });
    }

    fn send_commit(&self, teller: &Teller<'_>, commit: &Commit) {
        if !commit.changes.is_empty() {
            for ready in teller.tell(commit, self.next_commit()) {
                self.stage.send(&self.bus, commit.at, ready);
            }
        }
        for publication in &commit.published {
            self.send_published(teller.org, teller.cast, publication);
        }
    }

    /// The topic with this name.
    ///
    /// # Errors
    /// [`NoTopic`] when the name is no topic's or names nothing that the org has.
    pub fn topic(&self, org: &Org, name: &str) -> Result<Topic, NoTopic> {
        topic::named(self, org, name)
    }

    /// The Avro schema with this id, as JSON. Schemas that were replaced stay readable: old events are written in them.
    pub fn schema(&self, id: &str) -> Option<Arc<str>> {
        self.registry.get(id).map(|known| known.text.clone())
    }

    /// The Avro schema that events of this name (`OpportunityChangeEvent`, `Order_Shipped__e`) have now, as JSON.
    pub fn schema_of(&self, org: &Org, event: &str) -> Option<Arc<str>> {
        self.known_of(org, event).map(|known| known.text.clone())
    }

    /// What was published and delivered, and what may be.
    pub fn quota(&self) -> &Arc<Quota> {
        &self.quota
    }

    /// How many events a fault rule holds back.
    pub fn held(&self) -> usize {
        self.stage.held()
    }

    /// Stores the events that a fault rule holds back; answers how many.
    pub fn release(&self, now: Timestamp) -> usize {
        self.stage.release(&self.bus, now)
    }

    /// Begins a new stream: no replay id of before can be used, and nothing is held back any more.
    pub fn restart(&self) {
        self.stage.clear();
        self.bus.restart();
    }

    fn next_commit(&self) -> i64 {
        self.commits.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What the org's capture means for its objects, as they are now.
    fn cast(&self, org: &Org) -> Arc<Cast> {
        let mut kept = lock(&self.cast);
        match kept.as_ref().filter(|cast| cast.fits(org)) {
            Some(cast) => cast.clone(),
            None => kept.insert(Arc::new(Cast::of(org))).clone(),
        }
    }

    /// The schema of an event by its name.
    fn known_of(&self, org: &Org, event: &str) -> Option<Arc<Known>> {
        let schema = org.schema();
        let cast = self.cast(org);
        if let Some(at) = schema.position(event).filter(|at| schema.at(*at).event.is_some()) {
            return Some(cast.published(at, &self.registry).clone());
        }
        let object = object_of(&schema, event, org.capture())?;
        let at = schema.position(&object.name)?;
        cast.plan(at, &self.registry).map(|plan| plan.known.clone())
    }

    fn send_published(&self, org: &Org, cast: &Cast, publication: &Publication) {
        let schema = org.schema();
        let object = schema.at(publication.object);
        let known = cast.published(publication.object, &self.registry);
        let payload = Bytes::from(platform::encode(object, &publication.values));
        let event = Published {
            object,
            values: &publication.values,
            id: publication.uuid.clone(),
            schema_id: known.id.clone(),
            payload,
        };
        self.send(org, &event, publication.at);
    }

    /// Stores a platform event for its own topic and for the channels that filter it; answers its position in the
    /// former.
    fn send(&self, org: &Org, event: &Published<'_>, now: Timestamp) -> ReplayId {
        let name = event.object.name.as_str();
        let verdict = self.faults.judge_event(&Happening {
            object: name,
            event: name,
            change: "",
            client: "",
        });
        let mut first = None;
        for kind in platform::kinds(org.capture(), event.object, event.values) {
            let ready = Ready {
                id: event.id.clone(),
                kind,
                schema_id: event.schema_id.clone(),
                payload: event.payload.clone(),
                verdict: verdict.clone(),
            };
            let at = self.stage.send(&self.bus, now, ready);
            first.get_or_insert(at);
        }
        first.unwrap_or_else(|| self.bus.skip())
    }
}

/// A platform event on its way.
struct Published<'a> {
    object: &'a Object,
    values: &'a [Value],
    id: Arc<str>,
    schema_id: Arc<str>,
    payload: Bytes,
}

/// Positions of a new bus begin below this.
const FIRST_POSITION: u64 = 1 << 40;
/// Numbers of transactions begin here; real ones have thirteen digits or so.
const FIRST_COMMIT: i64 = 1_000_000_000_000;

/// An event's id: a random UUID.
pub(crate) fn new_uuid() -> Arc<str> {
    random::uuid().into()
}
