//! Layouts of an object: which fields its pages show (REST API Developer Guide, sObject Layouts, Describe Compact
//! Layouts). Every object has one layout that shows all its fields, since nobody arranges pages here.

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::{ApiError, Id};
use crate::schema::describe::{MASTER, RecordTypeInfo};
use crate::schema::describe_field::field;
use crate::schema::{Field, Kind, Object};
use http::Method;
use serde_json::{Map, Value as Json, json};

/// Fields side by side in a row of a layout.
const COLUMNS: usize = 2;

impl Door<'_> {
    /// `/sobjects/X/describe/layouts[/{recordTypeId}]`.
    pub(super) fn layouts(
        &self,
        ask: &Ask,
        version: &Version,
        at: usize,
        wanted: Option<&str>,
    ) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let schema = self.schema();
        let object = schema.at(at);
        if !object.can("layout") {
            return Err(ApiError::not_found());
        }
        let layout = layout(object);
        if let Some(wanted) = wanted {
            return self.known_type(at, wanted).map(|_| ok(layout));
        }
        let base = format!(
            "/services/data/{}/sobjects/{}/describe/layouts",
            version.text, object.name
        );
        let mappings: Vec<Json> = self
            .types_with_master(at)
            .iter()
            .map(|kind| mapping(object, kind, &base))
            .collect();
        Ok(ok(json!({
            "layouts": [layout], "recordTypeMappings": mappings, "recordTypeSelectorRequired": [false],
        })))
    }

    /// `/sobjects/X/describe/compactLayouts[/primary|/{recordTypeId}]`.
    pub(super) fn compact_layouts(
        &self,
        ask: &Ask,
        version: &Version,
        at: usize,
        wanted: Option<&str>,
    ) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let schema = self.schema();
        let object = schema.at(at);
        let compact = compact(object);
        match wanted {
            Some("primary") => return Ok(ok(compact)),
            Some(wanted) => return self.known_type(at, wanted).map(|_| ok(compact)),
            None => {}
        }
        let base = format!(
            "/services/data/{}/sobjects/{}/describe/compactLayouts",
            version.text, object.name
        );
        let mapping = |kind: &RecordTypeInfo| {
            json!({
                "available": kind.active, "compactLayoutId": null, "compactLayoutName": "SYSTEM",
                "recordTypeId": kind.id, "recordTypeName": kind.name,
                "urls": {"compactLayout": format!("{base}/{}", kind.id)},
            })
        };
        let mappings: Vec<Json> = self.types_with_master(at).iter().map(mapping).collect();
        Ok(ok(json!({
            "compactLayouts": [compact], "defaultCompactLayoutId": null,
            "recordTypeCompactLayoutMappings": mappings, "urls": {"primary": format!("{base}/primary")},
        })))
    }

    /// `/sobjects/X/defaultValues?recordTypeId=…&fields=A,B`: what a new record begins with.
    pub(super) fn default_values(&self, ask: &Ask, at: usize) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let schema = self.schema();
        let object = schema.at(at);
        let fields = match ask.parameter("fields").filter(|f| !f.is_empty()) {
            Some(names) => Door::fields(object, &names.split(',').collect::<Vec<_>>())?,
            None => object.shown.clone(),
        };
        let mut out = Map::new();
        out.insert("attributes".into(), json!({"type": object.name}));
        for field in fields
            .iter()
            .map(|at| &object.fields[*at])
            .filter(|f| f.createable)
        {
            out.insert(field.name.clone(), default_of(field));
        }
        Ok(ok(Json::Object(out)))
    }

    /// The record types of an object with the master at the end.
    fn types_with_master(&self, at: usize) -> Vec<RecordTypeInfo> {
        let mut types = self.record_types(at);
        let default = types.iter().all(|t| !t.default);
        types.push(RecordTypeInfo {
            id: MASTER.into(),
            developer_name: "Master".into(),
            name: "Master".into(),
            active: true,
            default,
        });
        types
    }

    fn known_type(&self, at: usize, text: &str) -> Result<(), ApiError> {
        let id = Id::parse(text).map(|id| id.to_string());
        let known = |kind: &RecordTypeInfo| Some(&kind.id) == id.as_ref();
        match self.types_with_master(at).iter().any(known) {
            true => Ok(()),
            false => Err(ApiError::not_found()),
        }
    }
}

/// # Errors
/// METHOD_NOT_ALLOWED for everything but GET.
pub(super) fn only_get(ask: &Ask) -> Result<(), ApiError> {
    if ask.method == Method::GET {
        Ok(())
    } else {
        Err(ask.not_allowed("GET,HEAD"))
    }
}

