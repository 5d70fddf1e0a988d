//! A sandbox on a free port and the few calls that every test makes.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Client, Response, StatusCode, redirect};
use sandbox::{Info, Options, Running, start};
use serde_json::{Value, json};
use std::collections::HashMap;
use tempfile::TempDir;

pub const CALLBACK: &str = "http://127.0.0.1:49152/callback";

pub struct House {
    pub info: Info,
    pub http: Client,
    pub running: Running,
    pub dir: TempDir,
}

pub async fn house() -> House {
    house_with(|_| {}).await
}

/// With a state directory, so that there are keys.
pub async fn house_with(change: impl FnOnce(&mut Options)) -> House {
    house_in(tempfile::tempdir().unwrap(), change).await
}

pub async fn house_in(dir: TempDir, change: impl FnOnce(&mut Options)) -> House {
    let mut options = Options {
        state_dir: Some(dir.path().to_owned()),
        ..Options::default()
    };
    change(&mut options);
    let running = start(options).await.unwrap();
    let http = Client::builder()
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    House {
        info: running.info.clone(),
        http,
        running,
        dir,
    }
}

/// Tokens of one grant.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub body: Value,
}

impl House {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.info.instance_url)
    }

    pub async fn get(&self, path: &str, token: &str) -> Response {
        self.http
            .get(self.url(path))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }

    pub async fn create(&self, token: &str) -> Result<Response, reqwest::Error> {
        let url = self.url("/services/data/v68.0/sobjects/Account");
        self.http
            .post(url)
            .bearer_auth(token)
            .json(&json!({"Name": "Acme"}))
            .send()
            .await
    }

    pub async fn account_count(&self, token: &str) -> u64 {
        let answer = self
            .get("/services/data/v68.0/query?q=SELECT+COUNT()+FROM+Account", token)
            .await;
        answer.json::<Value>().await.unwrap()["totalSize"]
            .as_u64()
            .unwrap()
    }

    pub async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let answer = self
            .http
            .post(self.url("/services/oauth2/token"))
            .form(form)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// `error` and `error_description` of a request that must fail with 400.
    pub async fn refused(&self, form: &[(&str, &str)]) -> (String, String) {
        let (status, body) = self.token(form).await;
        assert_eq!(status, 400, "{body}");
        (text(&body["error"]), text(&body["error_description"]))
    }

    /// The query of the redirect that answers an authorization request.
    pub async fn authorize(&self, extra: &[(&str, &str)]) -> HashMap<String, String> {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", self.info.client_id.as_str()),
            ("redirect_uri", CALLBACK),
            ("sandbox_user", self.info.username.as_str()),
            ("scope", "api id refresh_token"),
        ];
        for extra in extra {
            pairs.retain(|(name, _)| name != &extra.0);
            pairs.push(*extra);
        }
        let answer = self
            .http
            .get(self.url("/services/oauth2/authorize"))
            .query(&pairs)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
        redirected(&answer)
    }

    /// A grant of the first user to the default app.
    pub async fn login(&self) -> Tokens {
        let code = self.authorize(&[]).await.remove("code").unwrap();
        self.exchange(&code).await
    }

    pub async fn exchange(&self, code: &str) -> Tokens {
        let (status, body) = self.token(&self.code_form(code)).await;
        assert_eq!(status, 200, "{body}");
        Tokens {
            access: text(&body["access_token"]),
            refresh: text(&body["refresh_token"]),
            body,
        }
    }

    pub fn code_form<'a>(&'a self, code: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut form = self.app();
        form.extend([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ]);
        form
    }

    pub fn refresh_form<'a>(&'a self, token: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut form = self.app();
        form.extend([("grant_type", "refresh_token"), ("refresh_token", token)]);
        form
    }

    pub fn app(&self) -> Vec<(&str, &str)> {
        vec![
            ("client_id", &self.info.client_id),
            ("client_secret", &self.info.client_secret),
        ]
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let method = method.parse().unwrap();
        let request = self.http.request(method, self.url(path)).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        assert!(status.is_success(), "{path}: {}", String::from_utf8_lossy(&bytes));
        if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        }
    }

    pub async fn works(&self, token: &str) -> bool {
        self.get("/services/data/v68.0/limits", token).await.status() == 200
    }
}

pub fn redirected(answer: &Response) -> HashMap<String, String> {
    let location = answer.headers()["location"].to_str().unwrap();
    reqwest::Url::parse(location)
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn challenge(verifier: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(digest)
}
