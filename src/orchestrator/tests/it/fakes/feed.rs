//! A CRM that tells of changes: a tape of events, of which the old ones can be gone, and a list of what changed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use cpq_domain::adapter::Call;
use cpq_domain::change::{
    Change, ChangeFeed, ChangeKind, ChangeStream, ChangeSweep, Changes, Hint, Position, SweepPage,
};
use cpq_domain::id::RecordId;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::world::Life;

/// Seconds since 1970 of the first event; each comes a second after the one before.
const FIRST: i64 = 1_772_442_000;

/// One thing that the feed delivers, scripted.
#[derive(Clone)]
pub enum Told {
    /// It fails, and so does the stream.
    Failed(Code),
    /// It says that it left something out since the event of that number.
    Missing(usize),
}

/// Events, and what becomes of those who read them.
#[derive(Default)]
pub struct Tape {
    inner: Mutex<Inner>,
    news: Notify,
}

#[derive(Default)]
struct Inner {
    /// Ids of opportunities.
    events: Vec<String>,
    /// Events before this one are gone.
    begin: usize,
    /// What becomes of the next reads.
    script: VecDeque<Told>,
    /// What becomes of the next pages of a sweep.
    sweeps: VecDeque<Told>,
    /// Ids that a sweep lists beside the events, each a page.
    changed: Vec<String>,
    /// What was asked, in order.
    asked: Vec<String>,
}

impl Tape {
    pub fn tell(&self, opportunities: &[&str]) {
        let ids = opportunities.iter().map(|id| (*id).to_owned());
        self.inner().events.extend(ids);
        self.news.notify_waiters();
    }

    /// Lets the events before that number be gone.
    pub fn forget(&self, begin: usize) {
        self.inner().begin = begin;
    }

    /// What a sweep finds, page by page.
    pub fn changed(&self, opportunities: &[&str]) {
        self.inner().changed = opportunities.iter().map(|id| (*id).to_owned()).collect();
    }

    pub fn script(&self, told: impl IntoIterator<Item = Told>) {
        self.inner().script.extend(told);
        self.news.notify_waiters();
    }

    pub fn script_sweeps(&self, told: impl IntoIterator<Item = Told>) {
        self.inner().sweeps.extend(told);
    }

    /// Lets sweeps succeed from now on.
    pub fn forget_sweeps(&self) {
        self.inner().sweeps.clear();
    }

    pub fn asked(&self) -> Vec<String> {
        self.inner().asked.clone()
    }

    /// How often something of this kind was asked.
    pub fn count(&self, what: &str) -> usize {
        self.inner()
            .asked
            .iter()
            .filter(|asked| asked.starts_with(what))
            .count()
    }

    /// The feed as a process reads it.
    pub fn feed(self: &Arc<Self>, life: Arc<Life>) -> Arc<TapeFeed> {
        let tape = self.clone();
        Arc::new(TapeFeed { tape, life })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("not poisoned")
    }
}

/// The tape as one process reads it.
#[derive(Clone)]
pub struct TapeFeed {
    tape: Arc<Tape>,
    life: Arc<Life>,
}

struct TapeStream {
    feed: TapeFeed,
    at: usize,
    is_first: bool,
}

pub fn moment(number: usize) -> Timestamp {
    let number = i64::try_from(number).expect("a short tape");
    Timestamp::from_second(FIRST + number).expect("a moment")
}

fn position(at: usize) -> Position {
    let mark = at.to_string().into_bytes();
    let seen_until = moment(at);
    Position { mark, seen_until }
}

fn number(position: &Position) -> usize {
    let text = std::str::from_utf8(&position.mark).expect("text");
    text.parse().expect("a number")
}

fn change(id: &str, event: String) -> Change {
    let hint = Hint {
        source: "tape".into(),
        event: Some(event),
        kind: ChangeKind::Changed,
        at: None,
        by: None,
        ours: false,
        fields: Vec::new(),
    };
    let opportunity = RecordId::new(id).expect("an id");
    Change { opportunity, hint }
}

fn failed(code: Code) -> Error {
    Error::new(code, "the feed failed as it was told to")
}

#[async_trait]
impl ChangeFeed for TapeFeed {
    fn name(&self) -> &str {
        "tape"
    }

    async fn open(&self, _call: &Call, after: Option<&Position>) -> Result<Box<dyn ChangeStream>> {
        self.life.point(("feed.open", "before"));
        let mut inner = self.tape.inner();
        let at = after.map_or(inner.events.len(), number);
        let asked = after.map_or("open end".to_owned(), |_| format!("open {at}"));
        inner.asked.push(asked);
        if at < inner.begin {
            return Err(failed(Code::CursorExpired));
        }
        let feed = self.clone();
        let is_first = after.is_none();
        Ok(Box::new(TapeStream { feed, at, is_first }))
    }
}

impl TapeStream {
    fn take(&mut self) -> Option<Result<Changes>> {
        let mut inner = self.feed.tape.inner();
        match inner.script.pop_front() {
            Some(Told::Failed(code)) => return Some(Err(failed(code))),
            Some(Told::Missing(since)) => {
                return Some(Ok(Changes {
                    changes: Vec::new(),
                    position: position(self.at),
                    sweep_from: Some(moment(since)),
                }));
            }
            None => {}
        }
        // Two events at once, so that there are batches.
        let end = inner.events.len().min(self.at + 2);
        if end == self.at && !std::mem::take(&mut self.is_first) {
            return None;
        }
        inner.asked.push(format!("read {end}"));
        let events = (self.at..end).map(|n| change(&inner.events[n], format!("event {n}")));
        let changes = events.collect();
        self.at = end;
        Some(Ok(Changes {
            changes,
            position: position(end),
            sweep_from: None,
        }))
    }
}

#[async_trait]
impl ChangeStream for TapeStream {
    async fn next(&mut self) -> Result<Changes> {
        loop {
            self.feed.life.point(("feed.next", "before"));
            let tape = self.feed.tape.clone();
            let news = tape.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if let Some(taken) = self.take() {
                return taken;
            }
            news.await;
        }
    }
}

#[async_trait]
impl ChangeSweep for TapeFeed {
    async fn changed_since(&self, _call: &Call, since: Timestamp, after: Option<&[u8]>) -> Result<SweepPage> {
        self.life.point(("feed.sweep", "before"));
        let mut inner = self.tape.inner();
        let page = after.map_or(0, |after| usize::from(after[0]));
        inner
            .asked
            .push(format!("sweep {} page {page}", since.as_second() - FIRST));
        if let Some(Told::Failed(code)) = inner.sweeps.pop_front() {
            return Err(failed(code));
        }
        let here = inner.changed.get(page).into_iter();
        let changes = here.map(|id| change(id, format!("swept {id}"))).collect();
        let next = (page + 1 < inner.changed.len()).then(|| vec![u8::try_from(page + 1).expect("few pages")]);
        let as_of = moment(inner.events.len());
        Ok(SweepPage { changes, as_of, next })
    }
}
