//! `/sobjects/X/listviews`: the two lists that every object with a tab has, all records and one's own (REST API
//! Developer Guide, List Views).

use super::door::{Ask, Door};
use super::layouts::only_get;
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::{ApiError, Id};
use crate::schema::{ID, Object};
use serde_json::{Value as Json, json};

/// Rows that a list shows without a word about it, and at most (REST API Developer Guide, List View Results).
const ROWS: usize = 25;
const MOST_ROWS: usize = 2_000;

/// One of an object's lists.
struct ListView {
    id: String,
    developer_name: String,
    label: String,
    mine: bool,
}

impl Door<'_> {
    /// Everything under `/sobjects/X/listviews`.
    pub(super) fn list_views(
        &self,
        ask: &Ask,
        version: &Version,
        at: usize,
        rest: &[&str],
    ) -> Result<DataResponse, ApiError> {
        only_get(ask)?;
        let schema = self.schema();
        let object = schema.at(at);
        let views = views(object);
        let base = format!(
            "/services/data/{}/sobjects/{}/listviews",
            version.text, object.name
        );
        if rest.is_empty() {
            let all: Vec<Json> = views.iter().map(|v| shown(v, &base)).collect();
            return Ok(ok(json!({
                "done": true, "listviews": all, "nextRecordsUrl": null, "size": all.len(), "sobjectType": object.name,
            })));
        }
        let wanted = Id::parse(rest[0]).map(|id| id.to_string());
        let view = views.iter().find(|v| Some(&v.id) == wanted.as_ref());
        let view = view.ok_or_else(ApiError::not_found)?;
        match rest {
            [_] => Ok(ok(shown(view, &base))),
            [_, "describe"] => Ok(ok(self.list_described(object, view))),
            [_, "results"] => Ok(ok(self.list_results(ask, at, view))),
            _ => Err(ApiError::not_found()),
        }
    }

    fn list_described(&self, object: &Object, view: &ListView) -> Json {
        let names: Vec<&str> = columns(object)
            .iter()
            .map(|at| object.fields[*at].name.as_str())
            .collect();
        let order = names.first().copied().unwrap_or("Id");
        let condition = if view.mine {
            format!(" WHERE OwnerId = '{}'", self.hand.user)
        } else {
            String::new()
        };
        let query = format!(
            "SELECT {} FROM {}{condition} ORDER BY {order} ASC NULLS FIRST, Id ASC NULLS FIRST",
            names.join(", "),
            object.name
        );
        json!({
            "columns": described(object), "id": view.id,
            "orderBy": [{"fieldNameOrPath": order, "nullsPosition": "first", "sortDirection": "ascending"}],
            "query": query, "relatedEntityId": null, "scope": if view.mine { "mine" } else { "everything" },
            "scopeEntityId": null, "sobjectType": object.name, "whereCondition": {"conditions": [], "conjunction": "and"},
        })
    }

    fn list_results(&self, ask: &Ask, at: usize, view: &ListView) -> Json {
        let schema = self.schema();
        let object = schema.at(at);
        let number = |name: &str| ask.parameter(name).and_then(|n| n.parse::<usize>().ok());
        let (limit, offset) = (
            number("limit").unwrap_or(ROWS).min(MOST_ROWS),
            number("offset").unwrap_or(0),
        );
        let owner = object.position("OwnerId");
        let table = self.org.table(at);
        let mine = |row: &crate::org::Row| {
            !view.mine || owner.is_some_and(|f| row.values[f].as_id() == Some(self.hand.user))
        };
        let rows: Vec<_> = table
            .rows()
            .filter(|(_, row)| !row.deleted && mine(row))
            .collect();
        let columns = columns(object);
        let shown = |(_, row): &(Id, &crate::org::Row)| {
            let cell = |at: &usize| {
                let value = crate::org::view::field(object, row, *at);
                json!({"fieldNameOrPath": object.fields[*at].name, "value": plain(&value)})
            };
            json!({"columns": columns.iter().map(cell).collect::<Vec<_>>()})
        };
        let page: Vec<Json> = rows.iter().skip(offset).take(limit).map(shown).collect();
        json!({
            "columns": described(object), "developerName": view.developer_name,
            "done": offset + page.len() >= rows.len(), "id": view.id, "label": view.label, "records": page,
            "size": page.len(),
        })
    }
}

/// Cells of a list are text.
fn plain(value: &Json) -> Json {
    match value {
        Json::Null | Json::String(_) => value.clone(),
        other => other.to_string().into(),
    }
}

fn views(object: &Object) -> Vec<ListView> {
    if !object.has_tab() {
        return Vec::new();
    }
    let number = object.prefix.iter().fold(0, |n, byte| n * 256 + u64::from(*byte));
    let plural: String = object.plural.split_whitespace().collect();
    let view = |mine: bool, word: &str| ListView {
        id: Id::new(*b"00B", number * 2 + u64::from(mine)).to_string(),
        developer_name: format!("{word}{plural}"),
        label: format!("{word} {}", object.plural),
        mine,
    };
    let mut all = vec![view(false, "All")];
    if object.position("OwnerId").is_some() {
        all.push(view(true, "My"));
    }
    all
}

fn shown(view: &ListView, base: &str) -> Json {
    let url = format!("{base}/{}", view.id);
    json!({
        "describeUrl": format!("{url}/describe"), "developerName": view.developer_name, "id": view.id,
        "label": view.label, "resultsUrl": format!("{url}/results"), "soqlCompatible": true, "url": url,
    })
}

/// The name and the id.
fn columns(object: &Object) -> Vec<usize> {
    let named = object.name_field.filter(|at| object.shown.contains(at));
    named.into_iter().chain([ID]).collect()
}

fn described(object: &Object) -> Json {
    let column = |at: &usize| {
        let field = &object.fields[*at];
        json!({
            "ascendingLabel": null, "descendingLabel": null, "fieldNameOrPath": field.name, "hidden": *at == ID,
            "label": field.label, "selectListItem": field.name, "sortDirection": null, "sortIndex": null,
            "sortable": field.filterable, "type": field.kind.name(),
        })
    };
    columns(object).iter().map(column).collect()
}
