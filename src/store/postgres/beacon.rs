//! One connection beside the pool: it hears when another node has work, knows the server's time, and holds the locks of
//! what only one node does.
//!
//! All three are comfort. News that are missed are found by looking; the time is the same for all nodes because it is the
//! server's; and what a leader does is safe when two do it, only wasteful. So this connection may break at any time, and
//! is made again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::{AsyncMessage, Client};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::failure::failure;
use super::pool::{connector, settings};

/// How often the server's time is asked for. Between two answers this machine's monotonic clock counts on, which is
/// wrong by some microseconds.
const CLOCK_EVERY: Duration = Duration::from_secs(5);
/// Pause before the connection is made again.
const AGAIN: Duration = Duration::from_millis(300);
/// Questions that may wait. Announcements beyond them say nothing new.
const ASKS: usize = 64;
/// First half of the advisory locks that leaders hold.
const LEADING: i32 = 0x6370_716c;

enum Ask {
    Announce,
    Lead(String, oneshot::Sender<bool>),
}

pub(super) struct Beacon {
    asks: mpsc::Sender<Ask>,
    news: watch::Receiver<u64>,
    clock: Arc<Clock>,
}

impl Beacon {
    /// Connects and keeps connected for as long as this lives.
    pub(super) async fn light(address: Address) -> Result<Beacon> {
        let connector = connector(&address)?;
        let (tell, news) = watch::channel(0);
        let (asks, asked) = mpsc::channel(ASKS);
        let clock = Arc::new(Clock::default());
        let place = address.place.clone();
        let keeper = Keeper {
            address,
            connector,
            tell,
            clock: clock.clone(),
        };
        let first = keeper.connect().await;
        let first = first.map_err(|cause| failure(&place, "to connect", &cause).0)?;
        tokio::spawn(keeper.keep(first, asked));
        Ok(Beacon { asks, news, clock })
    }

    /// Tells the other nodes that there is work.
    pub(super) fn announce(&self) {
        // A full line of questions has an announcement in it already, or a server that is away: then looking finds it.
        drop(self.asks.try_send(Ask::Announce));
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    pub(super) fn time(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn leads(&self, name: &str) -> Result<bool> {
        let (answer, told) = oneshot::channel();
        let stopped = || Error::new(Code::StoreUnavailable, "the store is shutting down");
        let ask = Ask::Lead(name.to_owned(), answer);
        self.asks.send(ask).await.map_err(|_| stopped())?;
        told.await.map_err(|_| stopped())
    }
}

/// The server's time when it was asked last, and when that was by this machine's monotonic clock.
#[derive(Default)]
struct Clock(Mutex<Option<(Timestamp, Instant)>>);

impl Clock {
    async fn ask(&self, client: &Client) -> std::result::Result<(), tokio_postgres::Error> {
        let sent = Instant::now();
        let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";
        let said: i64 = client.query_one(sql, &[]).await?.try_get(0)?;
        let half_way = sent + sent.elapsed() / 2;
        if let Ok(said) = Timestamp::from_microsecond(said) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((said, half_way));
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((said, at)) = known else {
            return Timestamp::UNIX_EPOCH;
        };
        let since = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::MAX);
        said.saturating_add(since).unwrap_or(Timestamp::MAX)
    }
}

/// The connection, and what must be done anew with each new one.
struct Keeper {
    address: Address,
    connector: MakeRustlsConnect,
    tell: watch::Sender<u64>,
    clock: Arc<Clock>,
}

struct Light {
    client: Client,
    /// Ends when the connection does.
    heard: JoinHandle<()>,
    /// Names of the locks that are held.
    leads: HashSet<String>,
    channel: String,
}

impl Keeper {
    async fn connect(&self) -> std::result::Result<Light, tokio_postgres::Error> {
        let (client, mut connection) = self.address.config.connect(self.connector.clone()).await?;
        let tell = self.tell.clone();
        let heard = tokio::spawn(async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    tell.send_modify(|count| *count += 1);
                }
            }
        });
        client.batch_execute(&settings()).await?;
        // Nodes of the same schema hear each other, and no others.
        let schema: i32 = client
            .query_one("SELECT hashtext(current_schema())", &[])
            .await?
            .try_get(0)?;
        let channel = format!("cpq_work_{}", schema.cast_unsigned());
        client.batch_execute(&format!("LISTEN {channel}")).await?;
        self.clock.ask(&client).await?;
        // What was announced while nobody listened is looked for.
        self.tell.send_modify(|count| *count += 1);
        Ok(Light {
            client,
            heard,
            leads: HashSet::new(),
            channel,
        })
    }

    async fn keep(self, first: Light, mut asked: mpsc::Receiver<Ask>) {
        let mut light = Some(first);
        loop {
            let shone = match light.take() {
                Some(light) => self.shine(light, &mut asked).await,
                None => wait_in_the_dark(&mut asked).await,
            };
            if shone.is_none() {
                return;
            }
            light = match self.connect().await {
                Ok(light) => Some(light),
                Err(cause) => {
                    let (error, _) = failure(&self.address.place, "to connect", &cause);
                    tracing::warn!(error = %error, "no news from other nodes until the store is back");
                    None
                }
            };
        }
    }

    /// Answers while the connection lasts; `None` when nobody is left to ask.
    async fn shine(&self, mut light: Light, asked: &mut mpsc::Receiver<Ask>) -> Option<()> {
        loop {
            let done = tokio::select! {
                ask = asked.recv() => light.answer(ask?).await,
                () = tokio::time::sleep(CLOCK_EVERY) => self.clock.ask(&light.client).await,
                _ = &mut light.heard => return Some(()),
            };
            if done.is_err() && light.client.is_closed() {
                return Some(());
            }
        }
    }
}

impl Light {
    async fn answer(&mut self, ask: Ask) -> std::result::Result<(), tokio_postgres::Error> {
        match ask {
            Ask::Announce => {
                self.client
                    .batch_execute(&format!("NOTIFY {}", self.channel))
                    .await
            }
            Ask::Lead(name, answer) => {
                let leads = self.lead(name).await;
                // Whoever asked may have gone away.
                let _ = answer.send(matches!(leads, Ok(true)));
                leads.map(drop)
            }
        }
    }

    async fn lead(&mut self, name: String) -> std::result::Result<bool, tokio_postgres::Error> {
        if self.leads.contains(&name) {
            return Ok(!self.client.is_closed());
        }
        let sql = "SELECT pg_try_advisory_lock($1, hashtext(current_schema() || ':' || $2))";
        let got: bool = self.client.query_one(sql, &[&LEADING, &name]).await?.try_get(0)?;
        if got {
            self.leads.insert(name);
        }
        Ok(got)
    }
}

/// Nobody leads without the server. `None` when nobody is left to ask.
async fn wait_in_the_dark(asked: &mut mpsc::Receiver<Ask>) -> Option<()> {
    let until = Instant::now() + AGAIN;
    loop {
        match tokio::time::timeout_at(until, asked.recv()).await {
            Err(_) => return Some(()),
            Ok(None) => return None,
            Ok(Some(Ask::Announce)) => {}
            Ok(Some(Ask::Lead(_, answer))) => {
                let _ = answer.send(false);
            }
        }
    }
}
