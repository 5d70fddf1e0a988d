//! Connecting a CRM in the browser, and giving a connection up.
//!
//! The vendor sends the browser back from another site, and our cookie of the session does not come along then. So the
//! place that it comes back to does nothing but lead on to a page of ours, to which the cookies come; one of them says
//! that the login was begun in this very browser.

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::{ConnectedReport, DisconnectReport, LoginBegun, Origin};
use cpq_domain::{Code, Error};
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::asked::Form;
use crate::cookie::{Cookie, came_secure};
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};

/// Where the vendor sends the browser back to.
const CALLBACK: &str = "/oauth/callback";
/// Where the login ends.
const FINISH: &str = "/connections/finish";
/// Holds the state of the login that this browser began.
const STATE: Cookie = Cookie {
    name: "cpq_login",
    secure_name: "__Secure-cpq_login",
    path: FINISH,
};
/// Seconds for which a login may take.
const LOGIN_S: u32 = 600;

#[derive(Template)]
#[template(path = "login_begun.html")]
struct Begun {
    frame: Frame,
    host: String,
    url: String,
}

#[derive(Template)]
#[template(path = "login_back.html")]
struct Back {
    to: String,
}

#[derive(Template)]
#[template(path = "login_done.html")]
struct Done {
    frame: Frame,
    report: ConnectedReport,
}

#[derive(Template)]
#[template(path = "disconnected.html")]
struct Gone {
    frame: Frame,
    report: DisconnectReport,
}

/// What the page of the connections sends.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    connection: String,
    #[serde(default)]
    login_url: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
}

/// Begins a login: shows where it leads, as a link. A form may not lead to another site by itself.
pub(crate) async fn begin(
    State(house): State<House>,
    At(visitor): At,
    origin: Option<Extension<Origin>>,
    headers: HeaderMap,
    Form(wish): Form<Wish>,
) -> Result<Response, Failed> {
    let given = |text: String| Some(text).filter(|text| !text.trim().is_empty());
    let body = json!({
        "connection": given(wish.connection),
        "loginUrl": given(wish.login_url),
        "clientId": given(wish.client_id),
        "clientSecret": given(wish.client_secret),
        "redirectUri": callback(origin, &headers),
    });
    let begun: LoginBegun = house.order(&visitor, "/api/v1/connections/logins", &body).await?;
    let leads_to = Url::parse(&begun.authorize_url).ok();
    let host = leads_to.and_then(|url| url.host_str().map(str::to_owned));
    let mut response = page::show(&Begun {
        frame: Frame::new(&visitor, "connections", "Log in to the CRM"),
        host: host.unwrap_or_default(),
        url: begun.authorize_url,
    });
    STATE.give(&mut response, &begun.state, Some(LOGIN_S), came_secure(origin));
    Ok(response)
}

/// Where the vendor is to send this browser back to: to us, as it calls us.
pub(crate) fn callback(origin: Option<Extension<Origin>>, headers: &HeaderMap) -> String {
    let scheme = if came_secure(origin) { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    format!("{scheme}://{}{CALLBACK}", host.unwrap_or_default())
}

/// The vendor sent the browser back. Who is at it is not known here; nothing is done.
pub(crate) async fn back(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    page::show(&Back {
        to: format!("{FINISH}?{query}"),
    })
}

/// Ends a login that this browser began.
pub(crate) async fn finish(
    State(house): State<House>,
    At(visitor): At,
    origin: Option<Extension<Origin>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let query = query.unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let state = pairs.find(|(name, _)| name == "state");
    let state = state.map(|(_, value)| value.into_owned()).unwrap_or_default();
    if state.is_empty() || STATE.read(&headers, came_secure(origin)).as_deref() != Some(state.as_str()) {
        let error = Error::new(Code::LoginFailed, "this login was not begun in this browser");
        return Err(error.next("begin it again on the page of the connections").into());
    }
    let body = json!({ "query": query });
    let finished = house
        .order(&visitor, "/api/v1/connections/logins/finish", &body)
        .await;
    let report: ConnectedReport = finished?;
    let mut response = page::show(&Done {
        frame: Frame::new(&visitor, "connections", "Connected"),
        report,
    });
    STATE.take(&mut response, came_secure(origin));
    Ok(response)
}

/// What the button sends.
#[derive(Deserialize)]
pub(crate) struct Which {
    connection: String,
}

/// Gives a connection up.
pub(crate) async fn disconnect(
    State(house): State<House>,
    At(visitor): At,
    Form(which): Form<Which>,
) -> Result<Response, Failed> {
    let path = format!(
        "/api/v1/connections/{}/disconnect",
        page::encoded(&which.connection)
    );
    let report: DisconnectReport = house.order(&visitor, &path, &json!({})).await?;
    if report.revoked {
        return Ok(Redirect::to("/connections").into_response());
    }
    Ok(page::show(&Gone {
        frame: Frame::new(&visitor, "connections", "Disconnected"),
        report,
    }))
}
