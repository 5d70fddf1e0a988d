//! One request to the token endpoint (RFC 6749 §3.2, §5): form out, JSON in, refusals read.

use cpq_domain::connection::ConnectionSettings;
use cpq_domain::{Code, Error};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::endpoint_url;
use crate::limits::{ANSWER_BYTES, THROTTLED_RETRY_MS, UNAVAILABLE_RETRY_MS};
use crate::outward::{Outward, answered};
use crate::refusal::{Asked, Refusal, classify};
use crate::secrets::quote;

/// A good answer. Members that we do not know are ignored; those that we know must be strings.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) access_token: SecretString,
    /// Present at the first login, and later only when the vendor rotates it.
    pub(crate) refresh_token: Option<SecretString>,
    /// Checked origin of the data host.
    pub(crate) instance_url: String,
    /// Identity URL, `…/id/<organization>/<user>`.
    pub(crate) id: Option<String>,
    /// Granted scopes; `None` means "as asked for" (RFC 6749 §5.1).
    pub(crate) scopes: Option<Vec<String>>,
}

/// A refusal with its meaning.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) error: Error,
}

#[derive(Deserialize)]
struct Wire {
    access_token: String,
    instance_url: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireError {
    error: String,
    error_description: String,
}

/// Sends one form. Client id and secret are added here, in the body (`client_secret_post`).
pub(crate) async fn request(
    context: &Context,
    settings: &ConnectionSettings,
    client_secret: Option<&SecretString>,
    asked: Asked,
    form: &[(&str, &str)],
) -> Result<Tokens, Refused> {
    let url = context.endpoint(settings, "token").map_err(|error| Refused {
        refusal: Refusal::Setup,
        error,
    })?;
    let mut form = form.to_vec();
    form.push(("client_id", &settings.client_id));
    if let Some(secret) = client_secret {
        form.push(("client_secret", secret.expose_secret()));
    }
    let host = url.to_string();
    let request = context
        .http
        .post(url)
        .header("accept", "application/json")
        .form(&form);
    let outward = Outward {
        method: &Method::POST,
        operation: "token",
        connection: settings.name.as_str(),
        host: &host,
    };
    let exchanged = async {
        let (status, body) = exchange(request, settings).await?;
        read(settings, asked, status, &body, &form)
    };
    outward
        .traced(exchanged, |refused: &Refused| refused.error.code)
        .await
}

/// Status and body of the answer.
async fn exchange(
    request: reqwest::RequestBuilder,
    settings: &ConnectionSettings,
) -> Result<(u16, Zeroizing<Vec<u8>>), Refused> {
    let unreachable = |cause: reqwest::Error| unreachable(settings, cause);
    let response = request.send().await.map_err(unreachable)?;
    answered(response.status());
    let status = response.status().as_u16();
    let body = capped_body(response).await.map_err(unreachable)?;
    Ok((status, body))
}

fn read(
    settings: &ConnectionSettings,
    asked: Asked,
    status: u16,
    body: &[u8],
    form: &[(&str, &str)],
) -> Result<Tokens, Refused> {
    if status == 200 && body.first() == Some(&b'{') {
        return tokens(settings, body);
    }
    let secrets: Vec<&str> = form
        .iter()
        .filter(|(name, _)| is_secret(name))
        .map(|(_, value)| *value)
        .collect();
    Err(refused(settings, asked, status, body, &secrets))
}

/// Reads at most [`ANSWER_BYTES`] of a body into memory that is wiped; the rest is cut off.
pub(crate) async fn capped_body(mut response: reqwest::Response) -> reqwest::Result<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    while let Some(chunk) = response.chunk().await? {
        let room = ANSWER_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(body)
}

fn is_secret(form_name: &str) -> bool {
    !matches!(form_name, "client_id" | "grant_type" | "redirect_uri" | "format")
}

fn tokens(settings: &ConnectionSettings, body: &[u8]) -> Result<Tokens, Refused> {
    let protocol = |error: Error| Refused {
        refusal: Refusal::Protocol,
        error,
    };
    // serde's message can quote a value, which may be a token; its position says enough.
    let wire: Wire = serde_json::from_slice(body).map_err(|cause| {
        let what = format!(
            "the token answer is malformed ({:?} at column {})",
            cause.classify(),
            cause.column()
        );
        protocol(Error::new(Code::ProtocolViolation, what).connection(settings.name.as_str()))
    })?;
    let bearer = wire
        .token_type
        .as_deref()
        .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let (access_token, refresh_token) = (
        SecretString::from(wire.access_token),
        wire.refresh_token.map(SecretString::from),
    );
    if !bearer || access_token.expose_secret().is_empty() {
        let what = "the token answer holds no bearer token";
        return Err(protocol(
            Error::new(Code::ProtocolViolation, what).connection(settings.name.as_str()),
        ));
    }
    Ok(Tokens {
        access_token,
        refresh_token: refresh_token.filter(|token| !token.expose_secret().is_empty()),
        instance_url: endpoint_url::instance_url(settings, &wire.instance_url).map_err(protocol)?,
        id: wire.id,
        scopes: wire
            .scope
            .map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect()),
    })
}

