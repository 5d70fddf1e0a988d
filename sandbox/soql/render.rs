//! Records as the wire shows them: one by one, or a page at a time with links to what did not fit.

use super::output::{Any, Children, Node};
use super::path::{End, named_value};
use super::plan::{Plan, Shape};
use crate::org::cursors::{Cursor, Cursors};
use crate::org::view::{attributes, field};
use crate::org::{ApiError, Id, Org, Row};
use crate::schema::{ID, Kind, Object, Schema};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Rows that one page may hold, children of children included; a page of lists within lists could be endless.
const PAGE_LIMIT: usize = 50_000;
/// Rows of a page when the query has sub-queries. Recordings show child lists cut at 499 rows: one less than this.
const BATCH_WITH_CHILDREN: usize = 500;
/// Rows of a page when two or more long texts are selected (SOQL and SOSL Reference, Change the Batch Size in Queries).
const BATCH_WITH_LONG_TEXTS: usize = 200;
/// Texts beyond this are long.
const LONG_TEXT: u32 = 255;

/// Rows that a page of this plan holds when the caller asks for `asked`.
pub fn batch(schema: &Schema, plan: &Plan, asked: usize) -> usize {
    let Shape::Records(nodes) = &plan.shape else {
        return asked;
    };
    let (mut long, mut lists) = (0, 0);
    survey(schema, plan.object, nodes, &mut long, &mut lists);
    let asked = if lists > 0 {
        asked.min(BATCH_WITH_CHILDREN)
    } else {
        asked
    };
    if long > 1 {
        asked.min(BATCH_WITH_LONG_TEXTS)
    } else {
        asked
    }
}

fn survey(schema: &Schema, object: usize, nodes: &[Node], long: &mut usize, lists: &mut usize) {
    for node in nodes {
        match node {
            Node::Field(at, _) => {
                let field = &schema.at(object).fields[*at];
                *long += usize::from(field.kind == Kind::Textarea && field.length > LONG_TEXT);
            }
            Node::Parent(_, target, _, inner) => survey(schema, *target, inner, long, lists),
            Node::Children(list) => {
                *lists += 1;
                if let Shape::Records(inner) = &list.plan.shape {
                    survey(schema, list.plan.object, inner, long, lists);
                }
            }
            Node::Computed(..) | Node::Any(_) => {}
        }
    }
}

/// One record as the tree shows it, child lists whole.
pub fn record(org: &Org, object: usize, id: Id, nodes: &[Node], version: &str) -> Json {
    let mut page = Page::new(org, version, usize::MAX, 0);
    match org.table(object).row(id) {
        Some(row) => page.row(object, row, nodes),
        None => Json::Null,
    }
}

/// A page being put together.
pub struct Page<'o> {
    org: &'o Org,
    schema: Arc<Schema>,
    version: &'o str,
    batch: usize,
    rows: usize,
    locators: u64,
    /// Cursors of child lists that did not fit, with their locators.
    pub opened: Vec<(Id, Cursor)>,
}

