//! A sandbox on a free port, a session, and the calls that these tests make.

use crate::endpoint::PATIENCE;
use reqwest::{Client, StatusCode};
use sandbox::{Info, Options, Running, start};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

pub struct Site {
    pub info: Info,
    pub http: Client,
    pub token: String,
    pub running: Running,
}

pub async fn site() -> Site {
    site_with(Options::default()).await
}

pub async fn site_in(dir: &Path) -> Site {
    site_with(Options {
        state_dir: Some(dir.to_owned()),
        ..Options::default()
    })
    .await
}

pub async fn site_with(options: Options) -> Site {
    let running = start(options).await.unwrap();
    let info = running.info.clone();
    let mut site = Site {
        info,
        http: Client::new(),
        token: String::new(),
        running,
    };
    site.token = site.login(&site.info.username).await;
    site
}

impl Site {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.info.instance_url)
    }

    pub async fn login(&self, username: &str) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", &self.info.client_id),
            ("client_secret", &self.info.client_secret),
            ("username", username),
            ("password", &self.info.password),
        ];
        let request = self.http.post(self.url("/services/oauth2/token")).form(&form);
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        body["access_token"].as_str().expect("a token").to_owned()
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.call_as(&self.token, method, path, body).await
    }

    pub async fn call_as(&self, token: &str, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let url = self.url(&format!("/services/data/v68.0{path}"));
        let request = self.http.request(method.parse().unwrap(), url).bearer_auth(token);
        let answer = request.json(&body).send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Makes a record; returns its id.
    pub async fn create(&self, object: &str, values: Value) -> String {
        let (status, body) = self.call("POST", &format!("/sobjects/{object}"), values).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    pub async fn account(&self, name: &str) -> String {
        self.create("Account", json!({"Name": name})).await
    }

    pub async fn update(&self, object: &str, id: &str, values: Value) {
        let (status, body) = self
            .call("PATCH", &format!("/sobjects/{object}/{id}"), values)
            .await;
        assert_eq!(status, 204, "{body}");
    }

    pub async fn delete(&self, object: &str, id: &str) {
        let (status, body) = self
            .call("DELETE", &format!("/sobjects/{object}/{id}"), Value::Null)
            .await;
        assert_eq!(status, 204, "{body}");
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, body) = self.try_control(method, path, body).await;
        assert!(status.is_success(), "{path}: {body}");
        body
    }

    pub async fn try_control(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self
            .http
            .request(method.parse().unwrap(), self.url(path))
            .json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Declares an outbound message for accounts, with these additions.
    pub async fn message(&self, url: &str, more: Value) {
        let mut rule =
            json!({"name": "Changed", "object": "Account", "fields": ["Name"], "endpointUrl": url});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.control("POST", "/sandbox/outbound-messages", rule).await;
    }

    /// Declares a callout for accounts, with these additions.
    pub async fn callout(&self, url: &str, more: Value) {
        let mut rule = json!({"name": "Hook", "object": "Account", "fields": ["Name"], "endpointUrl": url});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.control("POST", "/sandbox/callouts", rule).await;
    }

    pub async fn freeze(&self) {
        let at = json!({"freeze": "2026-03-01T12:00:00Z"});
        self.control("POST", "/sandbox/clock", at).await;
    }

    pub async fn advance(&self, seconds: i64) {
        self.control("POST", "/sandbox/clock", json!({"advanceSeconds": seconds}))
            .await;
    }

    /// What waits.
    pub async fn pending(&self) -> Vec<Value> {
        self.queue("pending").await
    }

    /// What was given up.
    pub async fn failed(&self) -> Vec<Value> {
        self.queue("failed").await
    }

    async fn queue(&self, part: &str) -> Vec<Value> {
        let body = self
            .control("GET", "/sandbox/deliveries/pending", Value::Null)
            .await;
        body[part].as_array().unwrap().clone()
    }

    /// The one item that waits, once it was tried so many times.
    pub async fn tried(&self, attempts: u64) -> Value {
        self.until("an item was tried", async || {
            let pending = self.pending().await;
            let tried = pending.first().filter(|item| item["attempts"] == attempts);
            tried.cloned()
        })
        .await
    }

    /// Waits until nothing waits any more.
    pub async fn empty(&self) {
        self.until("the queue was empty", async || {
            self.pending().await.is_empty().then_some(())
        })
        .await;
    }

    /// The log of deliveries, once there are so many.
    pub async fn logged(&self, count: usize) -> Vec<Value> {
        self.until("deliveries were logged", async || {
            let body = self.control("GET", "/sandbox/deliveries", Value::Null).await;
            let entries = body["deliveries"].as_array().unwrap().clone();
            (entries.len() >= count).then_some(entries)
        })
        .await
    }

    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain until {what}"),
        }
    }
}
