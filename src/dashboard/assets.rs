//! What pages load beside themselves. Nothing comes from elsewhere.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use cpq_domain::{Code, Error};
use http::header;

use crate::page::Failed;

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, media type and text of each.
const ASSETS: &[(&str, &str, &str)] = &[
    ("style.css", CSS, include_str!("assets/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("keys.js", SCRIPT, include_str!("assets/keys.js")),
    ("live.js", SCRIPT, include_str!("assets/live.js")),
    ("htmx.min.js", SCRIPT, include_str!("assets/htmx.min.js")),
    ("sse.min.js", SCRIPT, include_str!("assets/sse.min.js")),
];

/// A browser keeps it for some minutes, so that a newer version of the program is seen soon.
pub(crate) async fn get(Path(wanted): Path<String>) -> Result<Response, Failed> {
    let found = ASSETS.iter().find(|(name, ..)| *name == wanted);
    let Some((_, kind, text)) = found else {
        return Err(Error::new(Code::NotFound, "there is no such asset").into());
    };
    let headers = [
        (header::CONTENT_TYPE, *kind),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    Ok((headers, *text).into_response())
}