impl<'o> Page<'o> {
    /// An empty page; locators of child lists count on from `locators`.
    pub fn new(org: &'o Org, version: &'o str, batch: usize, locators: u64) -> Page<'o> {
        Page {
            org,
            schema: org.schema(),
            version,
            batch,
            rows: 0,
            locators,
            opened: Vec::new(),
        }
    }

    /// Records from `offset` on until the page is full; also where the next page begins.
    ///
    /// # Errors
    /// QUERY_TOO_COMPLICATED when the lists within one record alone are too much.
    pub fn fill(&mut self, cursor: &Cursor, offset: usize) -> Result<(Vec<Json>, usize), ApiError> {
        let mut records = Vec::new();
        let mut at = offset;
        let Shape::Records(nodes) = &cursor.plan.shape else {
            return Ok((records, at));
        };
        let table = self.org.table(cursor.plan.object);
        while at < cursor.ids.len() && self.rows < self.batch {
            if let Some(row) = table.row(cursor.ids[at]) {
                records.push(self.row(cursor.plan.object, row, nodes));
            }
            at += 1;
            if self.rows > PAGE_LIMIT {
                let message =
                    "Query is either selecting too many fields or the filter conditions are too complicated.";
                return Err(ApiError::bad("QUERY_TOO_COMPLICATED", message));
            }
        }
        Ok((records, at))
    }

    fn row(&mut self, object: usize, row: &Row, nodes: &[Node]) -> Json {
        self.rows += 1;
        let schema = self.schema.clone();
        let here = schema.at(object);
        let mut out = self.head(here, row, nodes.len());
        for node in nodes {
            let (name, value) = match node {
                Node::Field(at, name) => (name, self.field(here, row, *at)),
                Node::Computed(shown, name) => (name, shown.json(self.org, row)),
                Node::Parent(reference, target, name, inner) => {
                    (name, self.parent(row, *reference, *target, inner))
                }
                Node::Any(any) => (&any.name, self.any(row, any)),
                Node::Children(list) => (&list.name, self.list(row, list)),
            };
            out.insert(name.clone(), value);
        }
        Json::Object(out)
    }

    fn head(&self, object: &Object, row: &Row, more: usize) -> Map<String, Json> {
        let mut out = Map::with_capacity(more + 1);
        let id = row.values[ID].as_id().unwrap_or(Id::MIN);
        let shown = match durable(object) {
            Some(at) => {
                let id = row.values[at].as_text().unwrap_or_default();
                let url = format!("/services/data/{}/sobjects/{}/{id}", self.version, object.name);
                json!({"type": object.name, "url": url})
            }
            None => attributes(object, self.version, id),
        };
        out.insert("attributes".to_owned(), shown);
        out
    }

    fn field(&self, object: &Object, row: &Row, at: usize) -> Json {
        match (at, durable(object)) {
            (ID, Some(_)) => NO_ID.into(),
            _ => field(object, row, at),
        }
    }

    fn parent(&mut self, row: &Row, reference: usize, target: usize, nodes: &[Node]) -> Json {
        let org = self.org;
        let parent = row.values[reference]
            .as_id()
            .and_then(|id| org.table(target).live(id));
        let Some(parent) = parent else {
            return Json::Null;
        };
        // Parents do not count as rows.
        self.rows -= 1;
        self.row(target, parent, nodes)
    }

    fn any(&mut self, row: &Row, any: &Any) -> Json {
        let org = self.org;
        let Some(id) = row.values[any.reference].as_id() else {
            return Json::Null;
        };
        let Some(at) = self.schema.by_prefix(id.prefix()) else {
            return Json::Null;
        };
        let Some(parent) = org.table(at).live(id) else {
            return Json::Null;
        };
        if let Some((_, nodes)) = any.branches.iter().find(|(object, _)| *object == at) {
            self.rows -= 1;
            return self.row(at, parent, nodes);
        }
        let Some(fields) = &any.otherwise else {
            return Json::Null;
        };
        let object = self.schema.at(at);
        let mut out = Map::with_capacity(fields.len() + 1);
        let mut head = attributes(object, self.version, id);
        if !any.typed {
            // Without TYPEOF the parent is shown as what all parents have in common.
            head["type"] = "Name".into();
        }
        out.insert("attributes".to_owned(), head);
        for named in fields {
            let value = named_value(org, id, *named);
            let json = value.to_json(Kind::String);
            out.insert(End::shown(*named).to_owned(), json);
        }
        Json::Object(out)
    }

    fn list(&mut self, row: &Row, list: &Children) -> Json {
        let Shape::Records(nodes) = &list.plan.shape else {
            return Json::Null;
        };
        let parent = row.values[ID].as_id().unwrap_or(Id::MIN);
        let ids = list.plan.child_ids(self.org, list.reference, parent);
        if ids.is_empty() {
            return Json::Null;
        }
        let room = PAGE_LIMIT.saturating_sub(self.rows).max(1);
        let shown = match self.batch {
            usize::MAX => ids.len(),
            batch => ids.len().min((batch - 1).max(1)).min(room),
        };
        let table = self.org.table(list.plan.object);
        let rows = ids[..shown].iter().filter_map(|id| table.row(*id));
        let records: Vec<Json> = rows
            .map(|child| self.row(list.plan.object, child, nodes))
            .collect();
        let mut body = json!({"totalSize": ids.len(), "done": shown == ids.len()});
        if shown < ids.len() {
            self.locators += 1;
            let locator = Cursors::locator(self.locators);
            body["nextRecordsUrl"] =
                format!("/services/data/{}/query/{locator}-{shown}", self.version).into();
            let cursor = Cursor {
                plan: list.plan.clone(),
                ids: Arc::new(ids),
                batch: self.batch,
            };
            self.opened.push((locator, cursor));
        }
        body["records"] = Json::Array(records);
        body
    }
}

/// Id of records that are made up from the org's description and have only a durable id.
const NO_ID: &str = "000000000000000AAA";

/// The field that stands for the id of such records.
fn durable(object: &Object) -> Option<usize> {
    object.position("DurableId")
}
