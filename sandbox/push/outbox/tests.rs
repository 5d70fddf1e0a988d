//! The queue under every order of events, and at its bounds.

use super::{Departure, MAX_ITEMS, Outbox, Patience};
use crate::clock::shifted;
use crate::faults::Twists;
use crate::push::callout::Request;
use crate::push::item::{Answer, Item, Kind, Lane};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

const START: Timestamp = Timestamp::UNIX_EPOCH;
const LIFE_SECONDS: u32 = 1_000;
const PER_ENDPOINT: usize = 2;

fn item(kind: Kind, rule: &str, now: Timestamp, twists: Twists) -> Item {
    Item {
        number: 0,
        lane: Lane {
            kind,
            rule: rule.to_owned(),
        },
        object: "Account".to_owned(),
        record: "001000000000001AAA".to_owned(),
        queued_at: now,
        due_at: now,
        attempts: 0,
        last: None,
        request: None,
        twists,
        flying: false,
    }
}

fn answer(at: Timestamp, good: bool) -> Answer {
    Answer {
        at,
        status: 200,
        error: (!good).then(|| "no".to_owned()),
    }
}

fn patience(kind: Kind) -> Patience {
    let attempts = match kind {
        Kind::OutboundMessage => None,
        Kind::Callout => Some(3),
    };
    Patience {
        first_millis: 10_000,
        longest_millis: 100_000,
        attempts,
    }
}

#[derive(Debug, Clone)]
enum Event {
    Add { rule: usize, twists: Twists },
    Look,
    Land { which: usize, good: bool },
    Wait { seconds: u32 },
    Retry,
}

fn event() -> impl Strategy<Value = Event> {
    let twists = (any::<bool>(), any::<bool>(), 0_u32..3, 0_u64..50_000).prop_map(
        |(twice, held, deaf, delay_millis)| Twists {
            twice,
            held,
            deaf,
            delay_millis,
            ..Twists::default()
        },
    );
    prop_oneof![
        4 => (0_usize..4, twists).prop_map(|(rule, twists)| Event::Add { rule, twists }),
        4 => Just(Event::Look),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, good)| Event::Land { which, good }),
        2 => (0_u32..600).prop_map(|seconds| Event::Wait { seconds }),
        1 => Just(Event::Retry),
    ]
}

/// A queue with four rules over three endpoints, and what a courier would have in its hands.
struct Run {
    outbox: Outbox,
    now: Timestamp,
    flights: Vec<Departure>,
    added: usize,
    done: BTreeSet<u64>,
}

impl Run {
    fn lane(rule: usize) -> (Kind, String) {
        match rule % 2 {
            0 => (Kind::OutboundMessage, format!("R{rule}")),
            _ => (Kind::Callout, format!("R{rule}")),
        }
    }

    fn look(&mut self) {
        // Rules 0 and 1 share an endpoint.
        let address = |lane: &Lane| {
            Some(if matches!(lane.rule.as_str(), "R0" | "R1") {
                "a".to_owned()
            } else {
                lane.rule.clone()
            })
        };
        let departures = self.outbox.depart(self.now, LIFE_SECONDS, PER_ENDPOINT, address);
        for departure in &departures {
            assert!(
                departure.items.iter().all(|item| item.due_at <= self.now),
                "nothing leaves early"
            );
        }
        self.flights.extend(departures);
        let mut flying = BTreeSet::new();
        let mut endpoints: HashMap<&str, usize> = HashMap::new();
        for flight in &self.flights {
            *endpoints.entry(&flight.url).or_default() += 1;
            for item in &flight.items {
                assert!(flying.insert(item.number), "nothing is under way twice");
            }
        }
        assert!(endpoints.values().all(|count| *count <= PER_ENDPOINT));
    }

