//! The cookies that we give to browsers: for our pages alone, out of the reach of scripts, and never with requests that come
//! from other sites (RFC 6265bis, 5.6).

use axum::Extension;
use axum::response::Response;
use cpq_api::Origin;
use http::{HeaderMap, HeaderValue, header};

/// A cookie, under one of two names.
pub(crate) struct Cookie {
    /// Name in clear, on this machine.
    pub(crate) name: &'static str,
    /// Name under TLS.
    pub(crate) secure_name: &'static str,
    /// Pages that get it.
    pub(crate) path: &'static str,
}

/// Whether the browser came by TLS.
pub(crate) fn is_secure(origin: Option<Origin>) -> bool {
    origin.is_some_and(|origin| origin.secure)
}

/// Of the request: whether it came by TLS.
pub(crate) fn came_secure(origin: Option<Extension<Origin>>) -> bool {
    is_secure(origin.map(|Extension(origin)| origin))
}

impl Cookie {
    /// What the browser sent in it. One that sends two of the name is in doubt, and counts as one without.
    pub(crate) fn read(&self, headers: &HeaderMap, secure: bool) -> Option<String> {
        let wanted = self.name(secure);
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let mut found =
            pairs.filter_map(|pair| pair.trim().split_once('=').filter(|(name, _)| *name == wanted));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value.to_owned()),
            _ => None,
        }
    }

    /// Gives it to the browser; for some seconds, or until the browser is closed.
    pub(crate) fn give(&self, response: &mut Response, value: &str, seconds: Option<u32>, secure: bool) {
        let (name, path) = (self.name(secure), self.path);
        let life = seconds.map_or(String::new(), |seconds| format!("; Max-Age={seconds}"));
        let secure = if secure { "; Secure" } else { "" };
        let cookie = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}{life}");
        if let Ok(value) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }

    /// Takes it back.
    pub(crate) fn take(&self, response: &mut Response, secure: bool) {
        self.give(response, "", Some(0), secure);
    }

    fn name(&self, secure: bool) -> &'static str {
        if secure { self.secure_name } else { self.name }
    }
}
