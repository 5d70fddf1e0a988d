//! Several services on one PostgreSQL server: nodes are killed and the server is restarted under load, and nothing is
//! lost, made twice or done at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service};
use crate::schema::Schema;

/// Seconds of load while nodes are killed, and while the server is restarted; `CPQ_TEST_NODES_SECONDS` asks for others.
const KILLS_SECONDS: u64 = 20;
const RESTARTS_SECONDS: u64 = 60;
/// Opportunities, each of which is asked for twice.
const OPPORTUNITIES: usize = 60;
const SETTINGS: &str = "[service]\nlease_seconds = 3\n[retry]\nbase_ms = 50\nthrottled_base_ms = 100\n";
/// Longest time in which everything must have ended after the last blow.
const PATIENCE: Duration = Duration::from_secs(90);

/// Services on one schema, and a client that goes to whichever of them answers.
struct Nodes {
    house: House,
    services: Vec<Service>,
    schema: Schema,
    client: reqwest::Client,
}

impl Nodes {
    fn build(nodes: usize) -> Nodes {
        let (house, schema) = (House::empty(), Schema::new(&format!("nodes{nodes}")));
        schema.configure(&house, SETTINGS);
        house.seed();
        house.control(
            Method::POST,
            "/sandbox/seed",
            &json!({"add": true, "name": "nodes", "generate": {"opportunities": OPPORTUNITIES, "prefix": "NODE-"}}),
        );
        house.cpq(&["auth", "connect-crm"]).ok();
        let services = (0..nodes).map(|_| house.serve()).collect();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Nodes {
            house,
            services,
            schema,
            client,
        }
    }

    /// kill -9, and a new service in its place.
    fn replace(&mut self, at: usize) {
        self.services.remove(at).kill();
        let fresh = self.house.serve();
        self.services.insert(at, fresh);
    }

    fn ask(&self, node: usize, method: Method, path: &str, key: Option<&str>) -> Option<(u16, Json)> {
        let service = &self.services[node % self.services.len()];
        self.schema.runtime.block_on(async {
            let url = format!("{}{path}", service.url);
            let mut request = self.client.request(method, url).bearer_auth(&service.token);
            if let Some(key) = key {
                request = request
                    .header("idempotency-key", key)
                    .header("prefer", "wait=0")
                    .json(&json!({}));
            }
            let answer = request.send().await.ok()?;
            Some((answer.status().as_u16(), answer.json().await.ok()?))
        })
    }

    /// Asks one node after the other until one accepts the sync, always with the same key. Gives the correlation id.
    fn accept(&self, first: usize, opportunity: &str, key: &str) -> String {
        let path = format!("/api/v1/sync/opportunities/{opportunity}");
        for node in first..first + 400 {
            match self.ask(node, Method::POST, &path, Some(key)) {
                Some((200 | 202, body)) => return body["correlationId"].as_str().expect("an id").to_owned(),
                Some((409 | 500.., _)) | None => std::thread::sleep(Duration::from_millis(50)),
                other => panic!("{opportunity}: {other:?}"),
            }
        }
        panic!("no node takes {opportunity}");
    }

