//! Who a token belongs to: userinfo and the identity URL ("Identity URLs", "User Info Endpoint").
//! Errors here are plain text with 403, neither JSON nor 401.

use super::params::Params;
use super::session::Session;
use crate::door::{Visit, bearer};
use crate::org::User;
use crate::state::{API_VERSION, Sandbox, Shared, lock};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A user with what only these pages tell.
pub struct Person {
    /// The user.
    pub user: User,
    /// When the record was last modified.
    pub modified: Timestamp,
    /// Mobile phone, null or text.
    pub mobile_phone: Value,
}

/// `GET /services/oauth2/userinfo`.
pub async fn user_info(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::of(query.as_deref(), &body);
    let user = match caller(&sandbox, &visit, &headers, &params) {
        Ok(session) => lock(&sandbox.org).user(&session.user_id),
        Err(text) => return refused(StatusCode::FORBIDDEN, text),
    };
    let Some(user) = user else {
        return refused(StatusCode::FORBIDDEN, "Bad_OAuth_Token");
    };
    let person = Person::of(&sandbox, &user);
    let organization = lock(&sandbox.org).organization_id().to_owned();
    let base = &visit.base_url;
    let photo = format!("{base}/profilephoto/005/F");
    answer(json!({
        "sub": format!("{base}/id/{organization}/{}", user.id), "user_id": user.id, "organization_id": organization,
        "preferred_username": user.username, "nickname": user.nickname, "name": user.name, "email": user.email,
        "email_verified": true, "given_name": user.first_name, "family_name": user.last_name,
        "zoneinfo": user.time_zone, "photos": {"picture": photo, "thumbnail": format!("{base}/profilephoto/005/T")},
        "profile": format!("{base}/{}", user.id), "picture": photo, "address": person.address(),
        "is_salesforce_integration_user": false, "urls": urls(base, &organization, &user.id, None),
        "active": user.active, "user_type": "STANDARD", "language": user.language, "locale": user.locale,
        "utcOffset": utc_offset_millis(&user, visit.now(&sandbox)), "updated_at": rfc3339(person.modified),
        "is_app_installed": true,
    }))
}

