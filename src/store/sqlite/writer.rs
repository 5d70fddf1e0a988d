//! The one writer: waiting jobs share one transaction, and so one flush of the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::error::Report;
use cpq_domain::{Code, Error, Result};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::session::{Job, Session};
use crate::limits::{GROUP_JOBS, QUEUED_JOBS};
use crate::tx::Tx;

/// What the writer did so far.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) jobs: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) largest_group: AtomicU64,
    /// Why the last group was undone, until one is kept.
    pub(crate) trouble: Mutex<Option<Report>>,
}

/// Writes jobs in groups.
pub(crate) struct Writer {
    session: Session,
    counters: Arc<Counters>,
}

impl Writer {
    pub(crate) fn new(session: Session, counters: Arc<Counters>) -> Writer {
        Writer { session, counters }
    }

    /// Gives the writer a thread of its own, which ends when the last sender is gone.
    pub(crate) fn start(mut self) -> Result<mpsc::Sender<Box<dyn Job>>> {
        let (sender, mut waiting) = mpsc::channel(QUEUED_JOBS);
        let thread = std::thread::Builder::new().name("store-writer".into());
        let serve = move || {
            while let Some(group) = next_group(&mut waiting) {
                self.write(group);
            }
        };
        match thread.spawn(serve) {
            Ok(_) => Ok(sender),
            Err(cause) => {
                Err(Error::new(Code::StoreUnavailable, "the system gave the store no thread").cause(cause))
            }
        }
    }

    /// Runs a group in one transaction: each job in a savepoint of its own, so that one that fails leaves the others
    /// alone. Nobody is answered before the commit is on disk.
    pub(crate) fn write(&mut self, mut group: Vec<Box<dyn Job>>) {
        let size = group.len() as u64;
        let undone = self.commit(&mut group).err().map(|error| error.report(None));
        self.count(size, undone.is_none());
        let trouble = self.counters.trouble.lock();
        trouble
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&undone);
        if let Some(report) = &undone {
            tracing::warn!(jobs = size, error = %report.message, "the store undid a group of jobs");
        }
        for job in group {
            job.answer(undone.clone().map(|report: Report| Error::from(report)));
        }
    }

    /// Runs a job that may only read.
    pub(crate) fn read<T>(&mut self, job: impl FnOnce(&mut dyn Tx) -> BoxFuture<'_, Result<T>>) -> Result<T> {
        self.session.only_read(true);
        let result = self.session.drive(job);
        self.session.only_read(false);
        result
    }

    fn count(&self, jobs: u64, committed: bool) {
        let counters = &self.counters;
        counters
            .commits
            .fetch_add(u64::from(committed), Ordering::Relaxed);
        counters.jobs.fetch_add(jobs, Ordering::Relaxed);
        counters.largest_group.fetch_max(jobs, Ordering::Relaxed);
    }

    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<()> {
        self.session.run("BEGIN IMMEDIATE", "to begin a transaction")?;
        let done = group.iter_mut().try_for_each(|job| self.one(job.as_mut()));
        let done = done.and_then(|()| self.session.run("COMMIT", "to commit"));
        if done.is_err() && !self.session.is_idle() {
            // The first failure is the one to tell.
            self.session.run("ROLLBACK", "to roll back").ok();
        }
        done
    }

    fn one(&mut self, job: &mut dyn Job) -> Result<()> {
        self.session.run("SAVEPOINT job", "to begin a job")?;
        let keep = job.run(&mut self.session);
        if self.session.is_idle() {
            let message = "the disk failed in the middle of a transaction; nothing of it was kept";
            return Err(Error::new(Code::StoreUnavailable, message));
        }
        if !keep {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            self.session.run("ROLLBACK TO job", "to undo a job")?;
        }
        self.session.run("RELEASE job", "to end a job")
    }
}

/// Waits for a job, and takes with it what else waits already. A lone job waits for nobody.
fn next_group(waiting: &mut mpsc::Receiver<Box<dyn Job>>) -> Option<Vec<Box<dyn Job>>> {
    let mut group = vec![waiting.blocking_recv()?];
    while group.len() < GROUP_JOBS
        && let Ok(job) = waiting.try_recv()
    {
        group.push(job);
    }
    Some(group)
}
