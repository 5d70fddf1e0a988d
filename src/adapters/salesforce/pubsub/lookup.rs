//! Whose opportunities other records belong to: one call for everything that one delivery names.
//!
//! A change event seldom says to what its record belongs, and one of a deleted record says nothing but its id; a query
//! for deleted rows too still finds its opportunity, unless the row is gone for good, as that of a contact role is. Of an account or contact only those opportunities count that are
//! open or have a quote: for others there is nothing to keep in agreement.

use std::collections::{BTreeMap, BTreeSet};

use cpq_domain::adapter::Call;
use cpq_domain::id::RecordId;
use cpq_domain::{Error, Result};

use super::super::composite::{self, Manner, Part, PartAnswer};
use super::super::errors::{self as refusals, About};
use super::super::layout::Layout;
use super::super::rest::{Effect, Rest};
use super::super::soql::{Literal, Path};
use super::super::{query, record_id};
use super::limits::{LOOKUP_IDS, LOOKUP_ROWS};
use crate::json::Node;

/// By what an opportunity is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    Quote,
    Line,
    Role,
    Account,
    Contact,
    /// Business number.
    Number,
}

/// What has to be looked up.
#[derive(Default)]
pub(super) struct Wanted(BTreeMap<By, BTreeSet<String>>);

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    opportunities: BTreeMap<(By, String), Vec<RecordId>>,
    /// Why something may have been left out, for people.
    pub(super) short: Vec<String>,
}

impl Wanted {
    pub(super) fn add(&mut self, by: By, key: &str) {
        self.0.entry(by).or_default().insert(key.to_owned());
    }
}

impl Found {
    pub(super) fn of(&self, by: By, key: &str) -> &[RecordId] {
        let found = self.opportunities.get(&(by, folded(by, key)));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a record of that key was there at all, with an opportunity or without.
    pub(super) fn knows(&self, by: By, key: &str) -> bool {
        self.opportunities.contains_key(&(by, folded(by, key)))
    }

    fn add(&mut self, by: By, key: &str, opportunity: Option<RecordId>) {
        let found = self.opportunities.entry((by, folded(by, key))).or_default();
        if let Some(opportunity) = opportunity.filter(|opportunity| !found.contains(opportunity)) {
            found.push(opportunity);
        }
    }
}

/// Numbers compare in SOQL without regard to case; ids are as they are.
fn folded(by: By, key: &str) -> String {
    match by {
        By::Number => key.to_lowercase(),
        _ => key.to_owned(),
    }
}

/// Finds what is wanted. What Salesforce refuses to tell is named in [`Found::short`].
///
/// # Errors
/// When it cannot be asked just now.
pub(super) async fn find(rest: &Rest, call: &Call, layout: &Layout, wanted: &Wanted) -> Result<Found> {
    let mut found = Found::default();
    let mut asked = Vec::new();
    for (by, keys) in &wanted.0 {
        if keys.len() > LOOKUP_IDS {
            let why = format!(
                "{} records of one kind ({by:?}) changed at once; {LOOKUP_IDS} are looked up",
                keys.len()
            );
            found.short.push(why);
        }
        let keys = keys.iter().take(LOOKUP_IDS).map(String::as_str);
        match Question::new(layout, *by, keys)? {
            Some(question) => asked.push(question),
            None => found
                .short
                .push(format!("the org has no way from {by:?} to an opportunity")),
        }
    }
    if asked.is_empty() {
        return Ok(found);
    }
    let manner = Manner {
        all_or_none: false,
        effect: Effect::Read,
        operation: "look up",
    };
    let part = |(at, question): (usize, &Question)| {
        let encoded: String = url::form_urlencoded::byte_serialize(question.soql.as_bytes()).collect();
        Part::get(
            rest.data(&format!("{}?q={encoded}", question.resource)),
            format!("rows{at}"),
        )
    };
    let parts: Vec<Part> = asked.iter().enumerate().map(part).collect();
    let pages = composite::send(rest, &[call], manner, &parts, |answers| {
        answers
            .iter()
            .map(|answer| page(rest.connection(), answer))
            .collect::<Result<Vec<_>>>()
    })
    .await?;
    for (question, page) in asked.iter().zip(pages) {
        match page {
            Ok(first) => question.take(query::all(rest, &[call], first).await?.0, &mut found),
            Err(refused) => found.short.push(refused.message),
        }
    }
    Ok(found)
}

/// A page of rows, or why there is none for good.
fn page(connection: &str, answer: &PartAnswer) -> Result<Result<Node, Error>> {
    let node = answer.node()?;
    if answer.is_success() {
        return Ok(Ok(node));
    }
    let about = About {
        connection,
        object: "Opportunity",
        record: "",
        verb: "look up",
    };
    let error = refusals::of(about, answer.status, &refusals::said(&node));
    match error.class().passes_with_time() {
        true => Err(error),
        false => Ok(Err(error)),
    }
}

/// One query.
struct Question {
    by: By,
    soql: String,
    resource: &'static str,
    /// Column with what was asked for.
    key: Path,
    /// Column with the opportunity.
    opportunity: Path,
    limited: bool,
}

impl Question {
    fn new<'a>(layout: &Layout, by: By, keys: impl Iterator<Item = &'a str>) -> Result<Option<Question>> {
        let Some((from, key, opportunity)) = columns(layout, by)? else {
            return Ok(None);
        };
        let list: Vec<String> = keys.map(|key| Literal(key).to_string()).collect();
        let limited = matches!(by, By::Account | By::Contact);
        let last = match limited {
            true => format!(
                " AND {} ORDER BY LastModifiedDate DESC LIMIT {LOOKUP_ROWS}",
                matters(layout, if by == By::Contact { "Opportunity." } else { "" })
            ),
            false => String::new(),
        };
        let soql = format!(
            "SELECT {key}, {opportunity} FROM {from} WHERE {key} IN ({}){last}",
            list.join(", ")
        );
        let resource = match by {
            By::Quote | By::Line | By::Role => "queryAll",
            By::Account | By::Contact | By::Number => "query",
        };
        Ok(Some(Question {
            by,
            soql,
            resource,
            key,
            opportunity,
            limited,
        }))
    }

