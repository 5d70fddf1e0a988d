//! `/setup/connect`: where a person enters the code of a device.

use super::admission::admit;
use super::device::Decision;
use super::page;
use super::params::Params;
use super::password::authenticate;
use crate::door::Visit;
use crate::state::{Sandbox, Shared, lock};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;

/// `GET` shows the form; `POST` is what was entered. A test says with `sandbox_user` who consents.
pub async fn connect(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let params = Params::of(query.as_deref(), &body);
    let code = params.get("user_code").unwrap_or_default();
    let now = visit.now(&sandbox);
    match decision(&sandbox, &params, now) {
        None => page::connect(code, None),
        Some(Err(complaint)) => page::connect(code, Some(complaint)),
        Some(Ok(decision)) => {
            let denied = decision == Decision::Denied;
            let known = lock(&sandbox.access).devices.decide(code, decision, now);
            match (known, denied) {
                (false, _) => page::connect(code, Some("The code is not valid, or has expired.")),
                (true, false) => page::told("The device is connected. You can close this page."),
                (true, true) => page::told("The device was refused. You can close this page."),
            }
        }
    }
}

/// What the person said; nothing when the form was not sent.
fn decision(
    sandbox: &Sandbox,
    params: &Params,
    now: jiff::Timestamp,
) -> Option<Result<Decision, &'static str>> {
    if let Some(name) = params.get("sandbox_user") {
        let user = lock(&sandbox.org)
            .user_by_username(name)
            .filter(|user| user.active);
        let user = user.ok_or("sandbox_user names no active user of this org");
        return Some(user.map(|user| Decision::Allowed(user.id)));
    }
    if params.get("decision")? != "allow" {
        return Some(Ok(Decision::Denied));
    }
    let (username, password) = (params.get("username"), params.get("password"));
    let user = authenticate(
        sandbox,
        username.unwrap_or_default(),
        password.unwrap_or_default(),
        now,
    );
    let Ok(user) = user else {
        return Some(Err("Please check your username and password."));
    };
    Some(match admit(sandbox, &user.id, now) {
        Ok(()) => Ok(Decision::Allowed(user.id)),
        Err(barrier) => Err(barrier.on_page()),
    })
}
