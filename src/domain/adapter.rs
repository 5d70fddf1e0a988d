//! The doors behind which foreign systems stand. Each promise in these comments is checked by the conformance tests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call_budget::{Purpose, Spent};
use crate::connection::Identity;
use crate::deletion::Fate;
use crate::error::{Code, Error, Result};
use crate::id::{CorrelationId, IdempotencyKey, LineKey, OpportunityKey, QuoteId, RecordId};
use crate::paging::{FoundSnapshots, QuoteMarkPage, SnapshotPage};
use crate::quote::{OpportunityRef, Quote, Transition};
use crate::schema::CrmSchema;
use crate::value::Shape;
use crate::view::{FieldName, Fields, Patch, View};

/// What every call to a foreign system carries, so that its logs and ours can be laid side by side.
#[derive(Clone, Debug)]
pub struct Call {
    /// Our correlation id, sent as `X-Correlation-Id` and written to the CRM where a field is configured.
    pub correlation: CorrelationId,
    /// W3C trace context of what the call is made for; sent where the call itself is not traced.
    pub traceparent: Option<String>,
    /// What it is made for: who pays for it of the calls of a day.
    pub purpose: Purpose,
}

impl Call {
    /// A call of live work without a caller's trace.
    pub fn live(correlation: CorrelationId) -> Call {
        Call {
            correlation,
            traceparent: None,
            purpose: Purpose::Live,
        }
    }
}

/// What the CRM can do with a canonical field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// Where it lives, e.g. `Opportunity.CPQ_Net_Total__c`; for people.
    pub path: String,
    /// Whether we may write it.
    pub writable: bool,
    /// Its precision.
    pub shape: Shape,
}

/// Canonical fields that a CRM connection knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// By canonical name.
    pub fields: BTreeMap<FieldName, Mapped>,
    /// Fields that are mapped but missing or unusable in this org, each with its reason.
    pub warnings: Vec<String>,
}

/// The whole context of an opportunity, read in one go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrmSnapshot {
    /// The opportunity.
    pub opportunity: OpportunityRef,
    /// Its fields, and those of its account, contacts and lines.
    pub view: View,
    /// The CRM's own ids of the lines.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub line_records: BTreeMap<LineKey, RecordId>,
    /// When the opportunity was changed last, by the CRM's clock (one second fine in Salesforce).
    pub modified_at: Timestamp,
    /// Who changed it last, if the CRM told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_by: Option<Author>,
}

/// A user of the CRM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    /// The CRM's id of the user.
    pub id: String,
    /// The user's name, if we may see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A change of an opportunity and what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrmWrite {
    /// The opportunity.
    pub opportunity: OpportunityRef,
    /// Fields to set. Only these are sent.
    pub patch: Patch,
    /// Refuse with [`crate::Code::CrmConflict`] if the opportunity was changed after this moment.
    pub unmodified_since: Timestamp,
    /// The quote's own record; needed when the patch sets `quote_record.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_record: Option<QuoteRecord>,
    /// Record type of the opportunity, as read: the same value may be another word in another record type's picklist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_type: Option<String>,
    /// What the patch only names: each line that it changes, as a whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<LineKey, LineRecord>,
}

/// A line that a write changes: where it is in the CRM, and all that the CPQ holds of it. A price is no field of its
/// own: quantity, discount and total are written together or do not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineRecord {
    /// Its record; none when the CRM did not have the line when it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// The line in the CPQ, without what the rules in force leave to the CRM; empty when it is to go.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: Fields,
}

/// How the quote's own record in the CRM is found, and what a new one starts with beside the patch.
///
/// A patch with `quote_record.key` means that no such record was there when the CRM was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteRecord {
    /// External id: the quote's root id, the same for all revisions.
    pub key: QuoteId,
    /// Name of a new record whose name is not in the patch; a CRM takes no record without one.
    pub name: String,
    /// The opportunity's price book, as read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_book: Option<RecordId>,
    /// Which revision its lines become, for the mark of a write in several calls ([`crate::quote::writing`]).
    #[serde(default)]
    pub revision: u32,
}

/// The state after a write, read back in the same round trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrmWritten {
    /// What the CRM now holds of the fields that were set, as it stores them.
    pub view: View,
    /// When the opportunity was changed last.
    pub modified_at: Timestamp,
}

/// How many calls the CRM lets us make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallBudget {
    /// Calls used in the CRM's window.
    pub used: u64,
    /// Calls allowed in it.
    pub max: u64,
}

/// Calls since the adapter was made. A call that several syncs share counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that count towards the CRM's limit, by what they were for; a shared one by its most urgent user.
    pub counted: Spent,
    /// Calls that were answered, whatever the answer.
    pub answered: u64,
    /// Calls that were not, or only to say that nobody is there.
    pub unavailable: u64,
}

/// Answer to "who are we there, and what works".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Who we are.
    pub identity: Identity,
    /// API version in use.
    pub api_version: String,
    /// Calls used and allowed, if the CRM told.
    pub budget: Option<CallBudget>,
}

/// A CRM.
///
/// An adapter holds no memory of syncs, retries nothing, and gives every failure its class. A write whose answer was
/// lost is [`crate::Code::OutcomeUnknown`], never "failed".
#[async_trait]
pub trait CrmAdapter: Send + Sync {
    /// The canonical fields that this connection knows, in the light of the last describe.
    fn mapping(&self) -> std::sync::Arc<Mapping>;