    fn take(&self, rows: Vec<Node>, found: &mut Found) {
        if self.limited && rows.len() >= LOOKUP_ROWS {
            let why = format!(
                "an account or contact has {LOOKUP_ROWS} opportunities or more that are open or quoted"
            );
            found.short.push(why);
        }
        for row in &rows {
            let text = |path: &Path| row.get(path.as_str()).and_then(Node::text);
            let opportunity = text(&self.opportunity).and_then(record_id::opportunity);
            let opportunity = opportunity.and_then(|id| RecordId::new(id).ok());
            if let Some(key) = text(&self.key) {
                found.add(self.by, key, opportunity);
            }
        }
    }
}

/// Object, column with the key, and column with the opportunity.
fn columns(layout: &Layout, by: By) -> Result<Option<(Path, Path, Path)>> {
    let paths = |from: &str, key: &str, opportunity: &str| -> Result<Option<(Path, Path, Path)>> {
        Ok(Some((Path::new(from)?, Path::new(key)?, Path::new(opportunity)?)))
    };
    match by {
        By::Quote => match layout.quotes.as_deref() {
            Some(quotes) => Ok(Some((
                quotes.object.clone(),
                Path::new("Id")?,
                quotes.parent.clone(),
            ))),
            None => Ok(None),
        },
        By::Line => paths("OpportunityLineItem", "Id", "OpportunityId"),
        By::Role => paths("OpportunityContactRole", "Id", "OpportunityId"),
        By::Account => paths("Opportunity", "AccountId", "Id"),
        By::Contact => paths("OpportunityContactRole", "ContactId", "OpportunityId"),
        By::Number => match &layout.number {
            Some(number) => paths("Opportunity", number.as_str(), "Id"),
            None => Ok(None),
        },
    }
}

/// The condition that an opportunity is open, or has a quote where the org has a field that says so.
fn matters(layout: &Layout, prefix: &str) -> String {
    let quoted = layout
        .fields
        .iter()
        .find(|field| field.name.as_str() == "quote.number");
    let quoted = quoted.filter(|field| field.path.relationship().is_none());
    match quoted {
        Some(field) => format!("({prefix}IsClosed = FALSE OR {prefix}{} != NULL)", field.path),
        None => format!("{prefix}IsClosed = FALSE"),
    }
}
