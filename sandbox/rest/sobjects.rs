//! `/sobjects`: describes, and the way to rows.

use super::conditional::{self, State};
use super::door::{Ask, Door};
use super::rows::digest;
use super::target::Version;
use super::{DataResponse, answer, ok};
use crate::org::{ApiError, Id};
use crate::schema::describe::{self, RecordTypeInfo};
use http::{Method, StatusCode, header};
use serde_json::{Value as Json, json};

/// First version where a create may name `Id` as its external id (REST API Developer Guide, sObject Rows by External
/// ID).
const CREATES_BY_ID: u16 = 37;

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
        if let Some(response) = self.change_event(ask, version, name, rest)? {
            return Ok(response);
        }
        let at = self.object(name)?;
        match rest {
            ["eventSchema"] => self.event_schema(ask, version, name),
            [] => self.object_root(ask, version, at),
            ["describe"] => self.describe(ask, version, at),
            ["describe", "layouts"] => self.layouts(ask, version, at, None),
            ["describe", "layouts", kind] => self.layouts(ask, version, at, Some(kind)),
            ["describe", "compactLayouts"] => self.compact_layouts(ask, version, at, None),
            ["describe", "compactLayouts", kind] => self.compact_layouts(ask, version, at, Some(kind)),
            ["describe", "approvalLayouts", ..] => Ok(ok(json!({"approvalLayouts": []}))),
            ["describe", "namedLayouts", ..] => Err(ApiError::not_found()),
            ["defaultValues"] => self.default_values(ask, at),
            ["listviews", rest @ ..] => self.list_views(ask, version, at, rest),
            ["quickActions"] => Ok(ok(json!([]))),
            ["updated"] => self.updated(ask, at),
            ["deleted"] => self.deleted(ask, at),
            ["Id"] | ["id"] if version.number >= CREATES_BY_ID => self.create_row(ask, version, at),
            [key, value] if self.is_field(at, key) => self.by_external_id(ask, version, at, key, value),
            [id] => self.row(ask, version, at, id),
            [id, path @ ..] => self.related(ask, version, at, id, path),
        }
    }

    fn is_field(&self, at: usize, name: &str) -> bool {
        let shaped_like_id = matches!(name.len(), 15 | 18) && Id::parse(name).is_some();
        !shaped_like_id || self.schema().at(at).position(name).is_some()
    }

    fn describe_global(&mut self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let state = self.schema_state("");
        if let Some(early) = unchanged(ask, &state)? {
            return Ok(early);
        }
        let schema = self.schema();
        let instance_url = self.around.instance_url();
        let reader = version.reader(&instance_url);
        let mut list: Vec<Json> = schema
            .objects()
            .iter()
            .filter(|o| !o.hidden)
            .map(|o| describe::brief(o, reader))
            .collect();
        list.extend(self.change_events(reader));
        let mut response = ok(json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list}));
        conditional::stamp(ask, &mut response, &state);
        Ok(response)
    }

    fn object_root(&mut self, ask: &Ask, version: &Version, at: usize) -> Result<DataResponse, ApiError> {
        match ask.method {
            Method::POST => self.create_row(ask, version, at),
            Method::GET => {
                let instance_url = self.around.instance_url();
                let brief = describe::brief(self.schema().at(at), version.reader(&instance_url));
                let recent = self.recent_items(version, Some(at));
                Ok(ok(json!({"objectDescribe": brief, "recentItems": recent})))
            }
            _ => Err(ask.not_allowed("GET,HEAD,POST")),
        }
    }

    fn describe(&mut self, ask: &Ask, version: &Version, at: usize) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let state = self.schema_state(&self.schema().at(at).name);
        if let Some(early) = unchanged(ask, &state)? {
            return Ok(early);
        }
        let schema = self.schema();
        let instance_url = self.around.instance_url();
        let reader = version.reader(&instance_url);
        let mut response = ok(describe::full(&schema, at, &self.record_types(at), reader));
        conditional::stamp(ask, &mut response, &state);
        Ok(response)
    }

    /// When what a describe shows last changed; the tag also tells what the user may see.
    fn schema_state(&self, object: &str) -> State {
        let modified = self.org.schema_changed();
        let shown: usize = self.schema().objects().iter().map(|o| o.shown.len()).sum();
        let text = format!("{object} {modified} {shown}");
        // Describes have the short tags of recorded ones: eight hexadecimal digits.
        let tag = digest(text.as_bytes())
            .bytes()
            .fold(0_u32, |hash, b| hash.wrapping_mul(31).wrapping_add(u32::from(b)));
        State {
            modified,
            tag: Some(format!("{tag:08x}")),
        }
    }

    /// The record types of an object.
    pub(super) fn record_types(&self, at: usize) -> Vec<RecordTypeInfo> {
        let schema = self.schema();
        let object = schema.at(at);
        let Some(types) = self.org.schema().position("RecordType") else {
            return Vec::new();
        };
        let text = |id: Id, name: &str| {
            let value = self.org.peek(types, id, name);
            value.as_text().unwrap_or_default().to_owned()
        };
        let of_object = |id: &Id| text(*id, "SobjectType").eq_ignore_ascii_case(&object.name);
        let info = |id: Id| {
            let name = text(id, "DeveloperName");
            let mut specs = object.record_types.iter();
            RecordTypeInfo {
                id: id.to_string(),
                name: text(id, "Name"),
                active: self.org.peek(types, id, "IsActive").is_true(),
                default: specs.any(|s| s.default && s.name == name),
                developer_name: name,
            }
        };
        let rows = self.org.table(types).rows();
        rows.map(|(id, _)| id).filter(of_object).map(info).collect()
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
        self.note_use(ask, version, id);
        let body = json!({"id": id.to_string(), "success": true, "errors": self.enqueued(id)});
        let mut response = answer(StatusCode::CREATED, Some(body));
        self.locate(&mut response, version, at, id);
        Ok(response)
    }

    /// Says where a record is that was just made.
    pub(super) fn locate(&self, response: &mut DataResponse, version: &Version, at: usize, id: Id) {
        let schema = self.schema();
        let url = format!(
            "/services/data/{}/sobjects/{}/{id}",
            version.text,
            schema.at(at).name
        );
        if let Ok(url) = url.parse() {
            response.headers.insert(header::LOCATION, url);
        }
    }
}

/// The answer to a describe that the caller knows already.
///
/// # Errors
/// 412 when it changed after If-Unmodified-Since.
fn unchanged(ask: &Ask, state: &State) -> Result<Option<DataResponse>, ApiError> {
    conditional::unmodified(ask, state)?;
    if !conditional::known(ask, state)? {
        return Ok(None);
    }
    let mut response = answer(StatusCode::NOT_MODIFIED, None);
    conditional::stamp(ask, &mut response, state);
    Ok(Some(response))
}
