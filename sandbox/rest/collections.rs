//! `/composite/sobjects`: up to 200 records in one call (REST API Developer Guide, sObject Collections).

use super::composite::ROLLED_BACK;
use super::door::{Ask, Door, malformed_id};
use super::target::Version;
use super::{DataResponse, ok};
use crate::org::{ApiError, Id};
use http::Method;
use serde_json::{Map, Value as Json};

/// Most records of a write.
const WRITE_LIMIT: usize = 200;
/// Most records of a read.
const READ_LIMIT: usize = 2_000;
/// Most runs of one type in a write.
const CHUNK_LIMIT: usize = 10;

/// What became of one record: its id and whether it was made, or why not.
struct Outcome {
    id: Option<Id>,
    created: Option<bool>,
    error: Option<ApiError>,
    /// What is said of an event that was published.
    notes: Vec<Json>,
}

impl Outcome {
    fn of(result: Result<Id, ApiError>, echo: Option<Id>) -> Outcome {
        match result {
            Ok(id) => Outcome {
                id: Some(id),
                created: None,
                error: None,
                notes: Vec::new(),
            },
            Err(error) => Outcome {
                id: echo.filter(|_| error.error_code != "MALFORMED_ID"),
                created: None,
                error: Some(error),
                notes: Vec::new(),
            },
        }
    }

    fn to_json(&self) -> Json {
        let mut out = Map::new();
        if let Some(id) = self.id {
            out.insert("id".into(), id.to_string().into());
        }
        out.insert("success".into(), self.error.is_none().into());
        let mut errors: Vec<Json> = self
            .error
            .iter()
            .flat_map(ApiError::all)
            .map(ApiError::to_row_json)
            .collect();
        if errors.is_empty() {
            errors.clone_from(&self.notes);
        }
        out.insert("errors".into(), errors.into());
        if let (Some(created), None) = (self.created, &self.error) {
            out.insert("created".into(), created.into());
        }
        Json::Object(out)
    }
}

