//! Tokens of one connection: what belongs to another is neither told to them nor changed by them, at every route there is.

use std::time::Duration;

use cpq_api::access::{Access, ROUTES, Route, SCOPES};
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::conflicts::contested;
use crate::dashboard::Browser;
use crate::house::{House, Service, http, until};

/// What tells that something of the connection `crm` was shown.
const MARKS: [&str; 7] = [
    "OPP-",
    "Q-2026-",
    "csync-",
    "cf-0",
    "rp-0",
    "connection\":\"crm",
    "system\":\"crm",
];

/// What a route is to do for a token of another connection.
enum Is {
    /// It refuses a request with this body, which is about the connection `crm`.
    Refused(Json),
    /// It shows nothing of `crm`; a token of `crm` sees something.
    Narrowed,
    /// It shows nothing of any connection, and is open.
    Neutral,
}

/// A service that has something of everything, and tokens for it.
struct Place {
    house: House,
    service: Service,
    conflict: String,
    dead: String,
    plan: String,
    reconcile: String,
    quote: String,
    /// Of the connection `crm`, and of another, each with every scope.
    own: String,
    other: String,
}

impl Place {
    fn build() -> Place {
        let house = contested();
        let settings = "[service]\nmetrics_open_on_loopback = false\n";
        std::fs::write(house.path().join("cpq.toml"), settings).expect("the configuration");
        // A feed that was read once is remembered; nothing may change by itself while the routes are tried.
        let reading = house.serve_as(&[], &[]);
        let feeds = || reading.json(Method::GET, "/api/v1/feeds", &[], &json!(null)).1;
        until("a feed", feeds, |found| {
            found["feeds"].as_array().is_some_and(|all| !all.is_empty())
        });
        reading.end();
        let service = house.serve();
        let post = |path: &str, body: Json| service.json(Method::POST, path, &[], &body);
        let (status, dead) = post("/api/v1/sync/opportunities/OPP-9999", json!(null));
        assert_eq!(
            (status, &dead["code"]),
            (404, &json!("OPPORTUNITY_NOT_FOUND")),
            "{dead}"
        );
        let (status, plan) = post("/api/v1/replays", json!({"which": {"connection": "crm"}}));
        assert_eq!(status, 202, "{plan}");
        let (status, reconcile) = post("/api/v1/reconciliations", json!(null));
        assert_eq!(status, 202, "{reconcile}");
        let get = |path: &str| service.json(Method::GET, path, &[], &json!(null)).1;
        until(
            "the end of a reconcile",
            || get("/api/v1/certificates"),
            |found| {
                found["certificates"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty())
            },
        );
        let text = |value: &Json| value.as_str().expect("a text").to_owned();
        Place {
            conflict: text(&get("/api/v1/conflicts")["conflicts"][0]["id"]),
            dead: text(&dead["correlationId"]),
            plan: text(&plan["id"]),
            reconcile: text(&reconcile["id"]),
            quote: text(&get("/api/v1/quotes/Q-2026-0137")["id"]),
            own: token(&house, "crm"),
            other: token(&house, "hub"),
            house,
            service,
        }
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &Json) -> (u16, String) {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        if path.starts_with("/api/v1/quotes") && method != "GET" {
            headers.extend([("idempotency-key", "k-1"), ("if-match", "\"1\"")]);
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let url = format!("{}{path}", self.service.url);
        http(method.parse().expect("a method"), &url, &headers, &body)
    }

    /// The path of a route, about what is there of `crm`.
    fn path(&self, route: &Route) -> String {
        let id = match route.path {
            path if path.contains("/opportunities/") || path.contains("/why/") => "OPP-4482",
            path if path.contains("/conflicts/") => &self.conflict,
            path if path.contains("/replays/") => &self.plan,
            path if path.contains("/reconciliations/") => &self.reconcile,
            path if path.contains("/quotes/") => &self.quote,
            path if path.contains("/dead-letters/") => &self.dead,
            _ => "none",
        };
        let path = route
            .path
            .replace("{id}", id)
            .replace("{correlationId}", "csync-001");
        let path = path.replace("{name}", "crm").replace("{object}", "opportunity");
        let path = path.replace("{line}", "line-1");
        match path.contains("/why/line/") {
            true => path.replace("{field}", "line.quantity?connection=crm"),
            false => path.replace("{field}", "quote.status?connection=crm"),
        }
    }

    /// What people see of `crm`: it must be the same before and after.
    fn state(&self) -> Vec<String> {
        let paths = [
            "/api/v1/sync",
            "/api/v1/conflicts",
            "/api/v1/dead-letters",
            "/api/v1/replays",
            "/api/v1/reconciliations",
            "/api/v1/quotes",
        ];
        let mut all: Vec<String> = paths
            .iter()
            .map(|path| self.ask(&self.own, "GET", path, &json!(null)).1)
            .collect();
        all.push(
            self.house
                .soql("SELECT Id, SystemModstamp FROM Opportunity")
                .len()
                .to_string(),
        );
        all
    }
}

fn token(house: &House, connection: &str) -> String {
    let mut args = vec![
        "token",
        "create",
        "--client",
        "partner",
        "--connection",
        connection,
    ];
    SCOPES.iter().for_each(|scope| args.extend(["--scope", scope]));
    house.cpq(&args).ok().out.trim().to_owned()
}

/// What each route is to do. One that is not here has no answer to the question, and fails the test.
fn expected(route: &Route) -> Is {
    let crm = || json!({"connection": "crm"});
    let between = || {
        let (since, until) = ("2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z");
        json!({"connection": "crm", "since": since, "until": until})
    };
    let why = json!({"reason": "a stranger"});
    let opportunity = json!({"opportunity": {"system": "crm", "id": "006Sb0000000001IAA"}});
    match (route.method, route.path.trim_start_matches("/api/v1")) {
        ("POST", "/sync/opportunities/{id}" | "/sync/opportunities/{id}/plan") => Is::Refused(crm()),
        ("POST", "/sync/opportunities/{id}/deleted") => {
            Is::Refused(json!({"connection": "crm", "record": "quote", "answer": "recreate"}))
        }
        ("GET", "/sync/{correlationId}" | "/sync/{correlationId}/decisions") => Is::Refused(json!(null)),
        ("POST", "/sync/{correlationId}/replay") => Is::Refused(json!(null)),
        ("POST", "/sync/{correlationId}/undo" | "/sync/{correlationId}/undo/plan") => Is::Refused(json!({})),
        ("POST", "/undo" | "/undo/plan") => Is::Refused(between()),
        ("GET", "/why/{object}/{id}/{field}" | "/why/line/{id}/{line}/{field}") => Is::Refused(json!(null)),
        ("POST", "/connections/logins") => Is::Refused(json!({"redirectUri": "https://cpq.example.com/"})),
        ("POST", "/connections/logins/finish") => Is::Refused(json!({"query": "state=s&code=c"})),
        ("POST", "/connections/{name}/disconnect") => Is::Refused(json!(null)),
        ("POST", "/quotes" | "/quotes/preview") => Is::Refused(opportunity),
        ("GET", "/quotes/{id}") => Is::Refused(json!(null)),
        ("PATCH", "/quotes/{id}") => Is::Refused(json!({})),
        ("POST", "/quotes/{id}/transitions") => Is::Refused(json!({"transition": "submit"})),
        ("GET", "/conflicts/{id}" | "/dead-letters/{id}") => Is::Refused(json!(null)),
        ("POST", "/conflicts/{id}/resolve") => Is::Refused(json!({"take": "crm"})),
        ("POST", "/dead-letters/discard") => Is::Refused(json!({"which": crm(), "reason": "a stranger"})),
        ("POST", "/dead-letters/{id}/discard") => Is::Refused(why),
        ("POST", "/dead-letters/{id}/correct") => {
            Is::Refused(json!({"opportunity": "OPP-4483", "reason": "a stranger"}))
        }
        ("POST", "/replays") => Is::Refused(json!({"which": crm()})),
        ("GET", "/replays/{id}" | "/replays/{id}/items") => Is::Refused(json!(null)),
        ("POST", "/replays/{id}/start" | "/replays/{id}/pause" | "/replays/{id}/abort") => {
            Is::Refused(json!(null))
        }
        ("POST", "/reconciliations") => Is::Refused(crm()),
        ("GET", "/reconciliations/{id}" | "/reconciliations/{id}/records") => Is::Refused(json!(null)),
        ("GET", "/audit" | "/metrics") => Is::Refused(json!(null)),
        ("GET", "/sync" | "/quotes" | "/conflicts" | "/dead-letters" | "/dead-letters/groups") => {
            Is::Narrowed
        }
        ("GET", "/replays" | "/reconciliations" | "/certificates" | "/connections" | "/feeds") => {
            Is::Narrowed
        }
        ("GET", "/statistics/sync" | "/statistics/conflicts") => Is::Narrowed,
        ("GET", "/events") => Is::Narrowed,
        ("GET", "/ownership" | "/sessions") | ("POST", "/sessions/end" | "/sessions/{id}/end") => Is::Neutral,
        (method, path) => panic!("nobody said what {method} {path} does for a token of another connection"),
    }
}

fn marks(text: &str) -> Vec<&'static str> {
    MARKS.into_iter().filter(|mark| text.contains(mark)).collect()
}

