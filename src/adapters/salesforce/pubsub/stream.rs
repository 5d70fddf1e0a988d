//! The open feed: what the topics received, worked off one answer after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::adapter::Call;
use cpq_domain::change::{Change, ChangeStream, Changes, Position};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::{Org, probe};
use super::delivery::Delivery;
use super::limits::ANSWERS;
use super::link::Link;
use super::lookup;
use super::place::{self, Place};
use super::receive::{Received, Receiver, Waiting, last_replay};
use super::schema::Schemas;
use super::settings::{Settings, Topic};
use super::wire::FetchResponse;

/// An open feed.
pub(super) struct Stream {
    org: Arc<Org>,
    call: Call,
    link: Link,
    schemas: Arc<Schemas>,
    topics: Vec<Reading>,
    queue: mpsc::Receiver<Received>,
    /// What was taken from the queue and is not delivered yet: a caller may give up waiting in the middle.
    current: Option<(usize, Arc<FetchResponse>)>,
    /// Says where the reader stands before anything came.
    first: Option<Changes>,
    /// The receivers; they end with the stream.
    _receivers: JoinSet<()>,
}

/// How far a topic is read.
struct Reading {
    topic: Topic,
    place: Place,
    waiting: Arc<Waiting>,
    /// The topic was opened at its end: what changed since this moment may have been missed.
    owes: Option<Timestamp>,
}

impl Stream {
    pub(super) async fn open(
        org: Arc<Org>,
        call: &Call,
        settings: &Settings,
        topics: &[Topic],
        schemas: Arc<Schemas>,
        after: Option<&Position>,
    ) -> Result<Stream> {
        let known = after.map(place::places).transpose()?;
        org.layout(call).await?;
        let rest = &org.rest;
        let certificates = &org.config.ca_certificates_pem;
        let link = Link::connect(
            &settings.endpoint,
            certificates,
            &org.config.reach,
            rest.credentials(),
            rest.connection(),
        )
        .await?;
        let allowed = topics.iter().map(|topic| link.may_subscribe(&topic.name));
        futures_util::future::try_join_all(allowed).await?;
        let now = match rest.crm_now() {
            Some(now) => now,
            None => {
                probe::limits(rest, call).await?;
                rest.crm_now().ok_or_else(|| no_clock(rest.connection()))?
            }
        };
        let topics = readings(topics, known.as_ref(), after, now);
        let (receivers, queue) = receive(&topics, &link, settings);
        let mut stream = Stream {
            org,
            call: call.clone(),
            link,
            schemas,
            topics,
            queue,
            current: None,
            first: None,
            _receivers: receivers,
        };
        if stream.topics.iter().any(|reading| reading.place.replay.is_none()) {
            stream.first = Some(stream.delivered(Vec::new(), None)?);
        }
        Ok(stream)
    }

    fn delivered(&self, changes: Vec<Change>, sweep_from: Option<Timestamp>) -> Result<Changes> {
        let places = self
            .topics
            .iter()
            .map(|reading| (reading.topic.name.as_str(), &reading.place));
        Ok(Changes {
            changes,
            position: place::position(places)?,
            sweep_from,
        })
    }

    async fn work_off(&mut self, number: usize, answer: &FetchResponse) -> Result<Changes> {
        let layout = self.org.layout(&self.call).await?;
        let rest = &self.org.rest;
        let reading = &self.topics[number];
        let with = (&self.link, &*self.schemas, &*layout);
        let mut delivery = Delivery::new(with, (&reading.topic, rest.client()), reading.place.seen);
        for event in &answer.events {
            delivery.take(event).await?;
        }
        let found = lookup::find(rest, &self.call, &layout, &delivery.wanted).await?;
        let changes = delivery.changes(&found);
        let (sweep, newest) = (delivery.sweep, delivery.newest);
        let seen = match answer.events.is_empty() {
            // All that was told is read, and nothing more was there to tell.
            true => rest.crm_now(),
            false => newest,
        };
        let reading = &mut self.topics[number];
        reading
            .place
            .advance(last_replay(answer).unwrap_or_default(), seen.map(place::before));
        let sweep = [sweep, reading.owes.take()].into_iter().flatten().min();
        self.delivered(changes, sweep)
    }
}

#[async_trait]
impl ChangeStream for Stream {
    async fn next(&mut self) -> Result<Changes> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let (topic, answer) = match &self.current {
            Some((topic, answer)) => (*topic, answer.clone()),
            None => {
                let received = self
                    .queue
                    .recv()
                    .await
                    .ok_or_else(|| over(self.link.connection()))?;
                let answer = Arc::new(received.what?);
                self.current = Some((received.topic, answer.clone()));
                (received.topic, answer)
            }
        };
        let changes = self.work_off(topic, &answer).await?;
        self.current = None;
        self.topics[topic].waiting.took(&answer);
        Ok(changes)
    }
}

/// Where each topic is read from. One that the position does not know is opened at its end, like all without one.
fn readings(
    topics: &[Topic],
    known: Option<&BTreeMap<String, Place>>,
    after: Option<&Position>,
    now: Timestamp,
) -> Vec<Reading> {
    let seen = after.map_or_else(|| place::before(now), |position| position.seen_until);
    let reading = |topic: &Topic| {
        let stored = known.and_then(|known| known.get(&topic.name)).cloned();
        let place = stored.unwrap_or(Place { replay: None, seen });
        Reading {
            topic: topic.clone(),
            owes: place.replay.is_none().then_some(place.seen),
            place,
            waiting: Arc::default(),
        }
    };
    topics.iter().map(reading).collect()
}

/// Starts a receiver for each topic.
fn receive(topics: &[Reading], link: &Link, settings: &Settings) -> (JoinSet<()>, mpsc::Receiver<Received>) {
    let (out, queue) = mpsc::channel(ANSWERS * topics.len());
    let mut receivers = JoinSet::new();
    for (number, reading) in topics.iter().enumerate() {
        let receiver = Receiver {
            link: link.clone(),
            topic: reading.topic.name.clone(),
            number,
            replay: reading.place.replay.clone(),
            silence: settings.silence,
            waiting: reading.waiting.clone(),
            out: out.clone(),
        };
        receivers.spawn(receiver.run());
    }
    (receivers, queue)
}

fn over(connection: &str) -> Error {
    Error::new(Code::CrmUnavailable, "the event feed ended; open it again").connection(connection)
}

fn no_clock(connection: &str) -> Error {
    let message = "Salesforce does not say what time it is: its answers have no Date";
    Error::new(Code::ProtocolViolation, message).connection(connection)
}
