//! What a query job does: which queries it takes, which columns they have, and the rows of its result.

use super::classic::{form::Form, found};
use super::dialect::Dialect;
use super::limits::QUERY_CHUNK_ROWS;
use crate::org::{ApiError, Id, Org};
use crate::schema::Schema;
use crate::soql::ast::{Argument, Expr, Item, Query};
use crate::soql::{self, Plan, Shape, parser};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::sync::Arc;

/// First version whose results have the columns in the order of the query; before, they are sorted by name.
const ORDERED_COLUMNS: u16 = 50;
/// Objects whose queries Salesforce cuts by primary key ("Use PK Chunking to Extract Large Data Sets").
const CHUNKABLE: [&str; 10] = [
    "Account",
    "Contact",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityLineItem",
    "PricebookEntry",
    "Product2",
    "Quote",
    "QuoteLineItem",
    "Task",
];

/// A query job's work.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extract {
    /// The query.
    pub soql: String,
    /// Whether deleted records are seen.
    pub all: bool,
    /// Form of the rows; queries of the Bulk API 2.0 have CSV only.
    #[serde(default)]
    pub form: Form,
    /// Rows so far.
    pub rows: Arc<Rows>,
    /// Whether a fault rule ends the job.
    pub doomed: bool,
    /// Records that the query found; after a restart they are looked for again.
    #[serde(skip)]
    pub found: Option<Found>,
}

/// Records that a query found, and how many of them were looked at.
#[derive(Clone, Debug)]
pub struct Found {
    ids: Vec<Id>,
    looked_at: usize,
}

/// Rows as text in the job's form, with where each ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    header: String,
    text: String,
    ends: Vec<usize>,
}

/// A query looked up in the schema.
pub struct Prepared {
    /// The query.
    pub plan: Plan,
    columns: Vec<Leaf>,
}

/// A column: the names that lead to its value, and whether that is a date or an instant.
pub struct Leaf {
    /// Names of relationships and, at the end, of the field.
    pub path: Vec<String>,
    /// Whether it is a date.
    pub date: bool,
    /// Whether it is an instant.
    pub instant: bool,
}

