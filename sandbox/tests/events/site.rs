//! A sandbox on a free port with a stopped clock, and the calls that the tests make.

use crate::decoded::Decoded;
use reqwest::Method;
use sandbox::events::{ReplayId, Topic};
use sandbox::{Options, Running, start};
use serde_json::{Value as Json, json};

pub const START: &str = "2026-11-22T10:00:30Z";

pub struct Site {
    pub running: Running,
    http: reqwest::Client,
    token: String,
}

/// The demo org.
pub async fn up() -> Site {
    up_with(|_| {}).await
}

/// An org without record types, as the one was whose recordings are known.
pub async fn up_plain() -> Site {
    let site = up_with(|options| options.scenario = Some("empty".to_owned())).await;
    let number = json!({"name": "Opportunity_Number__c", "type": "string", "length": 40});
    let definition = json!({"fields": {"Opportunity": [number]}});
    site.control("POST", "/sandbox/define", definition).await;
    site
}

pub async fn up_with(change: impl FnOnce(&mut Options)) -> Site {
    let mut options = Options {
        scenario: Some("crm-sync".to_owned()),
        ..Options::default()
    };
    change(&mut options);
    let running = start(options).await.unwrap();
    let mut site = Site {
        running,
        http: reqwest::Client::new(),
        token: String::new(),
    };
    site.control("POST", "/sandbox/clock", json!({"freeze": START}))
        .await;
    site.log_in().await;
    site
}

impl Site {
    pub async fn log_in(&mut self) {
        let info = &self.running.info;
        let url = format!("{}/services/oauth2/token", info.instance_url);
        let form = [("grant_type", "client_credentials")];
        let request = self
            .http
            .post(url)
            .basic_auth(&info.client_id, Some(&info.client_secret))
            .form(&form);
        let body: Json = request.send().await.unwrap().json().await.unwrap();
        self.token = body["access_token"].as_str().unwrap().to_owned();
    }

    /// A call of the data API: status and body.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Json,
    ) -> (u16, Json) {
        let path = match path.starts_with("/services") {
            true => path.to_owned(),
            false => format!("/services/data/v68.0{path}"),
        };
        let url = format!("{}{path}", self.running.info.instance_url);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Json::Null))
    }

    pub async fn get(&self, path: &str) -> (u16, Json) {
        self.call(Method::GET, path, &[], Json::Null).await
    }

    pub async fn post(&self, path: &str, body: Json) -> (u16, Json) {
        self.call(Method::POST, path, &[], body).await
    }

    pub async fn create(&self, object: &str, body: Json) -> String {
        let (status, answer) = self.post(&format!("/sobjects/{object}"), body).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    pub async fn update(&self, object: &str, id: &str, body: Json) {
        let path = format!("/sobjects/{object}/{id}");
        let (status, answer) = self.call(Method::PATCH, &path, &[], body).await;
        assert_eq!(status, 204, "{answer}");
    }

    pub async fn delete(&self, object: &str, id: &str) {
        let path = format!("/sobjects/{object}/{id}");
        let (status, answer) = self.call(Method::DELETE, &path, &[], Json::Null).await;
        assert_eq!(status, 204, "{answer}");
    }

    /// The id of the only record that a condition finds.
    pub async fn id(&self, object: &str, condition: &str) -> String {
        let query = format!("SELECT Id FROM {object} WHERE {condition}");
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let (_, body) = self.get(&format!("/query?q={query}")).await;
        assert_eq!(body["totalSize"], 1, "{body}");
        body["records"][0]["Id"].as_str().unwrap().to_owned()
    }

    pub async fn opportunity(&self) -> String {
        self.id("Opportunity", "Opportunity_Number__c = 'OPP-4482'").await
    }

    /// A call of the control plane that must succeed.
    pub async fn control(&self, method: &str, path: &str, body: Json) -> Json {
        let (status, answer) = self.control_any(method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {answer}");
        answer
    }

    pub async fn control_any(&self, method: &str, path: &str, body: Json) -> (u16, Json) {
        let url = format!("{}{path}", self.running.info.instance_url);
        let request = self.http.request(method.parse().unwrap(), url).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Json::Null))
    }

    pub async fn wait(&self, seconds: i64) {
        self.control("POST", "/sandbox/clock", json!({"advanceSeconds": seconds}))
            .await;
    }

    pub async fn faults(&self, rules: Json) {
        self.control("PUT", "/sandbox/faults", rules).await;
    }

    pub fn topic(&self, name: &str) -> Topic {
        let org = self.running.sandbox.org.lock().unwrap();
        self.running.sandbox.events.topic(&org, name).unwrap()
    }

    /// Position of the newest event.
    pub fn tip(&self) -> ReplayId {
        self.running.sandbox.events.bus.tip()
    }

    /// What a topic has after a position, decoded.
    pub fn after(&self, position: ReplayId, topic: &str) -> Vec<Decoded> {
        let sandbox = &self.running.sandbox;
        let topic = self.topic(topic);
        let page = sandbox
            .events
            .bus
            .read(&topic, position, 100_000, sandbox.clock.now())
            .unwrap();
        let schema = |id: &str| sandbox.events.schema(id).unwrap();
        page.events
            .iter()
            .map(|event| Decoded::of(event, &schema(&event.schema_id)))
            .collect()
    }

    /// Everything that a topic has.
    pub fn all(&self, topic: &str) -> Vec<Decoded> {
        let sandbox = &self.running.sandbox;
        self.after(sandbox.events.bus.beginning(sandbox.clock.now()), topic)
    }
}
