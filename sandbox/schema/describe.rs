//! Describes of objects: what they are to clients (REST API Developer Guide, Describe Global, sObject Describe).

use super::describe_field::field;
pub use super::describe_field::groupable;
use super::object::{Children, Object};
use super::{OnDelete, Schema};
use serde_json::{Map, Value as Json, json};

/// Id of the record type that every object with record types has.
pub const MASTER: &str = "012000000000000AAA";
/// First version whose describes name associated entities and say how complete they are; recorded describes of
/// version 48 do not, those of version 52 do.
const SAYS_ASSOCIATES: u16 = 50;

/// For whom a describe is made.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// API version as in paths, such as `v68.0`.
    pub version: &'a str,
    /// The same as a number.
    pub number: u16,
    /// Scheme and host of the org, for links into its user interface.
    pub instance_url: &'a str,
}

/// A record type as a describe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordTypeInfo {
    /// Id, 18 characters.
    pub id: String,
    /// API name.
    pub developer_name: String,
    /// Label.
    pub name: String,
    /// Whether it can be chosen.
    pub active: bool,
    /// Whether records that name none get it.
    pub default: bool,
}

/// An object's entry in the global describe.
pub fn brief(object: &Object, reader: Reader<'_>) -> Json {
    let layoutable = object.can("layout");
    let mut out = json!({
        "activateable": false, "associateEntityType": null, "associateParentEntity": null,
        "createable": object.may("create"), "custom": object.custom, "customSetting": false,
        "deepCloneable": object.name == "Opportunity", "deletable": object.may("delete"), "deprecatedAndHidden": false,
        "feedEnabled": object.feed, "hasSubtypes": false, "isInterface": false, "isSubtype": false,
        "keyPrefix": object.prefix_text(), "label": object.label, "labelPlural": object.plural,
        "layoutable": layoutable, "mergeable": object.mergeable(), "mruEnabled": object.has_tab(),
        "name": object.name, "queryable": object.can("query"), "replicateable": object.can("replicate"),
        "retrieveable": object.can("retrieve"),
        "searchable": object.can("search"), "triggerable": object.can("create"),
        "undeletable": object.can("undelete") && object.can("delete"), "updateable": object.may("update"),
        "urls": urls(object, reader),
    });
    forget_associates(&mut out, reader);
    out
}

/// An object's full describe.
pub fn full(schema: &Schema, at: usize, record_types: &[RecordTypeInfo], reader: Reader<'_>) -> Json {
    let object = schema.at(at);
    let children: Vec<Json> = object.children.iter().filter_map(|c| child(schema, c)).collect();
    let fields: Vec<Json> = object.shown.iter().map(|f| field(object, *f)).collect();
    let mut more = json!({
        "actionOverrides": [], "childRelationships": children, "compactLayoutable": object.can("layout"),
        "defaultImplementation": null, "extendedBy": null, "extendsInterfaces": null, "fields": fields,
        "implementedBy": null, "implementsInterfaces": null, "listviewable": null, "lookupLayoutable": null,
        "namedLayoutInfos": [], "networkScopeFieldName": null,
        "recordTypeInfos": record_type_infos(object, record_types, reader),
        "searchLayoutable": object.can("search"), "sobjectDescribeOption": "FULL",
        "supportedScopes": scopes(object, reader), "urls": all_urls(object, reader),
    });
    forget_associates(&mut more, reader);
    sorted([brief(object, reader), more])
}

/// Older versions do not have these keys.
fn forget_associates(out: &mut Json, reader: Reader<'_>) {
    if let (Json::Object(map), true) = (out, reader.number < SAYS_ASSOCIATES) {
        for key in [
            "associateEntityType",
            "associateParentEntity",
            "sobjectDescribeOption",
        ] {
            map.shift_remove(key);
        }
    }
}

