//! `/sobjects`: describes, and the way to rows.

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, answer, conditional, ok};
use crate::org::{ApiError, Id};
use crate::schema::describe;
use http::{Method, StatusCode, header};
use serde_json::{Value as Json, json};

impl Door<'_> {
    /// Everything under `/sobjects`.
    pub(super) fn sobjects(
        &mut self,
        ask: &Ask,
        version: &Version,
        rest: &[&str],
    ) -> Result<DataResponse, ApiError> {
        let [name, rest @ ..] = rest else {
            return self.describe_global(ask, version);
        };
        let at = self.object(name)?;
        match rest {
            [] => self.object_root(ask, version, at),
            ["describe"] => self.describe(ask, version, at),
            ["describe", "layouts", ..] => Ok(ok(json!({"layouts": [], "recordTypeMappings": []}))),
            ["describe", "compactLayouts", ..] => {
                Ok(ok(json!({"compactLayouts": [], "defaultCompactLayoutId": null})))
            }
            ["quickActions" | "listviews", ..] => Ok(ok(json!([]))),
            ["updated"] => self.updated(ask, at),
            ["deleted"] => self.deleted(ask, at),
            ["Id"] | ["id"] => self.create_row(ask, version, at),
            [key, value] if self.is_field(at, key) => self.by_external_id(ask, version, at, key, value),
            [id] => self.row(ask, version, at, id),
            [id, path @ ..] => self.related(ask, version, at, id, path),
        }
    }

    fn is_field(&self, at: usize, name: &str) -> bool {
        let shaped_like_id = matches!(name.len(), 15 | 18) && Id::parse(name).is_some();
        !shaped_like_id || self.org.schema().at(at).position(name).is_some()
    }

    fn describe_global(&mut self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        if conditional::not_modified(ask, self.schema_changed())? {
            return Ok(answer(StatusCode::NOT_MODIFIED, None));
        }
        let schema = self.org.schema();
        let list: Vec<Json> = schema
            .objects()
            .iter()
            .map(|o| describe::brief(o, &version.text))
            .collect();
        let mut response = ok(json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list}));
        conditional::stamp(&mut response, self.schema_changed());
        Ok(response)
    }

    fn object_root(&mut self, ask: &Ask, version: &Version, at: usize) -> Result<DataResponse, ApiError> {
        match ask.method {
            Method::POST => self.create_row(ask, version, at),
            Method::GET => {
                let brief = describe::brief(self.org.schema().at(at), &version.text);
                Ok(ok(json!({"objectDescribe": brief, "recentItems": []})))
            }
            _ => Err(ask.not_allowed("GET,HEAD,POST")),
        }
    }

    fn describe(&mut self, ask: &Ask, version: &Version, at: usize) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        if conditional::not_modified(ask, self.schema_changed())? {
            return Ok(answer(StatusCode::NOT_MODIFIED, None));
        }
        let schema = self.org.schema();
        let mut response = ok(describe::full(&schema, at, &self.record_types(at), &version.text));
        conditional::stamp(&mut response, self.schema_changed());
        Ok(response)
    }

    /// Schemas only change by seeding, so the first user's age is theirs.
    fn schema_changed(&self) -> jiff::Timestamp {
        let user = self.org.schema().position("User");
        user.and_then(|at| self.org.last_modified(at, self.org.first_user()))
            .unwrap_or(self.hand.now)
    }

    /// Active record types of an object: id, developer name, label.
    fn record_types(&self, at: usize) -> Vec<(Id, String, String)> {
        let schema = self.org.schema();
        let Some(types) = schema.position("RecordType") else {
            return Vec::new();
        };
        let text = |id: Id, name: &str| {
            self.org
                .peek(types, id, name)
                .as_text()
                .unwrap_or_default()
                .to_owned()
        };
        let of_object = |id: &Id| text(*id, "SobjectType").eq_ignore_ascii_case(&schema.at(at).name);
        let ids = self.org.table(types).rows().map(|(id, _)| id).filter(of_object);
        ids.map(|id| (id, text(id, "DeveloperName"), text(id, "Name")))
            .collect()
    }

    /// `POST /sobjects/X`.
    fn create_row(&mut self, ask: &Ask, version: &Version, at: usize) -> Result<DataResponse, ApiError> {
        if ask.method != Method::POST {
            return Err(ask.not_allowed("GET,HEAD,POST"));
        }
        let body = ask.object()?;
        if body.keys().any(|k| k.eq_ignore_ascii_case("Id")) {
            return Err(super::rows::id_in_body("Id"));
        }
        let id = self.create(at, &body, &[])?;
        let body = json!({"id": id.to_string(), "success": true, "errors": []});
        let mut response = answer(StatusCode::CREATED, Some(body));
        let url = format!(
            "/services/data/{}/sobjects/{}/{id}",
            version.text,
            self.org.schema().at(at).name
        );
        if let Ok(url) = url.parse() {
            response.headers.insert(header::LOCATION, url);
        }
        Ok(response)
    }
}
