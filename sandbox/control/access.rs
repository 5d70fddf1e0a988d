//! Settings, apps, sessions and grants.

use super::{Complaint, read};
use crate::oauth::{Client, check_key};
use crate::options::Settings;
use crate::state::{Shared, lock};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// `GET /sandbox/config`.
pub async fn settings(State(sandbox): State<Shared>) -> Json<Settings> {
    Json(sandbox.settings())
}

/// `PATCH /sandbox/config`: changes the given keys, leaves the others.
pub async fn change_settings(
    State(sandbox): State<Shared>,
    body: Bytes,
) -> Result<Json<Settings>, Complaint> {
    let changes: Map<String, Value> = read(&body)?;
    let mut settings = lock(&sandbox.settings);
    let mut merged = serde_json::to_value(&*settings).map_err(|error| Complaint(error.to_string()))?;
    if let Value::Object(map) = &mut merged {
        map.extend(changes);
    }
    *settings = serde_json::from_value(merged).map_err(|error| Complaint(error.to_string()))?;
    let changed = settings.clone();
    drop(settings);
    sandbox.bulk.wake();
    sandbox.push.look_again();
    lock(&sandbox.org).set_data_storage(changed.data_storage_mb);
    sandbox.touch();
    Ok(Json(changed))
}

/// `GET /sandbox/clients`.
pub async fn clients(State(sandbox): State<Shared>) -> Json<Vec<Client>> {
    Json(lock(&sandbox.access).clients().cloned().collect())
}

/// `POST /sandbox/clients`: registers an app, or replaces the one with this consumer key.
pub async fn register_client(
    State(sandbox): State<Shared>,
    body: Bytes,
) -> Result<(StatusCode, Json<Client>), Complaint> {
    let client: Client = read(&body)?;
    let key = client.jwt_public_key.as_deref();
    key.map(check_key).transpose().map_err(Complaint)?;
    lock(&sandbox.access).register(client.clone());
    sandbox.touch();
    Ok((StatusCode::CREATED, Json(client)))
}

/// `POST /sandbox/sessions/expire`: every access token is dead, refresh tokens are not.
pub async fn expire_sessions(State(sandbox): State<Shared>) -> Json<Value> {
    let expired = lock(&sandbox.access).expire_sessions();
    sandbox.touch();
    Json(json!({"expired": expired}))
}

/// Which grants; an empty selection is all.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Selection {
    username: Option<String>,
    client_id: Option<String>,
}

/// `POST /sandbox/grants/revoke`: refresh tokens and their sessions are dead.
pub async fn revoke_grants(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let selection: Selection = read(&body)?;
    let user_id = match selection.username.as_deref() {
        Some(name) => {
            let user = lock(&sandbox.org).user_by_username(name);
            Some(
                user.ok_or_else(|| Complaint(format!("there is no user {name}")))?
                    .id,
            )
        }
        None => None,
    };
    let revoked = lock(&sandbox.access).revoke_grants(user_id.as_deref(), selection.client_id.as_deref());
    sandbox.touch();
    Ok(Json(json!({"revoked": revoked})))
}
