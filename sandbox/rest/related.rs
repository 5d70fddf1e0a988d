//! `/sobjects/X/{id}/{Relationship}`: parents and child lists.

use super::door::{Ask, Door, id_of};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::{ApiError, Id};
use http::Method;
use serde_json::{Value as Json, json};

/// Most parents a path may climb (REST API Developer Guide, Traverse Relationships with Friendly URLs).
const LEVELS: usize = 5;

impl Door<'_> {
    /// Follows parents; a child list may end the path.
    pub(super) fn related(
        &mut self,
        ask: &Ask,
        version: &Version,
        at: usize,
        segment: &str,
        path: &[&str],
    ) -> Result<DataResponse, ApiError> {
        if path.len() > LEVELS + 1 {
            return Err(ApiError::not_found());
        }
        let schema = self.schema();
        let (mut at, mut id) = (at, id_of(schema.at(at), segment)?);
        for (depth, name) in path.iter().enumerate() {
            let row = self.org.table(at).live(id).ok_or_else(ApiError::not_found)?;
            let object = schema.at(at);
            if let Some(reference) = object.relationship(name) {
                let parent = row.values[reference].as_id().ok_or_else(ApiError::not_found)?;
                at = schema
                    .by_prefix(parent.prefix())
                    .ok_or_else(ApiError::not_found)?;
                id = parent;
                continue;
            }
            let list = object.child_list(name).filter(|_| depth + 1 == path.len());
            let list = list.ok_or_else(ApiError::not_found)?;
            let ids = self.org.table(list.object).children(list.field, id);
            return self.child_list(ask, version, list.object, &ids);
        }
        self.row_by_id(ask, version, at, id)
    }

    fn child_list(
        &self,
        ask: &Ask,
        version: &Version,
        at: usize,
        ids: &[Id],
    ) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let schema = self.schema();
        let object = schema.at(at);
        let fields = match ask.parameter("fields") {
            Some(names) => Door::fields(object, &names.split(',').collect::<Vec<_>>())?,
            None => object.shown.clone(),
        };
        let records: Vec<Json> = ids
            .iter()
            .filter_map(|id| self.org.record(at, *id, &fields, &version.text))
            .collect();
        Ok(ok(
            json!({"totalSize": records.len(), "done": true, "records": records}),
        ))
    }
}
