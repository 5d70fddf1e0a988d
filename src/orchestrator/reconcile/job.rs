//! A reconcile from its first page to its certificates. It holds two pages at a time, whatever there is to look at.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::error::{Code, Error, Hold};
use cpq_domain::id::RecordId;
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::paging::SNAPSHOT_ROWS;
use cpq_domain::reconcile::{Fate, Mark, Phase, Reconciliation, State, Told};
use cpq_store::certificates::Hours;
use cpq_store::reconcile_records::Parts;

use super::books::{self, LEASE};
use super::digest::Digest;
use super::judge::Judged;
use super::look::{Looked, Looker};
use crate::engine::Inner;

/// Tries of one page while the other system does not answer; the reconcile can be resumed after that.
const TRIES: u32 = 8;
/// Longest wait between them. Our lease must not end, and whoever watches wants to see a reason before long.
const WAIT_MS: u64 = 30_000;
/// Shortest wait behind an open circuit.
const HELD_MS: u64 = 1_000;
/// How often a page that takes long gives a sign of life.
const BEAT: Duration = Duration::from_secs(15);
/// Pages of quotes between two marks; a page of marks takes a millisecond, and a mark is a commit.
const PAGES_A_MARK: u32 = 20;

/// Why a reconcile does not go on.
pub(super) enum Halt {
    /// Another process has taken it up, or it was abandoned: nothing more may be written.
    Lost,
    /// This process stops.
    Stopping,
    /// It may not use more of the CRM's calls.
    Spent(Error),
    /// Something failed.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Failed(error)
    }
}

/// A reconcile in hand.
pub(super) struct Job {
    pub(super) inner: Arc<Inner>,
    pub(super) looker: Looker,
    pub(super) one: Reconciliation,
    digest: Digest,
    /// The mark and the report as they were last written down.
    durable: (Mark, Told),
    began_us: u64,
    worked_before_ms: u64,
}

impl Job {
    pub(super) fn new(inner: Arc<Inner>, looker: Looker, one: Reconciliation, digest: Digest) -> Job {
        Job {
            began_us: inner.world.monotonic_us(),
            worked_before_ms: one.told.duration_ms,
            durable: (one.mark.clone(), one.told.clone()),
            inner,
            looker,
            one,
            digest,
        }
    }

    /// Works to the end, and writes down how it ended.
    pub(super) async fn run(mut self) {
        let ended = self.work().await;
        let (state, error) = match ended {
            Ok(()) => return self.report(),
            Err(Halt::Lost) => {
                tracing::warn!(reconciliation = %self.one.id, "another process took this reconcile over");
                return;
            }
            Err(Halt::Stopping) => (State::Stopped, None),
            Err(Halt::Spent(error)) => (State::Stopped, Some(error)),
            Err(Halt::Failed(error)) => (State::Failed, Some(error)),
        };
        // Only what was written down counts: the rest is looked at again.
        let (mark, mut told) = self.durable.clone();
        told.api_calls = self.one.told.api_calls;
        (self.one.mark, self.one.told) = (mark, told);
        self.stamp();
        self.one.state = state;
        self.one.ended_at = Some(self.one.updated_at);
        self.one.error = error.map(|error| error.report(Some(self.looker.call.correlation.as_str())));
        self.report();
        if let Err(error) = books::save(&self.looker.store, &self.one, None, books::Page::default()).await {
            tracing::error!(code = %error.code, error = %error, "cannot write down how a reconcile ended");
        }
    }

    fn report(&self) {
        let (told, state) = (&self.one.told, self.one.state.as_str());
        cpq_meter::catalogue::syncs::RECONCILES.add([self.one.order.connection.as_str(), state], 1);
        let differing = told.remaining().records;
        tracing::info!(reconciliation = %self.one.id, state, looked_at = told.looked_at, differing, "reconcile");
    }

    async fn work(&mut self) -> Result<(), Halt> {
        loop {
            match self.one.mark.phase {
                Phase::Crm => self.crm().await?,
                Phase::Cpq => self.cpq().await?,
                Phase::Strays => self.strays().await?,
                Phase::Repair => self.repair().await?,
                Phase::End => return self.end().await,
            }
        }
    }

