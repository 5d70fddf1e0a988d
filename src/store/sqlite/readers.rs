//! Read-only connections. Each job sees one moment of the store, whatever is written meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::{Code, Error, Result};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::open::File;
use super::session::Session;
use crate::limits::READERS;
use crate::tx::Tx;

/// A small pool, filled as it is needed.
pub(crate) struct Readers {
    file: File,
    turns: Semaphore,
    idle: Mutex<Vec<Session>>,
}

impl Readers {
    pub(crate) fn new(file: File) -> Arc<Readers> {
        Arc::new(Readers {
            file,
            turns: Semaphore::new(READERS),
            idle: Mutex::default(),
        })
    }

    /// The file that is read.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Runs a job on a blocking thread, in a snapshot.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let _turn = self.turns.acquire().await.map_err(stopped)?;
        let pool = Arc::clone(self);
        tokio::task::spawn_blocking(move || pool.read_now(job))
            .await
            .map_err(stopped)?
    }

    fn read_now<T, F>(&self, job: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>>,
    {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = match idle {
            Some(session) => session,
            None => self.file.reader()?,
        };
        session.run("BEGIN", "to begin reading")?;
        let result = session.drive(job);
        // A session whose snapshot cannot be ended is dropped, and with it the snapshot.
        if session.run("ROLLBACK", "to end reading").is_ok() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(session);
        }
        result
    }
}

fn stopped(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::StoreUnavailable, "the store is shutting down").cause(cause)
}
