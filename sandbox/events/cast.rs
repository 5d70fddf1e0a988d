//! What an org's capture means for each of its objects, worked out once and kept until the org changes.

use super::capture::{self, Channel, ChannelType, Member, STANDARD};
use super::filter::Filter;
use super::layout::Layout;
use super::platform;
use super::registry::{Known, Registry};
use crate::events::Capture;
use crate::org::Org;
use crate::schema::{Kind, Object, Schema};
use std::sync::{Arc, OnceLock};

/// The plans of all objects of an org as it is.
#[derive(Debug)]
pub struct Cast {
    schema: Arc<Schema>,
    capture: Arc<Capture>,
    plans: Vec<OnceLock<Option<Arc<Plan>>>>,
    /// Schemas of platform events.
    published: Vec<OnceLock<Arc<Known>>>,
}

/// How changes of one object become events.
#[derive(Debug)]
pub struct Plan {
    /// Form of the events.
    pub layout: Layout,
    /// Their schema.
    pub known: Arc<Known>,
    /// Ways to subscribers; none when nothing captures the object.
    pub routes: Vec<Route>,
    /// The form that the events had, or will have, with another set of fields; for events in mixed schemas.
    pub other: OnceLock<(Layout, Arc<Known>)>,
}

/// A way that events of an object go.
#[derive(Debug)]
pub struct Route {
    /// Name under which they are stored; a channel that changes them has its own.
    pub kind: Arc<str>,
    /// Positions of the fields that come along unchanged.
    pub enriched: Vec<usize>,
    /// Which of them go.
    pub filter: Option<Filter>,
}

impl Cast {
    /// Works nothing out yet: each object's turn comes with its first change.
    pub fn of(org: &Org) -> Cast {
        let schema = org.schema();
        Cast {
            plans: schema.objects().iter().map(|_| OnceLock::new()).collect(),
            published: schema.objects().iter().map(|_| OnceLock::new()).collect(),
            capture: org.capture().clone(),
            schema,
        }
    }

    /// Whether the org is still as it was.
    pub fn fits(&self, org: &Org) -> bool {
        Arc::ptr_eq(&self.schema, &org.schema()) && Arc::ptr_eq(&self.capture, org.capture())
    }

    /// The plan of the object at this position; none for platform events.
    pub fn plan(&self, at: usize, registry: &Registry) -> Option<&Arc<Plan>> {
        let object = self.schema.at(at);
        let make = || {
            object.event.is_none().then(|| {
                let (layout, known) = Layout::build(object);
                Arc::new(Plan {
                    routes: self.routes(object, &layout),
                    layout,
                    known: registry.add(known),
                    other: OnceLock::new(),
                })
            })
        };
        self.plans[at].get_or_init(make).as_ref()
    }

    /// The schema of the platform event at this position.
    pub fn published(&self, at: usize, registry: &Registry) -> &Arc<Known> {
        self.published[at].get_or_init(|| registry.add(platform::schema(self.schema.at(at))))
    }

    fn routes(&self, object: &Object, layout: &Layout) -> Vec<Route> {
        let event = capture::event_name(object);
        let route = |kind: String, member: Option<&Member>| Route::new(kind, member, object, layout);
        let data = |channel: &&Channel| channel.channel_type == ChannelType::Data;
        let mut routes = Vec::new();
        let standard = self.capture.on_standard_channel(object);
        if standard {
            let special = self.standard_member(object);
            routes.push(route(kind_on(&event, special.map(|_| STANDARD)), special));
        }
        let plain_goes = standard && self.standard_member(object).is_none();
        for channel in self
            .capture
            .channels
            .iter()
            .filter(data)
            .filter(|c| c.name != STANDARD)
        {
            if let Some(member) = channel.member(object)
                && !(member.is_plain() && plain_goes)
            {
                routes.push(route(kind_on(&event, Some(&channel.name)), Some(member)));
            }
        }
        routes
    }

    /// How the standard channel changes the object's events, if it does.
    fn standard_member(&self, object: &Object) -> Option<&Member> {
        let standard = self
            .capture
            .channels
            .iter()
            .find(|channel| channel.name == STANDARD)?;
        standard.member(object).filter(|member| !member.is_plain())
    }

    /// Names under which the events of a channel are stored.
    pub fn kinds(&self, channel: &Channel) -> Vec<Arc<str>> {
        let mut kinds = Vec::new();
        for object in self.schema.objects() {
            let Some(member) = channel.member(object) else {
                continue;
            };
            let event = capture::event_name(object);
            let shared = match object.event {
                Some(_) => member.filter_expression.is_none(),
                None => {
                    member.is_plain()
                        && self.capture.on_standard_channel(object)
                        && self.standard_member(object).is_none()
                }
            };
            kinds.push(kind_on(&event, (!shared).then_some(channel.name.as_str())).into());
        }
        kinds
    }
}

impl Plan {
    /// The other form of the object's events, as they are before or after somebody has changed its fields in Setup.
    pub fn other(&self, object: &Object, registry: &Registry) -> &(Layout, Arc<Known>) {
        self.other.get_or_init(|| {
            let (layout, known) = Layout::other(object);
            (layout, registry.add(known))
        })
    }
}

impl Route {
    fn new(kind: String, member: Option<&Member>, object: &Object, layout: &Layout) -> Route {
        // Both were looked at when the channel was declared.
        let filter = member
            .and_then(|member| member.filter_expression.as_ref())
            .and_then(|text| Filter::parse(text, object).ok());
        let named = member
            .map(|member| member.enriched_fields.as_slice())
            .unwrap_or_default();
        let positions = named.iter().filter_map(|name| object.position(name));
        let mut enriched: Vec<usize> = positions.flat_map(|at| with_parts(object, at)).collect();
        // A field that is filtered by always comes along (Change Data Capture Developer Guide, Change Event Filters).
        enriched.extend(filter.iter().flat_map(Filter::fields));
        enriched.retain(|at| layout.has(*at));
        Route {
            kind: kind.into(),
            enriched,
            filter,
        }
    }
}

/// An address is its parts.
fn with_parts(object: &Object, at: usize) -> Vec<usize> {
    let field = &object.fields[at];
    if field.kind != Kind::Address {
        return vec![at];
    }
    let part = |(_, other): &(usize, &crate::schema::Field)| other.compound.as_ref() == Some(&field.name);
    object
        .fields
        .iter()
        .enumerate()
        .filter(part)
        .map(|(at, _)| at)
        .collect()
}

/// Name under which the events of a kind are stored, with the channel that changes them.
pub fn kind_on(event: &str, channel: Option<&str>) -> String {
    channel.map_or_else(|| event.to_owned(), |channel| format!("{event}@{channel}"))
}
