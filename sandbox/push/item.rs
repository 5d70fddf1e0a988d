//! One thing that waits to be sent: a notification of an outbound message, or a callout.

use super::callout::Request;
use crate::faults::Twists;
use crate::org::Id;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A SOAP notification.
    OutboundMessage,
    /// A JSON request.
    Callout,
}

/// What is sent together and in turn: the items of one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane {
    /// Kind of the rule.
    pub kind: Kind,
    /// Name of the rule.
    pub rule: String,
}

/// One waiting item.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Counts up over all items.
    pub number: u64,
    /// Its rule.
    pub lane: Lane,
    /// Object of the record.
    pub object: String,
    /// Record (18 characters).
    pub record: String,
    /// When it was queued; its life is counted from here.
    pub queued_at: Timestamp,
    /// When it is to be sent.
    pub due_at: Timestamp,
    /// Tries so far.
    pub attempts: u32,
    /// What came of the last try.
    pub last: Option<Answer>,
    /// What to send; outbound messages are written when they are sent.
    pub request: Option<Request>,
    /// What fault rules have in store for it.
    #[serde(default)]
    pub twists: Twists,
    /// Whether it is under way.
    #[serde(skip)]
    pub flying: bool,
}

/// What came of a try.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// When.
    pub at: Timestamp,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Why it was no success; none when it was one.
    pub error: Option<String>,
}

/// An item that is not tried any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// The item.
    pub item: Item,
    /// When it was given up.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Item {
    /// Its id: `04l…` for notifications, and for callouts `707…`, the prefix of asynchronous Apex jobs.
    pub fn id(&self) -> Id {
        let prefix = match self.lane.kind {
            Kind::OutboundMessage => *b"04l",
            Kind::Callout => *b"707",
        };
        Id::new(prefix, self.number)
    }

    /// Bytes that it holds beyond the small change.
    pub fn weight(&self) -> usize {
        let headers = |request: &Request| {
            request
                .headers
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
        };
        self.request
            .as_ref()
            .map_or(0, |request| request.body.len() + headers(request))
    }

    /// How the control plane shows it.
    pub fn shown(&self) -> Json {
        let mut shown = json!({
            "id": self.id().to_string(), "kind": self.lane.kind, "rule": self.lane.rule, "object": self.object,
            "recordId": self.record, "queuedAt": self.queued_at, "dueAt": self.due_at, "attempts": self.attempts,
            "underWay": self.flying, "last": self.last, "faults": self.twists.labels,
        });
        if let Some(request) = &self.request {
            shown["body"] = request.body.as_ref().into();
        }
        shown
    }
}

impl Failed {
    /// How the control plane shows it.
    pub fn shown(&self) -> Json {
        let mut shown = self.item.shown();
        shown["failedAt"] = json!(self.at);
        shown["reason"] = self.reason.as_str().into();
        shown
    }
}