/// Looks up a query of a job of this version.
///
/// # Errors
/// What SOQL refuses, and what it refuses in bulk only (Understanding Bulk API 2.0 Query, SOQL Considerations).
pub fn prepare(
    schema: &Schema,
    soql: &str,
    now: Timestamp,
    all: bool,
    version: u16,
) -> Result<Prepared, ApiError> {
    let query = parser::parse(soql)?;
    refuse(&query)?;
    let plan = soql::prepare(schema, soql, now, all)?;
    if !matches!(plan.shape, Shape::Records(_)) {
        return Err(unsupported("Aggregate Relationships not supported in Bulk Query"));
    }
    let mut columns = Vec::new();
    for column in soql::columns(schema, &plan) {
        leaves(&column, &[], &mut columns)?;
    }
    if version >= ORDERED_COLUMNS {
        columns.sort_by_key(|leaf| place(&query, leaf));
    } else {
        columns.sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(Prepared { plan, columns })
}

fn refuse(query: &Query) -> Result<(), ApiError> {
    if query.offset.is_some() {
        return Err(unsupported("OFFSET not supported in Bulk Query"));
    }
    if !query.group.is_empty() {
        return Err(unsupported("Aggregate Relationships not supported in Bulk Query"));
    }
    for item in &query.select {
        match item {
            Item::Children(_) => {
                return Err(unsupported("Aggregate Relationships not supported in Bulk Query"));
            }
            Item::TypeOf(_) => return Err(unsupported("TYPEOF not supported in Bulk Query")),
            _ => {}
        }
    }
    Ok(())
}

fn unsupported(message: &str) -> ApiError {
    ApiError::bad("API_ERROR", message)
}

/// The columns below one entry of `columns=true`.
fn leaves(column: &Json, above: &[String], found: &mut Vec<Leaf>) -> Result<(), ApiError> {
    let mut path = above.to_vec();
    path.push(column["columnName"].as_str().unwrap_or_default().to_owned());
    let joined = column["joinColumns"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for inner in joined {
        leaves(inner, &path, found)?;
    }
    match column["apexType"].as_str() {
        Some("Address") => Err(unsupported("Selecting compound data not supported in Bulk Query")),
        kind if joined.is_empty() => {
            found.push(Leaf {
                path,
                date: kind == Some("Date"),
                instant: kind == Some("Datetime"),
            });
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Where in the select list a column stands. `FIELDS()` stands for every column that has no place of its own.
fn place(query: &Query, leaf: &Leaf) -> usize {
    let dotted = leaf.path.join(".");
    let names = |written: &str| {
        let below = written.len().checked_sub(dotted.len()).unwrap_or(usize::MAX);
        // `Account.Name` and `a.Name` are names of `Name` too: of the object itself.
        written
            .get(below..)
            .is_some_and(|end| end.eq_ignore_ascii_case(&dotted))
            && (below == 0 || written[..below].ends_with('.') && !written[..below - 1].contains('.'))
    };
    let named = |exact: bool| {
        query.select.iter().position(|item| match item {
            Item::Expr(Expr::Field(name), _) => {
                names(&name.text) && (!exact || name.text.len() == dotted.len())
            }
            Item::Expr(Expr::Call(call), _) => call.arguments.iter().any(|argument| match argument {
                Argument::Expr(Expr::Field(name)) => names(&name.text),
                _ => false,
            }),
            _ => false,
        })
    };
    let all = || {
        query
            .select
            .iter()
            .position(|item| matches!(item, Item::Fields(_)))
    };
    named(true)
        .or_else(|| named(false))
        .or_else(all)
        .unwrap_or(usize::MAX)
}

impl Extract {
    /// `query` or `queryAll`.
    pub fn operation(&self) -> &'static str {
        if self.all { "queryAll" } else { "query" }
    }

    /// Whether the query can be cut by primary key. ORDER BY and LIMIT make that impossible, but it is the object
    /// that this speaks of.
    pub fn chunkable(&self, object: &str) -> bool {
        object.ends_with("__c") || CHUNKABLE.contains(&object)
    }

    /// Rows so far.
    pub fn count(&self) -> usize {
        self.rows.count()
    }

    /// Bytes that this takes in memory.
    pub fn weight(&self) -> usize {
        self.rows.text.len() + self.count() * size_of::<usize>() + self.soql.len()
    }

    /// Looks for the records, or renders the next of those found. True when there are no more.
    ///
    /// # Errors
    /// The query looks at too much.
    pub fn advance(
        &mut self,
        org: &Org,
        prepared: &Prepared,
        dialect: Dialect,
        version: u16,
    ) -> Result<bool, ApiError> {
        let (rows, form) = (Arc::make_mut(&mut self.rows), self.form);
        let Some(found) = &mut self.found else {
            *rows = Rows {
                header: prepared.header(dialect, form),
                ..Rows::default()
            };
            self.found = Some(Found {
                ids: prepared.plan.ids(org)?,
                looked_at: 0,
            });
            return Ok(false);
        };
        let from = found.looked_at;
        let to = (from + QUERY_CHUNK_ROWS).min(found.ids.len());
        for id in &found.ids[from..to] {
            let row = prepared.row(org, *id, dialect, version, form);
            let between = if form == Form::Json && rows.count() > 0 {
                ","
            } else {
                ""
            };
            rows.push(row.map(|row| format!("{between}{row}")));
        }
        found.looked_at = to;
        Ok(to == found.ids.len())
    }
}

impl Rows {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Header and the rows from one to before the other.
    pub fn page(&self, from: usize, to: usize) -> String {
        let start = |row: usize| row.checked_sub(1).map_or(0, |before| self.ends[before]);
        format!("{}{}", self.header, &self.text[start(from)..start(to)])
    }

    fn push(&mut self, row: Option<String>) {
        if let Some(row) = row {
            self.text.push_str(&row);
            self.ends.push(self.text.len());
        }
    }
}

impl Prepared {
    /// This query, if it is for the object that is demanded.
    ///
    /// # Errors
    /// INVALID_TYPE.
    pub fn of_object(self, schema: &Schema, demanded: Option<&str>) -> Result<Self, ApiError> {
        let object = &schema.at(self.plan.object).name;
        match demanded.filter(|name| name != object) {
            Some(name) => {
                let message = format!("the query is for {object}, the job for {name}");
                Err(ApiError::bad("INVALID_TYPE", message))
            }
            None => Ok(self),
        }
    }

    fn header(&self, dialect: Dialect, form: Form) -> String {
        match form {
            Form::Csv => line(dialect, self.columns.iter().map(|leaf| leaf.path.join("."))),
            Form::Json | Form::Xml => String::new(),
        }
    }

    /// A record as a row; none when it is gone since the query found it. One that lies in the recycle bin since then
    /// is shown: a query job is no snapshot.
    fn row(&self, org: &Org, id: Id, dialect: Dialect, version: u16, form: Form) -> Option<String> {
        let Shape::Records(nodes) = &self.plan.shape else {
            return None;
        };
        let version = format!("v{version}.0");
        let record = soql::record(org, self.plan.object, id, nodes, &version);
        if record.is_null() {
            return None;
        }
        Some(match form {
            Form::Csv => line(dialect, self.columns.iter().map(|leaf| leaf.text(&record))),
            Form::Json => found::json(record, &self.columns),
            Form::Xml => found::xml(&record, &self.columns),
        })
    }
}

impl Leaf {
    /// The value as files have it; empty for none.
    pub fn text(&self, record: &Json) -> String {
        let value = self.path.iter().try_fold(record, |here, name| here.get(name));
        match value {
            None | Some(Json::Null) => String::new(),
            // Files write the offset as SOAP does.
            Some(Json::String(text)) if self.instant => match text.strip_suffix("+0000") {
                Some(instant) => format!("{instant}Z"),
                None => text.clone(),
            },
            Some(Json::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

fn line(dialect: Dialect, values: impl Iterator<Item = String>) -> String {
    let mut writer = dialect.writer(Vec::new());
    // A vector takes every byte, and rows may have any length.
    let _ = writer.write_record(values);
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
