//! What the data API has no call for: bringing records back, merging them.

use super::{Complaint, read};
use crate::org::input::{self, Purpose};
use crate::org::{ApiError, Hand, Id, Org, Origin};
use crate::state::{Shared, lock};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Chosen {
    ids: Vec<String>,
}

/// `POST /sandbox/records/undelete`: `{"ids": […]}` come back from the recycle bin, all or none.
pub async fn undelete(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let asked: Chosen = read(&body)?;
    let mut org = lock(&sandbox.org);
    let hand = first_hand(&org, sandbox.clock.now());
    let mark = org.mark();
    for text in &asked.ids {
        let undeleted = place(&org, text).and_then(|(at, id)| org.undelete(&hand, at, id).map_err(refused));
        if let Err(why) = undeleted {
            org.rollback(mark);
            return Err(Complaint(format!("{text}: {}", why.0)));
        }
    }
    org.commit(hand.now, hand.user, &Origin::default());
    sandbox.announce(&mut org);
    drop(org);
    sandbox.touch();
    Ok(Json(json!({"undeleted": asked.ids})))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Merge {
    master: String,
    losers: Vec<String>,
    values: Map<String, Value>,
}

/// `POST /sandbox/records/merge`: `{"master": id, "losers": [id, …], "values": {…}}`.
pub async fn merge(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let asked: Merge = read(&body)?;
    let mut org = lock(&sandbox.org);
    let hand = first_hand(&org, sandbox.clock.now());
    let (at, master) = place(&org, &asked.master)?;
    let schema = org.schema();
    let losers: Vec<Id> = asked
        .losers
        .iter()
        .map(|text| place(&org, text).map(|(_, id)| id))
        .collect::<Result<_, _>>()?;
    let given = input::read(&org, schema.at(at), &asked.values, Purpose::Update, &[]).map_err(refused)?;
    let merged = org.merge(&hand, at, master, &losers, given).map_err(refused)?;
    org.commit(hand.now, hand.user, &Origin::default());
    sandbox.announce(&mut org);
    drop(org);
    sandbox.touch();
    let texts = |ids: &[Id]| ids.iter().map(Id::to_string).collect::<Vec<_>>();
    Ok(Json(json!({
        "id": merged.master.to_string(), "mergedRecordIds": texts(&merged.losers),
        "updatedRelatedIds": texts(&merged.related),
    })))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Lock {
    ids: Vec<String>,
    locked: bool,
}

/// `POST /sandbox/records/lock`: `{"ids": […], "locked": true}`, as an approval process locks; `GET` shows them.
pub async fn set_locked(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let asked: Lock = read(&body)?;
    let mut org = lock(&sandbox.org);
    let ids: Vec<Id> = asked
        .ids
        .iter()
        .map(|text| place(&org, text).map(|(_, id)| id))
        .collect::<Result<_, _>>()?;
    ids.iter().for_each(|id| org.set_locked(*id, asked.locked));
    let now_locked = locked_ids(&org);
    drop(org);
    sandbox.touch();
    Ok(Json(now_locked))
}

/// `GET /sandbox/records/lock`.
pub async fn locked(State(sandbox): State<Shared>) -> Json<Value> {
    Json(locked_ids(&lock(&sandbox.org)))
}

fn locked_ids(org: &Org) -> Value {
    json!({"locked": org.locked().map(|id| id.to_string()).collect::<Vec<_>>()})
}

fn first_hand(org: &Org, now: jiff::Timestamp) -> Hand {
    Hand {
        user: org.first_user(),
        now,
    }
}

/// The object and id that a text names.
fn place(org: &Org, text: &str) -> Result<(usize, Id), Complaint> {
    let id = Id::parse(text).ok_or_else(|| Complaint(format!("'{text}' is no record id")))?;
    let at = org.schema().by_prefix(id.prefix());
    at.map(|at| (at, id))
        .ok_or_else(|| Complaint(format!("{text}: no object has this key prefix")))
}

fn refused(error: ApiError) -> Complaint {
    Complaint(format!("{}: {}", error.error_code, error.message))
}
