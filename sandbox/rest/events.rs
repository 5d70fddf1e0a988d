//! Events in the data API: their schemas, describes of change events, and what a publisher is told.

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::events;
use crate::org::{ApiError, Id};
use crate::schema::describe::Reader;
use crate::schema::{self as forms, Object};
use http::Method;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// First version that knows `payloadFormat`; ones before answer with the compact form.
const KNOWS_FORMATS: u16 = 43;

impl Door<'_> {
    /// `GET /sobjects/X/eventSchema` (REST API Developer Guide, Platform Event Schema by Event Name).
    pub(super) fn event_schema(
        &self,
        ask: &Ask,
        version: &Version,
        event: &str,
    ) -> Result<DataResponse, ApiError> {
        schema(ask, version, self.around.event_schema(self.org, event))
    }

    /// `GET /event/eventSchema/{id}` (REST API Developer Guide, Platform Event Schema by Schema ID).
    pub(super) fn event_schema_by_id(
        &self,
        ask: &Ask,
        version: &Version,
        id: &str,
    ) -> Result<DataResponse, ApiError> {
        // The event's current schema may not have been worked out yet, and then its id is unknown.
        for object in self.org.schema().objects() {
            self.around.event_schema(self.org, &events::event_name(object));
        }
        schema(ask, version, self.around.event_schema_by_id(id))
    }

    /// Everything under `/sobjects/XChangeEvent`; none when the name is not that of a change event.
    pub(super) fn change_event(
        &self,
        ask: &Ask,
        version: &Version,
        name: &str,
        rest: &[&str],
    ) -> Result<Option<DataResponse>, ApiError> {
        let schema = self.schema();
        let Some(object) = events::object_of(&schema, name, self.org.capture()) else {
            return Ok(None);
        };
        if ask.method != Method::GET {
            let message = format!("entity type {name} does not support {}", ask.method);
            return Err(match rest {
                [] => ApiError::bad("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message),
                _ => ask.not_allowed("GET,HEAD"),
            });
        }
        let instance_url = self.around.instance_url();
        let reader = version.reader(&instance_url);
        match rest {
            [] => Ok(Some(ok(
                json!({"objectDescribe": forms::change_event_brief(object, reader), "recentItems": []}),
            ))),
            ["describe"] => Ok(Some(ok(forms::change_event(object, reader)))),
            ["eventSchema"] => self.event_schema(ask, version, name).map(Some),
            _ => Err(ApiError::not_found()),
        }
    }

    /// The entries of change events in the global describe.
    pub(super) fn change_events(&self, reader: Reader<'_>) -> Vec<Json> {
        let schema = self.schema();
        let told = |object: &&Object| {
            events::object_of(&schema, &events::event_name(object), self.org.capture()).is_some()
        };
        let objects = schema.objects().iter().filter(told);
        objects
            .map(|object| forms::change_event_brief(object, reader))
            .collect()
    }

    /// What stands among the `errors` of a successful create: for an event, that it is under way, and its UUID
    /// (Platform Events Developer Guide, Publish Event Messages with Salesforce APIs).
    pub(super) fn enqueued(&self, id: Id) -> Vec<Json> {
        let note =
            |uuid: Arc<str>| json!({"statusCode": "OPERATION_ENQUEUED", "message": *uuid, "fields": []});
        self.org.enqueued(id).map(note).into_iter().collect()
    }
}

fn schema(ask: &Ask, version: &Version, text: Option<Arc<str>>) -> Result<DataResponse, ApiError> {
    if ask.method != Method::GET {
        return Err(ask.not_allowed("GET,HEAD"));
    }
    let text = text.ok_or_else(ApiError::not_found)?;
    let format = ask.parameter("payloadFormat");
    let compact = match format {
        None => version.number < KNOWS_FORMATS,
        Some(_) if version.number < KNOWS_FORMATS => return Err(bad_format()),
        Some(format) if format.eq_ignore_ascii_case("COMPACT") => true,
        Some(format) if format.eq_ignore_ascii_case("EXPANDED") => false,
        Some(_) => return Err(bad_format()),
    };
    let json = if compact {
        serde_json::from_str(&text).ok()
    } else {
        events::expanded(&text)
    };
    json.map(ok).ok_or_else(ApiError::not_found)
}

fn bad_format() -> ApiError {
    ApiError::bad(
        "INVALID_FIELD",
        "The payloadFormat parameter is not supported or has an invalid value",
    )
}
