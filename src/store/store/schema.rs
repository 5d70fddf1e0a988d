//! Opening, and what it does to the schema.

use std::sync::{Arc, Mutex};

use cpq_domain::{Code, Error, Result};

use super::{Engine, Inner, Place, Store, StoreOptions, stopped};
use crate::migration::{Migrated, Plan};
use crate::postgres::Server;
use crate::sqlite::{self, Counters, Readers, Writer};

impl Store {
    /// [`Store::open`], which also tells what was done to the schema.
    pub async fn open_and_tell(options: StoreOptions) -> Result<(Store, Migrated)> {
        let counters = Arc::new(Counters::default());
        let (engine, migrated) = match options.0 {
            Place::Memory => {
                let (session, migrated) = sqlite::in_memory()?;
                let writer = Writer::new(session, counters.clone());
                (Engine::Memory(Mutex::new(writer)), migrated)
            }
            Place::Server(address) => {
                let (server, migrated) = Server::open(*address, counters.clone()).await?;
                (Engine::Server(server), migrated)
            }
            Place::File(path) => {
                let opened = tokio::task::spawn_blocking(move || sqlite::file_at(path)).await;
                let (file, session, migrated) = opened.map_err(stopped)??;
                let writer = Writer::new(session, counters.clone()).start()?;
                let readers = Readers::new(file);
                (Engine::File { writer, readers }, migrated)
            }
        };
        Ok((Store(Arc::new(Inner { engine, counters })), migrated))
    }

    /// What opening the store would do to its schema. Changes nothing, and makes no file.
    ///
    /// Errors are those of [`Store::open`].
    pub async fn plan(options: StoreOptions) -> Result<Plan> {
        match options.0 {
            Place::Memory => Err(Error::new(
                Code::Unsupported,
                "a store in memory has no schema before it is opened",
            )),
            Place::Server(address) => Server::plan(*address).await,
            Place::File(path) => {
                let planned = tokio::task::spawn_blocking(move || sqlite::plan(&path)).await;
                planned.map_err(stopped)?
            }
        }
    }
}
