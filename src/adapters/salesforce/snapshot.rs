//! One row of a query as the opportunity that we know.

use std::collections::BTreeMap;

use cpq_domain::adapter::{Author, CrmSnapshot};
use cpq_domain::id::{LineKey, OpportunityKey, RecordId};
use cpq_domain::quote::OpportunityRef;
use cpq_domain::value::Value;
use cpq_domain::view::{Fields, View};
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

use super::convert::{self, Around};
use super::fields::{Field, Rows};
use super::layout::{Layout, RECORD_TYPE};
use super::lines;
use super::values;
use crate::json::Node;

/// The role that stands in where no contact is the primary one.
const SECOND_CHOICE: &str = "Decision Maker";

/// The opportunity in a row.
pub(crate) fn of(connection: &str, layout: &Layout, row: &Node) -> Result<CrmSnapshot> {
    let read = Row {
        layout,
        row,
        connection,
    };
    let number = layout
        .number
        .as_ref()
        .and_then(|number| row.get(number.as_str()))
        .and_then(Node::text);
    let lines = read.lines()?;
    let line_records = lines
        .iter()
        .map(|(key, (id, _))| (key.clone(), id.clone()))
        .collect();
    Ok(CrmSnapshot {
        opportunity: OpportunityRef {
            system: connection.to_owned(),
            id: read.id()?,
            // A number that we could not be asked for is as good as none.
            number: number.and_then(|number| OpportunityKey::new(number).ok()),
        },
        view: View {
            fields: read.header()?,
            lines: lines
                .into_iter()
                .map(|(key, (_, fields))| (key, fields))
                .collect(),
        },
        line_records,
        modified_at: read.modified_at()?,
        modified_by: read.modified_by(),
    })
}

/// A row with what is needed to understand it.
pub(crate) struct Row<'a> {
    pub(crate) connection: &'a str,
    pub(crate) layout: &'a Layout,
    pub(crate) row: &'a Node,
}

impl Row<'_> {
    pub(crate) fn id(&self) -> Result<RecordId> {
        let id = self.row.get("Id").and_then(Node::text).unwrap_or_default();
        RecordId::new(id).map_err(|_| self.wrong("Id", "is not a record id"))
    }

    pub(crate) fn modified_at(&self) -> Result<Timestamp> {
        let text = self.row.get("LastModifiedDate").and_then(Node::text);
        text.and_then(values::instant)
            .ok_or_else(|| self.wrong("LastModifiedDate", "is not a moment"))
    }

    /// Who changed the opportunity last, where the org tells: system fields of every record (Object Reference, "System
    /// Fields").
    fn modified_by(&self) -> Option<Author> {
        let id = self.row.get("LastModifiedById").and_then(Node::text)?;
        let name = self.row.at(["LastModifiedBy", "Name"]).and_then(Node::text);
        Some(Author {
            id: id.to_owned(),
            name: name.map(str::to_owned),
        })
    }

    /// Currency of every amount in the row.
    pub(crate) fn currency(&self) -> &str {
        let field = self.layout.currency_field.as_ref();
        let own = field
            .and_then(|field| self.row.get(field.as_str()))
            .and_then(Node::text);
        own.unwrap_or(&self.layout.currency)
    }

    /// Record type of the opportunity by developer name, if it has one and it was read.
    fn record_type(&self) -> Option<&str> {
        self.row.at(RECORD_TYPE.split('.')).and_then(Node::text)
    }

    fn header(&self) -> Result<Fields> {
        let mut fields = self.values(self.row, Rows::Opportunity)?;
        let contact = self.contact().unwrap_or(&Node::Null);
        fields.extend(self.values(contact, Rows::ContactRole)?);
        if let Some(records) = &self.layout.quotes {
            // None yet reads as one whose fields are all empty.
            let record = self.children(records.relationship.as_str()).first();
            fields.extend(self.values(record.unwrap_or(&Node::Null), Rows::Quote)?);
        }
        if self.layout.mapping.fields.contains_key("quote.currency") {
            fields.insert("quote.currency".into(), Value::Choice(self.currency().to_owned()));
        }
        Ok(fields)
    }

    /// The primary contact role, else the first decision maker, else none.
    fn contact(&self) -> Option<&Node> {
        let roles = self.children("OpportunityContactRoles");
        let primary = roles
            .iter()
            .find(|role| role.get("IsPrimary").and_then(Node::flag) == Some(true));
        let second = || {
            roles
                .iter()
                .find(|role| role.get("Role").and_then(Node::text) == Some(SECOND_CHOICE))
        };
        primary.or_else(second)
    }

    /// The lines by their keys, each with its record's id.
    pub(crate) fn lines(&self) -> Result<BTreeMap<LineKey, (RecordId, Fields)>> {
        let mut lines = BTreeMap::new();
        for line in self.children("OpportunityLineItems") {
            let key = self.line_key(line, &lines)?;
            let id = line.get("Id").and_then(Node::text).unwrap_or_default();
            let id =
                RecordId::new(id).map_err(|_| self.wrong("OpportunityLineItem.Id", "is not a record id"))?;
            lines.insert(key, (id, self.values(line, Rows::Line)?));
        }
        Ok(lines)
    }

    /// The key that the CPQ gave the line, else the line's id. A copied line has the key of its original; it goes by
    /// its id, so that neither hides the other.
    fn line_key<T>(&self, line: &Node, taken: &BTreeMap<LineKey, T>) -> Result<LineKey> {
        let field = self.layout.line_key.as_ref();
        let given = field
            .and_then(|field| line.get(field.as_str()))
            .and_then(Node::text);
        let given = given.and_then(|key| LineKey::new(lines::own_key(key)).ok());
        if let Some(key) = given.filter(|key| !taken.contains_key(key)) {
            return Ok(key);
        }
        let id = line.get("Id").and_then(Node::text).unwrap_or_default();
        LineKey::new(id).map_err(|_| self.wrong("OpportunityLineItem.Id", "is not a record id"))
    }

    pub(crate) fn children(&self, relationship: &str) -> &[Node] {
        list(self.row.get(relationship))
    }

    fn values(&self, node: &Node, rows: Rows) -> Result<Fields> {
        let fields = self.layout.fields.iter().filter(|field| field.rows == rows);
        fields
            .filter_map(|field| self.value(node, field).transpose())
            .collect()
    }

    /// One field; nothing where the row does not have it.
    pub(crate) fn value(
        &self,
        node: &Node,
        field: &Field,
    ) -> Result<Option<(cpq_domain::view::FieldName, Value)>> {
        let Some(found) = node.at(field.path.segments()) else {
            return Ok(None);
        };
        let around = Around {
            row: node,
            currency: self.currency(),
            record_type: self.record_type(),
        };
        let value = convert::read(field, found, &around)
            .map_err(|why| self.wrong(&format!("{}.{}", field.object, field.path.field()), &why))?;
        Ok(Some((field.name.clone(), value)))
    }

    fn wrong(&self, field: &str, why: &str) -> Error {
        let id = self.row.get("Id").and_then(Node::text).unwrap_or("without id");
        Error::new(Code::SchemaDrift, format!("{field} of opportunity {id} {why}"))
            .connection(self.connection)
            .object("Opportunity")
            .record(id)
            .field(field)
            .next("correct the type of the field in the mapping, or take it out")
    }
}

/// Rows of a sub-query, still in their page or already taken out of it.
fn list(children: Option<&Node>) -> &[Node] {
    let Some(children) = children else { return &[] };
    children.get("records").unwrap_or(children).list()
}
