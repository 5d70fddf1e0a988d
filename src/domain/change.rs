//! What a CRM tells of changes by itself: hints that an opportunity deserves a look, and where their reader stands.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::adapter::Call;
use crate::error::Result;
use crate::id::RecordId;
use crate::view::FieldName;

/// What happened to a record, as far as the hint knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// Some of its fields changed.
    Changed,
    /// It went to the bin, or was merged into another.
    Deleted,
    /// It came back from the bin.
    Restored,
    /// Something happened that the CRM could not tell in full.
    Unknown,
}

/// What told us to look. Kept in the journal of the run it led to, so that a value can be traced to who set it; a run
/// never believes it, but looks itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// Where it came from, e.g. `pubsub /data/OpportunityChangeEvent`, `outbound message`, `poll`.
    pub source: String,
    /// Id of the event or delivery, if it has one; the same on every repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What happened.
    pub kind: ChangeKind,
    /// When it was committed in the CRM, if the CRM told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub at: Option<Timestamp>,
    /// Who did it: the CRM's id of the user, if the CRM told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether the CRM says that our own client did it. A label, never a proof: automation in the same transaction
    /// carries it too.
    #[serde(default)]
    pub ours: bool,
    /// Canonical fields that changed, as far as they are known and mapped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldName>,
}

/// A hint and the opportunity that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The CRM's id of the opportunity.
    pub opportunity: RecordId,
    /// What is known.
    pub hint: Hint,
}

/// Where the reader of a feed stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The feed's own mark, opaque to everybody else: a replay id, or the last record of a poll.
    pub mark: Vec<u8>,
    /// Everything that was committed in the CRM before this moment has been seen, by the CRM's clock. From here a
    /// reader whose mark is worth nothing any more looks at all records that changed since.
    pub seen_until: Timestamp,
}

/// What a feed delivered, and where its reader stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// In the order of the feed; empty when the feed only moved its mark on.
    pub changes: Vec<Change>,
    /// To be stored together with what became of the changes, never before.
    pub position: Position,
    /// The feed knows that it left something out, without saying what: look at every opportunity that changed since
    /// then, or whose account, contacts or quote did.
    pub sweep_from: Option<Timestamp>,
}

/// A way in which a CRM tells of changes. One reader per connection and feed.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// Name under which the position is kept, the same after every restart, e.g. `pubsub`.
    fn name(&self) -> &str;

    /// Opens the feed behind `after`; without a position, at its present end.
    ///
    /// [`crate::Code::CursorExpired`] when the CRM no longer has what follows `after`, here or from
    /// [`ChangeStream::next`]: some CRMs say so only on the open stream. The caller then opens the feed at its end, and
    /// sweeps what changed since [`Position::seen_until`].
    ///
    /// A feed opened at its end says with its first delivery where it stands, and asks for a sweep as soon as it is
    /// certain that it will be told of every later change; the sweep covers the time of the opening.
    async fn open(&self, call: &Call, after: Option<&Position>) -> Result<Box<dyn ChangeStream>>;
}

/// An open feed.
#[async_trait]
pub trait ChangeStream: Send {
    /// Waits for what comes next. An error ends the stream; open the feed again behind the last stored position.
    ///
    /// A caller may drop the future and call again; nothing is lost by that.
    async fn next(&mut self) -> Result<Changes>;
}

/// One page of what changed since a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepPage {
    /// What changed.
    pub changes: Vec<Change>,
    /// By the CRM's clock: everything committed before it and after the moment asked for is on this page or a later one.
    pub as_of: Timestamp,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Vec<u8>>,
}

/// Lists what changed since a moment, for the reader of a feed that left something out.
#[async_trait]
pub trait ChangeSweep: Send + Sync {
    /// The changes since `since`, by the CRM's clock, in pages; `after` is the [`SweepPage::next`] of the page before.
    async fn changed_since(&self, call: &Call, since: Timestamp, after: Option<&[u8]>) -> Result<SweepPage>;
}

/// How the reader of a feed fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// It reads what the CRM tells.
    Live,
    /// It cannot read just now, and will go on where it stands: nothing is lost.
    Behind,
    /// The CRM left something out; everything that changed since is being looked at.
    Gap,
}

impl FeedState {
    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            FeedState::Live => "live",
            FeedState::Behind => "behind",
            FeedState::Gap => "gap",
        }
    }
}
