//! Care of what is stored: proof, copies, removal.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use cpq_domain::error::Report;
use cpq_domain::{Code, Error, Result};
use futures_util::future::BoxFuture;

use super::{Engine, Place, Store, StoreOptions, stopped};
use crate::copy::{self, Copied, Progress, Target};
use crate::sqlite;
use crate::tx::Tx;

impl Store {
    /// [`Store::write`] for a job that removes values for good: what it frees in the file is overwritten too. In the
    /// write-ahead log older copies stay until [`Store::empty_log`]. A server frees what was removed when it vacuums.
    pub async fn erase<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
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
            Engine::Server(_) => self.write(job).await,
        }
    }

    /// Moves all that is in the write-ahead log into the file and cuts the log off, so that nothing that was removed is left
    /// in it. Waits for readers and for other processes; `false` if one of them held on to it for too long: then the log is
    /// emptied when the last one closes the store. A server is left alone.
    pub async fn empty_log(&self) -> Result<bool> {
        match &self.0.engine {
            Engine::File { readers, .. } => {
                let readers = readers.clone();
                let emptied = tokio::task::spawn_blocking(move || sqlite::empty_log(readers.file())).await;
                emptied.map_err(stopped)?
            }
            Engine::Memory(_) | Engine::Server(_) => Ok(true),
        }
    }

    /// What the engine itself finds wrong with its pages, indexes and constraints, in its words; nothing when all is
    /// well. Reads the whole store; a server is asked for what it has noticed itself.
    pub async fn integrity(&self) -> Result<Vec<String>> {
        match &self.0.engine {
            Engine::File { .. } | Engine::Memory(_) => self.pages().await,
            Engine::Server(server) => server.bad_pages().await,
        }
    }

    async fn pages(&self) -> Result<Vec<String>> {
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

    /// Bytes of the store: of its file without the write-ahead log; on a server, of the whole database.
    pub async fn size(&self) -> Result<u64> {
        match &self.0.engine {
            Engine::Server(server) => server.size().await,
            Engine::File { .. } | Engine::Memory(_) => {
                self.read(|tx| {
                    Box::pin(async move {
                        let mut size = 1_u64;
                        for sql in ["PRAGMA page_count", "PRAGMA page_size"] {
                            let row = tx.first(sql, &[]).await?;
                            size *= row.map_or(Ok(0), |mut row| row.take::<u64>())?;
                        }
                        Ok(size)
                    })
                })
                .await
            }
        }
    }

    /// Which engine it is: `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match &self.0.engine {
            Engine::Server(_) => "postgres",
            Engine::File { .. } | Engine::Memory(_) => "sqlite",
        }
    }

    /// Whether numbers that the engine gives have no gaps among what is committed, so that a gap tells of a loss.
    pub fn numbers_without_gaps(&self) -> bool {
        match &self.0.engine {
            Engine::File { .. } | Engine::Memory(_) => true,
            Engine::Server(_) => false,
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
            Engine::Server(_) => Err(Error::new(
                Code::Unsupported,
                "a store on a PostgreSQL server is backed up with the server's own means; nothing was written",
            )
            .next("pg_dump --format=custom, or continuous archiving")),
        }
    }

    /// Copies every row of a store in a file into an empty store, and reads all of it back before it is committed there:
    /// so there is a whole copy or none. The source is not changed, and nobody else can open it meanwhile. The schema of
    /// the target is brought up to date in the same transaction. `progress` counts rows.
    ///
    /// [`Code::RequestInvalid`] when another process has the source open, when it has an older schema, or when the target
    /// has rows; [`Code::Unsupported`] when the source is no file; [`Code::StoreUnavailable`] when one of them is damaged
    /// or cannot be opened or reached, or holds a text that a server does not take. In all these cases the target was not
    /// changed, unless the error says that this is unknown: a server that vanished in the middle of the commit.
    pub async fn copy(from: StoreOptions, to: StoreOptions, progress: Arc<Progress>) -> Result<Copied> {
        let source = match from.0 {
            Place::File(path) => path,
            Place::Memory | Place::Server(_) => {
                return Err(Error::new(
                    Code::Unsupported,
                    "a copy is made from a store in a file, and the source is none",
                )
                .next("name the file with --from; a database goes to another server with pg_dump"));
            }
        };
        let target = match to.0 {
            Place::File(path) => Target::File(path),
            Place::Server(address) => Target::Server(address),
            Place::Memory => {
                let message = "a store in memory ends with its program; a copy in it would be lost";
                return Err(Error::new(Code::Unsupported, message));
            }
        };
        copy::copy(source, target, progress).await
    }

    /// Why the last write was refused, if it was and none has gone well since.
    pub fn trouble(&self) -> Option<Report> {
        let trouble = self.0.counters.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
