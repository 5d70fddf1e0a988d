//! Batching without waiting: calls of different syncs become one remote call, and an idle connection sends at once.
//!
//! While [`BATCH_IN_FLIGHT`] calls of a kind are under way, the next ones gather; whoever comes back takes all that
//! gathered, up to the most that one call carries. No timer is involved there, so a lone call is never late.
//!
//! Where more than [`BATCH_CALM`] are under way or wait, calls are what is scarce: then a further call goes out beside
//! another one only if it is full, and what does not fill one waits until the other one is back, and then for company as
//! long as some comes: [`LINGERS`] times as long as that call took from one to the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cpq_domain::call_budget::Purpose;
use cpq_domain::error::{Class, Written};
use cpq_domain::{Code, Error, Result};
use cpq_meter::catalogue::crm::BATCH;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::limits::{BATCH_CALM, BATCH_IN_FLIGHT, BATCH_LINGER, BATCH_WAITING, LINGERS};

/// Calls of one kind.
#[async_trait]
pub(crate) trait Job: Send + Sync + 'static {
    /// One call.
    type Item: Clone + Send + Sync + 'static;
    /// Its answer.
    type Answer: Send + 'static;

    /// Items that one call carries at most.
    const MOST: usize;

    /// Name in metrics.
    const NAME: &'static str;

    /// What a call is whose task broke off: for a write the outcome is not known.
    const BROKEN: (Code, Written);

    /// How many calls may be under way at the same time, just now.
    fn in_flight(&self) -> usize {
        BATCH_IN_FLIGHT
    }

    /// What an item is for: of those that wait, what is more urgent goes first, and of equals what came first.
    fn purpose(item: &Self::Item) -> Purpose;

    /// Correlation id of whom an item is for.
    fn correlation(item: &Self::Item) -> &str;

    /// How many of those that wait fit into one call, from the first on.
    fn fitting<'a>(waiting: impl Iterator<Item = &'a Self::Item>) -> usize
    where
        Self::Item: 'a,
    {
        waiting.take(Self::MOST).count()
    }

    /// Does all items in one remote call. The outer error is that of the call as a whole.
    async fn run(&self, items: &[Self::Item]) -> Result<Vec<Result<Self::Answer>>>;
}

/// Gathers calls of one kind to one connection.
pub(crate) struct Gather<J: Job> {
    job: Arc<J>,
    queue: Arc<Mutex<Queue<J>>>,
}

struct Queue<J: Job> {
    /// Calls under way.
    in_flight: usize,
    /// Items that those calls carry.
    carried: usize,
    /// Those calls that carry something live.
    live: usize,
    /// Whether the only place waits for company.
    lingers: bool,
    /// Tells that place that company came.
    came: Arc<Notify>,
    waiting: VecDeque<Waiting<J>>,
}

impl<J: Job> Queue<J> {
    /// How many of those that wait fit into one call: the first in any case, or it would wait for ever.
    fn fitting(&self) -> usize {
        let many = J::fitting(self.waiting.iter().map(|waiting| &waiting.item));
        many.max(usize::from(!self.waiting.is_empty()))
    }

    /// Whether `next` may have a place beside the `most` that there are: what somebody waits for does not wait behind
    /// background calls that took every place, unless the CRM asks us to slow down.
    fn is_express(&self, most: usize, next: Option<Purpose>) -> bool {
        next == Some(Purpose::Live) && self.live == 0 && most >= BATCH_IN_FLIGHT
    }

    fn next_purpose(&self) -> Option<Purpose> {
        self.waiting.front().map(|waiting| J::purpose(&waiting.item))
    }

    /// Whether what waits is worth a call beside those that are under way.
    fn deserves_a_call(&self) -> bool {
        !self.is_crowded() || self.is_full()
    }

    fn is_crowded(&self) -> bool {
        self.carried + self.waiting.len() > BATCH_CALM
    }

    fn is_full(&self) -> bool {
        self.fitting() < self.waiting.len()
    }
}

