//! The store on a server: jobs, each tried until it is done or refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cpq_domain::error::Written;
use cpq_domain::{Code, Error, Result};
use deadpool_postgres::{Client, Pool};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::address::Address;
use super::attempt::drive;
use super::beacon::Beacon;
use super::failure::{Kind, failure};
use super::migrate;
use super::numbers::Numbers;
use super::patience::Patience;
use super::pool;
use super::session::Session;
use crate::migration::{Migrated, Plan};
use crate::sqlite::Counters;
use crate::store::About;
use crate::tx::Tx;

/// The oldest server that has what the statements use (`pg_current_xact_id`, PostgreSQL 13).
const OLDEST: i32 = 130_000;
/// NULL where it keeps none (PostgreSQL 15, 28.2.15 `pg_stat_database`).
const BAD_PAGES: &str =
    "SELECT COALESCE(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()";
const SIZE: &str = "SELECT pg_database_size(current_database())";
/// Server, size of the database, and TLS of this connection (PostgreSQL 17, 27.2.7 `pg_stat_ssl`).
const ABOUT: &str = "SELECT current_setting('server_version'), pg_database_size(current_database()),
  (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl)";
/// Pause between two questions about a commit that is still under way.
const UNDER_WAY: Duration = Duration::from_millis(50);

/// A pool of connections, and one connection beside it for news, time and leadership.
pub(crate) struct Server {
    pool: Pool,
    place: Arc<str>,
    counters: Arc<Counters>,
    beacon: Beacon,
    numbers: Arc<Numbers>,
}

/// How one try ended.
enum Tried<T> {
    Ended(Result<T>),
    Again(Error, Kind),
}

impl Server {
    /// Connects, and brings the schema up to date.
    pub(crate) async fn open(address: Address, counters: Arc<Counters>) -> Result<(Arc<Server>, Migrated)> {
        let pool = pool::pool(&address)?;
        let place = address.place.clone();
        let mut client = connect(&pool, &place).await?;
        check(&client, &place).await?;
        let migrated = migrate::run(&mut client, &place).await?;
        let numbers = Numbers::new(pool::unhurried(&address)?, place.clone());
        let beacon = Beacon::light(address).await?;
        let server = Server {
            pool,
            place,
            counters,
            beacon,
            numbers,
        };
        Ok((Arc::new(server), migrated))
    }

    /// What [`Server::open`] would do to the schema.
    pub(crate) async fn plan(address: Address) -> Result<Plan> {
        let pool = pool::pool(&address)?;
        let mut client = connect(&pool, &address.place).await?;
        check(&client, &address.place).await?;
        migrate::plan(&mut client, &address.place).await
    }

