//! The tooling API: queries over the org's own description, and describes of its objects (Tooling API Developer Guide).

mod catalog;
mod objects;
mod subscriptions;

use super::door::{Ask, Door};
use super::query::{columns, explained, query_text, wants_columns, whole};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::{ApiError, Id, Org};
use crate::schema::Object;
use crate::schema::describe::{self, Reader};
use crate::soql::ast::{Condition, Expr, Item, Op, Query};
use crate::soql::{self, Page, Plan, Setting, Shape};
use http::Method;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Rows of the one page that such a query may have.
const BATCH: usize = 2_000;

/// Resources listed at the root.
const RESOURCES: [&str; 2] = ["query", "sobjects"];

/// Objects that can only be read by what they belong to, with the fields to filter by.
const REIFIED: [(&str, &[&str]); 4] = [
    ("FieldDefinition", &["EntityDefinitionId", "DurableId"]),
    (
        "EntityParticle",
        &["DurableId", "EntityDefinitionId", "FieldDefinitionId"],
    ),
    ("PicklistValueInfo", &["EntityParticleId", "DurableId"]),
    (
        "RelationshipDomain",
        &[
            "ParentSobjectId",
            "FieldId",
            "ChildSobjectId",
            "RelationshipInfoId",
            "DurableId",
        ],
    ),
];

/// Which API a query came through; the answers differ in shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/query`
    Data,
    /// `/tooling/query`
    Tooling,
}

impl Door<'_> {
    /// Everything under `/tooling`.
    pub(super) fn tooling(
        &mut self,
        ask: &Ask,
        version: &Version,
        rest: &[&str],
    ) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return match rest {
                ["sobjects", name, rest @ ..] if name.eq_ignore_ascii_case(subscriptions::OBJECT) => {
                    self.write_subscription(ask, rest)
                }
                _ => Err(ask.not_allowed("GET,HEAD")),
            };
        }
        match rest {
            [] => {
                let url = |r: &&str| {
                    (
                        (*r).to_owned(),
                        format!("/services/data/{}/tooling/{r}", version.text).into(),
                    )
                };
                Ok(ok(Json::Object(
                    RESOURCES.iter().map(url).collect::<Map<String, Json>>(),
                )))
            }
            ["query" | "queryAll"] => {
                let setting = self.setting(version, rest == ["queryAll"]);
                let text = ask.parameter("explain").map_or_else(|| query_text(ask), Ok)?;
                self.catalog_query(ask, version, text, &setting, Api::Tooling)
            }
            ["query" | "queryAll", _] => Err(ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator")),
            ["sobjects", rest @ ..] => self.tooling_objects(version, rest),
            _ => Err(ApiError::not_found()),
        }
    }

    /// The answer to a query of the data API over the org's description; none when its object is no part of that.
    pub(super) fn definitions(
        &self,
        ask: &Ask,
        version: &Version,
        text: &str,
        setting: &Arc<Setting>,
    ) -> Option<Result<DataResponse, ApiError>> {
        let query = soql::parser::parse(text).ok()?;
        let name = &query.from.text;
        let here = self.org.schema().position(name).is_none() && objects::in_data_api(name);
        here.then(|| self.catalog_query(ask, version, text, setting, Api::Data))
    }

    fn catalog_query(
        &self,
        ask: &Ask,
        version: &Version,
        text: &str,
        setting: &Arc<Setting>,
        api: Api,
    ) -> Result<DataResponse, ApiError> {
        let (schema, query) = (objects::SCHEMA.clone(), soql::parser::parse(text)?);
        let plan = soql::prepare_parsed(&schema, text, &query, setting)?;
        let object = schema.at(plan.object);
        check_filter(object, &query)?;
        let whole = query.select.iter().any(names_the_whole);
        let org = catalog::of(self.org, &self.schema());
        if ask.parameter("explain").is_some() {
            return Ok(ok(explained(&org, text, &plan)?));
        }
        if wants_columns(ask) {
            return Ok(ok(columns(&schema, &plan)));
        }
        let mut answer = rows(&org, &plan, object, &version_text(version, api), setting)?;
        if let Some(records) = answer["records"].as_array_mut() {
            if whole && records.len() > 1 {
                return Err(too_many(records.len()));
            }
            records.iter_mut().for_each(subscriptions::unfold_metadata);
        }
        Ok(ok(match api {
            Api::Data => answer,
            Api::Tooling => tooling_shape(answer, object),
        }))
    }

    fn tooling_objects(&self, version: &Version, rest: &[&str]) -> Result<DataResponse, ApiError> {
        let (schema, text) = (objects::SCHEMA.clone(), version_text(version, Api::Tooling));
        let instance_url = self.around.instance_url();
        let reader = Reader {
            version: &text,
            ..version.reader(&instance_url)
        };
        let [name, rest @ ..] = rest else {
            let list: Vec<Json> = schema
                .objects()
                .iter()
                .map(|o| describe::brief(o, reader))
                .collect();
            return Ok(ok(
                json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list}),
            ));
        };
        let at = schema.position(name).ok_or_else(ApiError::not_found)?;
        match rest {
            [] => {
                let brief = describe::brief(schema.at(at), reader);
                Ok(ok(json!({"objectDescribe": brief, "recentItems": []})))
            }
            ["describe"] => Ok(ok(describe::full(&schema, at, &[], reader))),
            [id] => {
                let org = catalog::of(self.org, &self.schema());
                let found = row_by(&org, at, id).ok_or_else(ApiError::not_found)?;
                let fields = &schema.at(at).shown;
                let record = org.record(at, found, fields, &text);
                let mut record = record.ok_or_else(ApiError::not_found)?;
                subscriptions::unfold_metadata(&mut record);
                Ok(ok(record))
            }
            _ => Err(ApiError::not_found()),
        }
    }
}

