//! Whose changes count, and the queries for them.

use cpq_domain::change::{Change, ChangeKind, Hint};
use cpq_domain::id::RecordId;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::window::{Cursor, Window};
use crate::json::Node;
use crate::salesforce::layout::Layout;
use crate::salesforce::values::instant;

/// Records whose changes lead to a look at their opportunity.
///
/// A line that is added, removed or priced anew moves the stamp of its opportunity too, because the amount is summed up
/// there (Object Reference, "OpportunityLineItem"). Other fields of a line need not, and an account, a contact role or a
/// quote never do; so each is asked for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// The opportunity itself.
    Opportunity,
    /// The account of an opportunity.
    Account,
    /// Its line items.
    Line,
    /// Its contact roles.
    ContactRole,
    /// The records of its quotes.
    Quote,
}

/// Rows that are asked for.
pub(super) struct Source {
    pub(super) watched: Watched,
    from: String,
    /// Field with the id of the opportunity.
    opportunity: String,
    stamp: &'static str,
    by: &'static str,
    /// Whether rows of deleted records are asked for too.
    with_deleted: bool,
}

/// A record that changed.
pub(super) struct Row {
    pub(super) watched: Watched,
    pub(super) id: String,
    pub(super) stamp: Timestamp,
    pub(super) change: Change,
}

impl Watched {
    /// All of them.
    pub const ALL: [Watched; 5] = {
        use Watched::*;
        [Opportunity, Account, Line, ContactRole, Quote]
    };
}

impl Source {
    /// The rows of this kind in this org; `None` where it has none that we may see.
    pub(super) fn of(watched: Watched, layout: &Layout) -> Option<Source> {
        let child = |from: &str, opportunity: &str| Source {
            watched,
            from: from.to_owned(),
            opportunity: opportunity.to_owned(),
            stamp: "SystemModstamp",
            by: "LastModifiedById",
            with_deleted: true,
        };
        let has = |relationship: &str| {
            let mut children = layout.select.children.iter();
            children.any(|child| child.from.as_str() == relationship)
        };
        match watched {
            Watched::Opportunity => Some(Source {
                with_deleted: false,
                ..child("Opportunity", "Id")
            }),
            Watched::Account => {
                let mut fields = layout.fields.iter();
                let used = fields.any(|field| field.path.relationship() == Some("Account"));
                used.then(|| Source {
                    stamp: "Account.SystemModstamp",
                    by: "Account.LastModifiedById",
                    with_deleted: false,
                    ..child("Opportunity", "Id")
                })
            }
            Watched::Line => {
                has("OpportunityLineItems").then(|| child("OpportunityLineItem", "OpportunityId"))
            }
            Watched::ContactRole => {
                has("OpportunityContactRoles").then(|| child("OpportunityContactRole", "OpportunityId"))
            }
            Watched::Quote => {
                let quotes = layout.quotes.as_ref()?;
                Some(child(quotes.object.as_str(), quotes.parent.as_str()))
            }
        }
    }

    /// Resource of the query: only one of them gives deleted rows.
    pub(super) fn resource(&self) -> &'static str {
        match self.with_deleted {
            true => "queryAll",
            false => "query",
        }
    }

    /// The text for the rows of the window behind `after`, at most `rows`.
    pub(super) fn soql(&self, window: &Window, after: Option<&Cursor>, rows: u32) -> String {
        let Source { from, stamp, by, .. } = self;
        let mut columns = vec!["Id", stamp, by];
        match self.watched {
            Watched::Opportunity => columns.push("CreatedDate"),
            Watched::Account => {}
            Watched::Line | Watched::ContactRole | Watched::Quote => {
                columns.extend([self.opportunity.as_str(), "IsDeleted"]);
            }
        }
        let begin = match after {
            None => format!("{stamp} >= {:.0}", window.since),
            Some(Cursor { stamp: at, id }) => {
                format!("({stamp} > {at:.0} OR ({stamp} = {at:.0} AND Id > '{id}'))")
            }
        };
        format!(
            "SELECT {} FROM {from} WHERE {begin} AND {stamp} < {:.0} ORDER BY {stamp}, Id LIMIT {rows}",
            columns.join(", "),
            window.until
        )
    }

    /// The record of a row. One without an opportunity, as a quote can be, is of no interest.
    pub(super) fn row(&self, node: &Node) -> Result<(Cursor, Option<Row>)> {
        let text = |path: &str| node.at(path.split('.')).and_then(Node::text);
        let (Some(id), Some(stamp)) = (text("Id"), text(self.stamp).and_then(instant)) else {
            let message = "a row of changed records has no id or no stamp";
            return Err(Error::new(Code::ProtocolViolation, message).object(self.from.as_str()));
        };
        let id = RecordId::new(id)?.to_string();
        let cursor = Cursor {
            stamp,
            id: id.clone(),
        };
        let Some(opportunity) = text(&self.opportunity) else {
            return Ok((cursor, None));
        };
        let change = Change {
            opportunity: RecordId::new(opportunity)?,
            hint: self.hint(node, &id, stamp, text(self.by)),
        };
        let row = Row {
            watched: self.watched,
            id,
            stamp,
            change,
        };
        Ok((cursor, Some(row)))
    }

    fn hint(&self, node: &Node, id: &str, stamp: Timestamp, by: Option<&str>) -> Hint {
        let created = node.get("CreatedDate").and_then(Node::text).and_then(instant);
        let (record, id) = match self.watched {
            Watched::Account => ("Account of", id),
            _ => (self.from.as_str(), id),
        };
        Hint {
            source: "poll".to_owned(),
            event: Some(format!("{record} {id} {stamp:.0}")),
            kind: match created == Some(stamp) {
                true => ChangeKind::Created,
                false => ChangeKind::Changed,
            },
            at: Some(stamp),
            by: by.map(str::to_owned),
            ours: false,
            fields: Vec::new(),
        }
    }
}