/// Where an object's resources are; the order is the wire's.
fn urls(object: &Object, reader: Reader<'_>) -> Map<String, Json> {
    let base = format!("/services/data/{}/sobjects/{}", reader.version, object.name);
    let (layouts, tab) = (object.can("layout"), object.has_tab());
    let all = [
        ("compactLayouts", "/describe/compactLayouts", layouts),
        ("rowTemplate", "/{ID}", true),
        ("approvalLayouts", "/describe/approvalLayouts", tab),
        ("listviews", "/listviews", tab),
        ("describe", "/describe", true),
        ("quickActions", "/quickActions", layouts),
        ("layouts", "/describe/layouts", layouts),
        ("eventSchema", "/eventSchema", object.event.is_some()),
        ("sobject", "", true),
    ];
    all.into_iter()
        .filter(|(.., there)| *there)
        .map(|(name, path, _)| (name.to_owned(), format!("{base}{path}").into()))
        .collect()
}

/// The same with the pages of the user interface, which only a full describe has.
fn all_urls(object: &Object, reader: Reader<'_>) -> Json {
    let mut out = urls(object, reader);
    if object.can("layout") {
        let host = reader.instance_url;
        out.insert("uiDetailTemplate".into(), format!("{host}/{{ID}}").into());
        out.insert("uiEditTemplate".into(), format!("{host}/{{ID}}/e").into());
        let new = format!("{host}/{}/e", object.prefix_text());
        out.insert("uiNewRecord".into(), new.into());
        if reader.number < SAYS_ASSOCIATES {
            let base = format!("/services/data/{}/sobjects/{}", reader.version, object.name);
            let values = format!("{base}/defaultValues?recordTypeId&fields");
            out.insert("defaultValues".into(), values.into());
        }
    }
    Json::Object(out)
}

fn scopes(object: &Object, reader: Reader<'_>) -> Json {
    let plural = object.plural.to_lowercase();
    let mut scopes = vec![json!({"label": format!("All {plural}"), "name": "everything"})];
    if object.position("OwnerId").is_some() {
        scopes.push(json!({"label": format!("My {plural}"), "name": "mine"}));
    }
    if matches!(object.name.as_str(), "Account" | "Contact" | "Opportunity") {
        if reader.number >= SAYS_ASSOCIATES {
            scopes.push(json!({"label": "Filter by scope", "name": "scopingRule"}));
        }
        scopes.push(json!({"label": format!("My team's {plural}"), "name": "team"}));
    }
    Json::Array(scopes)
}

/// Both halves in one object with its keys in alphabetical order, as the wire has them; the second half wins.
pub(super) fn sorted(halves: [Json; 2]) -> Json {
    let pairs = halves.into_iter().filter_map(|half| match half {
        Json::Object(map) => Some(map),
        _ => None,
    });
    let all: std::collections::BTreeMap<String, Json> = pairs.flatten().collect();
    Json::Object(all.into_iter().collect::<Map<_, _>>())
}

fn child(schema: &Schema, list: &Children) -> Option<Json> {
    let object = schema.at(list.object);
    let reference = object.fields[list.field].reference.as_ref();
    let on_delete = reference.map_or(OnDelete::Clear, |r| r.on_delete);
    let listed = reference.is_some_and(|r| !r.unlisted);
    listed.then(|| {
        json!({
            "cascadeDelete": on_delete == OnDelete::Cascade, "childSObject": object.name,
            "deprecatedAndHidden": false, "field": object.fields[list.field].name, "junctionIdListNames": [],
            "junctionReferenceTo": [], "relationshipName": list.name,
            "restrictedDelete": on_delete == OnDelete::Restrict,
        })
    })
}

/// The object's own record types, then the master; none where there cannot be any.
fn record_type_infos(object: &Object, types: &[RecordTypeInfo], reader: Reader<'_>) -> Json {
    if !object.typed {
        return json!([]);
    }
    let master = RecordTypeInfo {
        id: MASTER.into(),
        developer_name: "Master".into(),
        name: "Master".into(),
        active: true,
        default: types.iter().all(|t| !t.default),
    };
    let base = format!(
        "/services/data/{}/sobjects/{}/describe/layouts",
        reader.version, object.name
    );
    let info = |t: &RecordTypeInfo| {
        json!({
            "active": t.active, "available": t.active, "defaultRecordTypeMapping": t.default,
            "developerName": t.developer_name, "master": t.id == MASTER, "name": t.name, "recordTypeId": t.id,
            "urls": {"layout": format!("{base}/{}", t.id)},
        })
    };
    types.iter().chain([&master]).map(info).collect()
}
