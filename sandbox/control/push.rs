//! `/sandbox/outbound-messages`, `/sandbox/callouts` and `/sandbox/deliveries`: what is to be sent, what waits, and
//! what became of it.

use super::{Complaint, Window, read};
use crate::push::{self, Callout, Kind, OutboundMessage, Rules, Selection};
use crate::state::{Sandbox, Shared, lock};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The routes of this file.
pub fn routes() -> Router<Shared> {
    let messages = get(messages)
        .put(put_messages)
        .post(post_messages)
        .delete(delete_messages);
    let callouts = get(callouts)
        .put(put_callouts)
        .post(post_callouts)
        .delete(delete_callouts);
    Router::new()
        .route("/sandbox/outbound-messages", messages)
        .route("/sandbox/outbound-messages/muted-users", get(muted).put(mute))
        .route("/sandbox/outbound-messages/{name}", delete(delete_message))
        .route("/sandbox/outbound-messages/{name}/wsdl", get(wsdl))
        .route("/sandbox/callouts", callouts)
        .route("/sandbox/callouts/{name}", delete(delete_callout))
        .route("/sandbox/deliveries", get(deliveries).delete(forget_deliveries))
        .route("/sandbox/deliveries/pending", get(pending).delete(forget_pending))
        .route("/sandbox/deliveries/retry", post(retry))
}

async fn messages(State(sandbox): State<Shared>) -> Json<Value> {
    shown_messages(&sandbox)
}

async fn put_messages(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let given = several(&body)?;
    change(&sandbox, |rules| rules.outbound_messages = given)?;
    Ok(shown_messages(&sandbox))
}

async fn post_messages(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let given = several(&body)?;
    change(&sandbox, |rules| rules.outbound_messages.extend(given))?;
    Ok(shown_messages(&sandbox))
}

async fn delete_messages(State(sandbox): State<Shared>) -> Result<StatusCode, Complaint> {
    change(&sandbox, |rules| rules.outbound_messages.clear())?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_message(
    State(sandbox): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Complaint> {
    change(&sandbox, |rules| {
        rules.outbound_messages.retain(|rule| rule.name != name)
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// The WSDL, as people download it from the setup pages of an org.
async fn wsdl(State(sandbox): State<Shared>, Path(name): Path<String>) -> Response {
    let org = lock(&sandbox.org);
    let rule = org.push_rules().outbound_message(&name);
    match rule.and_then(|rule| push::wsdl(&org, rule)) {
        Some(text) => ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], text).into_response(),
        None => {
            let error = format!("there is no outbound message {name}");
            (StatusCode::NOT_FOUND, Json(json!({"error": error}))).into_response()
        }
    }
}

async fn muted(State(sandbox): State<Shared>) -> Json<Vec<String>> {
    Json(lock(&sandbox.org).push_rules().muted_users.clone())
}

async fn mute(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Vec<String>>, Complaint> {
    let given: Vec<String> = read(&body)?;
    change(&sandbox, |rules| rules.muted_users.clone_from(&given))?;
    Ok(Json(given))
}

async fn callouts(State(sandbox): State<Shared>) -> Json<Value> {
    shown_callouts(&sandbox)
}

async fn put_callouts(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let given = several(&body)?;
    change(&sandbox, |rules| rules.callouts = given)?;
    Ok(shown_callouts(&sandbox))
}

async fn post_callouts(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let given = several(&body)?;
    change(&sandbox, |rules| rules.callouts.extend(given))?;
    Ok(shown_callouts(&sandbox))
}

async fn delete_callouts(State(sandbox): State<Shared>) -> Result<StatusCode, Complaint> {
    change(&sandbox, |rules| rules.callouts.clear())?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_callout(
    State(sandbox): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Complaint> {
    change(&sandbox, |rules| rules.callouts.retain(|rule| rule.name != name))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn deliveries(State(sandbox): State<Shared>, Query(window): Query<Window>) -> Json<Value> {
    let (entries, rules) = sandbox.push.deliveries.read(window.after, window.limit);
    Json(json!({"deliveries": entries, "rules": rules}))
}

async fn forget_deliveries(State(sandbox): State<Shared>) -> StatusCode {
    sandbox.push.deliveries.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRule {
    rule: Option<String>,
}

async fn pending(State(sandbox): State<Shared>, Query(wanted): Query<OfRule>) -> Json<Value> {
    let selection = Selection {
        rule: wanted.rule,
        ..Selection::default()
    };
    let (waiting, failed) = sandbox.push.pending(&selection);
    Json(json!({"pending": waiting, "failed": failed}))
}

async fn forget_pending(State(sandbox): State<Shared>) -> StatusCode {
    sandbox.push.clear();
    sandbox.touch();
    StatusCode::NO_CONTENT
}

/// Makes items due now, given-up ones too; `{"ids": […]}`, `{"rule": "…"}`, or everything.
async fn retry(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let selection: Selection = read(&body)?;
    let retried = sandbox.push.retry(&selection, sandbox.clock.now());
    sandbox.touch();
    Ok(Json(json!({"retried": retried})))
}

/// One rule or a list of them.
fn several<T: DeserializeOwned>(body: &Bytes) -> Result<Vec<T>, Complaint> {
    let value: Value = serde_json::from_slice(body).map_err(unreadable)?;
    match value {
        Value::Array(_) => serde_json::from_value(value).map_err(unreadable),
        one => Ok(vec![serde_json::from_value(one).map_err(unreadable)?]),
    }
}

fn unreadable(error: serde_json::Error) -> Complaint {
    Complaint(format!("cannot read the body: {error}"))
}

/// Changes the rules if the changed ones fit the org.
fn change(sandbox: &Sandbox, edit: impl FnOnce(&mut Rules)) -> Result<(), Complaint> {
    let mut org = lock(&sandbox.org);
    let mut rules = org.push_rules().clone();
    edit(&mut rules);
    push::check(&org, &rules).map_err(Complaint)?;
    sandbox.push.follow(&rules);
    org.set_push_rules(rules);
    drop(org);
    sandbox.touch();
    Ok(())
}

fn shown_messages(sandbox: &Sandbox) -> Json<Value> {
    let org = lock(&sandbox.org);
    let shown = |rule: &OutboundMessage| {
        let mut shown = json!(rule);
        shown["actionId"] = sandbox.push.action_id(&rule.name).to_string().into();
        shown["wsdl"] = format!("/sandbox/outbound-messages/{}/wsdl", rule.name).into();
        counted(sandbox, shown, Kind::OutboundMessage, &rule.name)
    };
    let rules: Vec<Value> = org.push_rules().outbound_messages.iter().map(shown).collect();
    Json(json!({"outboundMessages": rules, "mutedUsers": org.push_rules().muted_users}))
}

fn shown_callouts(sandbox: &Sandbox) -> Json<Value> {
    let org = lock(&sandbox.org);
    let shown = |rule: &Callout| counted(sandbox, json!(rule), Kind::Callout, &rule.name);
    let rules: Vec<Value> = org.push_rules().callouts.iter().map(shown).collect();
    Json(json!({"callouts": rules}))
}

/// How many items of the rule wait, and how many were given up.
fn counted(sandbox: &Sandbox, mut shown: Value, kind: Kind, rule: &str) -> Value {
    let (waiting, failed) = sandbox.push.counts(kind, rule);
    shown["pending"] = waiting.into();
    shown["failed"] = failed.into();
    shown
}
