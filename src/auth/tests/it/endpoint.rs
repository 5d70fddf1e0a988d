//! A Salesforce login host, as far as logins go: PKCE, rotation, reuse detection, and answers that a test scripts.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub const CLIENT_ID: &str = "3MVG9.consumer.key";
pub const CLIENT_SECRET: &str = "canary-client-secret-7f3a";
pub const ORGANIZATION: &str = "00D50000000IZ3ZEAW";
pub const USER: &str = "00550000001fg5OAAQ";

type Pairs = HashMap<String, String>;

#[derive(Clone)]
pub struct Endpoint {
    pub url: String,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
pub struct Shelf {
    /// Every form that came to the token endpoint.
    pub requests: Vec<Pairs>,
    /// Answers to give before any own one: status, media type, body.
    pub script: VecDeque<(u16, &'static str, String)>,
    /// Done when the next token request arrives, before it is answered.
    pub meanwhile: Option<Box<dyn FnOnce() + Send>>,
    /// Refresh tokens that were good once and were sent again.
    pub reuses: u32,
    pub refreshes: u32,
    pub revoked: Vec<String>,
    pub revoke_status: Option<u16>,
    pub rotate: bool,
    pub scope: String,
    pub error_at_login: Option<&'static str>,
    pub public_key_pem: String,
    pub instance_url: Option<String>,
    /// Code → challenge and redirect URI.
    codes: HashMap<String, (String, String)>,
    refresh_token: Option<String>,
    used: HashSet<String>,
    access: HashSet<String>,
    minted: u32,
}

impl Endpoint {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shelf = Shelf {
            rotate: true,
            scope: "refresh_token api id".to_owned(),
            ..Shelf::default()
        };
        let endpoint = Endpoint {
            url,
            shelf: Arc::new(Mutex::new(shelf)),
        };
        let router = Router::new()
            .route("/services/oauth2/authorize", get(authorize))
            .route("/services/oauth2/token", post(token))
            .route("/services/oauth2/revoke", post(revoke))
            .route("/id/{organization}/{user}", get(identity))
            .with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        endpoint
    }

    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    pub fn script(&self, status: u16, error: &str, description: &str) {
        let body = json!({"error": error, "error_description": description}).to_string();
        self.shelf().script.push_back((status, "application/json", body));
    }

    /// Refreshes that were granted, and used refresh tokens that came again.
    pub fn counts(&self) -> (u32, u32) {
        let shelf = self.shelf();
        (shelf.refreshes, shelf.reuses)
    }

    /// All access tokens end, as at the end of a session.
    pub fn expire(&self) {
        self.shelf().access.clear();
    }

    pub fn accepts(&self, token: &str) -> bool {
        self.shelf().access.contains(token)
    }

    pub fn token_requests(&self) -> usize {
        self.shelf().requests.len()
    }
}

/// What a browser does: follows the login page back to the loopback listener. Gives the last page.
pub async fn browse(url: url::Url) -> (u16, String) {
    let browser = reqwest::Client::new();
    let response = browser.get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn authorize(State(endpoint): State<Endpoint>, Query(query): Query<Pairs>) -> Response {
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], CLIENT_ID);
    assert_eq!(query["code_challenge_method"], "S256");
    let mut shelf = endpoint.shelf();
    let mut back = url::Url::parse(&query["redirect_uri"]).unwrap();
    if let Some(error) = shelf.error_at_login {
        back.query_pairs_mut()
            .append_pair("error", error)
            .append_pair("error_description", "end-user denied");
    } else {
        let code = shelf.mint("aPrx");
        shelf.codes.insert(
            code.clone(),
            (query["code_challenge"].clone(), query["redirect_uri"].clone()),
        );
        back.query_pairs_mut().append_pair("code", &code);
    }
    back.query_pairs_mut().append_pair("state", &query["state"]);
    Redirect::to(back.as_str()).into_response()
}

