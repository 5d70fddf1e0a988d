//! Logs in to a CRM, keeps its tokens sealed, and hands out valid access tokens.
//!
//! The way in is [`Broker`]: one per process. It logs connections in ([`Broker::login_web`], [`Broker::login_jwt`],
//! [`Broker::login_client_credentials`]) and gives each of them one [`Session`]. A session answers with the cached
//! access token, or renews it: exactly once per grant, however many tasks, processes and nodes ask at the same time.
//!
//! Three promises carry the room:
//!
//! 1. A rotated refresh token is durable before the access token that came with it is handed to anyone.
//! 2. A refresh token is sent only by the holder of the grant's lease, and only after the grant was read again.
//! 3. No secret is in a `Debug` text, an error, a log line or, unsealed, in the vault.
//!
//! Sources: RFC 6749 (OAuth 2.0), RFC 6750 (bearer tokens), RFC 7009 (revocation), RFC 7523 (JWT bearer), RFC 7636
//! (PKCE), RFC 8252 (native apps), RFC 9207 (issuer), RFC 9700 (security best practice), and Salesforce Help
//! "OAuth 2.0 Authorization Flows" with its error pages.

mod addresses;
mod again;
mod authorize;
mod broker;
mod connect;
mod context;
mod disconnect;
mod endpoint_url;
mod grant;
mod identity;
mod keyfile;
mod limits;
mod login;
mod loopback;
mod outward;
mod page;
mod pkce;
mod reach;
mod refusal;
mod renew;
mod rotate_key;
mod scopes;
mod seal;
mod secrets;
mod session;
mod status;
mod token_endpoint;

pub use authorize::{Authorize, Callback};
pub use broker::{Broker, Options, Waits};
pub use connect::Connected;
pub use disconnect::Disconnected;
pub use endpoint_url::is_loopback;
pub use login::App;
pub use loopback::Loopback;
pub use outward::{Outward, answered};
pub use reach::{Names, Reach};
pub use rotate_key::KeyRotation;
pub use seal::{KeyId, Keyring};
pub use session::{Access, Session};
pub use status::ConnectionStatus;