#[test]
fn every_route_keeps_what_belongs_to_another_connection_from_a_token() {
    let place = Place::build();
    let before = place.state();
    let asks = ROUTES
        .iter()
        .filter(|route| !matches!(route.access, Access::Open | Access::Signed));
    for route in asks {
        let (path, about) = (place.path(route), format!("{} {}", route.method, route.path));
        match expected(route) {
            Is::Refused(body) => {
                let (status, said) = place.ask(&place.other, route.method, &path, &body);
                let report: Json = serde_json::from_str(&said).expect("JSON");
                let facts = &report["details"]["facts"];
                assert_eq!(
                    (status, &report["code"]),
                    (403, &json!("SCOPE_INSUFFICIENT")),
                    "{about}: {said}"
                );
                assert_eq!(facts["connection"], "hub", "{about}: {said}");
                assert!(marks(&said).is_empty(), "{about}: {said}");
                if route.method == "GET" {
                    let (status, said) = place.ask(&place.own, route.method, &path, &body);
                    let is = if route.of_all { 403 } else { 200 };
                    assert_eq!(status, is, "{about} by its own token: {said}");
                }
            }
            Is::Narrowed if route.path == "/api/v1/events" => {
                assert!(
                    !marks(&follow(&place, &place.own)).is_empty(),
                    "{about}: its own are told"
                );
                let said = follow(&place, &place.other);
                assert!(marks(&said).is_empty(), "{about}: {said}");
            }
            Is::Narrowed => {
                let (status, said) = place.ask(&place.other, "GET", &path, &json!(null));
                assert_eq!(status, 200, "{about}: {said}");
                assert!(marks(&said).is_empty(), "{about}: {said}");
                let (status, own) = place.ask(&place.own, "GET", &path, &json!(null));
                assert_eq!(status, 200, "{about}: {own}");
                assert_ne!(said, own, "{about}: its own token sees no more");
                let without = ["/api/v1/connections", "/api/v1/feeds", "/api/v1/replays"];
                if !without.contains(&route.path) {
                    let (status, said) = place.ask(&place.other, "GET", &named(route), &json!(null));
                    assert_eq!(status, 403, "{about}: {said}");
                }
            }
            Is::Neutral => {
                let (status, said) = place.ask(&place.other, route.method, &path, &json!(null));
                assert_eq!(status, 200, "{about}: {said}");
                assert!(marks(&said).is_empty(), "{about}: {said}");
            }
        }
    }
    let of_a_quote = json!({"quoteId": place.quote});
    let (status, said) = place.ask(&place.other, "POST", "/api/v1/quotes/preview", &of_a_quote);
    assert_eq!(status, 403, "{said}");
    assert_eq!(place.state(), before, "something of it was changed");
}

