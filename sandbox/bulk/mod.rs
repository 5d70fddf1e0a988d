//! Bulk API 2.0: jobs that load files of records or write the records of a query into files (Bulk API 2.0 Developer
//! Guide). Requests make and watch jobs; one worker does their work, by the same rules as every other write.

mod answer;
mod book;
mod cells;
pub mod classic;
mod columns;
pub mod dialect;
mod extract;
mod ingest;
pub mod job;
mod kept;
pub mod limits;
mod load;
mod multipart;
mod outcome;
mod pages;
mod properties;
mod query;
mod results;
mod scan;
mod upload;
mod worker;

pub use answer::{answer, body_limit, concerns};
pub use worker::work;

use crate::state::lock;
use book::{Book, Pages};
use limits::{Daily, DailyUsage};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use tokio::sync::Notify;

/// All bulk jobs of a sandbox.
#[derive(Debug, Default)]
pub struct Bulk {
    /// What was used in the last 24 hours.
    pub daily: Daily,
    book: Mutex<Book>,
    wake: Notify,
}

/// The form in the snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BulkFace {
    book: Pages,
    daily: DailyUsage,
}

impl Bulk {
    /// Continues the jobs of a snapshot: those that were under way go on where they were.
    pub fn from_face(face: BulkFace) -> Self {
        Self {
            daily: Daily::from_usage(face.daily),
            book: Mutex::new(Book::from_pages(face.book)),
            wake: Notify::new(),
        }
    }

    /// The form for the snapshot, and what `with` makes while no job can take a step: what a job has written and what
    /// it knows of that must be of the same moment.
    pub fn face_with<T>(&self, with: impl FnOnce() -> T) -> (BulkFace, T) {
        let book = lock(&self.book);
        let face = BulkFace {
            book: book.pages(),
            daily: self.daily.usage(),
        };
        (face, with())
    }

    /// Forgets all jobs, as a reset does.
    pub fn clear(&self) {
        lock(&self.book).clear();
        self.daily.clear();
    }

    /// Says that there may be something to do: a job was closed, or a setting changed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}