/// `GET /id/{organization}/{user}`.
pub async fn identity(
    State(sandbox): State<Shared>,
    Extension(visit): Extension<Visit>,
    Path((organization_id, user_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::of(query.as_deref(), &body);
    let session = match caller(&sandbox, &visit, &headers, &params) {
        Ok(session) => session,
        Err(text) => return refused(StatusCode::FORBIDDEN, text),
    };
    let organization = lock(&sandbox.org).organization_id().to_owned();
    if !same_id(&organization_id, &organization) {
        return refused(StatusCode::FORBIDDEN, "Wrong_Org");
    }
    let Some(user) = lock(&sandbox.org).user(&user_id) else {
        return refused(StatusCode::NOT_FOUND, "Bad_Id");
    };
    if user.id != session.user_id {
        return refused(StatusCode::FORBIDDEN, "Wrong_User");
    }
    let version = params
        .get("version")
        .map(|asked| if asked == "latest" { API_VERSION } else { asked });
    let person = Person::of(&sandbox, &user);
    let utc_offset = utc_offset_millis(&user, visit.now(&sandbox));
    answer(identity_body(&visit, &organization, &person, version, utc_offset))
}

fn identity_body(
    visit: &Visit,
    organization: &str,
    person: &Person,
    version: Option<&str>,
    utc_offset: i64,
) -> Value {
    let (base, user) = (&visit.base_url, &person.user);
    json!({
        "id": format!("{base}/id/{organization}/{}", user.id), "asserted_user": true, "user_id": user.id,
        "organization_id": organization, "username": user.username, "nick_name": user.nickname,
        "display_name": user.name, "email": user.email, "email_verified": true, "first_name": user.first_name,
        "last_name": user.last_name, "timezone": user.time_zone,
        "photos": {"picture": format!("{base}/profilephoto/005/F"), "thumbnail": format!("{base}/profilephoto/005/T")},
        "addr_street": null, "addr_city": null, "addr_state": null, "addr_country": null, "addr_zip": null,
        "mobile_phone": person.mobile_phone, "mobile_phone_verified": false, "is_lightning_login_user": false,
        "status": {"created_date": null, "body": null}, "urls": urls(base, organization, &user.id, version),
        "active": user.active, "user_type": "STANDARD", "language": user.language, "locale": user.locale,
        "utcOffset": utc_offset, "last_modified_date": rfc3339(person.modified), "is_app_installed": true,
    })
}

impl Person {
    /// Looks the rest up.
    pub fn of(sandbox: &Sandbox, user: &User) -> Self {
        let org = lock(&sandbox.org);
        let (table, id) = (org.schema().position("User"), crate::org::Id::parse(&user.id));
        let peek = |name: &str| table.zip(id).map(|(table, id)| org.peek(table, id, name));
        let mobile = peek("MobilePhone").and_then(|value| value.as_text().map(str::to_owned));
        let modified = peek("LastModifiedDate").and_then(|value| value.as_instant());
        Self {
            user: user.clone(),
            modified: modified.unwrap_or_default(),
            mobile_phone: mobile.map_or(Value::Null, Value::from),
        }
    }

    /// Users of this org have no address, so there are no parts of it (OpenID Connect Core §5.1.1).
    pub fn address(&self) -> Value {
        json!({})
    }
}

/// The token of header, query or body; then its session.
pub fn caller(
    sandbox: &Shared,
    visit: &Visit,
    headers: &HeaderMap,
    params: &Params,
) -> Result<Session, &'static str> {
    let token = bearer(headers)
        .or_else(|| params.get("oauth_token"))
        .or_else(|| params.get("access_token"));
    let token = token.ok_or("Missing_OAuth_Token")?;
    sandbox.session(visit, token).ok_or("Bad_OAuth_Token")
}

/// A refusal of these pages.
pub fn refused(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html;charset=UTF-8")], text).into_response()
}

fn answer(body: Value) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json;charset=UTF-8")],
        body.to_string(),
    )
        .into_response()
}

/// Addresses of the APIs; with a literal `{version}` unless one was asked for.
fn urls(base: &str, organization: &str, user: &str, version: Option<&str>) -> Value {
    let version = version.unwrap_or("{version}");
    let short = organization.get(..15).unwrap_or(organization);
    let data = format!("{base}/services/data/v{version}");
    let soap = format!("{base}/services/Soap");
    let pairs = [
        ("enterprise", format!("{soap}/c/{version}/{short}")),
        ("metadata", format!("{soap}/m/{version}/{short}")),
        ("partner", format!("{soap}/u/{version}/{short}")),
        ("rest", format!("{data}/")),
        ("sobjects", format!("{data}/sobjects/")),
        ("search", format!("{data}/search/")),
        ("query", format!("{data}/query/")),
        ("recent", format!("{data}/recent/")),
        ("tooling_soap", format!("{soap}/T/{version}/{short}")),
        ("tooling_rest", format!("{data}/tooling/")),
        ("profile", format!("{base}/{user}")),
        ("feeds", format!("{data}/chatter/feeds")),
        ("groups", format!("{data}/chatter/groups")),
        ("users", format!("{data}/chatter/users")),
        ("feed_items", format!("{data}/chatter/feed-items")),
        ("feed_elements", format!("{data}/chatter/feed-elements")),
        ("custom_domain", base.to_owned()),
    ];
    Value::Object(
        pairs
            .into_iter()
            .map(|(key, url)| (key.to_owned(), url.into()))
            .collect::<Map<_, _>>(),
    )
}

fn utc_offset_millis(user: &User, now: Timestamp) -> i64 {
    let zone = jiff::tz::TimeZone::get(&user.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    i64::from(zone.to_offset(now).seconds()) * 1_000
}

/// `2026-11-22T10:00:00Z`.
pub fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Ids come in 15 letters or with their checksum in 18.
fn same_id(given: &str, own: &str) -> bool {
    given == own || (given.len() == 15 && own.starts_with(given))
}
