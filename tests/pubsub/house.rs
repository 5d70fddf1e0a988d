//! A sandbox with the Pub/Sub API on a free port, an adapter connected to it, and others who work in the org.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpq_adapters::credentials::Credentials;
use cpq_adapters::salesforce::pubsub::Settings as Feed;
use cpq_adapters::salesforce::{Config, SalesforceAdapter};
use cpq_auth::Access;
use cpq_domain::adapter::Call;
use cpq_domain::change::{Change, ChangeStream, Changes, Position};
use cpq_domain::id::{ConnectionName, CorrelationId};
use cpq_domain::world::World;
use sandbox::{Info, Options, Running, Settings, start};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

/// How long to wait for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct House {
    pub info: Info,
    pub running: Running,
    pub http: reqwest::Client,
    pub grant: Arc<Grant>,
    pub feed: Feed,
    dir: tempfile::TempDir,
}

/// A grant of client credentials: each renewal logs in.
pub struct Grant {
    info: Info,
    http: reqwest::Client,
    token: Mutex<String>,
    pub renewals: AtomicU64,
    /// What a renewal hands out in the place of a token, if anything.
    pub hands_out: Mutex<Option<String>>,
}

pub struct Clock(Instant);

impl Clock {
    pub fn new() -> Clock {
        Clock(Instant::now())
    }
}

impl World for Clock {
    fn now(&self) -> jiff::Timestamp {
        // The feed must go by the clock of the CRM only.
        jiff::Timestamp::UNIX_EPOCH
    }
    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).expect("not that long")
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[async_trait::async_trait]
impl Credentials for Grant {
    async fn access(&self) -> cpq_domain::Result<Access> {
        Ok(Access {
            token: self.token.lock().expect("free").clone().into(),
            instance_url: self.info.instance_url.clone(),
            organization: self.info.organization_id.clone(),
            generation: self.renewals.load(Ordering::SeqCst),
        })
    }

    async fn renew(&self, seen: u64) -> cpq_domain::Result<Access> {
        if self.renewals.load(Ordering::SeqCst) == seen {
            let false_one = self.hands_out.lock().expect("free").clone();
            let token = match false_one {
                Some(token) => token,
                None => login(&self.http, &self.info).await,
            };
            *self.token.lock().expect("free") = token;
            self.renewals.fetch_add(1, Ordering::SeqCst);
        }
        self.access().await
    }
}

async fn login(http: &reqwest::Client, info: &Info) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &info.client_id),
        ("client_secret", &info.client_secret),
    ];
    let url = format!("{}/services/oauth2/token", info.instance_url);
    let answer = http.post(url).form(&form).send().await.expect("it answers");
    let answer: Json = answer.json().await.expect("JSON");
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// One whose streams speak up soon, so that tests can wait for that.
pub async fn house() -> House {
    house_with(|_| {}).await
}

pub async fn house_with(change: impl FnOnce(&mut Settings)) -> House {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = Options {
        pubsub_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        state_dir: Some(dir.path().to_owned()),
        scenario: Some("crm-sync".to_owned()),
        ..Options::default()
    };
    options.settings.pubsub_keepalive_millis = 20;
    change(&mut options.settings);
    let running = start(options).await.expect("it starts");
    let (info, http) = (running.info.clone(), reqwest::Client::new());
    let grant = Grant {
        token: Mutex::new(login(&http, &info).await),
        info: info.clone(),
        http: http.clone(),
        renewals: AtomicU64::new(0),
        hands_out: Mutex::default(),
    };
    let feed = Feed {
        endpoint: info.pub_sub_endpoint.clone().expect("it is served"),
        ..Feed::default()
    };
    let grant = Arc::new(grant);
    House {
        info,
        running,
        http,
        grant,
        feed,
        dir,
    }
}

pub fn call() -> Call {
    Call::live(CorrelationId::new("csync-901").expect("an id"))
}

impl House {
    pub fn adapter(&self) -> SalesforceAdapter {
        let authority = std::fs::read(self.dir.path().join("ca.pem")).expect("an authority");
        let config = Config {
            ca_certificates_pem: vec![authority],
            ..Config::new(ConnectionName::new("crm").expect("a name"))
        };
        let world = Arc::new(Clock::new());
        SalesforceAdapter::new(config, self.grant.clone(), world, None).expect("it is set up")
    }

    pub async fn try_open(&self, after: Option<&Position>) -> cpq_domain::Result<Stream> {
        let feed = self.adapter().pubsub(self.feed.clone())?;
        let stream = feed.open(&call(), after).await?;
        Ok(Stream {
            stream,
            last: None,
            deliveries: 0,
        })
    }

    pub async fn open(&self, after: &Position) -> Stream {
        self.try_open(Some(after)).await.expect("it opens")
    }

    /// A feed at its end that provably stands, so that the next change will be told.
    pub async fn stands(&self) -> Stream {
        let mut stream = self.try_open(None).await.expect("it opens");
        let topics = 1 + self.feed.events.len();
        for _ in 0..topics {
            while stream.next().await.sweep_from.is_none() {}
        }
        stream
    }

