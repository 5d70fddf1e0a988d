//! The org as a whole: reset and seed.

use super::{Complaint, read};
use crate::oauth;
use crate::org::Org;
use crate::scenario::{self, Scenario};
use crate::server;
use crate::state::{Shared, default_user, lock};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Reset {
    /// Scenario to begin with; else the one of the start.
    scenario: Option<String>,
}

/// `POST /sandbox/reset`: org, access, usage, log, faults, clock and settings as after a fresh start.
pub async fn reset(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let asked: Reset = read(&body)?;
    server::reset(&sandbox, asked.scenario.as_deref()).map_err(|error| Complaint(error.to_string()))?;
    Ok(Json(
        json!({"status": "reset", "organizationId": sandbox.info().organization_id}),
    ))
}

/// `POST /sandbox/seed`: `{"scenario": "name"}` or a whole scenario. The records of before are gone unless
/// `"add": true` is said; access, usage, faults and clock stay.
pub async fn seed(State(sandbox): State<Shared>, body: Bytes) -> Result<Json<Value>, Complaint> {
    let mut asked: Map<String, Value> = read(&body)?;
    let add = asked.shift_remove("add").is_some_and(|value| value == true);
    let (name, scenario) = wanted(asked)?;
    let now = sandbox.clock.now();
    // Loaded beside the org in use, so that a scenario that does not fit changes nothing.
    let mut fresh = if add {
        lock(&sandbox.org).copy()
    } else {
        Org::empty(now)
    };
    fresh
        .load(&scenario, now)
        .map_err(|why| Complaint(format!("cannot load the scenario: {why}")))?;
    fresh.set_data_storage(sandbox.settings().data_storage_mb);
    // The apps run as a user of the org; a new org has new users.
    let run_as = default_user(&fresh).map(|user| user.username);
    if add {
        sandbox.extend_org(fresh);
    } else {
        sandbox.replace_org(fresh);
    }
    oauth::register_default_apps(
        &mut lock(&sandbox.access),
        run_as,
        sandbox.keys.jwt_public_key.clone(),
    );
    sandbox.touch();
    Ok(Json(json!({"status": "seeded", "scenario": name})))
}

fn wanted(asked: Map<String, Value>) -> Result<(Option<String>, Scenario), Complaint> {
    if let Some(Value::String(name)) = asked.get("scenario") {
        let found =
            scenario::named(name).ok_or_else(|| Complaint(format!("there is no scenario called {name}")))?;
        return Ok((Some(name.clone()), found));
    }
    let scenario = serde_json::from_value(Value::Object(asked));
    Ok((
        None,
        scenario.map_err(|error| Complaint(format!("this is no scenario: {error}")))?,
    ))
}