    /// Pass 1: page by page through the CRM, the next page on its way while this one is looked at.
    async fn crm(&mut self) -> Result<(), Halt> {
        let since = self.one.order.since;
        let after = self.one.mark.after.clone().map(RecordId::new).transpose()?;
        let mut page = self.patiently(|| self.looker.page(since, after.as_ref())).await?;
        loop {
            let next = page.page.next.clone();
            self.one.told.api_calls += u64::from(page.page.calls);
            self.within_budget()?;
            let this = &*self;
            let following = async {
                match &next {
                    Some(after) => this
                        .patiently(|| this.looker.page(since, Some(after)))
                        .await
                        .map(Some),
                    None => Ok(None),
                }
            };
            let (looked, following) =
                futures_util::join!(this.patiently(|| this.looker.examine(&page)), following);
            let looked = looked?;
            looked.quoted.iter().for_each(|id| self.digest.add_crm(id));
            let mark = match &next {
                Some(after) => at(Phase::Crm, after.as_str()),
                None if since.is_some() => start(Phase::Strays),
                None => start(Phase::Cpq),
            };
            let held = u64::from(SNAPSHOT_ROWS) * u64::from(next.is_some());
            self.keep(looked, held, mark, true).await?;
            match following? {
                Some(following) => page = following,
                None => return Ok(()),
            }
        }
    }

    /// Pass 2: counts the CPQ's quotes against what the CRM showed. No call of the CRM.
    async fn cpq(&mut self) -> Result<(), Halt> {
        let mut after = self.one.mark.after.clone();
        for number in 1_u32.. {
            let page = self.patiently(|| self.marks(None, after.as_deref())).await?;
            for quote in &page.quotes {
                self.digest.add_cpq(&quote.opportunity.id);
            }
            self.one.told.quotes_counted += page.quotes.len() as u64;
            after = page.next;
            let Some(mark) = &after else { break };
            if number.is_multiple_of(PAGES_A_MARK) {
                self.one.mark = at(Phase::Cpq, mark);
                self.save(books::Page::default(), true).await?;
            }
        }
        let even = self.digest.is_even();
        self.one.mark = start(if even { Phase::Repair } else { Phase::Strays });
        self.save(books::Page::default(), true).await
    }

    /// Looks up the opportunities of quotes in uneven buckets; in a window, those of all quotes that changed. A batch ends
    /// where a page of quotes ends, so that its mark is exact: what is counted is never counted again.
    async fn strays(&mut self) -> Result<(), Halt> {
        let since = self.one.order.since;
        let mut after = self.one.mark.after.clone();
        let mut ids: Vec<RecordId> = Vec::new();
        loop {
            let page = self.patiently(|| self.marks(since, after.as_deref())).await?;
            let all = page.quotes.into_iter().map(|quote| quote.opportunity.id);
            let suspects: Vec<_> = all
                .filter(|id| since.is_some() || self.digest.is_suspect(id))
                .collect();
            if ids.len() + suspects.len() > SNAPSHOT_ROWS as usize {
                let mark = after
                    .as_deref()
                    .map_or(start(Phase::Strays), |after| at(Phase::Strays, after));
                self.look_up(std::mem::take(&mut ids), mark).await?;
            }
            ids.extend(suspects);
            after = page.next;
            if after.is_none() {
                return self.look_up(ids, start(Phase::Repair)).await;
            }
        }
    }

    async fn look_up(&mut self, ids: Vec<RecordId>, mark: Mark) -> Result<(), Halt> {
        let since = self.one.order.since;
        let looked = match ids.is_empty() {
            true => Looked::default(),
            false => self.patiently(|| self.looker.examine_strays(&ids, since)).await?,
        };
        self.keep(looked, 0, mark, false).await?;
        self.within_budget()
    }

    async fn end(&mut self) -> Result<(), Halt> {
        self.stamp();
        self.one.state = State::Done;
        self.one.ended_at = Some(self.one.updated_at);
        let mut ended = self.one.clone();
        ended.state = State::Done;
        match books::certify(&self.looker.store, &ended).await? {
            true => Ok(()),
            false => Err(Halt::Lost),
        }
    }

    async fn marks(
        &self,
        since: Option<jiff::Timestamp>,
        after: Option<&str>,
    ) -> cpq_domain::Result<cpq_domain::paging::QuoteMarkPage> {
        let Looker {
            scene,
            call,
            connection,
            ..
        } = &self.looker;
        scene
            .cpq
            .page(call, connection.as_str(), since, after, PAGE_ROWS)
            .await
    }

    /// Adds what was seen of a batch to the report, the certificates and the list of what differs.
    async fn keep(&mut self, looked: Looked, more_held: u64, mark: Mark, digest: bool) -> Result<(), Halt> {
        let told = &mut self.one.told;
        let all = || {
            looked
                .fine
                .iter()
                .chain(&looked.differing)
                .chain(&looked.in_flight)
        };
        told.looked_at += all().count() as u64;
        told.api_calls += looked.calls;
        told.settled_on_second_look += looked.settled;
        told.in_flight += looked.in_flight.len() as u64;
        told.excluded += all().filter(|judged| judged.excluded).count() as u64;
        told.stored_differently += all()
            .map(|judged| u64::from(judged.stored_differently))
            .sum::<u64>();
        told.records_held = told.records_held.max(looked.held + more_held);
        for judged in &looked.differing {
            told.found.add(judged.name(), &judged.differences);
        }
        let page = books::Page {
            add: hours(all()),
            take_out: Hours::new(),
            records: looked
                .differing
                .iter()
                .map(|judged| (judged.differing(Fate::Open), parts_of(judged)))
                .collect(),
        };
        self.one.mark = mark;
        self.save(page, digest).await
    }

