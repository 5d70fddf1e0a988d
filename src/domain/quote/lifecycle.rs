//! The states of a quote and the only ways between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a quote is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = QuoteStatus))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being edited; the only state in which commercial fields may change.
    Draft,
    /// Waiting for an approver.
    InApproval,
    /// May be sent.
    Approved,
    /// An approver said no.
    Rejected,
    /// With the customer.
    Sent,
    /// The customer said yes.
    Accepted,
    /// The customer said no.
    Declined,
    /// The offer's last day is over.
    Expired,
    /// An order exists. Terminal.
    Ordered,
    /// A newer revision took its place. Terminal.
    Superseded,
    /// Given up. Terminal.
    Cancelled,
}

/// A step in the life of a quote. Commands, never writes of a status field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = QuoteTransition))]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// Hand in for approval; goes straight to approved where no approval rule fires.
    Submit,
    /// Approve.
    Approve,
    /// Refuse; needs a reason.
    Reject,
    /// Take back from approval.
    Recall,
    /// Work on a rejected quote again.
    Reopen,
    /// Hand to the customer.
    Send,
    /// Open an approved quote for editing; the approval is void.
    Unlock,
    /// Take back from the customer.
    Withdraw,
    /// The customer accepts.
    Accept,
    /// The customer declines; needs a reason.
    Decline,
    /// The last day is over.
    Expire,
    /// An order was made of it.
    Convert,
    /// Replace by a new revision in draft.
    Revise,
    /// Give up; needs a reason.
    Cancel,
}

impl Status {
    /// All states.
    pub const ALL: [Status; 11] = {
        use Status::*;
        [
            Draft, InApproval, Approved, Rejected, Sent, Accepted, Declined, Expired, Ordered, Superseded,
            Cancelled,
        ]
    };

    /// Whether nothing can follow.
    pub fn is_terminal(self) -> bool {
        matches!(self, Status::Ordered | Status::Superseded | Status::Cancelled)
    }

    /// The state that `transition` leads to from here, or `None` if it is not allowed.
    pub fn after(self, transition: Transition) -> Option<Status> {
        use Status::*;
        match (self, transition) {
            (Draft, Transition::Submit) => Some(InApproval),
            (InApproval, Transition::Approve) => Some(Approved),
            (InApproval, Transition::Reject) => Some(Rejected),
            (InApproval, Transition::Recall) | (Rejected, Transition::Reopen) => Some(Draft),
            (Approved, Transition::Send) => Some(Sent),
            (Approved, Transition::Unlock) => Some(Draft),
            (Sent, Transition::Withdraw) => Some(Approved),
            (Sent, Transition::Accept) => Some(Accepted),
            (Sent, Transition::Decline) => Some(Declined),
            (Approved | Sent, Transition::Expire) => Some(Expired),
            (Accepted, Transition::Convert) => Some(Ordered),
            (Approved | Rejected | Sent | Declined | Expired, Transition::Revise) => Some(Superseded),
            (Draft | InApproval | Approved | Rejected | Sent, Transition::Cancel) => Some(Cancelled),
            _ => None,
        }
    }

    /// The transitions that are allowed from here.
    pub fn allowed(self) -> Vec<Transition> {
        Transition::ALL
            .into_iter()
            .filter(|transition| self.after(*transition).is_some())
            .collect()
    }

    /// The name on the wire and in the CRM, e.g. `in_approval`.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::InApproval => "in_approval",
            Status::Approved => "approved",
            Status::Rejected => "rejected",
            Status::Sent => "sent",
            Status::Accepted => "accepted",
            Status::Declined => "declined",
            Status::Expired => "expired",
            Status::Ordered => "ordered",
            Status::Superseded => "superseded",
            Status::Cancelled => "cancelled",
        }
    }
}

impl Transition {
    /// All transitions.
    pub const ALL: [Transition; 14] = {
        use Transition::*;
        [
            Submit, Approve, Reject, Recall, Reopen, Send, Unlock, Withdraw, Accept, Decline, Expire,
            Convert, Revise, Cancel,
        ]
    };

    /// Whether somebody will want to know why.
    pub fn needs_reason(self) -> bool {
        matches!(
            self,
            Transition::Reject | Transition::Decline | Transition::Cancel
        )
    }

    /// The name on the wire and in commands, e.g. `submit`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transition::Submit => "submit",
            Transition::Approve => "approve",
            Transition::Reject => "reject",
            Transition::Recall => "recall",
            Transition::Reopen => "reopen",
            Transition::Send => "send",
            Transition::Unlock => "unlock",
            Transition::Withdraw => "withdraw",
            Transition::Accept => "accept",
            Transition::Decline => "decline",
            Transition::Expire => "expire",
            Transition::Convert => "convert",
            Transition::Revise => "revise",
            Transition::Cancel => "cancel",
        }
    }

    /// The transition of that name.
    pub fn parse(name: &str) -> Option<Transition> {
        Transition::ALL
            .into_iter()
            .find(|transition| transition.as_str() == name)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_terminal_state_and_something_follows_every_other() {
        for status in Status::ALL {
            assert_eq!(status.allowed().is_empty(), status.is_terminal(), "{status}");
        }
    }

    #[test]
    fn every_state_but_draft_can_be_reached() {
        for goal in Status::ALL {
            let reached = Status::ALL
                .iter()
                .any(|from| from.allowed().iter().any(|t| from.after(*t) == Some(goal)));
            assert!(reached, "{goal}");
        }
    }

    #[test]
    fn an_accepted_quote_is_neither_revised_nor_cancelled() {
        assert_eq!(Status::Accepted.allowed(), vec![Transition::Convert]);
    }
}
