//! What the user interface is made of: tabs, colours, recently used records, actions (REST API Developer Guide, Tabs,
//! Themes, Recently Viewed Items, Invocable Actions).

use super::door::{Ask, Door};
use super::layouts::only_get;
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::view::attributes;
use crate::org::{ApiError, Id};
use crate::schema::Object;
use serde_json::{Value as Json, json};

/// Records that `/recent` lists without a word about it, and at most.
const RECENT: usize = 200;
/// First version that knows `Sforce-Mru` (REST API Developer Guide, MRU Header).
const KNOWS_MRU: u16 = 60;
/// The colour of every object; nobody chooses others here.
const COLOR: &str = "5867E8";

impl Door<'_> {
    /// `GET /tabs`.
    pub(super) fn tabs(&self, ask: &Ask) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let host = self.around.instance_url();
        let tab = |object: &Object| {
            let name = match object.custom {
                true => object.name.clone(),
                false => format!("standard-{}", object.name),
            };
            json!({
                "colors": colors(), "custom": object.custom, "iconUrl": null, "icons": [], "label": object.plural,
                "miniIconUrl": null, "name": name, "sobjectName": object.name,
                "url": format!("{host}/{}/o", object.prefix_text()),
            })
        };
        Ok(ok(self.with_tabs().iter().map(tab).collect()))
    }

    /// `GET /theme`.
    pub(super) fn theme(&self, ask: &Ask) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let item = |object: &Object| json!({"colors": colors(), "icons": [], "name": object.name});
        let items: Vec<Json> = self.with_tabs().iter().map(item).collect();
        Ok(ok(json!({"themeItems": items})))
    }

    fn with_tabs(&self) -> Vec<Object> {
        let schema = self.schema();
        let tabs = schema.objects().iter().filter(|o| o.has_tab() && !o.hidden);
        tabs.cloned().collect()
    }

    /// `GET /recent?limit=N`: records that the user looked at last, the newest first.
    pub(super) fn recent(&self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let limit = ask
            .parameter("limit")
            .and_then(|n| n.parse().ok())
            .unwrap_or(RECENT);
        Ok(ok(self
            .recent_items(version, None)
            .into_iter()
            .take(limit)
            .collect()))
    }

    /// Recently used records, of one object or of all.
    pub(super) fn recent_items(&self, version: &Version, only: Option<usize>) -> Vec<Json> {
        let schema = self.schema();
        let item = |id: Id| {
            let at = schema.by_prefix(id.prefix())?;
            if only.is_some_and(|only| only != at) || self.org.table(at).live(id).is_none() {
                return None;
            }
            let object = schema.at(at);
            let mut out = json!({"attributes": attributes(object, &version.text, id), "Id": id.to_string()});
            let name = object.name_field.map(|f| object.fields[f].name.clone());
            out[name.as_deref().unwrap_or("Name")] =
                self.org.name_of(at, id).to_json(crate::schema::Kind::String);
            Some(out)
        };
        self.org.recent(self.hand.user).filter_map(item).collect()
    }

    /// Notes that the user looked at a record, if the request asks for it.
    pub(super) fn note_use(&mut self, ask: &Ask, version: &Version, id: Id) {
        let asked = ask.header("sforce-mru").is_some_and(|header| {
            header
                .split([';', ','])
                .any(|part| part.trim().eq_ignore_ascii_case("updateMru=true"))
        });
        if asked && version.number >= KNOWS_MRU {
            self.org.note_use(self.hand.user, id);
            if let Some(at) = self.schema().by_prefix(id.prefix()) {
                self.org.mark_seen(at, &[id], self.hand.now, (true, true));
            }
        }
    }

    /// `/actions`: none are served, so the lists are empty.
    pub(super) fn actions(
        &self,
        ask: &Ask,
        version: &Version,
        rest: &[&str],
    ) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let base = format!("/services/data/{}/actions", version.text);
        match rest {
            [] => Ok(ok(
                json!({"custom": format!("{base}/custom"), "standard": format!("{base}/standard")}),
            )),
            ["custom"] => Ok(ok(json!({}))),
            ["standard"] => Ok(ok(json!({"actions": []}))),
            _ => Err(ApiError::not_found()),
        }
    }
}

fn colors() -> Json {
    json!([{"color": COLOR, "context": "primary", "theme": "theme4"}])
}