    /// Writes down how far it has come; a good moment to see whether the process stops.
    pub(super) async fn save(&mut self, page: books::Page, digest: bool) -> Result<(), Halt> {
        self.stamp();
        let digest = digest.then(|| self.digest.to_bytes());
        if !books::save(&self.looker.store, &self.one, digest, page).await? {
            return Err(Halt::Lost);
        }
        self.durable = (self.one.mark.clone(), self.one.told.clone());
        match self.inner.stop.is_cancelled() {
            true => Err(Halt::Stopping),
            false => Ok(()),
        }
    }

    fn stamp(&mut self) {
        let now = self.inner.world.now();
        let worked_us = self.inner.world.monotonic_us().saturating_sub(self.began_us);
        self.one.told.duration_ms = self.worked_before_ms + worked_us / 1_000;
        self.one.updated_at = now;
        self.one.lease_until = now + LEASE;
    }

    /// Refuses to go on when the share of the CRM's calls is used up.
    fn within_budget(&self) -> Result<(), Halt> {
        let Some(budget) = self.looker.scene.crm.budget().filter(|budget| budget.max > 0) else {
            return Ok(());
        };
        let share = budget
            .max
            .saturating_mul(self.inner.settings.reconcile.calls_percent)
            / 100;
        let used = self.one.told.api_calls;
        if used <= share {
            return Ok(());
        }
        let message = format!(
            "this reconcile has made {used} calls, and {share} of the CRM's {} a day are its share",
            budget.max
        );
        Err(Halt::Spent(
            Error::new(Code::CrmLimit, message)
                .connection(self.looker.connection.as_str())
                .next("go on tomorrow with `cpq reconcile --resume`, or raise reconcile.calls_percent"),
        ))
    }

    /// Does something that only reads, and again if it failed in a way that passes.
    pub(super) async fn patiently<T, F>(&self, work: impl Fn() -> F) -> Result<T, Halt>
    where
        F: Future<Output = cpq_domain::Result<T>>,
    {
        let mut tries = 0;
        loop {
            let error = match self.alive(work()).await? {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match error.held() {
                // It has had its share, or nobody has calls left today.
                Some(Hold::Share | Hold::DailyLimit) => return Err(Halt::Spent(error)),
                // Nothing was tried: the circuit says when it may be.
                Some(Hold::Circuit | Hold::RetryBudget) => {
                    let wait = error.retry_after_ms.unwrap_or(0).clamp(HELD_MS, WAIT_MS);
                    self.alive(tokio::time::sleep(Duration::from_millis(wait)))
                        .await?;
                    continue;
                }
                None => tries += 1,
            }
            let retry = &self.inner.settings.retry;
            let wait = retry.wait_ms(&error, tries, 0, self.inner.world.as_ref());
            let Some(wait) = wait.filter(|_| tries < TRIES && error.class().passes_with_time()) else {
                return Err(Halt::Failed(error));
            };
            tracing::warn!(code = %error.code, error = %error, tries, "a look of a reconcile failed; trying again");
            self.alive(tokio::time::sleep(Duration::from_millis(wait.min(WAIT_MS))))
                .await?;
        }
    }

    /// Waits for something, with signs of life, as long as this process goes on.
    pub(super) async fn alive<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let mut work = std::pin::pin!(work);
        loop {
            // In this order always: a choice by chance would make two equal runs differ.
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = self.inner.stop.cancelled() => return Err(Halt::Stopping),
                () = tokio::time::sleep(BEAT) => {}
            }
            let until = self.inner.world.now() + LEASE;
            if !books::touch(&self.looker.store, self.one.id, self.one.attempt, until).await? {
                return Err(Halt::Lost);
            }
        }
    }
}

pub(super) fn at(phase: Phase, after: &str) -> Mark {
    Mark {
        phase,
        after: Some(after.to_owned()),
    }
}

pub(super) fn start(phase: Phase) -> Mark {
    Mark { phase, after: None }
}

/// A record's part in the certificates of its hour.
pub(super) fn parts_of(judged: &Judged) -> Parts {
    Parts {
        hour: judged.hour,
        of: judged.parts.clone(),
    }
}

/// What these records add to their hours.
pub(super) fn hours<'a>(all: impl Iterator<Item = &'a Judged>) -> Hours {
    let mut hours = Hours::new();
    for judged in all {
        for (object, tally) in &judged.parts {
            let hour = hours.entry((*object, judged.hour)).or_default();
            *hour = hour.plus(*tally);
        }
    }
    hours
}