struct Waiting<J: Job> {
    item: J::Item,
    /// What waits for it.
    span: Span,
    answer: oneshot::Sender<Result<J::Answer>>,
}

impl<J: Job> Gather<J> {
    pub(crate) fn new(job: J) -> Self {
        let queue = Queue {
            in_flight: 0,
            carried: 0,
            live: 0,
            lingers: false,
            came: Arc::default(),
            waiting: VecDeque::new(),
        };
        Gather {
            job: Arc::new(job),
            queue: Arc::new(Mutex::new(queue)),
        }
    }

    /// Does one item, alone or with others. Runs in a task of its own: dropping this future leaves the others whole.
    ///
    /// # Errors
    /// Those of the job, and [`Code::Overloaded`] when too many wait already.
    pub(crate) async fn call(&self, item: J::Item) -> Result<J::Answer> {
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting {
            item,
            span: Span::current(),
            answer: sender,
        };
        if self.enter(waiting)? {
            let (job, queue) = (self.job.clone(), self.queue.clone());
            tokio::spawn(drain(job, queue));
        }
        answer.await.unwrap_or_else(|_| {
            let (code, written) = J::BROKEN;
            Err(Error::new(code, format!("a {} call broke off", J::NAME)).written(written))
        })
    }

    /// Queues it; says whether a new call is to be started.
    fn enter(&self, waiting: Waiting<J>) -> Result<bool> {
        let mut queue = lock(&self.queue);
        if queue.waiting.len() >= BATCH_WAITING {
            let message = format!("{BATCH_WAITING} {} calls wait already", J::NAME);
            return Err(Error::new(Code::Overloaded, message).retry_after_ms(1_000));
        }
        let urgency = J::purpose(&waiting.item);
        let behind = |other: &Waiting<J>| J::purpose(&other.item) <= urgency;
        let at = queue.waiting.partition_point(behind);
        queue.waiting.insert(at, waiting);
        if queue.lingers {
            queue.lingers = !queue.is_full();
            queue.came.notify_one();
            return Ok(false);
        }
        let most = self.job.in_flight().max(1);
        let express = queue.is_express(most, Some(urgency));
        let free = queue.in_flight < most + usize::from(express);
        let starts = queue.in_flight == 0 || (free && (express || queue.deserves_a_call()));
        queue.in_flight += usize::from(starts);
        Ok(starts)
    }
}

/// One call's place among those in flight.
struct Place<J: Job> {
    queue: Arc<Mutex<Queue<J>>>,
    /// Items of the call that is under way, and whether one of them is live.
    carried: usize,
    live: bool,
    given_back: bool,
}

impl<J: Job> Place<J> {
    /// Waits for company where many were or are under way and what waits does not fill a call: the next ones are on
    /// their way, and calls are what is scarce. Until it is full, or nobody came for [`LINGERS`] times as long as the
    /// last call took: a store that gives syncs one by one sends them so, too.
    async fn linger(&self, took: Duration) {
        let came = {
            let mut queue = lock(&self.queue);
            if took.is_zero() || queue.in_flight > 1 || queue.deserves_a_call() {
                return;
            }
            queue.lingers = true;
            queue.came.clone()
        };
        let latest = Instant::now() + BATCH_LINGER;
        while lock(&self.queue).lingers {
            let patience = latest.min(Instant::now() + took * LINGERS);
            if tokio::time::timeout_at(patience, came.notified()).await.is_err() {
                lock(&self.queue).lingers = false;
            }
        }
    }

