//! All routes, each registered together with its description.

use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use cpq_domain::{Code, Error};
use http::Uri;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::failure::Failure;
use crate::state::ApiState;
use crate::{
    access, audit, browsers, certificates, conflicts, connections, dead_letters, decided, deleted, document,
    events, feeds, frame, habits, health, logins, metrics, outbound, ownership, quotes, reconcile, replays,
    statistics, sync, timeline, undo, webhooks, why,
};

/// The API, ready to be served.
pub fn router(state: ApiState) -> Router {
    let (routes, _) = documented().split_for_parts();
    routes
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(state.clone(), access::guard))
        .layer(middleware::from_fn_with_state(state.clone(), frame::frame))
        .with_state(state)
}

/// The routes with their descriptions.
pub(crate) fn documented() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(document::head())
        .routes(routes!(sync::start))
        .routes(routes!(sync::plan))
        .routes(routes!(deleted::answer))
        .routes(routes!(timeline::get))
        .routes(routes!(timeline::list))
        .routes(routes!(decided::list))
        .routes(routes!(statistics::syncs))
        .routes(routes!(habits::list))
        .routes(routes!(events::follow))
        .routes(routes!(quotes::create, quotes::list))
        .routes(routes!(quotes::preview))
        .routes(routes!(quotes::get, quotes::change))
        .routes(routes!(quotes::transition))
        .routes(routes!(conflicts::list))
        .routes(routes!(conflicts::get))
        .routes(routes!(conflicts::resolve))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::groups))
        .routes(routes!(dead_letters::discard_many))
        .routes(routes!(dead_letters::get))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(dead_letters::correct))
        .routes(routes!(replays::plan, replays::list))
        .routes(routes!(replays::get))
        .routes(routes!(replays::items))
        .routes(routes!(replays::start))
        .routes(routes!(replays::pause))
        .routes(routes!(replays::abort))
        .routes(routes!(replays::sync))
        .routes(routes!(undo::plan))
        .routes(routes!(undo::sync))
        .routes(routes!(undo::plan_many))
        .routes(routes!(undo::many))
        .routes(routes!(why::field))
        .routes(routes!(why::line_field))
        .routes(routes!(feeds::list))
        .routes(routes!(connections::list))
        .routes(routes!(logins::begin))
        .routes(routes!(logins::finish))
        .routes(routes!(logins::disconnect))
        .routes(routes!(ownership::get))
        .routes(routes!(reconcile::start, reconcile::list))
        .routes(routes!(reconcile::get))
        .routes(routes!(reconcile::records))
        .routes(routes!(certificates::list))
        .routes(routes!(audit::list))
        .routes(routes!(browsers::list))
        .routes(routes!(browsers::end_all))
        .routes(routes!(browsers::end))
        .routes(routes!(webhooks::take))
        .routes(routes!(outbound::take))
        .routes(routes!(document::get))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
}

async fn unknown(uri: Uri) -> Response {
    let path = uri.path();
    // Behind this prefix stands a secret, even where the rest of the path is wrong.
    let path = if path.starts_with(outbound::PREFIX) {
        outbound::PREFIX
    } else {
        path
    };
    let shown: String = path.chars().take(200).collect();
    let error = Error::new(Code::NotFound, format!("there is no route {shown}"));
    Failure(error.next("see /api/v1/openapi.json")).into_response()
}