    /// Waits for the sync to end and gives its journal: well, or put aside because three processes died over it.
    fn ended(&self, correlation: &str) -> Json {
        let path = format!("/api/v1/sync/{correlation}?events=true");
        let mut last = None;
        let tries = PATIENCE.as_millis() / 100;
        for _ in 0..tries {
            last = self.ask(0, Method::GET, &path, None);
            if let Some((200, body)) = &last
                && (body["status"] == "success" || is_put_aside(body))
            {
                return body.clone();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{correlation} did not end well: {last:?}");
    }

    fn finish(self) {
        drop(self.services);
        drop(self.house);
        self.schema.remove();
    }
}

fn is_put_aside(sync: &Json) -> bool {
    sync["status"] == "dead" && sync["error"]["code"] == "DEAD_LETTERED"
}

/// A sync and the attempt at it.
type Claim = (String, u64);
/// The first and the last moment that its journal names.
type Span = (String, String);

/// Everything that was accepted has ended or asks a person to look, each opportunity has one quote, and no lane was worked
/// on twice at once.
fn judge(nodes: &Nodes, accepted: &BTreeMap<String, String>) {
    let mut work: BTreeMap<&str, BTreeMap<Claim, Span>> = BTreeMap::new();
    for (correlation, opportunity) in accepted {
        let sync = nodes.ended(correlation);
        if is_put_aside(&sync) {
            // It asks a person to look; the person's answer is one more sync.
            let again = nodes.accept(0, opportunity, &format!("person-{correlation}"));
            assert_eq!(nodes.ended(&again)["status"], "success", "{sync}");
        }
        let events = sync["events"].as_array().unwrap_or_else(|| panic!("{sync}"));
        let mut before = 0;
        for (number, event) in (1..).zip(events) {
            assert_eq!(event["sequence"], number, "a gap in the journal: {sync}");
            let attempt = event["attempt"].as_u64().expect("an attempt");
            let kind = event["kind"].as_str().expect("a kind");
            if attempt == 0 || kind == "requeued" || kind == "hint" {
                continue;
            }
            assert!(attempt >= before, "a worker wrote after it lost its run: {sync}");
            before = attempt;
            let at = event["at"].as_str().expect("a moment").to_owned();
            let lane = work.entry(opportunity).or_default();
            let span = lane
                .entry((correlation.clone(), attempt))
                .or_insert((at.clone(), at.clone()));
            span.1 = span.1.clone().max(at);
        }
    }
    for (opportunity, spans) in &work {
        let mut spans: Vec<_> = spans.values().collect();
        spans.sort();
        for pair in spans.windows(2) {
            assert!(
                pair[0].1 <= pair[1].0,
                "{opportunity} was worked on twice at once: {spans:?}"
            );
        }
        let path = format!("/api/v1/quotes?opportunity={opportunity}");
        let (_, quotes) = nodes.ask(0, Method::GET, &path, None).expect("a node answers");
        assert_eq!(quotes["quotes"].as_array().map(Vec::len), Some(1), "{quotes}");
    }
}

/// Asks for every opportunity twice, spread over the time, with a blow every `blow_every` submissions.
fn under_load(nodes: &mut Nodes, seconds: u64, blow_every: usize, mut blow: impl FnMut(&mut Nodes, usize)) {
    let asked = std::env::var("CPQ_TEST_NODES_SECONDS").ok();
    let seconds = asked.map_or(seconds, |text| text.parse().expect("seconds"));
    let wishes = OPPORTUNITIES * 2;
    let pause = Duration::from_millis(seconds * 1_000 / wishes as u64);
    nodes
        .house
        .faults(json!([{"when": {"client": "cpq"}, "fault": {"kind": "latency", "millis": 150}}]));
    let mut accepted = BTreeMap::new();
    for wish in 0..wishes {
        let opportunity = format!("NODE-{:06}", wish % OPPORTUNITIES + 1);
        let correlation = nodes.accept(wish, &opportunity, &format!("wish-{wish}"));
        accepted.insert(correlation, opportunity);
        if wish % blow_every == blow_every - 1 {
            blow(nodes, wish / blow_every);
        }
        std::thread::sleep(pause);
    }
    nodes.house.faults(json!([]));
    judge(nodes, &accepted);
}

/// `./test` starts these by a part of their path.
mod on_a_server {
    use super::*;

    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn nodes_that_are_killed_under_load_lose_nothing_and_do_nothing_twice() {
        let mut nodes = Nodes::build(3);
        under_load(&mut nodes, KILLS_SECONDS, 15, |nodes, blow| {
            nodes.replace(blow % 3)
        });
        nodes.finish();
    }

    #[test]
    #[ignore = "needs a PostgreSQL server; ./test starts one"]
    fn services_go_on_after_the_server_was_restarted_under_load() {
        let restart =
            std::env::var("CPQ_TEST_POSTGRES_RESTART").expect("a way to restart the server; see ./test");
        let mut nodes = Nodes::build(2);
        under_load(&mut nodes, RESTARTS_SECONDS, 10, |_, _| {
            let status = std::process::Command::new("sh")
                .args(["-c", &restart])
                .current_dir("/")
                .stdout(std::process::Stdio::null())
                .status();
            assert!(status.expect("sh runs").success(), "the server did not come back");
        });
        nodes.finish();
    }
}
