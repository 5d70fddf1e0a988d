//! From a session of an API to one of a browser: a one-time ticket for the front door
//! ("UI Bridge API", `/services/oauth2/singleaccess`), as `sf org open` uses it.

use super::identity::{caller, refused};
use super::page;
use super::params::Params;
use super::random;
use crate::door::Visit;
use crate::state::{Shared, lock};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::HashMap;

/// Life of a ticket.
const LIFE: SignedDuration = SignedDuration::from_mins(1);
/// Tickets kept; beyond it all but the living are forgotten, and then all.
const CAPACITY: usize = 1_000;

/// Tickets by their text: whose, and since when.
#[derive(Default)]
pub struct Tickets(HashMap<String, (String, Timestamp)>);

impl Tickets {
    fn add(&mut self, user_id: &str, now: Timestamp) -> String {
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, (_, since)| now.duration_since(*since) < LIFE);
        }
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
        let ticket = random::text(64);
        self.0.insert(ticket.clone(), (user_id.to_owned(), now));
        ticket
    }

    fn take(&mut self, ticket: &str, now: Timestamp) -> Option<String> {
        let (user_id, since) = self.0.remove(ticket)?;
        (now.duration_since(since) < LIFE).then_some(user_id)
    }
}

/// `GET` or `POST /services/oauth2/singleaccess`: an address that logs a browser in, once.
pub async fn single_access(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::of(query.as_deref(), &body);
    let session = match caller(&sandbox, &visit, &headers, &params) {
        Ok(session) => session,
        Err(text) => return refused(StatusCode::FORBIDDEN, text),
    };
    let opens = |scope: &String| matches!(scope.as_str(), "web" | "full");
    if !session.scopes.iter().any(opens) {
        return refused(StatusCode::FORBIDDEN, "Insufficient_Scope");
    }
    let now = visit.now(&sandbox);
    let ticket = lock(&sandbox.access).tickets.add(&session.user_id, now);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("otp", &ticket);
    if let Some(start) = params.get("redirect_uri") {
        query.append_pair("startURL", start);
    }
    let uri = format!("{}/secur/frontdoor.jsp?{}", visit.base_url, query.finish());
    Json(json!({"frontdoor_uri": uri})).into_response()
}

/// `GET /secur/frontdoor.jsp`: where a person would be in the user interface, if there were one.
pub async fn front_door(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let now = visit.now(&sandbox);
    let by_ticket = params
        .get("otp")
        .and_then(|ticket| lock(&sandbox.access).tickets.take(ticket, now));
    let user_id = by_ticket.or_else(|| {
        let token = params.get("sid")?;
        sandbox.session(&visit, token).map(|session| session.user_id)
    });
    let user = user_id.and_then(|id| lock(&sandbox.org).user(&id));
    match user {
        Some(user) => page::welcome(&user.username, params.get("startURL").unwrap_or("/")),
        None => page::error("invalid_session", "the link was used before or has expired"),
    }
}