    /// A call to the data API as another client than ours.
    pub async fn rest(&self, method: &str, path: &str, body: Json) -> Json {
        let url = format!("{}/services/data/v68.0/{path}", self.info.instance_url);
        let token = self.grant.access().await.expect("a token").token;
        let token = secrecy::ExposeSecret::expose_secret(&token).to_owned();
        let request = self
            .http
            .request(method.parse().expect("a method"), url)
            .bearer_auth(token);
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        let answer = request.send().await.expect("it answers");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Json::Null)
    }

    pub async fn create(&self, object: &str, body: Json) -> String {
        let made = self.rest("POST", &format!("sobjects/{object}"), body).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    pub async fn update(&self, object: &str, id: &str, body: Json) {
        self.rest("PATCH", &format!("sobjects/{object}/{id}"), body).await;
    }

    pub async fn delete(&self, object: &str, id: &str) {
        self.rest("DELETE", &format!("sobjects/{object}/{id}"), Json::Null)
            .await;
    }

    pub async fn id(&self, soql: &str) -> String {
        let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        let found = self.rest("GET", &format!("query?q={encoded}"), Json::Null).await;
        found["records"][0]["Id"]
            .as_str()
            .unwrap_or_else(|| panic!("{soql}: {found}"))
            .to_owned()
    }

    pub async fn opportunity(&self, number: &str) -> String {
        self.id(&format!(
            "SELECT Id FROM Opportunity WHERE Opportunity_Number__c = '{number}'"
        ))
        .await
    }

    /// A new one, open and of nobody.
    pub async fn new_opportunity(&self, name: &str) -> String {
        let body = json!({"Name": name, "StageName": "Qualification", "CloseDate": "2027-01-31"});
        self.create("Opportunity", body).await
    }

    pub async fn control(&self, method: &str, path: &str, body: Json) -> Json {
        let url = format!("{}{path}", self.info.instance_url);
        let request = self
            .http
            .request(method.parse().expect("a method"), url)
            .json(&body);
        let answer = request.send().await.expect("it answers");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or(Json::Null)
    }

    pub async fn faults(&self, rules: Json) {
        self.control("PUT", "/sandbox/faults", rules).await;
    }

    /// How often each rule fired.
    pub async fn fired(&self) -> Vec<u64> {
        let shown = self.control("GET", "/sandbox/faults", json!({})).await;
        let rules = shown["rules"].as_array().expect("rules");
        rules
            .iter()
            .map(|rule| rule["fired"].as_u64().expect("a count"))
            .collect()
    }

    /// A fault of every subscription.
    pub async fn disturb(&self, fault: Json) {
        let when = json!({"path": "/eventbus.v1.PubSub/Subscribe"});
        self.faults(json!([{"when": when, "times": 1, "fault": fault}]))
            .await;
    }

    /// Stored events, decoded.
    pub async fn events(&self) -> Vec<Json> {
        let shown = self
            .control("GET", "/sandbox/events?limit=10000", json!({}))
            .await;
        shown["events"].as_array().expect("events").clone()
    }

    /// Requests of the log whose path contains this.
    pub async fn asked(&self, path: &str) -> usize {
        let log = self.control("GET", "/sandbox/requests", json!({})).await;
        let requests = log["requests"].as_array().expect("requests").iter();
        requests
            .filter(|entry| entry["path"].as_str().is_some_and(|asked| asked.contains(path)))
            .count()
    }
}

/// An open feed that remembers where it stands.
pub struct Stream {
    pub stream: Box<dyn ChangeStream>,
    last: Option<Position>,
    deliveries: usize,
}

/// Deliveries that no test comes near: signs of life would otherwise let one wait for ever.
const DELIVERIES: usize = 3_000;

impl Stream {
    pub async fn try_next(&mut self) -> cpq_domain::Result<Changes> {
        let changes = in_time(self.stream.next()).await?;
        self.last = Some(changes.position.clone());
        self.deliveries += 1;
        assert!(self.deliveries < DELIVERIES, "what is waited for does not come");
        Ok(changes)
    }

    pub async fn next(&mut self) -> Changes {
        self.try_next().await.expect("the feed goes on")
    }

    /// Where the reader stands behind the last delivery.
    pub fn position(&self) -> Position {
        self.last.clone().expect("something came")
    }

    /// The next delivery that says something.
    pub async fn batch(&mut self) -> Changes {
        let waiting = async {
            loop {
                let changes = self.next().await;
                if !changes.changes.is_empty() || changes.sweep_from.is_some() {
                    return changes;
                }
            }
        };
        in_time(waiting).await
    }

    /// So many changes, however they come; nothing may have been left out.
    pub async fn changes(&mut self, count: usize) -> Vec<Change> {
        let mut all = Vec::new();
        while all.len() < count {
            let batch = self.batch().await;
            assert_eq!(batch.sweep_from, None);
            all.extend(batch.changes);
        }
        assert_eq!(all.len(), count, "{all:#?}");
        all
    }

    pub async fn change(&mut self) -> Change {
        self.changes(1).await.remove(0)
    }

    /// The error that ends it.
    pub async fn error(&mut self) -> cpq_domain::Error {
        let waiting = async {
            loop {
                if let Err(error) = self.try_next().await {
                    return error;
                }
            }
        };
        in_time(waiting).await
    }
}

/// Names of the fields of a change.
pub fn fields(change: &Change) -> Vec<&str> {
    change.hint.fields.iter().map(|name| name.as_str()).collect()
}

/// Ids of the opportunities, sorted.
pub fn opportunities(changes: &[Change]) -> Vec<String> {
    let mut ids: Vec<String> = changes
        .iter()
        .map(|change| change.opportunity.as_str().to_owned())
        .collect();
    ids.sort();
    ids
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
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it happens in time")
}
