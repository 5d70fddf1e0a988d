//! `/sobjects/X/{externalIdField}/{value}`.

use super::door::{Ask, Door, id_of};
use super::rows::id_in_body;
use super::target::Version;
use super::{DataResponse, answer};
use crate::org::coerce::coerce;
use crate::org::{ApiError, Id, Value};
use crate::schema::{ID, Kind};
use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

/// First version that answers an update with 200 and a body, and that says `created`.
const SAYS_CREATED: u16 = 46;
/// First version that knows `updateOnly`.
const KNOWS_UPDATE_ONLY: u16 = 61;

/// The key of an upsert, looked up.
pub struct ExternalKey {
    /// Position of the field.
    pub field: usize,
    /// Value.
    pub value: Value,
    /// Records that have it.
    pub found: Vec<Id>,
}

impl Door<'_> {
    /// GET, PATCH or DELETE by external id.
    pub(super) fn by_external_id(
        &mut self,
        ask: &Ask,
        version: &Version,
        at: usize,
        field: &str,
        value: &str,
    ) -> Result<DataResponse, ApiError> {
        let key = self.external_key(at, field, &Json::from(value))?;
        if key.found.len() > 1 {
            return Ok(self.choices(version, at, &key.found));
        }
        match (&ask.method, key.found.first()) {
            (&Method::PATCH, _) => self.upsert(ask, version, at, &key),
            (&Method::GET | &Method::DELETE, Some(id)) => self.row_by_id(ask, version, at, *id),
            (&Method::GET | &Method::DELETE, None) => Err(ApiError::not_found()),
            _ => Err(ask.not_allowed("DELETE,GET,HEAD,PATCH")),
        }
    }

    /// Looks up the records behind an external id.
    ///
    /// # Errors
    /// NOT_FOUND for fields that are no upsert keys, and what coercion refuses.
    pub(super) fn external_key(&self, at: usize, name: &str, value: &Json) -> Result<ExternalKey, ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        let field = object
            .position(name)
            .filter(|f| object.fields[*f].upsert_key())
            .ok_or_else(|| {
                ApiError::missing(format!(
                    "Provided external ID field does not exist or is not accessible: {name}"
                ))
            })?;
        let value = match (object.fields[field].kind, value.as_str()) {
            (Kind::Id, Some(text)) => Value::Id(id_of(object, text)?),
            _ => coerce(&object.fields[field], value)?,
        };
        let found = self.org.matches(at, field, &value);
        Ok(ExternalKey { field, value, found })
    }

    /// 300: the URLs of all records that have the value.
    fn choices(&self, version: &Version, at: usize, found: &[Id]) -> DataResponse {
        let schema = self.schema();
        let name = &schema.at(at).name;
        let urls: Vec<Json> = found
            .iter()
            .map(|id| format!("/services/data/{}/sobjects/{name}/{id}", version.text).into())
            .collect();
        answer(StatusCode::MULTIPLE_CHOICES, Some(Json::Array(urls)))
    }

    fn upsert(
        &mut self,
        ask: &Ask,
        version: &Version,
        at: usize,
        key: &ExternalKey,
    ) -> Result<DataResponse, ApiError> {
        let body = ask.object()?;
        let name = self.schema().at(at).fields[key.field].name.clone();
        for forbidden in ["Id", &name] {
            if body.keys().any(|k| k.eq_ignore_ascii_case(forbidden)) {
                return Err(id_in_body(forbidden));
            }
        }
        let shown = |id: Id, created: bool| {
            let mut body = json!({"id": id.to_string(), "success": true, "errors": []});
            if version.number >= SAYS_CREATED {
                body["created"] = created.into();
            }
            body
        };
        if let Some(id) = key.found.first().copied() {
            self.check_unmodified(ask, at, id)?;
            self.update(at, id, &body, &[])?;
            if version.number < SAYS_CREATED {
                return Ok(answer(StatusCode::NO_CONTENT, None));
            }
            return Ok(answer(StatusCode::OK, Some(shown(id, false))));
        }
        let update_only = ask
            .parameter("updateOnly")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"));
        if key.field == ID || update_only && version.number >= KNOWS_UPDATE_ONLY {
            return Err(ApiError::not_found());
        }
        let id = self.create_with(at, &body, &[], vec![(key.field, key.value.clone())])?;
        let mut response = answer(StatusCode::CREATED, Some(shown(id, true)));
        self.locate(&mut response, version, at, id);
        Ok(response)
    }
}