/// A list that names the other connection.
fn named(route: &Route) -> String {
    let name = if route.path == "/api/v1/quotes" {
        "system"
    } else {
        "connection"
    };
    format!("{}?{name}=crm", route.path)
}

/// What the stream of events tells from its beginning until it falls silent.
fn follow(place: &Place, token: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.get(format!("{}/api/v1/events", place.service.url));
        let request = request.bearer_auth(token).header("last-event-id", "0");
        let mut answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let mut told = String::new();
        while let Ok(Ok(Some(part))) = tokio::time::timeout(Duration::from_secs(2), answer.chunk()).await {
            told.push_str(&String::from_utf8_lossy(&part));
        }
        told
    })
}

#[test]
fn a_request_that_names_no_connection_means_that_of_the_token() {
    let house = House::connected();
    let service = house.serve();
    let (own, other) = (token(&house, "crm"), token(&house, "hub"));
    let sync = |token: &str| {
        let bearer = format!("Bearer {token}");
        let url = format!("{}/api/v1/sync/opportunities/OPP-4482", service.url);
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", "order-17"),
        ];
        let (status, said) = http(Method::POST, &url, &headers, "");
        (status, serde_json::from_str::<Json>(&said).expect("JSON"))
    };
    let (status, done) = sync(&own);
    assert_eq!((status, &done["status"]), (200, &json!("success")), "{done}");
    // The same client, key and words: but of another connection, so it is another request, and not answered with that of `crm`.
    let (status, said) = sync(&other);
    assert_eq!(
        (status, &said["code"]),
        (422, &json!("IDEMPOTENCY_KEY_REUSED")),
        "{said}"
    );
    let (status, again) = sync(&own);
    assert_eq!((status, again), (200, done), "its own is answered as before");

    let bearer = format!("Bearer {other}");
    let url = format!("{}/api/v1/sync/opportunities/OPP-4482", service.url);
    let (status, said) = http(Method::POST, &url, &[("authorization", &bearer)], "");
    let said: Json = serde_json::from_str(&said).expect("JSON");
    assert_eq!((status, &said["code"]), (424, &json!("NOT_CONNECTED")), "{said}");
}

