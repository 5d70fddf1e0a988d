//! Sending: takes from the queue what is due, posts it, and tells the queue what came of it.

mod pack;
mod post;

use super::deliveries::{Entry, Outcome};
use super::item::{Answer, Kind, Lane};
use super::outbox::{Departure, Patience};
use super::{Rules, endpoint};
use crate::state::{Sandbox, Shared, lock};
use post::{Landing, post};
use reqwest::Client;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::{Id as TaskId, JoinSet};

/// How long deliveries under way may go on after a stop; then they are broken off, and sent again after a restart.
const FAREWELL: Duration = Duration::from_secs(2);
/// Longest sleep of the machine between two looks at the queue.
const MAX_NAP: Duration = Duration::from_secs(3_600);

/// Sends until the sandbox stops.
pub async fn run(sandbox: Shared) {
    let client = match endpoint::client() {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "nothing is sent to endpoints"),
    };
    let mut courier = Courier {
        client,
        sandbox,
        flights: JoinSet::new(),
        departures: HashMap::new(),
        sessions: HashMap::new(),
    };
    courier.work().await;
    courier.finish().await;
}

struct Courier {
    client: Client,
    sandbox: Shared,
    flights: JoinSet<Landing>,
    departures: HashMap<TaskId, Departure>,
    /// Sessions handed over with messages, by rule.
    sessions: HashMap<String, String>,
}

impl Courier {
    async fn work(&mut self) {
        let mut moved = self.sandbox.clock.watch();
        loop {
            let nap = self.send_due();
            tokio::select! {
                () = self.sandbox.stop.cancelled() => return,
                Some(landed) = self.flights.join_next_with_id() => self.land(landed),
                () = self.sandbox.push.wake.notified() => {}
                _ = moved.changed() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Lets deliveries under way end, for a moment.
    async fn finish(&mut self) {
        let last = tokio::time::Instant::now() + FAREWELL;
        while let Ok(Some(landed)) = tokio::time::timeout_at(last, self.flights.join_next_with_id()).await {
            self.land(landed);
        }
        self.flights.shutdown().await;
    }

    /// Sends what is due; returns how long nothing else will be.
    fn send_due(&mut self) -> Duration {
        let settings = self.sandbox.settings();
        let life = settings.outbound_life_seconds;
        let (departures, nap) = {
            let org = lock(&self.sandbox.org);
            let now = self.sandbox.clock.now();
            let mut outbox = lock(&self.sandbox.push.outbox);
            let address = |lane: &Lane| address(org.push_rules(), lane);
            let departures = outbox.depart(now, life, settings.deliveries_per_endpoint, address);
            let next = outbox.next_event(now, life);
            let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
            (departures, wait.unwrap_or(MAX_NAP).min(MAX_NAP))
        };
        for departure in departures {
            match self.pack(&departure, &settings) {
                Some(parcel) => {
                    let handle = self.flights.spawn(post(self.client.clone(), parcel));
                    self.departures.insert(handle.id(), departure);
                }
                // The rule went away in between: the next look at the queue gives its items up.
                None => self.take_back(&departure, &Landing::broken("its rule does not exist any more")),
            }
        }
        // While time stands still nothing becomes due by waiting; being told of the clock ends the nap.
        match self.sandbox.clock.face().frozen_at {
            Some(_) => MAX_NAP,
            None => nap,
        }
    }

    fn land(&mut self, landed: Result<(TaskId, Landing), tokio::task::JoinError>) {
        let (id, landing) = match landed {
            Ok(landed) => landed,
            Err(error) => (error.id(), Landing::broken("the delivery broke off")),
        };
        if let Some(departure) = self.departures.remove(&id) {
            self.log(&departure, &landing);
            self.take_back(&departure, &landing);
        }
    }

    fn take_back(&self, departure: &Departure, landing: &Landing) {
        let patience = patience(&self.sandbox, departure);
        let answer = Answer {
            at: self.sandbox.clock.now(),
            status: landing.status,
            error: landing.error.clone(),
        };
        lock(&self.sandbox.push.outbox).land(departure, &answer, patience);
        self.sandbox.touch();
    }

    fn log(&self, departure: &Departure, landing: &Landing) {
        let items = &departure.items;
        let mut faults: Vec<String> = items.iter().flat_map(|item| item.twists.labels.clone()).collect();
        faults.sort();
        faults.dedup();
        self.sandbox.push.deliveries.record(Entry {
            seq: 0,
            at: self.sandbox.clock.now(),
            kind: departure.lane.kind,
            rule: departure.lane.rule.clone(),
            url: departure.url.clone(),
            ids: items.iter().map(|item| item.id().to_string()).collect(),
            records: items.iter().map(|item| item.record.clone()).collect(),
            attempt: items.iter().map(|item| item.attempts).max().unwrap_or_default() + 1,
            status: landing.status,
            outcome: match (&landing.error, landing.status) {
                (None, _) => Outcome::Delivered,
                (Some(_), 0) => Outcome::NoAnswer,
                (Some(_), _) => Outcome::Refused,
            },
            error: landing.error.clone(),
            duration_micros: u64::try_from(landing.took.as_micros()).unwrap_or(u64::MAX),
            faults,
        });
    }
}

fn address(rules: &Rules, lane: &Lane) -> Option<String> {
    match lane.kind {
        Kind::OutboundMessage => rules
            .outbound_message(&lane.rule)
            .map(|rule| rule.endpoint_url.clone()),
        Kind::Callout => rules.callout(&lane.rule).map(|rule| rule.endpoint_url.clone()),
    }
}

fn patience(sandbox: &Sandbox, departure: &Departure) -> Patience {
    let settings = sandbox.settings();
    let longest_millis = settings.outbound_retry_longest_millis;
    let retry = match departure.lane.kind {
        Kind::OutboundMessage => {
            return Patience {
                first_millis: settings.outbound_retry_millis,
                longest_millis,
                attempts: None,
            };
        }
        Kind::Callout => lock(&sandbox.org)
            .push_rules()
            .callout(&departure.lane.rule)
            .and_then(|rule| rule.retry),
    };
    Patience {
        first_millis: retry.map_or(0, |retry| retry.first_millis),
        longest_millis,
        attempts: Some(retry.map_or(1, |retry| retry.attempts)),
    }
}