impl Door<'_> {
    /// Everything under `/composite/sobjects`.
    pub(super) fn collections(
        &mut self,
        ask: &Ask,
        version: &Version,
        rest: &[&str],
    ) -> Result<DataResponse, ApiError> {
        match (rest, &ask.method) {
            ([], &Method::POST) => self.create_many(ask),
            ([], &Method::PATCH) => self.update_many(ask),
            ([], &Method::DELETE) => self.delete_many(ask),
            ([object], &Method::GET | &Method::POST) => self.retrieve_many(ask, version, object),
            ([object, field], &Method::PATCH) => self.upsert_many(ask, object, field),
            ([], _) => Err(ask.not_allowed("DELETE,PATCH,POST")),
            ([_], _) => Err(ask.not_allowed("GET,HEAD,POST")),
            ([_, _], _) => Err(ask.not_allowed("PATCH")),
            _ => Err(ApiError::not_found()),
        }
    }

    fn create_many(&mut self, ask: &Ask) -> Result<DataResponse, ApiError> {
        let (all_or_none, records) = body(ask)?;
        let objects = self.objects_of(&records)?;
        self.many(all_or_none, &records, |door, n, record| {
            let result = objects[n].clone().and_then(|at| door.create(at, record, &[]));
            let notes = result
                .as_ref()
                .map_or_else(|_| Vec::new(), |id| door.enqueued(*id));
            Outcome {
                notes,
                ..Outcome::of(result, None)
            }
        })
    }

    fn update_many(&mut self, ask: &Ask) -> Result<DataResponse, ApiError> {
        let (all_or_none, records) = body(ask)?;
        let objects = self.objects_of(&records)?;
        let ids: Vec<Option<Id>> = records.iter().map(id_in).collect();
        self.many(all_or_none, &records, |door, n, record| {
            let twice = ids[n].is_some() && ids[..n].contains(&ids[n]);
            let result = objects[n]
                .clone()
                .and_then(|at| door.update_one(at, ids[n], record, twice));
            Outcome::of(result, ids[n])
        })
    }

    fn update_one(
        &mut self,
        at: usize,
        id: Option<Id>,
        record: &Map<String, Json>,
        twice: bool,
    ) -> Result<Id, ApiError> {
        let schema = self.schema();
        let named = get(record, "Id").filter(|id| !id.is_null());
        let id = match id {
            Some(id) if id.prefix() == schema.at(at).prefix => id,
            _ if named.is_some() => {
                return Err(malformed_id(
                    schema.at(at),
                    named.and_then(Json::as_str).unwrap_or_default(),
                ));
            }
            _ => {
                return Err(ApiError::data(
                    "MISSING_ARGUMENT",
                    "Id not specified in an update call",
                    &[],
                ));
            }
        };
        if twice {
            return Err(ApiError::data(
                "DUPLICATE_VALUE",
                format!("duplicate id in list: {id}"),
                &[],
            ));
        }
        self.update(at, id, record, &["Id"])
            .map(|()| id)
            .map_err(row_missing)
    }

    fn upsert_many(&mut self, ask: &Ask, object: &str, field: &str) -> Result<DataResponse, ApiError> {
        let at = self.object(object)?;
        let (all_or_none, records) = body(ask)?;
        for name in records.iter().filter_map(type_of) {
            if !name.eq_ignore_ascii_case(object) {
                let message = format!("all records must be of type {object}");
                return Err(ApiError::bad("INVALID_INPUT", message));
            }
        }
        let name = {
            let probe = self.external_key(at, field, &Json::Null)?;
            self.schema().at(at).fields[probe.field].name.clone()
        };
        let key_of = |record: &Map<String, Json>| get(record, &name).cloned().unwrap_or(Json::Null);
        let keys: Vec<String> = records
            .iter()
            .map(|r| key_of(r).to_string().to_lowercase())
            .collect();
        self.many(all_or_none, &records, |door, n, record| {
            let key = key_of(record);
            let twice = !key.is_null() && keys.iter().filter(|k| **k == keys[n]).count() > 1;
            if twice {
                let message = format!(
                    "Duplicate external id specified: {}",
                    key.as_str().unwrap_or(&keys[n])
                );
                return Outcome::of(Err(ApiError::data("DUPLICATE_VALUE", message, &[&name])), None);
            }
            match door.upsert_one(at, &name, &key, record) {
                Ok((id, created)) => Outcome {
                    created: Some(created),
                    ..Outcome::of(Ok(id), None)
                },
                Err(error) => Outcome::of(Err(error), None),
            }
        })
    }

    fn upsert_one(
        &mut self,
        at: usize,
        name: &str,
        key: &Json,
        record: &Map<String, Json>,
    ) -> Result<(Id, bool), ApiError> {
        let by_id = name == "Id";
        if key.is_null() {
            return match by_id {
                true => self.create(at, record, &["Id"]).map(|id| (id, true)),
                false => Err(ApiError::data(
                    "MISSING_ARGUMENT",
                    format!("{name} not specified"),
                    &[],
                )),
            };
        }
        let key = self.external_key(at, name, key)?;
        match key.found.as_slice() {
            [id] => self.update(at, *id, record, &["Id", name]).map(|()| (*id, false)),
            [] if by_id => Err(row_missing(ApiError::not_found())),
            [] => {
                let more = vec![(key.field, key.value.clone())];
                self.create_with(at, record, &["Id", name], more)
                    .map(|id| (id, true))
            }
            _ => {
                let message = format!("{name}: more than one record found for external id field");
                Err(ApiError::data("DUPLICATE_EXTERNAL_ID", message, &[]))
            }
        }
    }

    fn delete_many(&mut self, ask: &Ask) -> Result<DataResponse, ApiError> {
        let all_or_none = ask
            .parameter("allOrNone")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let ids: Vec<&str> = ask
            .parameter("ids")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect();
        check_count(ids.len(), WRITE_LIMIT)?;
        let records: Vec<Map<String, Json>> = vec![Map::new(); ids.len()];
        self.many(all_or_none, &records, |door, n, _| {
            let id = Id::parse(ids[n]);
            let at = id.and_then(|id| door.schema().by_prefix(id.prefix()));
            let result = match (id, at) {
                (Some(id), Some(at)) => door.delete(at, id).map(|()| id).map_err(row_missing),
                _ => {
                    let message = format!("malformed id {}", ids[n]);
                    return Outcome::of(Err(ApiError::data("MALFORMED_ID", message, &[])), None);
                }
            };
            Outcome::of(result, id)
        })
    }

    /// Runs every record; with `all_or_none` one failure takes everything back.
    fn many(
        &mut self,
        all_or_none: bool,
        records: &[Map<String, Json>],
        mut each: impl FnMut(&mut Self, usize, &Map<String, Json>) -> Outcome,
    ) -> Result<DataResponse, ApiError> {
        let mark = self.org.mark();
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(records.len());
        self.org.hold_totals();
        for (n, record) in records.iter().enumerate() {
            outcomes.push(each(self, n, record));
        }
        self.org.settle_totals(&self.hand);
        if all_or_none && outcomes.iter().any(|o| o.error.is_some()) {
            self.org.rollback(mark);
            for outcome in outcomes.iter_mut().filter(|o| o.error.is_none()) {
                outcome.error = Some(ApiError::data(
                    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                    ROLLED_BACK,
                    &[],
                ));
            }
        }
        Ok(ok(outcomes.iter().map(Outcome::to_json).collect()))
    }

    /// The object of each record.
    fn objects_of(&self, records: &[Map<String, Json>]) -> Result<Vec<Result<usize, ApiError>>, ApiError> {
        let names: Vec<Option<&str>> = records.iter().map(type_of).collect();
        let chunks = 1 + names.windows(2).filter(|w| w[0] != w[1]).count();
        if chunks > CHUNK_LIMIT {
            let message = format!(
                "cannot submit more than {CHUNK_LIMIT} chunks of different object types into this request"
            );
            return Err(ApiError::bad("LIMIT_EXCEEDED", message));
        }
        let object = |name: &Option<&str>| {
            let name =
                name.ok_or_else(|| ApiError::data("INVALID_INPUT", "attributes.type is required", &[]))?;
            let missing = || {
                ApiError::data(
                    "INVALID_TYPE",
                    format!("sObject type '{name}' is not supported."),
                    &[],
                )
            };
            self.schema().position(name).ok_or_else(missing)
        };
        Ok(names.iter().map(object).collect())
    }

    fn retrieve_many(&self, ask: &Ask, version: &Version, object: &str) -> Result<DataResponse, ApiError> {
        let at = self.object(object)?;
        let (ids, fields) = match ask.method {
            Method::GET => (list(ask, "ids"), list(ask, "fields")),
            _ => {
                let body = ask.object()?;
                (strings(&body, "ids"), strings(&body, "fields"))
            }
        };
        check_count(ids.len(), READ_LIMIT)?;
        let schema = self.schema();
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        let fields = Door::fields(schema.at(at), &names)?;
        let record = |id: &String| {
            let id = Id::parse(id).filter(|id| id.prefix() == schema.at(at).prefix);
            id.and_then(|id| self.org.record(at, id, &fields, &version.text))
                .unwrap_or(Json::Null)
        };
        Ok(ok(ids.iter().map(record).collect()))
    }
}

