//! The store: one writer whose jobs share commits, and readers beside it.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::error::Report;
use cpq_domain::{Code, Error, Result};
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::sqlite::{self, Counters, Job, Readers, Session, Writer};
use crate::tx::Tx;

/// Where the store is.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// The file; `None` for a store in memory that ends with its last handle.
    pub path: Option<PathBuf>,
}

impl StoreOptions {
    /// A store in this file. Directory (0700) and file (0600) are made where they are missing.
    pub fn at(path: impl Into<PathBuf>) -> StoreOptions {
        StoreOptions {
            path: Some(path.into()),
        }
    }

    /// A store in memory. Its jobs run on the caller's own thread, so that a paused clock sees no idle moment.
    pub fn memory() -> StoreOptions {
        StoreOptions::default()
    }
}

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Engine,
    counters: Arc<Counters>,
}

enum Engine {
    File {
        writer: mpsc::Sender<Box<dyn Job>>,
        readers: Arc<Readers>,
    },
    Memory(Mutex<Writer>),
}

/// Counters since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions committed. In a file each is one flush of the disk, if it changed anything.
    pub commits: u64,
    /// Write jobs run, kept or not.
    pub jobs: u64,
    /// Write jobs that failed by themselves and were undone alone.
    pub refused: u64,
    /// Jobs in the largest group so far.
    pub largest_group: u64,
}

impl Store {
    /// Opens the store and brings its schema up to date; several processes may do so at once.
    ///
    /// [`Code::StoreTooNew`] when a newer program wrote it; [`Code::StoreUnavailable`] when the file is damaged, is no
    /// store, or cannot be opened. In all these cases the file was not changed.
    pub async fn open(options: StoreOptions) -> Result<Store> {
        let counters = Arc::new(Counters::default());
        let engine = match options.path {
            None => Engine::Memory(Mutex::new(Writer::new(sqlite::in_memory()?, counters.clone()))),
            Some(path) => {
                let opened = tokio::task::spawn_blocking(move || sqlite::file_at(path)).await;
                let (file, session) = opened.map_err(stopped)??;
                let writer = Writer::new(session, counters.clone()).start()?;
                Engine::File {
                    writer,
                    readers: Readers::new(file),
                }
            }
        };
        Ok(Store(Arc::new(Inner { engine, counters })))
    }

    /// Runs a job that writes. `Ok` means that all it wrote is on disk; an error means that nothing of it is.
    ///
    /// The job runs to its end even if the caller goes away. It must await nothing but the [`Tx`]: jobs wait in one
    /// line, and one that waited for something else would hold up all others.
    pub async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let job = Box::new(Waiting {
            job: Some(job),
            result: None,
            answer,
        });
        match &self.0.engine {
            Engine::Memory(writer) => writer
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(vec![job]),
            Engine::File { writer, .. } => writer.send(job).await.map_err(|_| stopped("the writer ended"))?,
        }
        result.await.map_err(stopped)?
    }

    /// The same for a job that removes values for good: what it frees in the file is overwritten too. In the write-ahead
    /// log older copies stay until the log is used again from its beginning.
    pub async fn erase<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        match &self.0.engine {
            // Otherwise SQLite overwrites only what costs no further I/O, and pages that become free keep their bytes.
            Engine::File { .. } | Engine::Memory(_) => {
                self.write(move |tx| {
                    Box::pin(async move {
                        tx.query("PRAGMA secure_delete = ON", &[]).await?;
                        let done = job(tx).await;
                        tx.query("PRAGMA secure_delete = FAST", &[]).await?;
                        done
                    })
                })
                .await
            }
        }
    }

    /// Runs a job that only reads, in one consistent snapshot. A write in it is refused.
    pub async fn read<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        match &self.0.engine {
            Engine::File { readers, .. } => readers.read(job).await,
            Engine::Memory(writer) => writer.lock().unwrap_or_else(PoisonError::into_inner).read(job),
        }
    }

    /// What the engine itself finds wrong with its pages, indexes and constraints, in its words; nothing when all is
    /// well. Reads the whole store.
    pub async fn integrity(&self) -> Result<Vec<String>> {
        let found = self
            .read(|tx| {
                Box::pin(async move {
                    let rows = tx.query("PRAGMA integrity_check(20)", &[]).await?;
                    rows.into_iter()
                        .map(|mut row| row.take::<String>())
                        .collect::<Result<Vec<_>>>()
                })
            })
            .await;
        match found {
            Ok(found) => Ok(found.into_iter().filter(|line| line != "ok").collect()),
            // A page that cannot be read at all is what was asked for.
            Err(error) if error.code == Code::StoreUnavailable => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }

    /// Whether numbers that the engine gives have no gaps among what is committed, so that a gap tells of a loss.
    pub fn numbers_without_gaps(&self) -> bool {
        match &self.0.engine {
            Engine::File { .. } | Engine::Memory(_) => true,
        }
    }

    /// Copies the store, as it is at one moment, into a new file, while others go on writing. Returns its bytes.
    ///
    /// [`Code::RequestInvalid`] when the file is there already; [`Code::StoreUnavailable`] when it cannot be written, or
    /// when the store is damaged. In both cases there is no new file.
    pub async fn backup(&self, to: PathBuf) -> Result<u64> {
        match &self.0.engine {
            Engine::File { readers, .. } => {
                let readers = readers.clone();
                let copied = tokio::task::spawn_blocking(move || sqlite::backup(readers.file(), &to)).await;
                copied.map_err(stopped)?
            }
            Engine::Memory(_) => Err(Error::new(
                Code::Unsupported,
                "a store in memory is not backed up: it ends with its program",
            )),
        }
    }

    /// Why the last write was refused, if it was and none has gone well since.
    pub fn trouble(&self) -> Option<Report> {
        let trouble = self.0.counters.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was done so far, e.g. to print commits per sync.
    pub fn stats(&self) -> StoreStats {
        let counters = &self.0.counters;
        StoreStats {
            commits: counters.commits.load(Ordering::Relaxed),
            jobs: counters.jobs.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            largest_group: counters.largest_group.load(Ordering::Relaxed),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn stopped(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Code::StoreUnavailable, "the store is shutting down").cause(cause)
}

/// A job in the line, with whoever waits for it.
struct Waiting<F, T> {
    job: Option<F>,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Waiting<F, T>
where
    T: Send,
    F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Send,
{
    fn run(&mut self, session: &mut Session) -> bool {
        let Some(job) = self.job.take() else { return false };
        let result = session.drive(job);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, undone: Option<Error>) {
        let result = match (self.result, undone) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(undone)) => Err(undone),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::new(
                Code::Internal,
                "a job of the store was committed without being run",
            )),
        };
        // The caller may have gone away; the job is done all the same.
        drop(self.answer.send(result));
    }
}
