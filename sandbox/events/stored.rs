//! The bus in a snapshot, so that subscribers go on where they were after a restart: a line about the bus, then a line
//! for each event, so that neither side holds more than one of them beside the bus.

use super::bus::{Bus, Event};
use super::quota::{Counts, Quota};
use super::registry::{Known, Registry};
use super::replay::ReplayId;
use super::{Events, FIRST_COMMIT};
use crate::faults::Faults;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Everything that outlives a process.
#[derive(Debug, Default)]
pub struct Stored {
    head: Head,
    events: Vec<Event>,
}

/// The first line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    counts: Counts,
    gone: u64,
    last: u64,
    commits: i64,
    schemas: Vec<Arc<str>>,
    /// Names of kinds and ids of schemas, which the events refer to by their place.
    words: Vec<Arc<str>>,
    /// How many lines of events follow.
    events: usize,
}

/// Position, milliseconds, place of the kind and of the schema id, id, payload in base64.
#[derive(Debug, Serialize, Deserialize)]
struct Line(u64, i64, usize, usize, Arc<str>, String);

/// The bus as it was at one moment, to be written down while it goes on.
pub struct Still {
    head: Head,
    places: BTreeMap<Arc<str>, usize>,
    events: Vec<Arc<Event>>,
}

impl Events {
    /// What there is at this moment. Events that a fault rule holds back are not in it, as the rules are not.
    pub fn still(&self, now: Timestamp) -> Still {
        let (gone, last, events) = self.bus.kept(now);
        let mut places = BTreeMap::new();
        let mut words = Vec::new();
        for word in events.iter().flat_map(|event| [&event.kind, &event.schema_id]) {
            places.entry(word.clone()).or_insert_with(|| {
                words.push(word.clone());
                words.len() - 1
            });
        }
        let head = Head {
            counts: self.quota.counts(),
            gone,
            last,
            commits: self.commits.load(Ordering::Relaxed),
            schemas: self.registry.texts(),
            words,
            events: events.len(),
        };
        Still { head, places, events }
    }

    /// The bus of a snapshot.
    ///
    /// # Errors
    /// When one of its schemas cannot be read.
    pub fn restore(stored: Stored, faults: Arc<Faults>, quota: Arc<Quota>) -> Result<Events, String> {
        let registry = Registry::default();
        for text in &stored.head.schemas {
            registry.add(Known::read(text).ok_or("snapshot: an event schema cannot be read")?);
        }
        Ok(Events {
            bus: Bus::with(stored.head.gone, stored.head.last, stored.events),
            commits: AtomicI64::new(stored.head.commits.max(FIRST_COMMIT)),
            registry,
            faults,
            quota,
            ..Events::default()
        })
    }
}

impl Stored {
    /// Reads the lines.
    ///
    /// # Errors
    /// Says what cannot be read.
    pub fn read(lines: &mut impl BufRead) -> Result<Stored, String> {
        let broken = |why: &dyn std::fmt::Display| format!("snapshot: events: {why}");
        let mut text = String::new();
        lines.read_line(&mut text).map_err(|error| broken(&error))?;
        let head: Head = serde_json::from_str(&text).map_err(|error| broken(&error))?;
        let mut events = Vec::new();
        for _ in 0..head.events {
            text.clear();
            lines.read_line(&mut text).map_err(|error| broken(&error))?;
            let line: Line = serde_json::from_str(&text).map_err(|error| broken(&error))?;
            events.push(
                line.event(&head.words)
                    .ok_or_else(|| broken(&"one does not fit"))?,
            );
        }
        Ok(Stored { head, events })
    }

    /// What was published and delivered.
    pub fn counts(&self) -> Counts {
        self.head.counts.clone()
    }
}

impl Still {
    /// Writes all lines.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        line(out, &self.head)?;
        let place = |word: &Arc<str>| self.places.get(word).copied().unwrap_or_default();
        for event in &self.events {
            let payload = STANDARD.encode(&event.payload);
            let (kind, schema) = (place(&event.kind), place(&event.schema_id));
            let at = event.at.as_millisecond();
            line(
                out,
                &Line(event.replay_id.0, at, kind, schema, event.id.clone(), payload),
            )?;
        }
        Ok(())
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

impl Line {
    fn event(self, words: &[Arc<str>]) -> Option<Event> {
        let Line(position, millis, kind, schema_id, id, payload) = self;
        Some(Event {
            replay_id: ReplayId(position),
            id,
            kind: words.get(kind)?.clone(),
            schema_id: words.get(schema_id)?.clone(),
            payload: STANDARD.decode(payload).ok()?.into(),
            at: Timestamp::from_millisecond(millis).ok()?,
        })
    }
}
