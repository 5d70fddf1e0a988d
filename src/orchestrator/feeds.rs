//! Following what a CRM tells of changes: one reader per connection and feed, which turns changes into runs.
//!
//! A position is stored in the transaction that makes durable what came before it, never earlier, and never beyond what
//! was not read. What a feed left out is made good by a sweep: everything that changed since is looked at.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::change::{ChangeFeed, ChangeSweep};
use cpq_domain::id::ConnectionName;
use cpq_domain::run::Trigger;
use jiff::SignedDuration;
use tokio::sync::watch;

mod failure;
mod look_again;
mod reader;
mod sweep;

pub use look_again::LookAgain;
pub(crate) use {look_again::look_again, reader::follow};

/// Which changed opportunities are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Those that have a quote, or that somebody asked for by their id.
    Quoted,
    /// Every one: a quote is made where there is none yet.
    All,
}

/// How feeds are read.
#[derive(Clone, Copy, Debug)]
pub struct FeedSettings {
    /// Which changed opportunities are looked at.
    pub follow: Follow,
    /// How far behind the last known moment a sweep begins: a transaction of the CRM becomes visible later than its
    /// records are stamped.
    pub overlap: SignedDuration,
    /// Runs that may wait for a worker before the reader waits too.
    pub backlog_max: u32,
}

/// A feed to be followed.
#[derive(Clone)]
pub struct Subscription {
    /// The CRM connection.
    pub connection: ConnectionName,
    /// The organisation behind it: a position in another one counts for nothing.
    pub origin: String,
    /// What tells of changes.
    pub feed: Arc<dyn ChangeFeed>,
    /// What lists them where the feed left something out.
    pub sweep: Arc<dyn ChangeSweep>,
    /// What its runs are marked with.
    pub trigger: Trigger,
    /// How it is read.
    pub settings: FeedSettings,
    /// Tells whether the feed is being read without a failure.
    pub live: Option<watch::Sender<bool>>,
}

/// How often to look whether the workers have caught up. Looking costs a read of the store.
const BACKLOG_LOOK: Duration = Duration::from_millis(500);
/// How often to look for a new login of a connection whose grant is dead. No call is made for it.
const RECONNECT_LOOK: Duration = Duration::from_secs(5);
/// How often to try a feed again that the CRM refuses for good: somebody may switch events on.
const REFUSED_LOOK: Duration = Duration::from_secs(3_600);
/// Pages of one sweep. At some hundred rows each it is more than any CRM changes in the time that events are kept.
const SWEEP_PAGES: usize = 100_000;
