//! Who calls: the three metadata headers of every call ("Pub/Sub API", Authentication).

use super::refusal::Reason;
use crate::org::Id;
use crate::state::{Sandbox, lock};
use http::HeaderMap;
use url::Url;

/// A caller whose session was alive.
#[derive(Clone, Debug)]
pub struct Caller {
    token: String,
    /// Whose session it is (18 characters).
    pub user_id: String,
}

/// Lets a caller in. gRPC's names are lower-case on the wire, however a client writes them.
///
/// # Errors
/// Blank or malformed headers, another org, a session that has ended.
pub fn admit(sandbox: &Sandbox, headers: &HeaderMap) -> Result<Caller, Reason> {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        value.ok_or(Reason::AUTH_HEADERS_INVALID)
    };
    let (token, url, tenant) = (text("accesstoken")?, text("instanceurl")?, text("tenantid")?);
    let tenant = Id::parse(tenant).ok_or(Reason::AUTH_HEADERS_INVALID)?;
    if !is_instance(sandbox, url)? || !is_tenant(sandbox, tenant) {
        return Err(Reason::AUTH_ERROR);
    }
    Caller::of(sandbox, token).ok_or(Reason::AUTH_ERROR)
}

impl Caller {
    /// The caller with this access token, if its session is alive; this use prolongs it.
    pub fn of(sandbox: &Sandbox, token: &str) -> Option<Caller> {
        let session = sandbox.session_at(sandbox.clock.now(), token)?;
        if !session.reaches_api() {
            return None;
        }
        Some(Caller {
            token: token.to_owned(),
            user_id: session.user_id,
        })
    }

    /// Prolongs the session, as any use does.
    ///
    /// # Errors
    /// When it has ended.
    pub fn stay(&self, sandbox: &Sandbox) -> Result<(), Reason> {
        let alive = sandbox.session_at(sandbox.clock.now(), &self.token);
        alive.map(drop).ok_or(Reason::AUTH_ERROR)
    }

    /// Ends the session.
    pub fn expel(&self, sandbox: &Sandbox) {
        lock(&sandbox.access).end_session(&self.token);
        sandbox.touch();
    }
}

/// Whether the URL is one of this sandbox. Real instances have no port in their URL, so that clients leave it out when
/// they take a URL apart: a loopback name without a port is good too.
fn is_instance(sandbox: &Sandbox, text: &str) -> Result<bool, Reason> {
    let url = Url::parse(text).map_err(|_| Reason::AUTH_HEADERS_INVALID)?;
    let web = matches!(url.scheme(), "http" | "https");
    let host = url
        .host_str()
        .filter(|_| web)
        .ok_or(Reason::AUTH_HEADERS_INVALID)?;
    Ok(sandbox.is_own_url(text) || url.port().is_none() && sandbox.is_own_name(host))
}

fn is_tenant(sandbox: &Sandbox, tenant: Id) -> bool {
    Id::parse(lock(&sandbox.org).organization_id()) == Some(tenant)
}