async fn token(State(endpoint): State<Endpoint>, Form(form): Form<Pairs>) -> Response {
    // Other requests may run between arrival and answer, as on a real network.
    tokio::task::yield_now().await;
    let mut shelf = endpoint.shelf();
    shelf.requests.push(form.clone());
    if let Some(meanwhile) = shelf.meanwhile.take() {
        meanwhile();
    }
    if let Some((status, media_type, body)) = shelf.script.pop_front() {
        return (
            StatusCode::from_u16(status).unwrap(),
            [(header::CONTENT_TYPE, media_type)],
            body,
        )
            .into_response();
    }
    let answer = match form["grant_type"].as_str() {
        "authorization_code" => shelf.redeem(&form),
        "refresh_token" => shelf.refresh(&form["refresh_token"]),
        "client_credentials" => Ok(shelf.answer(false)),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            shelf.judge_assertion(&form["assertion"], &endpoint.url)
        }
        _ => Err(("unsupported_grant_type", "grant type not supported")),
    };
    let known =
        form["client_id"] == CLIENT_ID && form.get("client_secret").is_none_or(|it| it == CLIENT_SECRET);
    match answer.and_then(|answer| {
        if known {
            Ok(answer)
        } else {
            Err(("invalid_client", "invalid credentials"))
        }
    }) {
        Ok(mut answer) => {
            let instance = shelf.instance_url.clone().unwrap_or_else(|| endpoint.url.clone());
            answer["instance_url"] = json!(instance);
            answer["id"] = json!(format!("{}/id/{ORGANIZATION}/{USER}", endpoint.url));
            Json(answer).into_response()
        }
        Err((error, words)) => (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": error, "error_description": words})),
        )
            .into_response(),
    }
}

async fn revoke(State(endpoint): State<Endpoint>, Form(form): Form<Pairs>) -> StatusCode {
    let mut shelf = endpoint.shelf();
    shelf.revoked.push(form["token"].clone());
    StatusCode::from_u16(shelf.revoke_status.unwrap_or(200)).unwrap()
}

async fn identity(State(endpoint): State<Endpoint>, headers: HeaderMap) -> Response {
    let bearer = headers[header::AUTHORIZATION]
        .to_str()
        .unwrap()
        .trim_start_matches("Bearer ")
        .to_owned();
    if !endpoint.accepts(&bearer) {
        return (StatusCode::FORBIDDEN, "Bad_OAuth_Token").into_response();
    }
    Json(json!({"username": "integration@acme.example", "organization_id": ORGANIZATION, "user_id": USER}))
        .into_response()
}

type Answer = Result<Value, (&'static str, &'static str)>;

impl Shelf {
    fn mint(&mut self, kind: &str) -> String {
        self.minted += 1;
        format!("{kind}-canary-{:08}", self.minted)
    }

    fn answer(&mut self, with_refresh_token: bool) -> Value {
        let token = format!("{}!{}", &ORGANIZATION[..15], self.mint("access"));
        self.access.insert(token.clone());
        let mut answer = json!({
            "access_token": token, "token_type": "Bearer", "scope": self.scope,
            "issued_at": "1278448832702", "signature": "c2ln", "something_new": {"x": [1]},
        });
        if with_refresh_token {
            let fresh = self.mint("5Aep861");
            self.used.extend(self.refresh_token.replace(fresh.clone()));
            answer["refresh_token"] = json!(fresh);
        }
        answer
    }

    fn redeem(&mut self, form: &Pairs) -> Answer {
        let known = self.codes.remove(&form["code"]);
        let (challenge, redirect_uri) = known.ok_or(("invalid_grant", "invalid authorization code"))?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes());
        if URL_SAFE_NO_PAD.encode(hash) != challenge || form["code_verifier"].len() < 43 {
            return Err(("invalid_grant", "invalid code verifier"));
        }
        if form["redirect_uri"] != redirect_uri {
            return Err(("redirect_uri_mismatch", "redirect_uri must match configuration"));
        }
        Ok(self.answer(true))
    }

    fn refresh(&mut self, presented: &str) -> Answer {
        if self.used.contains(presented) {
            // A used refresh token is a thief's: the whole grant ends.
            self.reuses += 1;
            self.refresh_token = None;
            self.access.clear();
        }
        if self.refresh_token.as_deref() != Some(presented) {
            return Err(("invalid_grant", "expired access/refresh token"));
        }
        self.refreshes += 1;
        let rotate = self.rotate;
        Ok(self.answer(rotate))
    }

    fn judge_assertion(&mut self, assertion: &str, audience: &str) -> Answer {
        let key = jsonwebtoken::DecodingKey::from_rsa_pem(self.public_key_pem.as_bytes()).unwrap();
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[CLIENT_ID]);
        // The tests' clock is not the machine's.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<Value>(assertion, &key, &rules)
            .map_err(|_| ("invalid_grant", "invalid assertion"))?
            .claims;
        if claims["sub"] != "integration@acme.example" {
            return Err(("invalid_grant", "user hasn't approved this consumer"));
        }
        Ok(self.answer(false))
    }
}