    /// The next batch. When nothing waits that is worth a call, or there are more calls under way than may be, the place
    /// is given back under the same lock, so that no caller can come in between and find nobody to serve it. The last
    /// place takes whatever waits.
    fn next(&mut self, most: usize) -> Vec<Waiting<J>> {
        let mut queue = lock(&self.queue);
        queue.carried -= std::mem::take(&mut self.carried);
        queue.live -= usize::from(std::mem::take(&mut self.live));
        queue.waiting.retain(|waiting| !waiting.answer.is_closed());
        let others = queue.in_flight > 1;
        let (next, most) = (queue.next_purpose(), most.max(1));
        let express = queue.is_express(most, next);
        let too_many = queue.in_flight > most + usize::from(express);
        let many = match too_many || (others && !express && !queue.deserves_a_call()) {
            true => 0,
            false => queue.fitting(),
        };
        if many == 0 {
            queue.in_flight -= 1;
            self.given_back = true;
        }
        self.carried = many;
        queue.carried += many;
        // The most urgent are the first.
        self.live = many > 0 && next == Some(Purpose::Live);
        queue.live += usize::from(self.live);
        queue.waiting.drain(..many).collect()
    }
}

/// After a panic of the job: the place is free, and whoever waits is told, instead of waiting for ever.
impl<J: Job> Drop for Place<J> {
    fn drop(&mut self) {
        if !self.given_back {
            let mut queue = lock(&self.queue);
            queue.in_flight -= 1;
            queue.lingers = false;
            queue.carried -= self.carried;
            queue.live -= usize::from(self.live);
            queue.waiting.clear();
        }
    }
}

fn lock<J: Job>(queue: &Mutex<Queue<J>>) -> MutexGuard<'_, Queue<J>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn drain<J: Job>(job: Arc<J>, queue: Arc<Mutex<Queue<J>>>) {
    let mut place = Place {
        queue,
        carried: 0,
        live: false,
        given_back: false,
    };
    // Whoever is about to call in this very moment comes along.
    tokio::task::yield_now().await;
    let mut took = Duration::ZERO;
    loop {
        place.linger(took).await;
        let (items, (spans, answers)): (Vec<_>, (Vec<_>, Vec<_>)) = place
            .next(job.in_flight())
            .into_iter()
            .map(|waiting| (waiting.item, (waiting.span, waiting.answer)))
            .unzip();
        if items.is_empty() {
            return;
        }
        BATCH.observe([J::NAME], count(items.len()), None);
        let begin = Instant::now();
        let results = run(&*job, &items).instrument(shared::<J>(&items, spans)).await;
        took = begin.elapsed();
        for (answer, result) in answers.into_iter().zip(results) {
            // The caller may have gone meanwhile; the answer is then of no use to anyone.
            let _ = answer.send(result);
        }
    }
}

/// The span of a remote call: that of the only one who waits for it. What many share belongs to none of their traces; it
/// is one of its own, linked with each of them.
fn shared<J: Job>(items: &[J::Item], mut spans: Vec<Span>) -> Span {
    if spans.len() == 1 {
        return spans.remove(0);
    }
    let all = || items.iter().map(J::correlation).collect::<Vec<_>>().join(",");
    let span = tracing::info_span!(
        target: "cpq_trace",
        parent: None,
        "batch",
        otel.name = format!("batch {}", J::NAME),
        joint = true,
        correlation = all(),
        "cpq.batch.size" = items.len(),
    );
    for one in &spans {
        span.follows_from(one);
    }
    span
}

/// Runs a batch. One that is refused as a whole is taken apart, so that one bad item does not take others with it.
async fn run<J: Job>(job: &J, items: &[J::Item]) -> Vec<Result<J::Answer>> {
    let error = match job.run(items).await {
        Ok(results) => return results,
        Err(error) => error,
    };
    if items.len() == 1 || !matches!(error.class(), Class::Validation | Class::Protocol) {
        return items.iter().map(|_| Err(copy(&error))).collect();
    }
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        let alone = job.run(std::slice::from_ref(item)).await;
        results.push(alone.and_then(|mut one| one.pop().unwrap_or_else(|| Err(copy(&error)))));
    }
    results
}

/// The same error for another caller. The cause is kept as text.
pub(crate) fn copy(error: &Error) -> Error {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let same = Error::from(error.report(None));
    match cause {
        Some(cause) => same.cause(cause),
        None => same,
    }
}

/// Small counts as metrics want them.
fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
