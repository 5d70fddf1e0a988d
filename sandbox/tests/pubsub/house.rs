//! A sandbox with the Pub/Sub API on a free port, and clients for it.

use crate::wire::TopicRequest;
use crate::wire::pub_sub_client::PubSubClient;
use sandbox::events::ReplayId;
use sandbox::{Info, Options, Running, Settings, start};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

/// A change event's topic.
pub const OPPORTUNITIES: &str = "/data/OpportunityChangeEvent";
/// A platform event's topic.
pub const PINGS: &str = "/event/Ping__e";
/// Everything that changes.
pub const CHANGES: &str = "/data/ChangeEvents";

pub type Client = PubSubClient<Channel>;

pub struct House {
    pub info: Info,
    pub running: Running,
    pub token: String,
    pub http: reqwest::Client,
    pub dir: TempDir,
}

/// One whose streams speak up soon, so that tests can wait for that.
pub async fn house() -> House {
    house_with(|_| {}).await
}

pub async fn house_with(change: impl FnOnce(&mut Settings)) -> House {
    house_in(tempfile::tempdir().unwrap(), change).await
}

pub async fn house_in(dir: TempDir, change: impl FnOnce(&mut Settings)) -> House {
    let mut options = Options {
        pubsub_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        state_dir: Some(dir.path().to_owned()),
        scenario: Some("crm-sync".to_owned()),
        ..Options::default()
    };
    options.settings.pubsub_keepalive_millis = 20;
    change(&mut options.settings);
    let running = start(options).await.unwrap();
    let mut house = House {
        info: running.info.clone(),
        running,
        token: String::new(),
        http: reqwest::Client::new(),
        dir,
    };
    house.token = house.login().await;
    let text = json!({"name": "Text__c", "type": "textarea", "length": 131_072});
    let pings = json!({"name": "Ping__e", "publish": "immediately", "fields": [text]});
    let definition = json!({"platformEvents": [pings]});
    house.control("POST", "/sandbox/define", definition).await;
    house
}

impl House {
    pub fn address(&self) -> SocketAddr {
        self.running.sandbox.addresses.pubsub.unwrap()
    }

    /// A session of its own.
    pub async fn login(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.info.client_id),
            ("client_secret", &self.info.client_secret),
        ];
        let url = format!("{}/services/oauth2/token", self.info.instance_url);
        let answer: Value = self
            .http
            .post(url)
            .form(&form)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.info.instance_url);
        let request = self.http.request(method.parse().unwrap(), url).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub async fn faults(&self, rules: Value) {
        self.control("PUT", "/sandbox/faults", rules).await;
    }

    /// How often each rule fired.
    pub async fn fired(&self) -> Vec<u64> {
        let shown = self.control("GET", "/sandbox/faults", json!({})).await;
        let rules = shown["rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["fired"].as_u64().unwrap()).collect()
    }

    /// The entries of the log that are calls of this method.
    pub async fn calls(&self, method: &str) -> Vec<Value> {
        let log = self.control("GET", "/sandbox/requests", json!({})).await;
        let path = format!("/eventbus.v1.PubSub/{method}");
        let entries = log["requests"].as_array().unwrap().iter();
        entries
            .filter(|entry| entry["path"] == path.as_str())
            .cloned()
            .collect()
    }

    /// A client without TLS.
    pub async fn plain(&self) -> Client {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address())).unwrap();
        PubSubClient::new(endpoint.connect().await.unwrap())
    }

    /// A client that trusts the sandbox's authority and nobody else.
    pub async fn secure(&self) -> Client {
        let authority = std::fs::read(self.info.ca_certificate_path.as_ref().unwrap()).unwrap();
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority))
            .domain_name("localhost");
        let url = format!("https://{}", self.info.pub_sub_endpoint.as_ref().unwrap());
        let endpoint = Endpoint::from_shared(url).unwrap().tls_config(tls).unwrap();
        PubSubClient::new(endpoint.connect().await.unwrap())
    }

    /// A message with the headers that let it in.
    pub fn signed<T>(&self, message: T) -> Request<T> {
        self.signed_with(&self.token, message)
    }

    pub fn signed_with<T>(&self, token: &str, message: T) -> Request<T> {
        let (url, org) = (&self.info.instance_url, &self.info.organization_id);
        with_headers(
            message,
            &[("accesstoken", token), ("instanceurl", url), ("tenantid", org)],
        )
    }

    /// Waits until no call is under way.
    pub async fn is_idle(&self) {
        becomes(async || self.running.sandbox.pubsub.streams().is_empty()).await;
    }

    /// The service answers.
    pub async fn is_well(&self) -> bool {
        let mut client = self.plain().await;
        client.get_topic(self.signed(topic(OPPORTUNITIES))).await.is_ok()
    }

    /// Puts events on the bus without a transaction, and says where they are.
    pub fn append(&self, kind: &str, count: usize) -> Vec<ReplayId> {
        self.append_of(kind, count, 10)
    }

    pub fn append_of(&self, kind: &str, count: usize, bytes: usize) -> Vec<ReplayId> {
        let sandbox = &self.running.sandbox;
        let one = |number: usize| {
            let (id, payload) = (format!("event-{number}"), vec![b'x'; bytes]);
            let now = sandbox.clock.now();
            sandbox
                .events
                .bus
                .append(now, id.into(), kind.into(), "a-schema".into(), payload.into())
        };
        (0..count).map(one).collect()
    }

    pub async fn advance(&self, seconds: i64) {
        self.control("POST", "/sandbox/clock", json!({"advanceSeconds": seconds}))
            .await;
    }
}

pub fn topic(name: &str) -> TopicRequest {
    TopicRequest {
        topic_name: name.to_owned(),
    }
}

pub fn with_headers<T>(message: T, headers: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in headers {
        let value = AsciiMetadataValue::try_from(*value).unwrap();
        request.metadata_mut().insert(*name, value);
    }
    request
}

/// The `error-code` trailer without its family.
pub fn error_code(status: &Status) -> String {
    let code = status
        .metadata()
        .get("error-code")
        .map(|value| value.to_str().unwrap());
    let code = code.unwrap_or_default();
    code.strip_prefix("sfdc.platform.eventbus.grpc.")
        .unwrap_or(code)
        .to_owned()
}

/// Waits until something holds that no message tells of.
pub async fn becomes(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    in_time(waiting).await;
}

/// Waits for something that has to happen.
pub async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, work)
        .await
        .expect("it happens in time")
}
