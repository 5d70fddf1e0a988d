//! An org with the demo scenario and the calls to it.

use http::{HeaderMap, Method};
use sandbox::Settings;
use sandbox::org::{ApiError, Org, Origin};
use sandbox::rest::{self, Caller, DataRequest, DataResponse, Surroundings};
use serde_json::Value as Json;
use std::sync::Mutex;

pub struct World {
    pub now: Mutex<jiff::Timestamp>,
    pub fault: Mutex<Option<ApiError>>,
    pub settings: Mutex<Settings>,
}

impl Surroundings for World {
    fn now(&self) -> jiff::Timestamp {
        *self.now.lock().expect("never poisoned")
    }
    fn before_write(&self, _: &str, _: Option<&str>) -> Option<ApiError> {
        self.fault.lock().expect("never poisoned").take()
    }
    fn usage(&self) -> (u64, u64) {
        (7, 100)
    }
    fn settings(&self) -> Settings {
        self.settings.lock().expect("never poisoned").clone()
    }
    fn used_by(&self, _: &str) -> u64 {
        3
    }
    fn instance_url(&self) -> String {
        "http://127.0.0.1:7070".into()
    }
}

pub struct Site {
    pub org: Org,
    pub world: World,
    caller: Caller,
}

pub fn start() -> jiff::Timestamp {
    "2026-11-22T10:00:30.750Z".parse().expect("an instant")
}

impl Site {
    pub fn new() -> Site {
        Site::with("crm-sync")
    }

    pub fn with(scenario: &str) -> Site {
        Site::of(&sandbox::scenario::named(scenario).expect("an embedded scenario"))
    }

    /// The org after a restart: what its snapshot holds, and nothing else.
    pub fn restart(&mut self) {
        let mut lines = Vec::new();
        self.org
            .still()
            .write(&mut lines)
            .expect("a vector takes every byte");
        self.org = Org::read(&mut lines.as_slice()).expect("it reads back");
    }

    pub fn of(scenario: &sandbox::scenario::Scenario) -> Site {
        let mut org = Org::empty(start());
        org.load(scenario, start()).expect("the scenario loads");
        let caller = Caller {
            user_id: org.first_user().to_string(),
            origin: Origin {
                api: "rest",
                version: "68.0".into(),
                client: Some("tests".into()),
            },
        };
        let world = World {
            now: Mutex::new(start()),
            fault: Mutex::new(None),
            settings: Mutex::new(Settings::default()),
        };
        Site { org, world, caller }
    }

    /// The demo org with a further scenario on top.
    pub fn also(more: Json) -> Site {
        let mut site = Site::new();
        site.add(more).expect("the scenario loads");
        site
    }

    /// Loads a further scenario.
    pub fn add(&mut self, more: Json) -> Result<(), String> {
        let scenario = serde_json::from_value(more).map_err(|e| e.to_string())?;
        self.org.load(&scenario, start())
    }

    /// Lets another user call, by login name.
    pub fn become_user(&mut self, username: &str) {
        let user = self.org.user_by_username(username).expect("a user");
        self.caller.user_id = user.id;
    }

    /// Lets seconds pass.
    pub fn wait(&self, seconds: i64) {
        let mut now = self.world.now.lock().expect("never poisoned");
        *now += jiff::SignedDuration::from_secs(seconds);
    }

    pub fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &Json,
    ) -> DataResponse {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.ask_raw(method, path, headers, &body)
    }

    pub fn ask_raw(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> DataResponse {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header value"));
        }
        let target = if path.starts_with("/services") {
            path.to_owned()
        } else {
            format!("/services/data/v68.0{path}")
        };
        let request = DataRequest {
            method,
            target,
            headers: map,
            body: body.to_vec().into(),
        };
        rest::call(&mut self.org, &self.world, &self.caller, &request)
    }

    pub fn call(&mut self, method: Method, path: &str, body: &Json) -> (u16, Json) {
        let response = self.ask(method, path, &[], body);
        (response.status.as_u16(), response.body.unwrap_or(Json::Null))
    }

    pub fn get(&mut self, path: &str) -> (u16, Json) {
        self.call(Method::GET, path, &Json::Null)
    }

    pub fn post(&mut self, path: &str, body: Json) -> (u16, Json) {
        self.call(Method::POST, path, &body)
    }

    pub fn patch(&mut self, path: &str, body: Json) -> (u16, Json) {
        self.call(Method::PATCH, path, &body)
    }

    pub fn delete(&mut self, path: &str) -> (u16, Json) {
        self.call(Method::DELETE, path, &Json::Null)
    }

    pub fn soql(&mut self, query: &str) -> (u16, Json) {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        self.get(&format!("/query?q={encoded}"))
    }

    /// The records of a query that must succeed.
    pub fn rows(&mut self, query: &str) -> Vec<Json> {
        let (status, body) = self.soql(query);
        assert_eq!(status, 200, "{query}: {body}");
        body["records"].as_array().expect("records").clone()
    }

    /// The only record of a query.
    pub fn one(&mut self, query: &str) -> Json {
        let rows = self.rows(query);
        assert_eq!(rows.len(), 1, "{query}");
        rows.into_iter().next().expect("one row")
    }

    pub fn create(&mut self, object: &str, body: Json) -> String {
        let (status, answer) = self.post(&format!("/sobjects/{object}"), body);
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// The id of a demo opportunity.
    pub fn opportunity(&mut self, number: &str) -> String {
        let row = self.one(&format!(
            "SELECT Id FROM Opportunity WHERE Opportunity_Number__c = '{number}'"
        ));
        row["Id"].as_str().expect("an id").to_owned()
    }
}

/// Status and code of a refusal.
pub fn code((status, body): &(u16, Json)) -> (u16, String) {
    (
        *status,
        body[0]["errorCode"].as_str().unwrap_or("none").to_owned(),
    )
}