    /// Runs a job that writes, apart from its caller: it ends even if that one goes away.
    pub(crate) async fn write<T, F>(self: &Arc<Self>, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
    {
        let server = self.clone();
        let done = tokio::spawn(async move { server.write_now(job).await });
        done.await.unwrap_or_else(|cause| Err(stopped(cause)))
    }

    async fn write_now<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
    {
        self.counters.jobs.fetch_add(1, Ordering::Relaxed);
        let mut patience = Patience::new();
        let ended = loop {
            match self.try_writing(job.clone()).await {
                Tried::Ended(ended) => break ended,
                Tried::Again(error, kind) => {
                    if !patience.again(kind).await {
                        break Err(error);
                    }
                }
            }
        };
        if ended.is_err() {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        ended
    }

    async fn try_writing<T, F>(&self, job: F) -> Tried<T>
    where
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>>,
    {
        let mut session = match self.session(false).await {
            Ok(session) => session,
            Err((error, kind)) => return again(error, kind),
        };
        let result = drive(&mut session, job).await;
        let failed = session.failed();
        match (result, failed) {
            (Ok(value), None) => self.commit(session, value).await,
            (Ok(_), Some(_)) => {
                session.roll_back().await;
                let message =
                    "a job of the store went on after a statement that failed; nothing of it was kept";
                Tried::Ended(Err(Error::new(Code::Internal, message)))
            }
            (Err(error), failed) => {
                session.roll_back().await;
                match failed {
                    Some(kind) => again(error, kind),
                    None => Tried::Ended(Err(error)),
                }
            }
        }
    }

    async fn commit<T>(&self, session: Session, value: T) -> Tried<T> {
        let Some(number) = session.number().map(str::to_owned) else {
            return Tried::Ended(Ok(value));
        };
        let Err(cause) = session.commit().await else {
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
            self.counters.largest_group.fetch_max(1, Ordering::Relaxed);
            return Tried::Ended(Ok(value));
        };
        let (error, kind) = failure(&self.place, "to commit", &cause);
        match self.was_committed(&number).await {
            Some(true) => {
                self.counters.commits.fetch_add(1, Ordering::Relaxed);
                Tried::Ended(Ok(value))
            }
            Some(false) => again(error, kind),
            None => {
                let message = format!(
                    "the store {} gave no answer to a commit, so what it would have kept may be there or not",
                    self.place
                );
                Tried::Ended(Err(Error::new(Code::StoreUnavailable, message)
                    .written(Written::Unknown)
                    .cause(error)))
            }
        }
    }

    /// Asks the server what became of a transaction. `None` if it does not know, or does not come back.
    async fn was_committed(&self, number: &str) -> Option<bool> {
        let mut patience = Patience::new();
        loop {
            let asked = match self.pool.get().await {
                Ok(client) => status(&client, number)
                    .await
                    .map_err(|cause| failure(&self.place, "to ask", &cause)),
                Err(cause) => Err(pool::refused(&self.place, cause)),
            };
            match asked.as_ref().map(Option::as_deref) {
                Ok(Some("committed")) => return Some(true),
                Ok(Some("aborted")) => return Some(false),
                Ok(Some(_)) => tokio::time::sleep(UNDER_WAY).await,
                Ok(None) => return None,
                Err(_) => {}
            }
            let kind = asked.map_or_else(|(_, kind)| kind, |_| Kind::Lost);
            if !patience.again(kind).await {
                return None;
            }
        }
    }

    /// Runs a job that reads, in one snapshot.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
    {
        let (answer, told) = oneshot::channel();
        let server = self.clone();
        tokio::spawn(async move { server.read_now(job, answer).await });
        told.await.map_err(stopped)?
    }

    /// Answers before the snapshot is given back, which nobody has to wait for.
    async fn read_now<T, F>(&self, job: F, answer: oneshot::Sender<Result<T>>)
    where
        F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>> + Clone,
    {
        let mut patience = Patience::new();
        loop {
            let (result, kind) = match self.session(true).await {
                Ok(mut session) => {
                    let result = drive(&mut session, job.clone()).await;
                    let kind = session.failed().unwrap_or(Kind::Final);
                    if result.is_ok() {
                        // The caller may have gone away.
                        drop(answer.send(result));
                        return session.roll_back().await;
                    }
                    session.roll_back().await;
                    (result, kind)
                }
                Err((error, kind)) => (Err(error), kind),
            };
            if !patience.again(kind).await {
                drop(answer.send(result));
                return;
            }
        }
    }

    /// Pages of which the server has seen that they are not as it wrote them. One that keeps no checksums (`initdb
    /// --data-checksums`) sees none.
    pub(crate) async fn bad_pages(&self) -> Result<Vec<String>> {
        let client = connect(&self.pool, &self.place).await?;
        let asked = client.query_one(BAD_PAGES, &[]).await;
        let row = asked.map_err(|cause| failure(&self.place, "to ask for damages", &cause).0)?;
        let count: i64 = row.get(0);
        let told = || format!("the server has read {count} pages with a wrong checksum (pg_stat_database)");
        Ok((count > 0).then(told).into_iter().collect())
    }

    /// Bytes of the database.
    pub(crate) async fn size(&self) -> Result<u64> {
        let client = connect(&self.pool, &self.place).await?;
        let asked = client.query_one(SIZE, &[]).await;
        let row = asked.map_err(|cause| failure(&self.place, "to ask for its size", &cause).0)?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    /// What the server is, and how far away.
    pub(crate) async fn about(&self) -> Result<About> {
        let client = connect(&self.pool, &self.place).await?;
        let asking = |cause| failure(&self.place, "to tell of itself", &cause).0;
        let row = client.query_one(ABOUT, &[]).await.map_err(asking)?;
        let (version, bytes, tls): (String, i64, Option<String>) = (row.get(0), row.get(1), row.get(2));
        let asked = Instant::now();
        client.batch_execute("SELECT 1").await.map_err(asking)?;
        Ok(About {
            engine: format!("PostgreSQL {version}"),
            bytes: u64::try_from(bytes).unwrap_or(0),
            log_bytes: None,
            tls,
            answered_in: Some(asked.elapsed()),
        })
    }

    async fn session(&self, reading: bool) -> std::result::Result<Session, (Error, Kind)> {
        let client = self.pool.get().await;
        let client = client.map_err(|cause| pool::refused(&self.place, cause))?;
        let numbers = self.numbers.clone();
        Ok(Session::new(client, self.place.clone(), numbers, reading))
    }

    /// Tells the other nodes that there is work.
    pub(crate) fn announce(&self) {
        self.beacon.announce();
    }

    /// Changes whenever a node has announced work.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.beacon.news()
    }

    /// The server's time.
    pub(crate) fn time(&self) -> Timestamp {
        self.beacon.time()
    }

    /// Whether this node, and no other, does what goes by this name.
    pub(crate) async fn leads(&self, name: &str) -> Result<bool> {
        self.beacon.leads(name).await
    }
}

fn again<T>(error: Error, kind: Kind) -> Tried<T> {
    match kind {
        Kind::Final => Tried::Ended(Err(error)),
        kind => Tried::Again(error, kind),
    }
}

pub(super) async fn connect(pool: &Pool, place: &str) -> Result<Client> {
    let mut patience = Patience::new();
    loop {
        match pool.get().await {
            Ok(client) => return Ok(client),
            Err(cause) => {
                let (error, kind) = pool::refused(place, cause);
                if !patience.again(kind).await {
                    return Err(error);
                }
            }
        }
    }
}

/// Refuses a server that the statements do not run on, and one whose texts are not ours.
pub(super) async fn check(client: &Client, place: &str) -> Result<()> {
    let sql = "SELECT current_setting('server_version_num')::INT, current_setting('server_encoding'),
      current_setting('fsync')";
    let row = client.query_one(sql, &[]).await;
    let row = row.map_err(|cause| failure(place, "to look at the server", &cause).0)?;
    let (version, encoding, fsync): (i32, String, String) = (row.get(0), row.get(1), row.get(2));
    if version < OLDEST {
        let message = format!(
            "the store {place} is PostgreSQL {}; 13 or later is needed",
            version / 10_000
        );
        return Err(Error::new(Code::StoreUnavailable, message).next("upgrade the server"));
    }
    if encoding != "UTF8" {
        let message =
            format!("the database of the store {place} has the encoding {encoding}; UTF8 is needed");
        return Err(
            Error::new(Code::StoreUnavailable, message).next("createdb --encoding=UTF8 --template=template0")
        );
    }
    if fsync != "on" {
        tracing::warn!(
            store = place,
            "the server runs with fsync off: a crash of its machine loses accepted syncs"
        );
    }
    Ok(())
}

async fn status(client: &Client, number: &str) -> std::result::Result<Option<String>, tokio_postgres::Error> {
    let row = client
        .query_one("SELECT pg_xact_status($1::TEXT::xid8)", &[&number])
        .await?;
    row.try_get(0)
}

fn stopped(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Code::StoreUnavailable, "the store is shutting down").cause(cause)
}
