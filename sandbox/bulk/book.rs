//! All jobs: made, found, listed, forgotten.

use super::classic::job::ClassicJob;
use super::job::{Job, State};
use super::limits::{BYTES_KEPT, JOBS_KEPT, OPEN_LIFE, RESULT_LIFE};
use crate::org::{ApiError, Id};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Key prefix of jobs.
const JOB: [u8; 3] = *b"750";
/// Key prefix of batches of the older API.
const BATCH: [u8; 3] = *b"751";

/// All jobs, in the order of their making. Batches of the older API are jobs too, behind all others.
#[derive(Debug, Default)]
pub struct Book {
    jobs: BTreeMap<Id, Job>,
    classic: BTreeMap<Id, ClassicJob>,
    made: u64,
    turns: u64,
}

/// The form in the snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pages {
    jobs: Vec<Job>,
    classic: Vec<ClassicJob>,
    made: u64,
    turns: u64,
}

impl Book {
    /// Continues the jobs of a snapshot.
    pub fn from_pages(pages: Pages) -> Self {
        Self {
            jobs: pages.jobs.into_iter().map(|job| (job.id, job)).collect(),
            classic: pages.classic.into_iter().map(|job| (job.id, job)).collect(),
            made: pages.made,
            turns: pages.turns,
        }
    }

    /// The form for the snapshot.
    pub fn pages(&self) -> Pages {
        Pages {
            jobs: self.jobs.values().cloned().collect(),
            classic: self.classic.values().cloned().collect(),
            made: self.made,
            turns: self.turns,
        }
    }

    /// Forgets all jobs, as a reset does. Ids are not used again: a client may still ask for an old one.
    pub fn clear(&mut self) {
        self.jobs.clear();
        self.classic.clear();
    }

    /// The id of the next job, if there is room for it.
    ///
    /// # Errors
    /// LIMIT_EXCEEDED when every job is still at work.
    pub fn next_id(&mut self) -> Result<Id, ApiError> {
        self.numbered(JOB)
    }

    /// The id of the next batch, if there is room for it.
    ///
    /// # Errors
    /// LIMIT_EXCEEDED when every job is still at work.
    pub fn next_batch_id(&mut self) -> Result<Id, ApiError> {
        self.numbered(BATCH)
    }

    fn numbered(&mut self, prefix: [u8; 3]) -> Result<Id, ApiError> {
        self.make_room(0)?;
        self.made += 1;
        Ok(Id::new(prefix, self.made))
    }

    /// Puts a job in.
    pub fn add(&mut self, job: Job) {
        self.jobs.insert(job.id, job);
    }

    /// Gives a closed job its place in the queue.
    pub fn close(&mut self, id: Id, now: Timestamp) {
        self.turns += 1;
        let turn = self.turns;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.turn = turn;
            job.stepped = crate::clock::stopwatch();
            job.enter(State::UploadComplete, now);
        }
    }

    /// A job.
    pub fn job(&self, id: Id) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// A job, to change it.
    pub fn job_mut(&mut self, id: Id) -> Option<&mut Job> {
        self.jobs.get_mut(&id)
    }

    /// Puts a job of the older API in.
    pub fn add_classic(&mut self, job: ClassicJob) {
        self.classic.insert(job.id, job);
    }

    /// A job of the older API.
    pub fn classic(&self, id: Id) -> Option<&ClassicJob> {
        self.classic.get(&id)
    }

    /// A job of the older API, to change it.
    pub fn classic_mut(&mut self, id: Id) -> Option<&mut ClassicJob> {
        self.classic.get_mut(&id)
    }

    /// The batches of a job of the older API, in the order of their making.
    pub fn batches(&self, of: Id) -> impl Iterator<Item = &Job> {
        let batches = self.jobs.range(Id::new(BATCH, 0)..);
        batches.map(|(_, job)| job).filter(move |job| job.is_batch_of(of))
    }

    /// Leaves the batches of a job that wait for their turn.
    pub fn leave_batches(&mut self, of: Id, now: Timestamp) {
        let waiting = |job: &&mut Job| job.is_batch_of(of) && job.state == State::UploadComplete;
        for job in self.jobs.values_mut().filter(waiting) {
            job.enter(State::Aborted, now);
        }
    }

    /// Takes a job out.
    pub fn remove(&mut self, id: Id) {
        self.jobs.remove(&id);
    }

    /// Bytes that all jobs take in memory.
    pub fn weight(&self) -> usize {
        self.jobs.values().map(Job::weight).sum()
    }

    /// Jobs of the Bulk API 2.0 made after this one, or all.
    pub fn after(&self, id: Option<Id>) -> impl Iterator<Item = &Job> {
        self.jobs
            .values()
            .filter(move |job| job.batch.is_none() && id.is_none_or(|id| job.id > id))
    }

    /// Jobs of the older API made after this one, or all.
    pub fn classic_after(&self, id: Option<Id>) -> impl Iterator<Item = &ClassicJob> {
        self.classic
            .values()
            .filter(move |job| id.is_none_or(|id| job.id > id))
    }

    /// Jobs that wait or are worked on.
    pub fn queued(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| job.state.is_queued())
    }

    /// Forgets jobs that ended seven days ago, and those that were left open as long. A job of the older API is as old
    /// as its youngest batch.
    pub fn forget_old(&mut self, now: Timestamp) {
        self.jobs
            .retain(|_, job| job.state.is_queued() || now.duration_since(job.modified) < RESULT_LIFE);
        let used: HashSet<Id> = self.jobs.values().filter_map(Job::batch_of).collect();
        self.classic
            .retain(|id, job| used.contains(id) || now.duration_since(job.modified) < RESULT_LIFE);
    }

    /// Makes room for so many bytes, at the cost of the oldest finished jobs.
    ///
    /// # Errors
    /// LIMIT_EXCEEDED when what is left is still at work.
    pub fn make_room(&mut self, bytes: usize) -> Result<(), ApiError> {
        let mut weight = self.weight();
        let full = |jobs: usize, weight: usize| jobs >= JOBS_KEPT || weight + bytes > BYTES_KEPT;
        while full(self.jobs.len() + self.classic.len(), weight) {
            let oldest = self.jobs.values().find(|job| job.state.is_terminal());
            let Some((id, freed)) = oldest.map(|job| (job.id, job.weight())) else {
                if self.forget_emptied() {
                    continue;
                }
                let message = "There is no room for more bulk jobs: delete or finish some";
                return Err(ApiError::bad("LIMIT_EXCEEDED", message));
            };
            weight -= freed;
            self.jobs.remove(&id);
        }
        Ok(())
    }

    /// Forgets the oldest job of the older API that takes no batches and has none; false when there is none.
    fn forget_emptied(&mut self) -> bool {
        let used: HashSet<Id> = self.jobs.values().filter_map(Job::batch_of).collect();
        let emptied = |job: &&ClassicJob| !job.takes_batches() && !used.contains(&job.id);
        let oldest = self.classic.values().find(emptied).map(|job| job.id);
        oldest.is_some_and(|id| self.classic.remove(&id).is_some())
    }
}

/// Whether an open job still takes data.
pub fn takes_data(job: &Job, now: Timestamp) -> bool {
    job.state == State::Open && now.duration_since(job.created) < OPEN_LIFE
}
