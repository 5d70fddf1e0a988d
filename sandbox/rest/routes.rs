//! Which path leads where.

use super::door::{Ask, Door, Within, version_of};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::ApiError;
use http::Method;
use serde_json::json;

/// First version with record counts (REST API Developer Guide, Record Count).
const RECORD_COUNT: u16 = 40;

impl Door<'_> {
    /// Answers a request or says why not.
    pub(super) fn route(&mut self, ask: &Ask, within: Within) -> Result<DataResponse, ApiError> {
        if ask.segments.len() == 2 {
            return super::roots::versions(ask);
        }
        let version = version_of(ask)?;
        let owned: Vec<&str> = ask.segments[3..].iter().map(String::as_str).collect();
        match owned.as_slice() {
            [] => super::roots::resources(self, ask, &version),
            ["sobjects", rest @ ..] => self.sobjects(ask, &version, rest),
            ["query"] => self.query(ask, &version, false),
            ["queryAll"] => self.query(ask, &version, true),
            ["query" | "queryAll", locator] => self.query_more(ask, &version, locator),
            ["composite", rest @ ..] => self.composites(ask, &version, rest, within),
            ["event", "eventSchema", id] => self.event_schema_by_id(ask, &version, id),
            ["limits"] => self.limits(ask, &version),
            ["limits", "recordCount"] if version.number >= RECORD_COUNT => self.record_count(ask),
            ["search"] => self.search(ask, &version),
            ["parameterizedSearch"] => self.parameterized_search(ask, &version),
            ["recent"] => self.recent(ask, &version),
            ["tabs"] => self.tabs(ask),
            ["theme"] => self.theme(ask),
            ["actions", rest @ ..] => self.actions(ask, &version, rest),
            ["appMenu", "AppSwitcher" | "Salesforce1"] => Ok(ok(json!({"appMenuItems": []}))),
            ["quickActions"] => Ok(ok(json!([]))),
            ["tooling", rest @ ..] => self.tooling(ask, &version, rest),
            _ => Err(ApiError::not_found()),
        }
    }

    fn composites(
        &mut self,
        ask: &Ask,
        version: &Version,
        rest: &[&str],
        within: Within,
    ) -> Result<DataResponse, ApiError> {
        // The first version of each (REST API Developer Guide, Composite Resources).
        let since = match rest {
            ["tree" | "batch", ..] => 34,
            ["sobjects", _, _] => 46,
            ["sobjects", ..] => 42,
            ["graph"] => 50,
            _ => 38,
        };
        if version.number < since && within != Within::Soap {
            return Err(ApiError::not_found());
        }
        match rest {
            ["sobjects", rest @ ..] => self.collections(ask, version, rest),
            ["tree", object] => self.tree(ask, object),
            [] if ask.method == Method::GET => Ok(super::roots::composite(version)),
            [] | ["batch"] | ["graph"] if within != Within::Call => Err(ApiError::bad(
                "INVALID_INPUT",
                "Composite requests cannot be nested",
            )),
            [] => self.composite(ask, version),
            ["batch"] => self.batch(ask, version),
            ["graph"] => self.graph(ask, version),
            _ => Err(ApiError::not_found()),
        }
    }
}
