//! A request for authorization, and what can be wrong with it (RFC 6749 §4.1.1, §4.2.1).

use super::client::Client;
use super::page;
use super::params::Params;
use super::scope;
use crate::state::{Sandbox, lock};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use url::Url;

/// Letters of an S256 challenge: 256 bits in base64url (RFC 7636 §4.2).
const CHALLENGE_LENGTH: usize = 43;

/// What the app wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `response_type=code`.
    Code,
    /// `response_type=token`, possibly with `id_token`.
    Tokens,
}

/// A request that may be answered.
pub struct Asked {
    /// The app.
    pub client: Client,
    /// Where the person is sent back to.
    pub redirect_uri: String,
    /// What is granted if the person consents.
    pub scopes: Vec<String>,
    /// What the app wants back.
    pub answer: Answer,
    /// PKCE challenge, S256.
    pub challenge: Option<String>,
    /// OpenID nonce.
    pub nonce: Option<String>,
    /// Handed back as it came.
    pub state: Option<String>,
}

/// Why it may not.
pub enum Problem {
    /// The callback cannot be trusted with anything, so the person is told (RFC 6749 §4.1.2.1).
    Page(&'static str, &'static str),
    /// The app is told.
    Redirect(Box<Back>, &'static str, &'static str),
}

/// The way back to the app.
pub struct Back {
    to: String,
    state: Option<String>,
    answer: Answer,
}

/// Reads a request.
///
/// # Errors
/// See [`Problem`].
pub fn read(sandbox: &Sandbox, params: &Params) -> Result<Asked, Problem> {
    let client = params
        .get("client_id")
        .and_then(|id| lock(&sandbox.access).client(id).cloned());
    let client = client.ok_or(Problem::Page("invalid_client_id", "client identifier invalid"))?;
    let redirect_uri = callback(&client, params)?.to_owned();
    let state = params.get("state").map(str::to_owned);
    let answer = match params.get("response_type") {
        Some("token" | "token id_token" | "id_token token") => Answer::Tokens,
        _ => Answer::Code,
    };
    let known = params.get("response_type") == Some("code") || answer == Answer::Tokens;
    let refuse = |error, description| {
        let back = Back {
            to: redirect_uri.clone(),
            state: state.clone(),
            answer,
        };
        Problem::Redirect(Box::new(back), error, description)
    };
    if !known {
        return Err(refuse("unsupported_response_type", "response type not supported"));
    }
    let challenge =
        challenge(&client, params, answer).map_err(|description| refuse("invalid_request", description))?;
    let scopes = scope::grant(params.get("scope"), &client.scopes);
    let scopes = scopes.ok_or_else(|| {
        refuse(
            "invalid_scope",
            "the requested scope is invalid, unknown, or malformed",
        )
    })?;
    let nonce = params.get("nonce").map(str::to_owned);
    Ok(Asked {
        client,
        redirect_uri,
        scopes,
        answer,
        challenge,
        nonce,
        state,
    })
}

fn callback<'p>(client: &Client, params: &'p Params) -> Result<&'p str, Problem> {
    let missing = Problem::Page("redirect_uri_missing", "redirect_uri must be provided");
    let asked = params.get("redirect_uri").ok_or(missing)?;
    if Url::parse(asked).is_err() || !client.allows_callback(asked) {
        return Err(Problem::Page(
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ));
    }
    Ok(asked)
}

/// Salesforce knows S256 only and takes it for granted.
fn challenge(client: &Client, params: &Params, answer: Answer) -> Result<Option<String>, &'static str> {
    if params
        .get("code_challenge_method")
        .is_some_and(|method| method != "S256")
    {
        return Err("code challenge method not supported");
    }
    let Some(challenge) = params.get("code_challenge") else {
        let needed = client.pkce_required && answer == Answer::Code;
        return if needed {
            Err("missing required code challenge")
        } else {
            Ok(None)
        };
    };
    let base64url = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_');
    if challenge.len() != CHALLENGE_LENGTH || !challenge.bytes().all(base64url) {
        return Err("invalid code challenge");
    }
    Ok(Some(challenge.to_owned()))
}

impl Asked {
    /// Sends the app away with an error.
    pub fn refused(&self, error: &'static str, description: &'static str) -> Problem {
        Problem::Redirect(Box::new(self.back()), error, description)
    }

    /// Sends the person back with an answer.
    pub fn redirect(&self, pairs: &[(&str, String)]) -> Response {
        self.back().redirect(pairs)
    }

    fn back(&self) -> Back {
        Back {
            to: self.redirect_uri.clone(),
            state: self.state.clone(),
            answer: self.answer,
        }
    }
}

impl Back {
    /// Answers are in the query for codes and in the fragment for tokens (RFC 6749 §4.2.2).
    fn redirect(&self, pairs: &[(&str, String)]) -> Response {
        let Ok(mut url) = Url::parse(&self.to) else {
            return page::error("redirect_uri_mismatch", "redirect_uri must match configuration");
        };
        let state = self.state.clone().map(|state| ("state", state));
        match self.answer {
            Answer::Code => {
                url.query_pairs_mut().extend_pairs(pairs).extend_pairs(state);
            }
            Answer::Tokens => {
                let mut fragment = url::form_urlencoded::Serializer::new(String::new());
                fragment.extend_pairs(pairs).extend_pairs(state);
                url.set_fragment(Some(&fragment.finish()));
            }
        }
        let head = [
            (header::LOCATION, url.as_str()),
            (
                header::CACHE_CONTROL,
                "no-cache,must-revalidate,max-age=0,no-store,private",
            ),
        ];
        (StatusCode::FOUND, head).into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Page(error, description) => page::error(error, description),
            Self::Redirect(back, error, description) => back.redirect(&[
                ("error", error.to_owned()),
                ("error_description", description.to_owned()),
            ]),
        }
    }
}
