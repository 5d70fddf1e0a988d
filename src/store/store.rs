//! The store: jobs, each of which is one transaction, on whatever engine is behind it.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::{Code, Error, Result};
use cpq_meter::catalogue::store as meter;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::postgres::{Address, Server};
use crate::sqlite::{Counters, Job, Readers, Session, Writer};
use crate::tx::Tx;

mod about;
mod schema;
mod upkeep;

pub use about::About;

/// Where the store is.
#[derive(Clone, Debug)]
pub struct StoreOptions(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory,
    File(PathBuf),
    Server(Box<Address>),
}

impl StoreOptions {
    /// A store in this file. Directory (0700) and file (0600) are made where they are missing.
    pub fn at(path: impl Into<PathBuf>) -> StoreOptions {
        StoreOptions(Place::File(path.into()))
    }

    /// A store in memory. Its jobs run on the caller's own thread, so that a paused clock sees no idle moment.
    pub fn memory() -> StoreOptions {
        StoreOptions(Place::Memory)
    }

    /// The store behind a URL: `postgres://user:password@host:port/database`, or `sqlite:PATH`. The password is in no
    /// error and no `Debug`.
    ///
    /// [`Code::ConfigInvalid`] when the URL makes no sense, or would send a password in the clear to another machine.
    pub fn at_url(url: &str) -> Result<StoreOptions> {
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(StoreOptions::at(path));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(StoreOptions(Place::Server(Box::new(Address::parse(url)?))));
        }
        let message = "the URL of the store is neither postgres://… nor sqlite:PATH";
        Err(Error::new(Code::ConfigInvalid, message).field("store.url"))
    }

    /// How people call the store: the path of its file, or its URL without password and options.
    pub fn place(&self) -> String {
        match &self.0 {
            Place::Memory => "in memory".to_owned(),
            Place::File(path) => path.display().to_string(),
            Place::Server(address) => address.place.to_string(),
        }
    }

    /// Whether a password came with the URL.
    pub fn has_password(&self) -> bool {
        matches!(&self.0, Place::Server(address) if address.has_password())
    }

    /// Whether several machines can share this store.
    pub fn is_server(&self) -> bool {
        matches!(self.0, Place::Server(_))
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
    Server(Arc<Server>),
}

/// Counters since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions committed. In a file each is one flush of the disk, if it changed anything; so it is on a server, where
    /// flushes are shared.
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
    /// [`Code::StoreTooNew`] when a newer program wrote it; [`Code::StoreUnavailable`] when it is damaged, is no store, or
    /// cannot be opened or reached. In all these cases it was not changed.
    pub async fn open(options: StoreOptions) -> Result<Store> {
        Store::open_and_tell(options).await.map(|(store, _)| store)
    }

    /// Runs a job that writes. `Ok` means that all it wrote is on disk; an error means that nothing of it is, unless the
    /// error says that this is unknown: a server that vanished in the middle of a commit and did not come back.
    ///
    /// The job runs to its end even if the caller goes away. It must await nothing but the [`Tx`], or it would hold up
    /// others. It may run more than once, when other nodes got in its way or the server was away; only its last run
    /// counts.
    pub async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
    {
        let begin = Instant::now();
        let result = self.written(job).await;
        meter::WRITE_DURATION.observe([], begin.elapsed().as_secs_f64(), None);
        noted("write", result)
    }

    async fn written<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
    {
        if let Engine::Server(server) = &self.0.engine {
            return server.write(job).await;
        }
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
            Engine::Server(_) => {}
        }
        result.await.map_err(stopped)?
    }

    /// Runs a job that only reads, in one consistent snapshot. A write in it is refused. It may run more than once, when
    /// the server was away.
    pub async fn read<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
    {
        let result = match &self.0.engine {
            Engine::Server(server) => server.read(job).await,
            Engine::File { readers, .. } => readers.read(job).await,
            Engine::Memory(writer) => writer.lock().unwrap_or_else(PoisonError::into_inner).read(job),
        };
        noted("read", result)
    }

    /// Tells the other nodes that there is work in the queue. They would find it by themselves, later.
    pub fn announce(&self) {
        if let Engine::Server(server) = &self.0.engine {
            server.announce();
        }
    }

    /// Changes whenever a node has announced work; `None` where there is no other node.
    pub fn news(&self) -> Option<watch::Receiver<u64>> {
        match &self.0.engine {
            Engine::Server(server) => Some(server.news()),
            Engine::File { .. } | Engine::Memory(_) => None,
        }
    }

    /// The time of the server, by which all nodes go; `None` where there is no other node.
    pub fn time(&self) -> Option<Timestamp> {
        match &self.0.engine {
            Engine::Server(server) => Some(server.time()),
            Engine::File { .. } | Engine::Memory(_) => None,
        }
    }

    /// Whether this node is the one that does what goes by this name, e.g. a schedule. Whoever is, stays it until its
    /// connection to the server ends; for a moment after that two may be. Without other nodes it is always this one.
    pub async fn leads(&self, name: &str) -> Result<bool> {
        match &self.0.engine {
            Engine::Server(server) => server.leads(name).await,
            Engine::File { .. } | Engine::Memory(_) => Ok(true),
        }
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

/// Counts what failed because of the store itself; what a job refuses is its own affair.
fn noted<T>(work: &'static str, result: Result<T>) -> Result<T> {
    result.inspect_err(|error| {
        if error.code == Code::StoreUnavailable {
            meter::FAILURES.add([work], 1);
        }
    })
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
