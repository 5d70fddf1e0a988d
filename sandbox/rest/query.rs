//! `/query` and `/queryAll` with paging.

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::cursors::Cursor;
use crate::org::{ApiError, Id};
use crate::soql::{self, Plan, Shape};
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
        if let Some(text) = ask.parameter("explain") {
            return self.explain(text);
        }
        let text = ask
            .parameter("q")
            .ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
        let plan = soql::prepare(&self.schema(), text, self.hand.now, all)?;
        if ask
            .parameter("columns")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
        {
            return Ok(ok(columns(self, text, &plan)));
        }
        match &plan.shape {
            Shape::Count => Ok(ok(
                json!({"totalSize": plan.count(self.org), "done": true, "records": []}),
            )),
            Shape::Groups(groups) => {
                let records = groups.run(self.org, &plan)?;
                Ok(ok(
                    json!({"totalSize": records.len(), "done": true, "records": records}),
                ))
            }
            Shape::Records(_) => {
                let ids = Arc::new(plan.ids(self.org));
                let cursor = Cursor {
                    plan: Arc::new(plan),
                    ids,
                    batch: batch_size(ask),
                };
                Ok(ok(self.page(&cursor, 0, None, version)))
            }
        }
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
        let cursor = self.org.cursors().read(id, self.hand.now).ok_or_else(invalid)?;
        if offset > cursor.ids.len() {
            return Err(invalid());
        }
        Ok(ok(self.page(&cursor, offset, Some(id), version)))
    }

    fn page(&mut self, cursor: &Cursor, offset: usize, locator: Option<Id>, version: &Version) -> Json {
        let Shape::Records(nodes) = &cursor.plan.shape else {
            return Json::Null;
        };
        let until = (offset + cursor.batch).min(cursor.ids.len());
        let records: Vec<Json> = cursor.ids[offset..until]
            .iter()
            .map(|id| soql::record(self.org, cursor.plan.object, *id, nodes, &version.text))
            .filter(|record| !record.is_null())
            .collect();
        let done = until == cursor.ids.len();
        let mut body = json!({"totalSize": cursor.ids.len(), "done": done});
        if !done {
            let (user, now) = (self.hand.user, self.hand.now);
            let locator = locator.unwrap_or_else(|| self.org.cursors().open(user, now, cursor.clone()));
            body["nextRecordsUrl"] =
                format!("/services/data/{}/query/{locator}-{until}", version.text).into();
        }
        body["records"] = Json::Array(records);
        body
    }

    fn explain(&self, text: &str) -> Result<DataResponse, ApiError> {
        let schema = self.schema();
        let plan = soql::prepare(&schema, text, self.hand.now, false)?;
        let table = self.org.table(plan.object);
        Ok(ok(json!({
            "plans": [{
                "cardinality": plan.count(self.org), "fields": [], "leadingOperationType": "TableScan", "notes": [],
                "relativeCost": 1.0, "sobjectCardinality": table.count(), "sobjectType": schema.at(plan.object).name,
            }],
            "sourceQuery": text,
        })))
    }
}

fn batch_size(ask: &Ask) -> usize {
    let options = ask.header("sforce-query-options").unwrap_or_default();
    let asked = options
        .split([',', ';'])
        .find_map(|o| o.trim().strip_prefix("batchSize=")?.trim().parse().ok());
    asked.unwrap_or(*BATCH.end()).clamp(*BATCH.start(), *BATCH.end())
}

/// `columns=true`, which the Salesforce CLI asks for: what stands in each column.
fn columns(door: &Door<'_>, text: &str, plan: &Plan) -> Json {
    let schema = door.schema();
    let columns = soql::columns(&schema, plan);
    json!({
        "columnMetadata": columns, "entityName": schema.at(plan.object).name, "groupBy": false,
        "idSelected": text.to_ascii_lowercase().contains("id"), "keyPrefix": schema.at(plan.object).prefix_text(),
    })
}
