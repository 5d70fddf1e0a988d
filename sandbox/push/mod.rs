//! What the org sends to others when records change: outbound messages (SOAP) and callouts (JSON).
//!
//! [`Push::absorb`] looks at every committed transaction and queues what its rules want sent; [`run`] sends it, tries
//! again what failed, and never lets one endpoint wait for another.

mod ack;
mod callout;
mod check;
mod condition;
mod courier;
mod deliveries;
mod endpoint;
mod envelope;
mod item;
mod merge;
mod moment;
mod outbox;
mod rule;
mod signature;
mod text;
mod wsdl;

pub use check::check;
pub use condition::{Condition, Criterion, On, Operation};
pub use courier::run;
pub use item::{Item, Kind};
pub use outbox::Outbox;
pub use rule::{Callout, OutboundMessage, Retry, Rules};
pub use wsdl::write as wsdl;

use crate::faults::Faults;
use crate::org::{Commit, Id, Org};
use crate::state::lock;
use deliveries::{Deliveries, Entry, Outcome};
use item::Lane;
use jiff::Timestamp;
use moment::Moment;
use serde_json::Value as Json;
use std::sync::Mutex;
use tokio::sync::Notify;

/// The queue of one sandbox, and the log of what became of it. Its locks are taken last of all.
#[derive(Debug, Default)]
pub struct Push {
    outbox: Mutex<Outbox>,
    /// What was delivered, or tried.
    pub deliveries: Deliveries,
    wake: Notify,
}

/// Which items; an empty selection is all.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selection {
    /// These ids.
    pub ids: Vec<String>,
    /// Of this rule.
    pub rule: Option<String>,
}

impl Push {
    /// Goes on with the queue of a snapshot.
    pub fn from_snapshot(kept: Outbox) -> Self {
        Self {
            outbox: Mutex::new(Outbox::restored(kept)),
            ..Self::default()
        }
    }

    /// The queue for the snapshot.
    pub fn to_snapshot(&self) -> Json {
        serde_json::to_value(&*lock(&self.outbox)).unwrap_or(Json::Null)
    }

    /// Queues what these transactions send. Called with the org in hand, so that a snapshot never has a change without
    /// its messages.
    pub fn absorb(&self, org: &Org, commits: &[Commit], now: Timestamp, faults: &Faults) {
        let rules = org.push_rules();
        if rules.is_empty() {
            return;
        }
        let schema = org.schema();
        for (place, commit) in commits.iter().enumerate() {
            for change in &commit.changes {
                let moment = Moment {
                    org,
                    object: schema.at(change.object),
                    commit,
                    change,
                    later: &commits[place + 1..],
                };
                self.messages(rules, &moment, now, faults);
                self.callouts(rules, &moment, now, faults);
            }
        }
    }

    fn messages(&self, rules: &Rules, moment: &Moment, now: Timestamp, faults: &Faults) {
        let is_meant =
            |rule: &&OutboundMessage| rule.active && rule.object.eq_ignore_ascii_case(&moment.object.name);
        for rule in rules.outbound_messages.iter().filter(is_meant) {
            if rule.when.holds(moment) && !rules.muted_users.iter().any(|name| moment.is_by(name)) {
                let lane = Lane {
                    kind: Kind::OutboundMessage,
                    rule: rule.name.clone(),
                };
                self.queue(lane, &rule.endpoint_url, moment, now, faults, None);
            }
        }
    }

    fn callouts(&self, rules: &Rules, moment: &Moment, now: Timestamp, faults: &Faults) {
        let is_meant = |rule: &&Callout| rule.active && rule.object.eq_ignore_ascii_case(&moment.object.name);
        for rule in rules
            .callouts
            .iter()
            .filter(is_meant)
            .filter(|rule| rule.when.holds(moment))
        {
            match callout::request(rule, moment) {
                Ok(request) => {
                    let lane = Lane {
                        kind: Kind::Callout,
                        rule: rule.name.clone(),
                    };
                    self.queue(lane, &rule.endpoint_url, moment, now, faults, Some(request));
                }
                Err(why) => tracing::warn!(rule = rule.name, why, "a callout was not sent"),
            }
        }
    }

    fn queue(
        &self,
        lane: Lane,
        url: &str,
        moment: &Moment,
        now: Timestamp,
        faults: &Faults,
        request: Option<callout::Request>,
    ) {
        let twists = faults.judge_delivery(url, &lane.rule, &moment.object.name);
        let item = Item {
            number: 0,
            lane,
            object: moment.object.name.clone(),
            record: moment.change.id.to_string(),
            queued_at: now,
            due_at: now,
            attempts: 0,
            last: None,
            request,
            twists,
            flying: false,
        };
        if item.twists.lost {
            return self.deliveries.record(lost(item, url, now));
        }
        lock(&self.outbox).add(item);
        self.wake.notify_one();
    }

    /// Sends chosen items now; those that were given up begin a new life. Returns how many there were.
    pub fn retry(&self, selection: &Selection, now: Timestamp) -> usize {
        let chosen = |item: &Item| selection.wants(item);
        let count = lock(&self.outbox).retry(now, chosen);
        self.wake.notify_one();
        count
    }

    /// What waits and what was given up, as the control plane shows it.
    pub fn pending(&self, selection: &Selection) -> (Vec<Json>, Vec<Json>) {
        let outbox = lock(&self.outbox);
        let waiting = outbox
            .items()
            .filter(|item| selection.wants(item))
            .map(Item::shown)
            .collect();
        let failed = outbox
            .failed()
            .filter(|one| selection.wants(&one.item))
            .map(item::Failed::shown)
            .collect();
        (waiting, failed)
    }

    /// How many items of a rule wait, and how many were given up.
    pub fn counts(&self, kind: Kind, rule: &str) -> (usize, usize) {
        let of_rule = |item: &Item| item.lane.kind == kind && item.lane.rule == rule;
        let outbox = lock(&self.outbox);
        let waiting = outbox.items().filter(|item| of_rule(item)).count();
        (waiting, outbox.failed().filter(|one| of_rule(&one.item)).count())
    }

    /// The id of an outbound message.
    pub fn action_id(&self, rule: &str) -> Id {
        lock(&self.outbox).action(rule)
    }

    /// Looks at the queue again: these rules are in force now.
    pub fn follow(&self, rules: &Rules) {
        lock(&self.outbox).keep_actions(|name| rules.outbound_message(name).is_some());
        self.wake.notify_one();
    }

    /// Forgets everything that waits and everything that was given up.
    pub fn clear(&self) {
        lock(&self.outbox).clear();
    }

    /// As for a fresh org.
    pub fn begin_anew(&self) {
        lock(&self.outbox).begin_anew();
        self.deliveries.clear();
    }

    /// Looks at the queue again: settings have changed.
    pub fn look_again(&self) {
        self.wake.notify_one();
    }
}

impl Selection {
    fn wants(&self, item: &Item) -> bool {
        let id = || item.id().to_string();
        (self.ids.is_empty() || self.ids.contains(&id()))
            && self.rule.as_ref().is_none_or(|rule| *rule == item.lane.rule)
    }
}

fn lost(item: Item, url: &str, now: Timestamp) -> Entry {
    Entry {
        seq: 0,
        at: now,
        kind: item.lane.kind,
        rule: item.lane.rule,
        url: url.to_owned(),
        ids: Vec::new(),
        records: vec![item.record],
        attempt: 0,
        status: 0,
        outcome: Outcome::Lost,
        error: None,
        duration_micros: 0,
        faults: item.twists.labels,
    }
}