    fn land(&mut self, which: usize, good: bool) {
        if self.flights.is_empty() {
            return;
        }
        let flight = self.flights.swap_remove(which % self.flights.len());
        self.outbox
            .land(&flight, &answer(self.now, good), patience(flight.lane.kind));
        let waiting: BTreeSet<u64> = self.outbox.items().map(|item| item.number).collect();
        let gone = flight
            .items
            .iter()
            .map(|item| item.number)
            .filter(|number| !waiting.contains(number));
        let failed: BTreeSet<u64> = self.outbox.failed().map(|one| one.item.number).collect();
        self.done.extend(gone.filter(|number| !failed.contains(number)));
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Add { rule, twists } => {
                let (kind, name) = Self::lane(rule);
                self.outbox.add(item(kind, &name, self.now, twists));
                self.added += 1;
            }
            Event::Look => self.look(),
            Event::Land { which, good } => self.land(which, good),
            Event::Wait { seconds } => self.now = shifted(self.now, i64::from(seconds) * 1_000),
            Event::Retry => drop(self.outbox.retry(self.now, |_| true)),
        }
        let kept = self.outbox.items().count() + self.outbox.failed().count();
        assert_eq!(
            kept + self.done.len(),
            self.added,
            "nothing is lost, nothing is made up"
        );
    }
}

proptest! {
    #[test]
    fn every_item_ends_once_and_none_is_forgotten(events in prop::collection::vec(event(), 1..120)) {
        let mut run = Run { outbox: Outbox::default(), now: START, flights: Vec::new(), added: 0, done: BTreeSet::new() };
        for event in events {
            run.step(event);
        }
        // With good answers everything ends, and waiting for the next event alone is enough to get there.
        for _ in 0..2_000 {
            run.look();
            while !run.flights.is_empty() {
                run.land(0, true);
                run.look();
            }
            match run.outbox.next_event(run.now, LIFE_SECONDS) {
                Some(next) => {
                    prop_assert!(next > run.now, "time goes on");
                    run.now = next;
                }
                None => break,
            }
        }
        prop_assert_eq!(run.outbox.items().count(), 0);
    }

    #[test]
    fn a_snapshot_holds_what_waits(events in prop::collection::vec(event(), 1..60)) {
        let mut run = Run { outbox: Outbox::default(), now: START, flights: Vec::new(), added: 0, done: BTreeSet::new() };
        for event in events {
            run.step(event);
        }
        let shown = |outbox: &Outbox| {
            let waiting = outbox.items().map(|item| (item.number, item.due_at, item.attempts));
            waiting.collect::<Vec<_>>()
        };
        let kept = serde_json::to_value(&run.outbox).unwrap();
        let restored = Outbox::restored(serde_json::from_value(kept).unwrap());
        prop_assert_eq!(shown(&restored), shown(&run.outbox));
        prop_assert_eq!(restored.failed().count(), run.outbox.failed().count());
        // What was under way is sent again, so nothing is flying and everything ends.
        let mut again = Run { outbox: restored, flights: Vec::new(), ..run };
        for _ in 0..2_000 {
            again.look();
            while !again.flights.is_empty() {
                again.land(0, true);
                again.look();
            }
            match again.outbox.next_event(again.now, LIFE_SECONDS) {
                Some(next) => again.now = next,
                None => break,
            }
        }
        prop_assert_eq!(again.outbox.items().count(), 0);
    }
}

#[test]
fn a_full_queue_gives_up_what_comes_and_keeps_what_it_has() {
    let mut outbox = Outbox::default();
    for _ in 0..MAX_ITEMS + 5 {
        outbox.add(item(Kind::OutboundMessage, "R", START, Twists::default()));
    }
    assert_eq!(outbox.items().count(), MAX_ITEMS);
    assert_eq!(
        outbox.failed().map(|one| one.reason.as_str()).collect::<Vec<_>>(),
        ["the queue is full"; 5]
    );
}

#[test]
fn bodies_are_kept_up_to_a_bound_waiting_and_given_up() {
    let mut outbox = Outbox::default();
    let body: std::sync::Arc<str> = "x".repeat(1024 * 1024).into();
    for _ in 0..200 {
        let request = Request {
            body: body.clone(),
            headers: Vec::new(),
            message_id: String::new(),
        };
        outbox.add(Item {
            request: Some(request),
            ..item(Kind::Callout, "R", START, Twists::default())
        });
    }
    assert_eq!(outbox.items().count(), 64);
    assert_eq!(outbox.failed().count(), 64);
}
