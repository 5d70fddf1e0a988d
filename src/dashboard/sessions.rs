//! The browsers that are logged in as whoever looks, and the form that logs them out.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::Origin;
use cpq_api::browsers::{Browser, Browsers, LoggedOut};
use cpq_api::sessions::Visitor;
use cpq_domain::Error;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::asked::Form;
use crate::doors::{At, hidden};
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::when;

/// What the form says for all browsers but the one that it comes from.
const OTHERS: &str = "others";

#[derive(Template)]
#[template(path = "sessions.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    error: Option<String>,
}

/// A browser that is logged in.
struct Row {
    id: String,
    here: bool,
    address: String,
    logged_in: String,
    seen: String,
    ends: String,
    token: String,
}

impl Row {
    fn new(browser: Browser, own: &str) -> Row {
        Row {
            here: browser.id == own,
            address: browser.address.unwrap_or_else(|| "unknown".to_owned()),
            logged_in: when::moment(&browser.logged_in_at),
            seen: when::moment(&browser.seen_at),
            ends: when::moment(&browser.ends_at),
            token: browser.token_id,
            id: browser.id,
        }
    }
}

/// The page.
pub(crate) async fn page(State(house): State<House>, At(visitor): At) -> Result<Response, Failed> {
    Ok(page::show(&made(&house, &visitor).await?))
}

async fn made(house: &House, visitor: &Visitor) -> Result<Page, Failed> {
    let found: Browsers = house.ask(visitor, "/api/v1/sessions").await?;
    let own = visitor.session();
    Ok(Page {
        frame: Frame::new(visitor, "", "Where you are logged in"),
        rows: found
            .sessions
            .into_iter()
            .map(|browser| Row::new(browser, own))
            .collect(),
        error: None,
    })
}

/// Which browser is to be logged out, and the token that shows who wants it.
#[derive(Deserialize)]
pub(crate) struct Wish {
    which: String,
    #[serde(deserialize_with = "hidden")]
    token: SecretString,
}

/// Logs browsers out, and shows those that are left. A session alone is not enough for that: whoever took one over could
/// lock its owner out with it (ASVS 5.0, 7.5.2).
pub(crate) async fn end(
    State(house): State<House>,
    At(visitor): At,
    origin: Option<Extension<Origin>>,
    Form(wish): Form<Wish>,
) -> Result<Response, Failed> {
    if let Err(error) = confirmed(&house, &visitor, origin, &wish.token).await {
        let mut again = made(&house, &visitor).await?;
        again.error = Some(error.to_string());
        return Ok(page::shown_after(&error, &again));
    }
    let path = match wish.which.as_str() {
        OTHERS => "/api/v1/sessions/end".to_owned(),
        one => format!("/api/v1/sessions/{}/end", page::encoded(one)),
    };
    let but = (wish.which == OTHERS).then(|| json!({ "but": visitor.session() }));
    let _: LoggedOut = house
        .order(&visitor, &path, &but.unwrap_or_else(|| json!({})))
        .await?;
    Ok(Redirect::to("/sessions").into_response())
}

async fn confirmed(
    house: &House,
    visitor: &Visitor,
    origin: Option<Extension<Origin>>,
    token: &SecretString,
) -> Result<(), Error> {
    if let Some(Extension(origin)) = origin {
        house.throttle.login(origin.address)?;
    }
    house.sessions.confirm(visitor, token).await
}