fn refused(
    settings: &ConnectionSettings,
    asked: Asked,
    status: u16,
    body: &[u8],
    secrets: &[&str],
) -> Refused {
    let said: WireError = serde_json::from_slice(body).unwrap_or_default();
    let code = quote(&said.error, secrets);
    let words = quote(&said.error_description, secrets);
    let refusal = classify(asked, status, &said.error, &said.error_description);
    let why = match (code.is_empty(), words.is_empty()) {
        (true, _) => format!("HTTP {status} without a reason that we can read"),
        (false, true) => code.clone(),
        (false, false) => format!("{code}: {words}"),
    };
    let error = explain(refusal, &settings.login_url, &why);
    Refused {
        refusal,
        error: error
            .connection(settings.name.as_str())
            .upstream(status, code, words),
    }
}

/// The error for a refusal; `why` is the vendor's reason.
pub(crate) fn explain(refusal: Refusal, host: &str, why: &str) -> Error {
    let error = |code, what: &str| Error::new(code, format!("{what} at {host} ({why})"));
    match refusal {
        Refusal::Busy => error(
            Code::CrmUnavailable,
            "another login with the same token is still being processed",
        )
        .retry_after_ms(UNAVAILABLE_RETRY_MS),
        Refusal::Unavailable => error(Code::CrmUnavailable, "the login service cannot answer just now")
            .retry_after_ms(UNAVAILABLE_RETRY_MS),
        Refusal::Throttled => {
            error(Code::CrmLimit, "there were too many logins").retry_after_ms(THROTTLED_RETRY_MS)
        }
        Refusal::Dead => error(Code::LoginFailed, "the grant is no longer valid"),
        Refusal::Restart => error(Code::LoginFailed, "the login is used up or took too long"),
        Refusal::Setup => error(Code::LoginFailed, "the login was refused")
            .next("correct the app, the user or the network rule named in the reason, then try again"),
        Refusal::Protocol => error(Code::ProtocolViolation, "the token request was not understood"),
    }
}

fn unreachable(settings: &ConnectionSettings, cause: reqwest::Error) -> Refused {
    let what = if cause.is_timeout() {
        "did not answer in time"
    } else {
        "cannot be reached"
    };
    let error = Error::new(
        Code::CrmUnavailable,
        format!("the login service at {} {what}", settings.login_url),
    )
    .connection(settings.name.as_str())
    .retry_after_ms(UNAVAILABLE_RETRY_MS)
    .cause(cause.without_url());
    Refused {
        refusal: Refusal::Unavailable,
        error,
    }
}

#[cfg(test)]
mod spoilt;