fn default_of(field: &Field) -> Json {
    match field.kind {
        Kind::Boolean => field.default_value.clone().unwrap_or(Json::Bool(false)),
        _ => field
            .default_value
            .clone()
            .or_else(|| field.default_pick().map(Json::from))
            .unwrap_or(Json::Null),
    }
}

/// The id that the one layout of an object has: the object's key prefix tells whose it is.
fn layout_id(object: &Object) -> String {
    let number = object.prefix.iter().fold(0, |n, byte| n * 256 + u64::from(*byte));
    Id::new(*b"00h", number).to_string()
}

fn layout(object: &Object) -> Json {
    let all = object.shown.iter().map(|at| (*at, &object.fields[*at]));
    let shown: Vec<usize> = all
        .clone()
        .filter(|(_, f)| !matches!(f.kind, Kind::Id) && f.name != "IsDeleted" && f.name != "SystemModstamp")
        .map(|(at, _)| at)
        .collect();
    let edited: Vec<usize> = all
        .filter(|(_, f)| f.createable || f.updateable)
        .map(|(at, _)| at)
        .collect();
    json!({
        "buttonLayoutSection": {"detailButtons": []},
        "detailLayoutSections": [section(object, &shown)], "editLayoutSections": [section(object, &edited)],
        "feedView": null, "highlightsPanelLayoutSection": null, "id": layout_id(object),
        "multirowEditLayoutSections": [], "offlineLinks": [], "quickActionList": {"quickActionListItems": []},
        "relatedContent": null, "relatedLists": [], "saveOptions": [],
    })
}

fn section(object: &Object, fields: &[usize]) -> Json {
    let rows: Vec<Json> = fields
        .chunks(COLUMNS)
        .map(|row| json!({"layoutItems": row.iter().map(|at| item(object, *at)).collect::<Vec<_>>(), "numItems": row.len()}))
        .collect();
    json!({
        "collapsed": false, "columns": COLUMNS, "heading": format!("{} Information", object.label),
        "layoutRows": rows, "layoutSectionId": null, "parentLayoutId": layout_id(object), "rows": fields.len().div_ceil(COLUMNS),
        "tabOrder": "LeftToRight", "useCollapsibleSection": false, "useHeading": true,
    })
}

fn item(object: &Object, at: usize) -> Json {
    let of = &object.fields[at];
    placed(object, at, at + 1, (of.createable, of.updateable, of.required()))
}

/// A field in its place on a page. `placeholder` is the API's word for an empty place, which none of these is
/// (REST API Developer Guide, sObject Layouts).
fn placed(object: &Object, at: usize, tab: usize, (new, update, required): (bool, bool, bool)) -> Json {
    let of = &object.fields[at];
    json!({
        "editableForNew": new, "editableForUpdate": update, "label": of.label,
        "layoutComponents": [{
            "details": field(object, at), "displayLines": 1, "tabOrder": tab, "type": "Field", "value": of.name,
        }],
        "placeholder": false, "required": required,
    })
}

fn compact(object: &Object) -> Json {
    let named = object.name_field.filter(|at| object.shown.contains(at));
    let items: Vec<Json> = named
        .iter()
        .map(|at| placed(object, *at, 2, (false, false, false)))
        .collect();
    json!({
        "actions": [], "fieldItems": items, "id": null, "imageItems": [], "label": "System Default", "name": "SYSTEM",
        "objectType": object.name,
    })
}

/// Which layout and which picklist values a record type has.
fn mapping(object: &Object, kind: &RecordTypeInfo, base: &str) -> Json {
    let spec = object.record_types.iter().find(|s| s.name == kind.developer_name);
    let picklists = object
        .shown
        .iter()
        .filter(|at| matches!(object.fields[**at].kind, Kind::Picklist | Kind::MultiPicklist));
    let offered = |at: &usize| {
        let described = field(object, *at);
        let name = &object.fields[*at].name;
        let values = described["picklistValues"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let listed = spec.and_then(|s| s.picklists.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)));
        let kept: Vec<Json> = values
            .into_iter()
            .filter(|v| listed.is_none_or(|(_, l)| l.iter().any(|o| v["value"] == o.as_str())))
            .collect();
        json!({"picklistName": name, "picklistValues": kept})
    };
    json!({
        "active": kind.active, "available": kind.active, "defaultRecordTypeMapping": kind.default,
        "developerName": kind.developer_name, "layoutId": layout_id(object), "master": kind.id == MASTER,
        "name": kind.name, "picklistsForRecordType": picklists.map(offered).collect::<Vec<_>>(),
        "recordTypeId": kind.id, "urls": {"layout": format!("{base}/{}", kind.id)},
    })
}
