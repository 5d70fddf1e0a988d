//! From a committed transaction to its change events.

use super::cast::{Cast, Plan};
use super::change::Telling;
use super::drafts::{Draft, Drafts, HEADER_ROOM, gap};
use super::header::{ChangeType, Header, Transaction};
use super::new_uuid;
use super::registry::Registry;
use super::stage::Ready;
use crate::faults::{Faults, Happening};
use crate::org::{Change, Commit, Org};
use crate::schema::Object;
use std::sync::Arc;

/// A transaction on its way to the bus.
pub struct Teller<'a> {
    /// The org after it.
    pub org: &'a Org,
    /// What the org captures.
    pub cast: &'a Cast,
    /// Where schemas are written down.
    pub registry: &'a Registry,
    /// What goes wrong with events.
    pub faults: &'a Faults,
    /// Changes after which the rest of a transaction is told as an overflow.
    pub overflow_after: u64,
}

impl Teller<'_> {
    /// The events of a transaction in their order, and what goes wrong with each.
    pub fn tell(&self, commit: &Commit, number: i64) -> Vec<Ready> {
        let transaction = Transaction {
            key: new_uuid().as_ref().to_owned(),
            millis: commit.at.as_second() * 1_000,
            number,
            user: commit.user.to_string(),
            origin: commit.origin.to_string(),
        };
        let drafts = Drafts::new(self, &transaction).of(commit);
        let client = commit.origin.client.as_deref().unwrap_or_default();
        drafts
            .into_iter()
            .filter_map(|draft| self.ready(draft, &transaction, client))
            .collect()
    }

    /// How changes of an object become events, if they do.
    pub fn plan(&self, object: usize) -> Option<&Arc<Plan>> {
        self.cast
            .plan(object, self.registry)
            .filter(|plan| !plan.routes.is_empty())
    }

    /// A change in the form of its object's plain events.
    pub fn telling<'t>(
        &'t self,
        change: &'t Change,
        object: &'t Object,
        plan: &'t Plan,
        number: i64,
    ) -> Telling<'t> {
        Telling {
            object,
            layout: &plan.layout,
            change,
            row: self.org.table(change.object).row(change.id),
            enriched: &[],
            history: number.unsigned_abs(),
        }
    }

    /// Writes a draft, after the fault rules had their say.
    fn ready(&self, draft: Draft<'_>, transaction: &Transaction, client: &str) -> Option<Ready> {
        let plan = self.plan(draft.object)?;
        let schema = self.org.schema();
        let object = schema.at(draft.object);
        let route = &plan.routes[draft.route];
        let verdict = self.faults.judge_event(&Happening {
            object: &object.name,
            event: &plan.known.kind,
            change: draft.body.change.name(),
            client,
        });
        let mut known = &plan.known;
        let mut body = draft.body;
        if let (true, ChangeType::Whole(kind)) = (verdict.gap, body.change) {
            body = gap(plan, kind);
        } else if let (true, Some(change)) = (verdict.mixed_schema, draft.change) {
            let (layout, other) = plan.other(object, self.registry);
            let telling = Telling {
                layout,
                enriched: &route.enriched,
                ..self.telling(change, object, plan, transaction.number)
            };
            if let Some(told) = telling.told() {
                (body, known) = (telling.body(&told), other);
            }
        }
        let header = Header {
            entity: &object.name,
            change: body.change,
            transaction,
            sequence: draft.sequence,
        };
        let mut payload = Vec::with_capacity(body.bytes.len() + HEADER_ROOM);
        header.encode(&mut payload, &draft.ids, &body.lists);
        payload.extend_from_slice(&body.bytes);
        Some(Ready {
            id: new_uuid(),
            kind: route.kind.clone(),
            schema_id: known.id.clone(),
            payload: payload.into(),
            verdict,
        })
    }
}