#[test]
fn a_browser_that_logs_in_with_it_sees_its_own_connection_alone() {
    let house = House::synced();
    let service = house.serve();
    let (own, other) = (token(&house, "crm"), token(&house, "hub"));
    let (own, other) = (
        Browser::logged_in_with(&service, &own),
        Browser::logged_in_with(&service, &other),
    );
    own.shows("/syncs", &["csync-001", "OPP-4482"]);
    own.shows("/syncs/csync-001", &["OPP-4482"]);
    own.shows("/", &["crm only"]);
    for path in [
        "/",
        "/syncs",
        "/conflicts",
        "/dead-letters",
        "/replays",
        "/reconciliations",
        "/connections",
    ] {
        let page = other.get(path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        for mark in ["/syncs/csync-", ">OPP-", "aurora"] {
            assert!(!page.body.contains(mark), "{path} tells of {mark}: {page:?}");
        }
    }
    let page = other.get("/syncs/csync-001");
    assert_eq!(page.status, 403, "{page:?}");
    assert!(page.body.contains("for the connection hub alone"), "{page:?}");
}

#[test]
fn the_list_of_tokens_says_what_each_reaches() {
    let house = House::seeded();
    token(&house, "hub");
    let list = house.cpq(&["--json", "token", "list"]).ok().json();
    let of = |client: &str| {
        let all = list.as_array().expect("a list");
        all.iter()
            .find(|one| one["client"] == client)
            .expect("the token")
            .clone()
    };
    assert_eq!(of("partner")["connection"], "hub", "{list}");
    let shown = house.cpq(&["token", "list"]).ok().out;
    assert!(shown.contains("REACHES") && shown.contains(" hub "), "{shown}");
    let said = house.cpq(&[
        "token",
        "create",
        "--client",
        "x",
        "--scope",
        "sync:read",
        "--connection",
        "a b",
    ]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("connection"), "{said:?}");
}
