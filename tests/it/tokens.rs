//! Access tokens that end under several services on one store: each end leads to one refresh, whoever asks and how many,
//! though the org rotates refresh tokens and ends everything when it sees a used one again.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service};

const NODES: usize = 4;
const CALLERS: usize = 64;
const EXPIRIES: u64 = 100;
/// The right to renew a token is given back after 75 seconds at the latest; a debug build on a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(240);
const REFRESHES: &str = "POST /services/oauth2/token";

/// Services on one store, and an org that forgives nothing.
struct Nodes {
    house: House,
    services: Vec<Service>,
}

impl Nodes {
    fn build(nodes: usize) -> Nodes {
        let house = House::empty();
        let settings = "[service]\nlease_seconds = 3\n[retry]\nbase_ms = 50\n";
        std::fs::write(house.path().join("cpq.toml"), settings).expect("the configuration");
        house.seed();
        let strict = json!({"rotation": true, "reuseDetection": true});
        house.control(Method::PATCH, "/sandbox/config", &strict);
        house.cpq(&["auth", "connect-crm"]).ok();
        let services = (0..nodes).map(|_| house.serve()).collect();
        Nodes { house, services }
    }

    /// Ends all sessions; how many there were.
    fn expire(&self) -> u64 {
        let path = "/sandbox/sessions/expire";
        let ended = self.house.control(Method::POST, path, &json!({}));
        ended["expired"].as_u64().expect("a count")
    }

    /// Token requests so far, and the status of each that the log still holds.
    fn refreshes(&self) -> (u64, Vec<u64>) {
        let log = self.house.control(Method::GET, "/sandbox/requests", &json!(null));
        let count = log["routes"][REFRESHES]["requests"].as_u64().unwrap_or(0);
        let entries = log["requests"].as_array().expect("a log");
        let tokens = entries.iter().filter(|entry| {
            entry["path"]
                .as_str()
                .is_some_and(|path| path.ends_with("/token"))
        });
        let statuses = tokens.map(|entry| entry["status"].as_u64().expect("a status"));
        (count, statuses.collect())
    }

    fn accept(&self, node: usize, opportunity: &str) -> String {
        let path = format!("/api/v1/sync/opportunities/{opportunity}");
        let headers = [("idempotency-key", opportunity), ("prefer", "wait=0")];
        let (status, body) = self.services[node].json(Method::POST, &path, &headers, &json!({}));
        assert_eq!(status, 202, "{body}");
        body["correlationId"].as_str().expect("an id").to_owned()
    }

    /// The sync, as soon as it stands so.
    fn once(&self, node: usize, correlation: &str, stands: impl Fn(&Json) -> bool) -> Json {
        let path = format!("/api/v1/sync/{correlation}");
        let mut last = Json::Null;
        for _ in 0..PATIENCE.as_millis() / 100 {
            let (_, body) = self.services[node].json(Method::GET, &path, &[], &json!(null));
            if stands(&body) {
                return body;
            }
            last = body;
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{correlation} stays as it is: {last}");
    }
}

#[test]
fn sixty_four_callers_on_four_processes_refresh_once_per_expiry() {
    let nodes = Nodes::build(NODES);
    let (before, _) = nodes.refreshes();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let path = "/api/v1/sync/opportunities/OPP-4482/plan";
    for expiry in 1..=EXPIRIES {
        nodes.expire();
        let callers = (0..CALLERS).map(|caller| {
            let service = &nodes.services[caller % NODES];
            let request = client.post(format!("{}{path}", service.url));
            request.bearer_auth(&service.token).json(&json!({})).send()
        });
        for answer in runtime.block_on(join_all(callers)) {
            let status = answer.expect("an answer").status();
            assert_eq!(status, 200, "after {expiry} expiries");
        }
    }
    let (after, statuses) = nodes.refreshes();
    assert_eq!(after - before, EXPIRIES);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

/// No client can close this gap: the org has counted the old refresh token as used, and nobody has the new one.
#[test]
fn a_process_that_dies_between_the_answer_and_the_store_costs_a_login_and_no_sync() {
    let mut nodes = Nodes::build(2);
    let (before, _) = nodes.refreshes();
    nodes.house.faults(json!([{"name": "the answer is on its way", "times": 1,
        "when": {"method": "POST", "path": "/oauth2/token"}, "fault": {"kind": "slow_body", "millis": 120_000}}]));
    nodes.expire();
    let first = nodes.accept(0, "OPP-4482");
    // There is a new session as soon as the org has dealt with the request, though nobody has heard of it yet.
    while nodes.expire() == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    nodes.services.remove(0).kill();

    // This process may not have heard of the first login, and tries once more in vain before it waits.
    let is_dead = |sync: &Json| sync["error"]["code"] == "TOKEN_EXPIRED" && sync["status"] == "waiting";
    nodes.once(0, &first, is_dead);
    let (spent, _) = nodes.refreshes();
    assert_eq!(
        spent - before,
        2,
        "the one that was lost, and the one that found it out"
    );
    let second = nodes.accept(0, "OPP-4483");
    nodes.once(0, &second, is_dead);
    let (after, _) = nodes.refreshes();
    assert_eq!(after, spent, "a dead grant is left alone");
    let said = nodes.house.cpq(&["connections"]);
    assert!(said.out.contains("cpq auth connect-crm"), "{said:?}");
    let ready = nodes.services[0].json(Method::GET, "/readyz", &[], &json!(null));
    assert!(ready.1.to_string().contains("connect-crm"), "{ready:?}");

    nodes.house.cpq(&["auth", "connect-crm"]).ok();
    nodes.once(0, &first, |sync| sync["status"] == "success");
    // It goes on as far as an opportunity without products can go.
    nodes.once(0, &second, |sync| {
        sync["error"]["code"] == "OPPORTUNITY_INCOMPLETE"
    });
    let path = "/api/v1/quotes?opportunity=OPP-4482";
    let (_, quotes) = nodes.services[0].json(Method::GET, path, &[], &json!(null));
    assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
}
