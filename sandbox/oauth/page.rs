//! The pages that a person can meet: login with consent, the code of a device, an error that no app may be told, and
//! the front door.

use super::params::Params;
use crate::wire::escaped;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// Inputs of the page itself; they are not carried over when the page is shown again.
const OWN_INPUTS: [&str; 3] = ["username", "password", "decision"];

/// Login and consent in one form, which posts the original parameters along.
pub fn login(params: &Params, client_id: &str, scopes: &[String], complaint: Option<&str>) -> Response {
    let carried = params
        .iter()
        .filter(|(name, _)| !OWN_INPUTS.contains(&name.as_str()));
    let hidden: String = carried
        .map(|(name, value)| {
            format!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
                escaped(name),
                escaped(value)
            )
        })
        .collect();
    let username = params
        .get("username")
        .or_else(|| params.get("login_hint"))
        .unwrap_or_default();
    let complaint = alert(complaint);
    let scopes: String = scopes
        .iter()
        .map(|scope| format!("<li><code>{}</code></li>", escaped(scope)))
        .collect();
    let body = format!(
        "<h1>Sandbox login</h1><p><code>{app}</code> asks for access:</p><ul>{scopes}</ul>{complaint}\
         <form method=\"post\" action=\"/services/oauth2/authorize\">{hidden}{inputs}</form>",
        app = escaped(client_id),
        inputs = credentials(username),
    );
    html(StatusCode::OK, "Sandbox login", &body)
}

/// Where the code of a device is entered.
pub fn connect(user_code: &str, complaint: Option<&str>) -> Response {
    let complaint = alert(complaint);
    let body = format!(
        "<h1>Connect a device</h1>{complaint}<form method=\"post\" action=\"/setup/connect\">\
         <p><label>Code <input name=\"user_code\" value=\"{}\"></label></p>{}</form>",
        escaped(user_code),
        credentials("")
    );
    html(StatusCode::OK, "Connect a device", &body)
}

/// A sentence, and nothing to do.
pub fn told(sentence: &str) -> Response {
    html(
        StatusCode::OK,
        "Sandbox",
        &format!("<p>{}</p>", escaped(sentence)),
    )
}

fn alert(complaint: Option<&str>) -> String {
    complaint
        .map(|text| format!("<p role=\"alert\">{}</p>", escaped(text)))
        .unwrap_or_default()
}

/// The inputs of a login with its two ways out.
fn credentials(username: &str) -> String {
    format!(
        "<p><label>Username <input name=\"username\" value=\"{}\" autocomplete=\"username\"></label></p>\
         <p><label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label></p>\
         <p><button name=\"decision\" value=\"allow\">Log in and allow</button> \
         <button name=\"decision\" value=\"deny\">Deny</button></p>",
        escaped(username)
    )
}

/// Behind the front door: who is logged in, and which page was asked for. There is no user interface.
pub fn welcome(username: &str, start: &str) -> Response {
    let body = format!(
        "<h1>Sandbox</h1><p>Logged in as <code>{}</code>.</p><p>A real org would now show <code>{}</code>.</p>",
        escaped(username),
        escaped(start)
    );
    html(StatusCode::OK, "Sandbox", &body)
}

/// What a person sees when app or callback are wrong.
pub fn error(error: &str, description: &str) -> Response {
    let body = format!(
        "<h1>OAuth Error</h1><p>error={}&amp;error_description={}</p>",
        escaped(error),
        escaped(&description.replace(' ', "%20"))
    );
    html(StatusCode::BAD_REQUEST, "OAuth Error", &body)
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body>{body}</body></html>"
    );
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=UTF-8"),
        (
            header::CACHE_CONTROL,
            "no-cache,must-revalidate,max-age=0,no-store,private",
        ),
        // No scripts, no foreign frames: the page takes a password.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ];
    (status, head, text).into_response()
}