/// A row that is missing says so in its own way inside a collection.
fn row_missing(error: ApiError) -> ApiError {
    if error.error_code == "NOT_FOUND" {
        return ApiError::data("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[]);
    }
    error
}

fn body(ask: &Ask) -> Result<(bool, Vec<Map<String, Json>>), ApiError> {
    let mut body = ask.object()?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or(false);
    let Some(Json::Array(records)) = body.remove("records") else {
        return Err(ApiError::bad(
            "JSON_PARSER_ERROR",
            "The request needs an array named records",
        ));
    };
    check_count(records.len(), WRITE_LIMIT)?;
    let record = |json| match json {
        Json::Object(map) => Ok(map),
        _ => Err(ApiError::bad(
            "JSON_PARSER_ERROR",
            "Every record must be a JSON object",
        )),
    };
    Ok((
        all_or_none,
        records.into_iter().map(record).collect::<Result<_, _>>()?,
    ))
}

fn check_count(count: usize, limit: usize) -> Result<(), ApiError> {
    if count <= limit {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {limit} records into this request");
    Err(ApiError::bad("EXCEEDED_ID_LIMIT", message))
}

fn type_of(record: &Map<String, Json>) -> Option<&str> {
    record.get("attributes")?.get("type")?.as_str()
}

fn get<'a>(record: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    record
        .iter()
        .find(|(k, _)| k.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

fn id_in(record: &Map<String, Json>) -> Option<Id> {
    get(record, "Id").and_then(Json::as_str).and_then(Id::parse)
}

fn list(ask: &Ask, name: &str) -> Vec<String> {
    let text = ask.parameter(name).unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

fn strings(body: &Map<String, Json>, name: &str) -> Vec<String> {
    let array = body.get(name).and_then(Json::as_array);
    array
        .map(|a| a.iter().filter_map(Json::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}
