//! `/query` and `/queryAll` with paging (REST API Developer Guide, Query and Query More Results).

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::cursors::Cursor;
use crate::org::{ApiError, Id, Org};
use crate::schema::Schema;
use crate::soql::{self, Page, Plan, Setting, Shape};
use http::Method;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Rows a page may hold (REST API Developer Guide, Query Options Header).
const BATCH: std::ops::RangeInclusive<usize> = 200..=2_000;

impl Door<'_> {
    /// `GET /query?q=` and `GET /queryAll?q=`.
    pub(super) fn query(
        &mut self,
        ask: &Ask,
        version: &Version,
        all: bool,
    ) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let setting = self.setting(version, all);
        let explain = ask.parameter("explain");
        let text = explain.map_or_else(|| query_text(ask), Ok)?;
        let schema = self.schema();
        let plan = match soql::prepare_for(&schema, text, &setting) {
            Err(error) if error.error_code == "INVALID_TYPE" => {
                // It may be an object of the org's own description.
                let described = self.definitions(ask, version, text, &setting);
                return described.unwrap_or(Err(error));
            }
            prepared => prepared?,
        };
        if explain.is_some() {
            return Ok(ok(explained(self.org, text, &plan)?));
        }
        if wants_columns(ask) {
            return Ok(ok(columns(&schema, &plan)));
        }
        match &plan.shape {
            Shape::Count | Shape::Groups(_) => Ok(ok(whole(self.org, &plan, &setting)?)),
            Shape::Records(_) => {
                let ids = plan.ids(self.org)?;
                self.mark(&plan, &ids);
                let batch = soql::batch(&schema, &plan, batch_size(ask));
                let cursor = Cursor {
                    plan: Arc::new(plan),
                    ids: Arc::new(ids),
                    batch,
                };
                Ok(ok(self.page(&cursor, 0, None, version)?))
            }
        }
    }

    /// Who asks, when and in which version.
    pub(super) fn setting(&self, version: &Version, all: bool) -> Arc<Setting> {
        Arc::new(Setting::of(
            self.org,
            self.hand.user,
            version.number,
            self.hand.now,
            all,
        ))
    }

    /// `GET` of a `nextRecordsUrl`.
    pub(super) fn query_more(
        &mut self,
        ask: &Ask,
        version: &Version,
        locator: &str,
    ) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let invalid = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
        let (id, offset) = locator.split_once('-').ok_or_else(invalid)?;
        let (id, offset) = (
            Id::parse(id).ok_or_else(invalid)?,
            offset.parse::<usize>().map_err(|_| invalid())?,
        );
        let (user, now) = (self.hand.user, self.hand.now);
        let cursor = self.org.cursors().read(id, user, now).ok_or_else(invalid)?;
        if offset >= cursor.ids.len() {
            return Err(invalid());
        }
        Ok(ok(self.page(&cursor, offset, Some(id), version)?))
    }

    fn page(
        &mut self,
        cursor: &Cursor,
        offset: usize,
        locator: Option<Id>,
        version: &Version,
    ) -> Result<Json, ApiError> {
        let made = self.org.cursors().made();
        let mut page = Page::new(self.org, &version.text, cursor.batch, made);
        let (records, until) = page.fill(cursor, offset)?;
        let opened = page.opened;
        let (user, now) = (self.hand.user, self.hand.now);
        self.org.cursors().open_nested(user, now, opened);
        let done = until >= cursor.ids.len();
        let mut body = json!({"totalSize": cursor.ids.len(), "done": done});
        if !done {
            let locator = locator.unwrap_or_else(|| self.org.cursors().open(user, now, cursor.clone()));
            body["nextRecordsUrl"] =
                format!("/services/data/{}/query/{locator}-{until}", version.text).into();
        }
        body["records"] = Json::Array(records);
        Ok(body)
    }

    /// FOR VIEW and FOR REFERENCE leave their marks on the records.
    fn mark(&mut self, plan: &Plan, ids: &[Id]) {
        if plan.marks != (false, false) {
            self.org.mark_seen(plan.object, ids, self.hand.now, plan.marks);
        }
    }
}

/// The query of a request.
///
/// # Errors
/// MALFORMED_QUERY when there is none.
pub fn query_text(ask: &Ask) -> Result<&str, ApiError> {
    let given = ask.parameter("q").filter(|q| !q.trim().is_empty());
    given.ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "A query string has to be specified"))
}

/// Whether `columns=true` is asked for.
pub fn wants_columns(ask: &Ask) -> bool {
    ask.parameter("columns")
        .is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

/// The answer of a query that has no pages: a number, or groups.
///
/// # Errors
/// EXCEEDED_ID_LIMIT, QUERY_TOO_COMPLICATED.
pub fn whole(org: &Org, plan: &Plan, setting: &Setting) -> Result<Json, ApiError> {
    let records = match &plan.shape {
        Shape::Groups(groups) => groups.run(org, plan, setting)?,
        Shape::Count | Shape::Records(_) => {
            return Ok(json!({"totalSize": plan.count(org)?, "done": true, "records": []}));
        }
    };
    Ok(json!({"totalSize": records.len(), "done": true, "records": records}))
}

/// The answer to `explain`.
///
/// # Errors
/// QUERY_TOO_COMPLICATED.
pub fn explained(org: &Org, text: &str, plan: &Plan) -> Result<Json, ApiError> {
    Ok(json!({"plans": soql::explained(org, plan)?, "sourceQuery": text}))
}

fn batch_size(ask: &Ask) -> usize {
    let options = ask.header("sforce-query-options").unwrap_or_default();
    let asked = options.split([',', ';']).find_map(|option| {
        let (name, value) = option.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("batchSize")
            .then(|| value.trim().parse().ok())?
    });
    asked.unwrap_or(*BATCH.end()).clamp(*BATCH.start(), *BATCH.end())
}

/// `columns=true`, which the Salesforce CLI asks for: what stands in each column.
pub fn columns(schema: &Schema, plan: &Plan) -> Json {
    let object = schema.at(plan.object);
    let grouped = matches!(&plan.shape, Shape::Groups(groups) if !groups.group.is_empty());
    let id = match &plan.shape {
        Shape::Records(nodes) => nodes.iter().any(|n| matches!(n, soql::Node::Field(0, _))),
        Shape::Count | Shape::Groups(_) => false,
    };
    json!({
        "columnMetadata": soql::columns(schema, plan), "entityName": object.name, "groupBy": grouped,
        "idSelected": id, "keyPrefix": object.prefix_text(),
    })
}
