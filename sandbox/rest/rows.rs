//! `/sobjects/X/{id}`: one row.

use super::conditional::{self, State};
use super::door::{Ask, Door, id_of, malformed_id};
use super::target::Version;
use super::{DataResponse, answer, ok};
use crate::org::{ApiError, Id};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, StatusCode};
use jiff::Timestamp;

/// The error for a key that stands in the path and in the body too.
pub fn id_in_body(field: &str) -> ApiError {
    ApiError::bad(
        "INVALID_FIELD",
        format!("The {field} field should not be specified in the sobject data."),
    )
}

impl Door<'_> {
    /// GET, PATCH or DELETE of one row.
    pub(super) fn row(
        &mut self,
        ask: &Ask,
        version: &Version,
        at: usize,
        segment: &str,
    ) -> Result<DataResponse, ApiError> {
        if !matches!(segment.len(), 15 | 18) {
            let known = self.schema().at(at).position(segment).is_some();
            let message =
                format!("Provided external ID field does not exist or is not accessible: {segment}");
            return Err(if known {
                ApiError::not_found()
            } else {
                ApiError::missing(message)
            });
        }
        let id = match ask.method {
            Method::GET => {
                let schema = self.schema();
                Id::parse(segment).ok_or_else(|| malformed_id(schema.at(at), segment))?
            }
            _ => id_of(self.schema().at(at), segment)?,
        };
        self.row_by_id(ask, version, at, id)
    }

    /// The same once the id is known.
    pub(super) fn row_by_id(
        &mut self,
        ask: &Ask,
        version: &Version,
        at: usize,
        id: Id,
    ) -> Result<DataResponse, ApiError> {
        match ask.method {
            Method::GET => self.read_row(ask, version, at, id),
            Method::PATCH => {
                let body = ask.object()?;
                if body.keys().any(|k| k.eq_ignore_ascii_case("Id")) {
                    return Err(id_in_body("Id"));
                }
                self.check_unmodified(ask, at, id)?;
                self.update(at, id, &body, &[])?;
                self.note_use(ask, version, id);
                Ok(answer(StatusCode::NO_CONTENT, None))
            }
            Method::DELETE => {
                self.delete(at, id)?;
                Ok(answer(StatusCode::NO_CONTENT, None))
            }
            _ => Err(ask.not_allowed("DELETE,GET,HEAD,PATCH")),
        }
    }

    /// The conditions of a write.
    pub(super) fn check_unmodified(&self, ask: &Ask, at: usize, id: Id) -> Result<(), ApiError> {
        match self.org.last_modified(at, id) {
            Some(modified) => conditional::unmodified(ask, &self.row_state(at, id, modified)),
            None => Ok(()),
        }
    }

    /// Only accounts have an entity tag (REST API Developer Guide, Conditional Requests).
    fn row_state(&self, at: usize, id: Id, modified: Timestamp) -> State {
        let tagged = self.schema().at(at).name == "Account";
        let row = self.org.table(at).live(id).filter(|_| tagged);
        State {
            modified,
            tag: row.map(|row| digest(format!("{:?}", row.values).as_bytes())),
        }
    }

    fn read_row(
        &mut self,
        ask: &Ask,
        version: &Version,
        at: usize,
        id: Id,
    ) -> Result<DataResponse, ApiError> {
        let modified = match self.org.table(at).row(id) {
            Some(row) if row.deleted => return Err(ApiError::deleted()),
            Some(_) => self.org.last_modified(at, id).unwrap_or(self.hand.now),
            None => return Err(ApiError::not_found()),
        };
        let state = self.row_state(at, id, modified);
        conditional::unmodified(ask, &state)?;
        if conditional::known(ask, &state)? {
            let mut response = answer(StatusCode::NOT_MODIFIED, None);
            conditional::stamp(ask, &mut response, &state);
            return Ok(response);
        }
        let schema = self.schema();
        let object = schema.at(at);
        let fields = match ask.parameter("fields") {
            Some(names) => Door::fields(object, &names.split(',').collect::<Vec<_>>())?,
            None => object.shown.clone(),
        };
        let body = self
            .org
            .record(at, id, &fields, &version.text)
            .ok_or_else(ApiError::not_found)?;
        self.note_use(ask, version, id);
        let mut response = ok(body);
        conditional::stamp(ask, &mut response, &state);
        Ok(response)
    }
}

/// A short name of a state: equal states have equal names.
pub fn digest(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    BASE64_STANDARD.encode(&digest.as_ref()[..TAG_BYTES])
}

/// Bytes of an entity tag, so that it looks like the 28 characters of the documented example.
const TAG_BYTES: usize = 20;
