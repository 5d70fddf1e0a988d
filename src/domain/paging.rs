//! Whole sides, page by page: what a reconcile reads of both systems, never more than a page of it at once.

use jiff::Timestamp;

use crate::adapter::CrmSnapshot;
use crate::id::RecordId;
use crate::quote::OpportunityRef;

/// Opportunities of one page at most: with their children they still fit one page of a Salesforce query.
pub const SNAPSHOT_ROWS: u32 = 200;

/// An opportunity of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct PagedSnapshot {
    /// Its whole context, as [`crate::adapter::CrmAdapter::read`] gives it.
    pub snapshot: CrmSnapshot,
    /// When the CRM last touched the record in any way, by the CRM's clock (`SystemModstamp` in Salesforce: it also
    /// moves when only a formula's source or a child's sum did). Windows go by this moment.
    pub stamp: Timestamp,
}

/// A record that is there, and that our mapping cannot make sense of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The CRM's id.
    pub id: RecordId,
    /// Why.
    pub why: String,
}

/// A page of opportunities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotPage {
    /// The opportunities, in the CRM's own order of ids, which need not be anybody else's.
    pub snapshots: Vec<PagedSnapshot>,
    /// Records that could not be read; they count, and are told.
    pub unreadable: Vec<Unreadable>,
    /// Hand this in as `after` to go on; `None` on the last page.
    pub next: Option<RecordId>,
    /// Calls that the page took.
    pub calls: u32,
}

/// Which of some opportunities the CRM has. Ids in neither list are unknown there, or hidden from our user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundSnapshots {
    /// Those that are there.
    pub snapshots: Vec<PagedSnapshot>,
    /// Those that are there, and that our mapping cannot make sense of.
    pub unreadable: Vec<Unreadable>,
    /// Those that were deleted, as far as the CRM still knows.
    pub deleted: Vec<RecordId>,
    /// Calls that it took.
    pub calls: u32,
}

/// A quote of a page: no more than is needed to look for its opportunity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteMark {
    /// The opportunity.
    pub opportunity: OpportunityRef,
    /// When the quote changed last, by the CPQ's clock.
    pub updated_at: Timestamp,
}

/// A page of current quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuoteMarkPage {
    /// The quotes, one for each opportunity: current revisions only.
    pub quotes: Vec<QuoteMark>,
    /// Hand this in as `after` to go on; `None` on the last page. Opaque to everybody but the adapter.
    pub next: Option<String>,
}
