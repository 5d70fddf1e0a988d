//! What pages load beside themselves. Nothing comes from elsewhere.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static str,
}

const ASSETS: &[Asset] = &[
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        body: include_str!("assets/style.css"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        body: include_str!("assets/icon.svg"),
    },
    Asset {
        name: "keys.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("assets/keys.js"),
    },
    Asset {
        name: "htmx.min.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("assets/htmx.min.js"),
    },
    Asset {
        name: "sse.min.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("assets/sse.min.js"),
    },
];

/// The version of the program is in the address, so a browser may keep it until there is another.
pub(crate) async fn get(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=86400"),
    ];
    (headers, asset.body).into_response()
}
