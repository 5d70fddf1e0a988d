//! OAuth 2.0 and OpenID Connect as Salesforce speaks them: every flow that integrations use, with the errors
//! and omissions that real clients are written around ("OAuth Authorization Flows"; RFC 6749, 7009, 7523, 7636, 7662).

mod access;
mod access_jwt;
mod admission;
mod assertion;
mod attempts;
mod authorize;
mod authorize_request;
mod client;
mod client_assertion;
mod code;
mod code_flow;
mod device;
mod device_page;
mod discovery;
mod format;
mod frontdoor;
mod grant;
mod handout;
mod identity;
mod inspect;
mod jwt_bearer;
mod keys;
mod other_flows;
mod page;
mod params;
mod password;
pub(crate) mod random;
mod refresh;
mod refusal;
mod scope;
mod secret;
mod session;
mod token;

pub use access::Access;
pub use admission::{Barrier, admit};
pub use assertion::check_key;
pub use client::{Client, DefaultApp, default_app};
pub use keys::Keys;
pub use password::{Rejected, authenticate};
pub use random::uuid;
pub use refusal::Refusal;
pub use session::Session;

use crate::state::Shared;
use axum::Router;
use axum::routing::{get, post};

/// The OAuth routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route(
            "/services/oauth2/authorize",
            get(authorize::ask).post(authorize::answer),
        )
        .route(
            "/services/oauth2/token",
            post(token::issue).fallback(token::must_post),
        )
        .route(
            "/services/oauth2/revoke",
            post(inspect::revoke).get(inspect::revoke),
        )
        .route(
            "/services/oauth2/introspect",
            post(inspect::introspect).fallback(token::must_post),
        )
        .route(
            "/services/oauth2/singleaccess",
            get(frontdoor::single_access).post(frontdoor::single_access),
        )
        .route(
            "/setup/connect",
            get(device_page::connect).post(device_page::connect),
        )
        .route("/secur/frontdoor.jsp", get(frontdoor::front_door))
        .route(
            "/services/oauth2/userinfo",
            get(identity::user_info).post(identity::user_info),
        )
        .route("/id/keys", get(discovery::keys))
        .route(
            "/id/{organization}/{user}",
            get(identity::identity).post(identity::identity),
        )
        .route(
            "/.well-known/openid-configuration",
            get(discovery::openid_configuration),
        )
}

/// Apps that every sandbox has.
pub fn register_default_apps(access: &mut Access, run_as: Option<String>, jwt_public_key: Option<String>) {
    access.register(Client::confidential(run_as, jwt_public_key));
    access.register(Client::platform_cli());
}
