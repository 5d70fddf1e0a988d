//! What the reader of a feed writes down: the runs that its changes led to together with where it stands, so that a
//! position is never stored before what came before it.

use std::collections::BTreeMap;

use cpq_domain::Result;
use cpq_domain::change::{Change, ChangeKind, FeedState, Hint, Position};
use cpq_domain::error::Report;
use cpq_domain::id::{ConnectionName, Lane, OpportunityKey, RecordId, RunId};
use cpq_domain::run::Trigger;
use cpq_store::positions::Reader;
use cpq_store::{Tx, bases, links, positions, runs};
use jiff::Timestamp;

use super::accept::joinable;
use super::{Ledger, new_run, note_hints, own_lane};
use crate::engine::Submission;
use crate::feeds::Follow;

/// What a reader brings.
pub(crate) struct Read {
    pub(crate) changes: Vec<Change>,
    pub(crate) trigger: Trigger,
    pub(crate) follow: Follow,
    /// Where the reader stands behind the changes; `None` while more belongs to the same place.
    pub(crate) position: Option<Position>,
    pub(crate) state: FeedState,
}

impl Ledger {
    /// One transaction: a run for each opportunity that the changes are about, or their hints at the run that waits
    /// already, and the position behind them. `false`: another process reads the feed, and nothing was written.
    pub(crate) async fn take_changes(&self, reader: &Reader, read: Read) -> Result<bool> {
        let (now, lease_until) = self.lease();
        let about = by_opportunity(read.changes);
        let fresh: Vec<RunId> = about.iter().map(|_| RunId(self.world.uuid())).collect();
        let reader = reader.clone();
        let (trigger, follow, state) = (read.trigger, read.follow, read.state);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if !positions::renew(tx, &reader, lease_until).await? {
                        return Ok(false);
                    }
                    if !about.is_empty() {
                        positions::changed(tx, &reader, now).await?;
                    }
                    for ((opportunity, hints), id) in about.into_iter().zip(fresh) {
                        let lane = Lane {
                            connection: reader.connection.clone(),
                            opportunity,
                        };
                        if let Some(lane) = followed(tx, lane, follow, &hints).await? {
                            let submission = Submission {
                                hints,
                                ..Submission::of(lane, trigger)
                            };
                            join_or_make(tx, &submission, id, now).await?;
                        }
                    }
                    if let Some(position) = read.position {
                        positions::put(tx, &reader, &position, state, now).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// Accepts a run for each of the opportunities with a quote that nobody looked at since `before`, at most `limit`.
    /// Returns how many.
    pub(crate) async fn look_again(
        &self,
        connection: &ConnectionName,
        before: Timestamp,
        limit: u32,
    ) -> Result<usize> {
        let now = self.world.now();
        let fresh: Vec<RunId> = (0..limit).map(|_| RunId(self.world.uuid())).collect();
        let connection = connection.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let old = bases::look_again(tx, &connection, before, now, limit).await?;
                    let found = old.len();
                    for (opportunity, id) in old.into_iter().zip(fresh) {
                        let connection = connection.clone();
                        let lane = Lane {
                            connection,
                            opportunity,
                        };
                        join_or_make(tx, &Submission::of(lane, Trigger::Schedule), id, now).await?;
                    }
                    Ok(found)
                })
            })
            .await
    }

    /// The right to read the feed, and where to go on; `None` while another process has it.
    pub(crate) async fn lease_feed(
        &self,
        connection: &ConnectionName,
        feed: &str,
        origin: &str,
    ) -> Result<Option<(Reader, Option<Position>)>> {
        let (now, until) = self.lease();
        let (connection, feed, origin) = (connection.clone(), feed.to_owned(), origin.to_owned());
        let node = self.node.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    positions::lease(tx, (&connection, &feed), &origin, &node, now, until).await
                })
            })
            .await
    }

    /// A sign of life. `false`: another process reads the feed.
    pub(crate) async fn keep_feed(&self, reader: &Reader) -> Result<bool> {
        let (_, until) = self.lease();
        let reader = reader.clone();
        self.store
            .write(move |tx| Box::pin(async move { positions::renew(tx, &reader, until).await }))
            .await
    }

    pub(crate) async fn release_feed(&self, reader: &Reader) -> Result<()> {
        let reader = reader.clone();
        self.store
            .write(move |tx| Box::pin(async move { positions::release(tx, &reader).await }))
            .await
    }

    /// Notes how the reader fares; the position stays where it is.
    pub(crate) async fn note_feed(
        &self,
        reader: &Reader,
        state: FeedState,
        error: Option<Report>,
    ) -> Result<bool> {
        let now = self.world.now();
        let reader = reader.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move { positions::note(tx, &reader, state, error.as_ref(), now).await })
            })
            .await
    }

    /// Whether more than `limit` runs wait for a worker.
    pub(crate) async fn more_due_than(&self, limit: u32) -> Result<bool> {
        let now = self.world.now();
        self.store
            .read(move |tx| Box::pin(runs::more_due_than(tx, limit, now)))
            .await
    }
}

/// The hints of each opportunity, in the order in which they came. A record id is a key as it is.
fn by_opportunity(changes: Vec<Change>) -> BTreeMap<OpportunityKey, Vec<Hint>> {
    let mut about: BTreeMap<OpportunityKey, Vec<Hint>> = BTreeMap::new();
    for change in changes {
        if let Ok(key) = OpportunityKey::new(change.opportunity.as_str()) {
            about.entry(key).or_default().push(change.hint);
        }
    }
    about
}

/// The lane of the opportunity, if it is to be looked at.
async fn followed(tx: &mut dyn Tx, lane: Lane, follow: Follow, hints: &[Hint]) -> Result<Option<Lane>> {
    if links::by_opportunity(tx, &lane.connection, &lane.opportunity)
        .await?
        .is_some()
    {
        return own_lane(tx, lane).await.map(Some);
    }
    // Its first sync may be under way: what was changed since that read it must not be lost.
    if let Ok(id) = RecordId::new(lane.opportunity.as_str())
        && let Some(opportunity) = runs::read_by_run(tx, &lane.connection, &id).await?
    {
        return Ok(Some(Lane { opportunity, ..lane }));
    }
    // Of an opportunity that is gone and never had a quote there is nothing to look at.
    let gone = hints.iter().all(|hint| hint.kind == ChangeKind::Deleted);
    let wanted = (follow == Follow::All && !gone) || was_asked_for(tx, &lane).await?;
    Ok(wanted.then_some(lane))
}

/// Whether somebody asked for a sync of it by this name, however that ended.
async fn was_asked_for(tx: &mut dyn Tx, lane: &Lane) -> Result<bool> {
    let one = runs::Filter {
        connection: Some(lane.connection.clone()),
        opportunity: Some(lane.opportunity.clone()),
        limit: 1,
        ..runs::Filter::default()
    };
    Ok(!runs::list(tx, &one).await?.is_empty())
}

async fn join_or_make(tx: &mut dyn Tx, submission: &Submission, fresh: RunId, now: Timestamp) -> Result<()> {
    match joinable(tx, submission).await? {
        #[cfg(feature = "planted-bugs")]
        Some(_) if cpq_domain::planted::Bug::LosesJoinedHints.is_on() => Ok(()),
        Some(waiting) => note_hints(tx, waiting.id, submission, now).await,
        None => new_run(tx, submission, fresh, None, now).await.map(drop),
    }
}