    /// Asks who we are. One cheap call.
    async fn probe(&self, call: &Call) -> Result<Probe>;

    /// Reads the descriptions of the objects that the mapping uses, and adjusts the mapping to them.
    async fn describe(&self, call: &Call) -> Result<CrmSchema>;

    /// Reads an opportunity by number or id with account, contacts and lines, in one round trip.
    ///
    /// [`crate::Code::OpportunityNotFound`] if it is not there, deleted, or hidden from our user.
    async fn read(&self, call: &Call, key: &OpportunityKey) -> Result<CrmSnapshot>;

    /// What became of an opportunity that [`CrmAdapter::read`] did not find, by its id. One call, made only then.
    ///
    /// A CRM without a bin to look into says [`Fate::Unknown`]: what is merely hidden must never pass for deleted.
    async fn fate(&self, _call: &Call, _opportunity: &RecordId) -> Result<Fate> {
        Ok(Fate::Unknown)
    }

    /// Applies the write as a whole or not at all, in one round trip.
    ///
    /// Lines that do not fit into one call are the exception: they are written in several, each as a whole, between a
    /// mark on the quote's record that says so ([`crate::quote::writing`]) and a last call that sets everything else
    /// and takes the mark away. A failure in between says [`crate::error::Written::Partly`], and the next look at both
    /// sides finishes it.
    async fn write(&self, call: &Call, write: &CrmWrite) -> Result<CrmWritten>;

    /// A page of whole opportunities behind `after`, at most `limit` (up to [`crate::paging::SNAPSHOT_ROWS`]), in the
    /// CRM's own order of ids; with `since` only those whose stamp is not before it. One call, as long as no record has
    /// more children than a page of the CRM holds. [`crate::Code::Unsupported`] where the CRM cannot be paged through.
    async fn page(
        &self,
        _call: &Call,
        _since: Option<Timestamp>,
        _after: Option<&RecordId>,
        _limit: u32,
    ) -> Result<SnapshotPage> {
        Err(Error::new(Code::Unsupported, "this CRM cannot be paged through"))
    }

    /// The opportunities with these ids, at most [`crate::paging::SNAPSHOT_ROWS`]: as they are, or that they were
    /// deleted. A call for those that are there, and a second one only if some are missing.
    async fn find_many(&self, _call: &Call, _ids: &[RecordId]) -> Result<FoundSnapshots> {
        Err(Error::new(
            Code::Unsupported,
            "this CRM cannot be asked for many opportunities",
        ))
    }

    /// Calls used and allowed, as last heard; no call is made.
    fn budget(&self) -> Option<CallBudget>;

    /// Calls made so far; `None` where the adapter does not count them.
    fn tally(&self) -> Option<Tally> {
        None
    }
}

/// What to do to a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CpqWrite {
    /// New quote, or which one.
    pub target: QuoteTarget,
    /// Fields and lines to set.
    pub patch: Patch,
}

/// Which quote a write means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteTarget {
    /// The first quote of this opportunity. [`crate::Code::QuoteDuplicate`] if there is one.
    New(OpportunityRef),
    /// This revision, if it is still as we read it; else [`crate::Code::QuoteConflict`].
    Existing {
        /// Its id.
        id: QuoteId,
        /// Its entity tag.
        etag: String,
    },
}

/// What a CPQ can do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpqCapabilities {
    /// Repeats of a key are recognised by the CPQ. Without it a lost answer is read back first.
    pub idempotency_keys: bool,
    /// Can say what a write would lead to without doing it.
    pub preview: bool,
}

/// A CPQ.
#[async_trait]
pub trait CpqAdapter: Send + Sync {
    /// What it can do by itself.
    fn capabilities(&self) -> CpqCapabilities;

    /// The current revision of the opportunity's quote: the newest that was not superseded.
    ///
    /// `system` names the CRM connection; `key` is the opportunity's number or id.
    async fn find(&self, call: &Call, system: &str, key: &OpportunityKey) -> Result<Option<Quote>>;

    /// A page of the quotes of a CRM connection behind `after`: current revisions only, each quote once as long as it
    /// does not change meanwhile. With `since` only those changed at that moment or later.
    async fn page(
        &self,
        _call: &Call,
        _system: &str,
        _since: Option<Timestamp>,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<QuoteMarkPage> {
        Err(Error::new(Code::Unsupported, "this CPQ cannot be paged through"))
    }

    /// The current quotes of these opportunities, by the CRM's ids; opportunities without a quote are left out.
    async fn find_many(&self, call: &Call, system: &str, ids: &[RecordId]) -> Result<Vec<Quote>> {
        let mut found = Vec::new();
        for id in ids {
            let key = OpportunityKey::new(id.as_str())?;
            found.extend(self.find(call, system, &key).await?);
        }
        Ok(found)
    }

    /// One revision by its id.
    async fn get(&self, call: &Call, id: &QuoteId) -> Result<Quote>;

    /// What the write would lead to, or `None` where the CPQ cannot say. Changes nothing.
    async fn preview(&self, call: &Call, write: &CpqWrite) -> Result<Option<Quote>>;

    /// Applies the write once, however often it is sent under `key`, and prices the quote.
    async fn write(&self, call: &Call, key: &IdempotencyKey, write: &CpqWrite) -> Result<Quote>;

    /// Moves the quote along its life. For [`Transition::Revise`] the answer is the new revision.
    async fn transition(
        &self,
        call: &Call,
        key: &IdempotencyKey,
        target: &QuoteTarget,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<Quote>;
}