/// Whether a field shows the whole definition of what it belongs to.
fn names_the_whole(item: &Item) -> bool {
    let field = match item {
        Item::Expr(Expr::Field(name), _) => name.text.as_str(),
        _ => return false,
    };
    field.eq_ignore_ascii_case("Metadata") || field.eq_ignore_ascii_case("FullName")
}

/// Definitions are only shown one by one (Tooling API Developer Guide, SOQL Operation Limitations).
fn too_many(rows: usize) -> ApiError {
    let message = format!(
        "When retrieving results with Metadata or FullName fields, the query qualifications must specify no more than          one row for retrieval. Result size: {rows}"
    );
    ApiError::bad("MALFORMED_QUERY", message)
}

/// What stands for the version in links.
fn version_text(version: &Version, api: Api) -> String {
    match api {
        Api::Data => version.text.clone(),
        Api::Tooling => format!("{}/tooling", version.text),
    }
}

/// A row by its id or its durable id.
fn row_by(org: &Org, at: usize, text: &str) -> Option<Id> {
    let table = org.table(at);
    if let Some(id) = Id::parse(text).filter(|id| table.live(*id).is_some()) {
        return Some(id);
    }
    let durable = org.schema().at(at).position("DurableId")?;
    let found = table
        .rows()
        .find(|(_, row)| row.values[durable].as_text() == Some(text));
    found.map(|(id, _)| id)
}

/// What these objects cannot do in a query (Tooling API Developer Guide, SOQL Operation Limitations).
fn check_filter(object: &Object, query: &Query) -> Result<(), ApiError> {
    let Some((name, fields)) = REIFIED.iter().find(|(name, _)| *name == object.name) else {
        return Ok(());
    };
    if query.filter.as_ref().is_some_and(|f| names_one_of(f, fields)) {
        return Ok(());
    }
    let message = format!(
        "{name}: a filter on a reified column is required [{}]",
        fields.join(",")
    );
    Err(ApiError::bad("MALFORMED_QUERY", message))
}

/// Whether a condition lets only rows through that have given values of one of these fields, or of what they point to.
fn names_one_of(condition: &Condition, fields: &[&str]) -> bool {
    match condition {
        Condition::And(all) => all.iter().any(|c| names_one_of(c, fields)),
        Condition::Or(all) => all.iter().all(|c| names_one_of(c, fields)),
        Condition::Compare(Expr::Field(name), Op::Eq | Op::In, _) => {
            let first = name.text.split('.').next().unwrap_or_default();
            let is = |f: &&str| {
                f.eq_ignore_ascii_case(&name.text)
                    || f.strip_suffix("Id")
                        .is_some_and(|f| f.eq_ignore_ascii_case(first))
            };
            fields.iter().any(is)
        }
        Condition::Compare(..) | Condition::Not(_) | Condition::SemiJoin(..) => false,
    }
}

fn rows(org: &Org, plan: &Plan, object: &Object, version: &str, setting: &Setting) -> Result<Json, ApiError> {
    let described = object.position("DurableId").is_some();
    match &plan.shape {
        Shape::Count | Shape::Groups(_) if described => {
            let message = "The requested operation is not yet supported by this SObject storage type, contact salesforce.com support for more information.";
            Err(ApiError::bad("MALFORMED_QUERY", message))
        }
        Shape::Count | Shape::Groups(_) => whole(org, plan, setting),
        Shape::Records(_) => {
            let ids = plan.ids(org)?;
            if ids.len() > BATCH {
                let message = format!(
                    "{} does not support queryMore(), use LIMIT to restrict the results to a single batch",
                    object.name
                );
                return Err(ApiError::bad("EXCEEDED_ID_LIMIT", message));
            }
            let cursor = crate::org::cursors::Cursor {
                plan: Arc::new(plan.clone()),
                ids: Arc::new(ids),
                batch: usize::MAX,
            };
            let (records, _) = Page::new(org, version, usize::MAX, 0).fill(&cursor, 0)?;
            Ok(json!({"totalSize": records.len(), "done": true, "records": records}))
        }
    }
}

/// The tooling API says more about an answer.
fn tooling_shape(answer: Json, object: &Object) -> Json {
    json!({
        "size": answer["records"].as_array().map_or(0, Vec::len), "totalSize": answer["totalSize"],
        "done": answer["done"], "queryLocator": null, "entityTypeName": object.name, "records": answer["records"],
    })
}
