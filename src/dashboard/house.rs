//! What the pages are made from: the API, and who is at the browser.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use cpq_api::sessions::{Sessions, Visitor};
use cpq_api::{ApiState, Throttle};
use cpq_domain::error::Report;
use cpq_domain::{Code, Error};
use http::{Method, Request, header};
use serde::de::DeserializeOwned;
use tower::ServiceExt;

use crate::page::Failed;
use crate::{
    assets, conflicts, connections, doors, home, letters, live, logins, ownership, quote, reconcile, replays,
    sessions, sync, syncs, undo,
};

/// Longest body that a page is made from: a page of 200 rows with all that is known about each.
const BODY_BYTES: usize = 32 * 1024 * 1024;
/// Seconds that a button waits for the sync that it starts.
const WAIT_S: u64 = 10;

/// What the pages are made from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct House {
    /// The API, as [`cpq_api::router`] makes it.
    api: Router,
    /// Who is logged in.
    pub(crate) sessions: Sessions,
    /// How often somebody may try to log in.
    pub(crate) throttle: Throttle,
}

/// The API, and the dashboard over it.
pub fn over(state: ApiState) -> Router {
    let api = cpq_api::router(state.clone());
    let sessions = Sessions::new(state.store.clone(), state.world.clone());
    let house = House {
        api: api.clone(),
        sessions,
        throttle: state.throttle.clone(),
    };
    let api = api.layer(middleware::from_fn_with_state(house.clone(), doors::lost));
    cpq_api::around(state, pages(house)).fallback_service(api)
}

/// All pages, behind their door.
fn pages(house: House) -> Router {
    let pages = Router::new()
        .route("/", get(home::page))
        .route("/syncs", get(syncs::page))
        .route("/syncs/start", post(sync::start))
        .route("/syncs/{id}", get(sync::page))
        .route("/syncs/{id}/replay", post(sync::replay))
        .route("/syncs/{id}/undo", get(undo::page).post(undo::undo))
        .route("/plan", get(sync::plan))
        .route("/quotes/{id}", get(quote::page))
        .route("/conflicts", get(conflicts::page))
        .route("/conflicts/{id}", get(conflicts::one))
        .route("/conflicts/{id}/resolve", post(conflicts::resolve))
        .route("/ownership", get(ownership::page))
        .route("/why", get(ownership::why))
        .route("/dead-letters", get(letters::page))
        .route("/dead-letters/list", get(letters::list))
        .route("/dead-letters/{id}", get(letters::one))
        .route("/dead-letters/{id}/discard", post(letters::discard))
        .route("/replays", get(replays::page).post(replays::plan))
        .route("/replays/{id}", get(replays::one))
        .route("/replays/{id}/{act}", post(replays::act))
        .route("/reconciliations", get(reconcile::page).post(reconcile::start))
        .route("/reconciliations/{id}", get(reconcile::one))
        .route("/connections", get(connections::page))
        .route("/connections/connect", post(logins::begin))
        .route("/connections/finish", get(logins::finish))
        .route("/connections/disconnect", post(logins::disconnect))
        .route("/oauth/callback", get(logins::back))
        .route("/live", get(live::events))
        .route("/logout", post(doors::logout))
        .route("/sessions", get(sessions::page))
        .route("/sessions/end", post(sessions::end))
        .route("/login", get(doors::login).post(doors::enter))
        .route("/assets/{name}", get(assets::get));
    pages
        .layer(middleware::from_fn_with_state(house.clone(), doors::guard))
        .with_state(house)
}

impl House {
    /// What the API answers to a question.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, visitor: &Visitor, path: &str) -> Result<T, Failed> {
        read(self.call(visitor, Method::GET, path, None).await?).await
    }

    /// The same, or nothing where the token may not ask.
    pub(crate) async fn ask_if_allowed<T: DeserializeOwned>(
        &self,
        visitor: &Visitor,
        path: &str,
    ) -> Result<Option<T>, Failed> {
        match self.ask(visitor, path).await {
            Err(Failed(report)) if report.code == Code::ScopeInsufficient => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// What the API answers to an order. It waits a little for the sync that comes of it.
    pub(crate) async fn order<T: DeserializeOwned>(
        &self,
        visitor: &Visitor,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, Failed> {
        read(self.call(visitor, Method::POST, path, Some(body)).await?).await
    }

    /// The API's answer as it is, e.g. one that never ends.
    pub(crate) async fn call(
        &self,
        visitor: &Visitor,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Response, Failed> {
        let mut request = Request::builder().method(method).uri(path);
        let body = match body {
            Some(value) => {
                let json = "application/json";
                request = request.header(header::CONTENT_TYPE, json);
                request = request.header("prefer", format!("wait={WAIT_S}"));
                Body::from(value.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).map_err(|cause| {
            Error::new(
                Code::RequestInvalid,
                "the page was asked for something that no route can be asked for",
            )
            .cause(cause)
        })?;
        visitor.vouch(request.extensions_mut());
        let answer = self.api.clone().oneshot(request).await;
        Ok(answer.unwrap_or_else(|never| match never {}))
    }
}

pub(crate) async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, Failed> {
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), BODY_BYTES).await;
    let bytes = bytes.map_err(|cause| {
        Error::new(Code::Internal, "the answer of the API is too long for a page").cause(cause)
    })?;
    if status.is_client_error() || status.is_server_error() {
        let report: Report = serde_json::from_slice(&bytes).map_err(unreadable)?;
        return Err(report.into());
    }
    Ok(serde_json::from_slice(&bytes).map_err(unreadable)?)
}

fn unreadable(cause: serde_json::Error) -> Error {
    Error::new(Code::Internal, "a page cannot read what the API answered").cause(cause)
}
