//! Changes by asking for them: what was stamped since the last look, and what was deleted.
//!
//! Sources: REST API Developer Guide, "Get Deleted"; Object Reference, "System Fields". A record is stamped when it is
//! written and becomes visible when its transaction is committed, up to ten minutes later (Apex Developer Guide,
//! "Execution Governors and Limits"), so each look begins an overlap before the end of the last one, and what is known
//! already is left out. Stamps are whole seconds, and a bulk load gives thousands of records one stamp, so pages go on
//! behind (stamp, id). Only the CRM's own clock counts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::change::{ChangeFeed, ChangeStream, ChangeSweep, Changes, Position, SweepPage};
use cpq_domain::error::{Code, Error};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Org, SalesforceAdapter};
use seen::Seen;
use window::Window;

mod deleted;
mod seen;
mod sources;
mod window;

pub use sources::Watched;

/// How far behind the CRM's clock a look ends: its answers name the second in which they began.
const SAFETY: SignedDuration = SignedDuration::from_secs(2);

/// After this time, at the latest, a look finds what was stamped: the clock of the CRM, as its answers tell it, may be a
/// second behind, stamps are cut to whole seconds, and a look ends before that clock.
pub const FOUND_AFTER: Duration = Duration::from_secs(SAFETY.as_secs().unsigned_abs() + 2);

/// How to look for changes.
#[derive(Clone, Debug)]
pub struct Polling {
    /// How far before the end of the last look a look begins. Below ten minutes long transactions are missed.
    pub overlap: SignedDuration,
    /// Rows of a page, at most 2,000.
    pub rows: u32,
    /// Whose changes count.
    pub watched: Vec<Watched>,
    /// Time between two looks; it may change while the feed is open.
    pub pace: watch::Receiver<Duration>,
}

/// A feed that asks. Also the sweep of every other feed of the org.
pub struct PollingFeed {
    org: Arc<Org>,
    settings: Polling,
}

impl SalesforceAdapter {
    /// The feed that asks this org. It shares token, call budget and description with the adapter.
    pub fn polling(&self, settings: Polling) -> PollingFeed {
        let org = self.org.clone();
        PollingFeed { org, settings }
    }
}

#[async_trait]
impl ChangeFeed for PollingFeed {
    fn name(&self) -> &str {
        "poll"
    }

    async fn open(&self, call: &Call, after: Option<&Position>) -> Result<Box<dyn ChangeStream>> {
        let now = present(&self.org, call).await?;
        let seen_until = after.map_or(now, |position| position.seen_until);
        let stored = after.and_then(|position| serde_json::from_slice(&position.mark).ok());
        // Without a mark that we can read the moment is enough to go on from.
        let mark = stored.unwrap_or(Mark {
            window: None,
            deleted_until: seen_until,
        });
        Ok(Box::new(PollingStream {
            org: self.org.clone(),
            settings: self.settings.clone(),
            call: call.clone(),
            mark,
            seen_until,
            seen: Seen::default(),
            last: None,
        }))
    }
}

#[async_trait]
impl ChangeSweep for PollingFeed {
    async fn changed_since(&self, call: &Call, since: Timestamp, after: Option<&[u8]>) -> Result<SweepPage> {
        let mut window = match after {
            Some(token) => serde_json::from_slice(token).map_err(|cause| {
                Error::new(Code::Internal, "the mark of a page of a sweep cannot be read").cause(cause)
            })?,
            None => {
                let until = present(&self.org, call).await?;
                Window::between(since, until, since, &self.settings.watched)
            }
        };
        let page = window::page(&self.org, call, &mut window, self.settings.rows).await?;
        if page.deletes_lost {
            let connection = self.org.rest.connection();
            tracing::warn!(connection, %since, "Salesforce forgot what was deleted so long ago; the schedule finds it");
        }
        let next = (!window.is_read()).then(|| encode(&window));
        Ok(SweepPage {
            changes: page.rows.into_iter().map(|row| row.change).collect(),
            as_of: window.until,
            next: next.transpose()?,
        })
    }
}

/// Where a reader stands beside the moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mark {
    /// The look that is under way.
    window: Option<Window>,
    /// Deletions before this moment are known.
    deleted_until: Timestamp,
}

struct PollingStream {
    org: Arc<Org>,
    settings: Polling,
    call: Call,
    mark: Mark,
    seen_until: Timestamp,
    seen: Seen,
    /// When the last look began.
    last: Option<Instant>,
}

#[async_trait]
impl ChangeStream for PollingStream {
    async fn next(&mut self) -> Result<Changes> {
        let mut window = match &self.mark.window {
            Some(window) => window.clone(),
            None => {
                self.pause().await;
                self.fresh_window()
            }
        };
        let page = window::page(&self.org, &self.call, &mut window, self.settings.rows).await?;
        let sweep_from = page.deletes_lost.then_some(self.seen_until);
        self.mark.deleted_until = page.deletes_covered.unwrap_or(self.mark.deleted_until);
        if window.is_read() {
            self.seen_until = self.seen_until.max(window.until);
            self.mark.window = None;
        } else {
            self.mark.window = Some(window);
        }
        let seen = &mut self.seen;
        let fresh = page.rows.into_iter().filter(|row| seen.is_new(row));
        let changes = fresh.map(|row| row.change).collect();
        self.seen.forget_before(self.begin());
        Ok(Changes {
            changes,
            position: Position {
                mark: encode(&self.mark)?,
                seen_until: self.seen_until,
            },
            sweep_from,
        })
    }
}

impl PollingStream {
    fn fresh_window(&mut self) -> Window {
        self.last = Some(Instant::now());
        let until = self.org.rest.crm_now().map_or(self.seen_until, before);
        // The CRM's clock may have been set back; what was seen stays seen.
        let until = until.max(self.seen_until);
        Window::between(
            self.begin(),
            until,
            self.mark.deleted_until,
            &self.settings.watched,
        )
    }

    /// Where the next look begins.
    fn begin(&self) -> Timestamp {
        self.seen_until
            .saturating_sub(self.settings.overlap)
            .unwrap_or(Timestamp::MIN)
    }

    /// Waits until the next look is due; the first one is at once.
    async fn pause(&mut self) {
        let Some(last) = self.last else { return };
        loop {
            let due = last + *self.settings.pace.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                changed = self.settings.pace.changed() => {
                    if changed.is_err() {
                        return tokio::time::sleep_until(due).await;
                    }
                }
            }
        }
    }
}

/// The end of a look that begins now, by the CRM's clock. Asks for the versions where the CRM was never heard of: that
/// is not counted as an API call.
async fn present(org: &Org, call: &Call) -> Result<Timestamp> {
    if org.rest.crm_now().is_none() {
        org.rest.versions(call).await?;
    }
    org.rest.crm_now().map(before).ok_or_else(|| {
        let message = "Salesforce's answers carry no date, so that it cannot be asked what changed since";
        Error::new(Code::ProtocolViolation, message).connection(org.rest.connection())
    })
}

/// The last whole second that is surely over.
fn before(now: Timestamp) -> Timestamp {
    let over = now.saturating_sub(SAFETY).unwrap_or(Timestamp::MIN);
    Timestamp::from_second(over.as_second()).unwrap_or(over)
}

fn encode(mark: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(mark)
        .map_err(|cause| Error::new(Code::Internal, "the mark of a poll cannot be written").cause(cause))
}
