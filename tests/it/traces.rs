//! Traces, as a collector gets them from the real binary.

use std::net::TcpListener;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::collector::{Collector, Span, one};
use crate::house::{House, Service, said, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const PATH: &str = "/api/v1/sync/opportunities/OPP-4482";
const ROUTE: &str = "POST /api/v1/sync/opportunities/{id}";
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

/// A service that sends to this collector.
fn traced(house: &House, collector: &Collector, more: &[(&str, &str)]) -> Service {
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    house.serve_with(&[&env, more].concat())
}

fn sync(service: &Service, headers: &[(&str, &str)]) -> Json {
    let (status, done) = service.json(Method::POST, PATH, headers, &json!({}));
    assert_eq!(status, 200, "{done}");
    done
}

#[test]
fn a_sync_is_one_trace_from_the_request_to_the_calls() {
    let collector = Collector::new();
    let house = House::connected();
    let config = format!("[traces]\nendpoint = \"{}\"\n", collector.url);
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let service = house.serve();
    let headers = [
        ("traceparent", &*traceparent("01")),
        ("x-correlation-id", "mine-1"),
    ];
    assert_eq!(sync(&service, &headers)["traceId"], TRACE);
    service.end();

    let spans = collector.of(TRACE);
    let request = one(&spans, ROUTE);
    assert_eq!((request.parent.as_str(), request.kind), (CALLER, SERVER));
    assert_eq!(request.get("http.request.method"), "POST");
    assert_eq!(request.get("http.route"), "/api/v1/sync/opportunities/{id}");
    assert_eq!(request.get("http.response.status_code"), "200");
    assert_eq!(request.get("cpq.correlation_id"), "csync-001");
    assert_eq!(request.get("cpq.request"), "mine-1");

    let sync = one(&spans, "sync");
    assert_eq!(sync.parent, request.id);
    for (name, value) in [
        ("cpq.correlation_id", "csync-001"),
        ("cpq.caller_correlation_id", "mine-1"),
        ("cpq.connection", "crm"),
        ("cpq.opportunity", "OPP-4482"),
        ("cpq.attempt", "1"),
        ("cpq.trigger", "request"),
        ("cpq.state", "succeeded"),
        ("cpq.quote", "Q-2026-0137"),
    ] {
        assert_eq!(sync.get(name), value, "{name}");
    }
    for (step, call) in [("read.crm", "GET read"), ("write.crm", "POST write")] {
        let step = one(&spans, step);
        assert_eq!((&step.parent, step.get("cpq.attempt")), (&sync.id, "1"));
        let call = one(&spans, call);
        assert_eq!((&call.parent, call.kind), (&step.id, CLIENT));
        assert_eq!(call.get("http.response.status_code"), "200");
        assert_eq!(call.get("server.address"), "127.0.0.1");
        assert_eq!(call.get("cpq.connection"), "crm");
    }
    assert!(
        spans
            .iter()
            .any(|span| span.name == "commit" && span.parent == sync.id)
    );
    assert!(spans.iter().all(|span| span.error.is_none()), "{spans:#?}");
    assert_eq!(collector.resource()["service.name"], "cpq");
    let status = house.cpq(&["sync", "status", "--correlation", "csync-001"]).ok();
    assert!(status.out.contains(&format!("trace={TRACE}")), "{}", status.out);
}

#[test]
fn what_is_not_ours_to_tell_is_in_no_span() {
    let collector = Collector::new();
    let house = House::connected();
    let service = traced(
        &house,
        &collector,
        &[("OTEL_EXPORTER_OTLP_HEADERS", "x-key=key-of-the-collector")],
    );
    house.control(Method::POST, "/sandbox/sessions/expire", &json!({}));
    sync(&service, &[]);
    let secret = "a-secret-in-a-path-that-is-long-enough-for-one";
    let path = format!("/api/v1/outbound-messages/workflow/{secret}?token={secret}");
    service.call(Method::POST, &path, &[("content-type", "text/xml")], "<x/>");
    let token = service.token.clone();
    service.end();

    let spans = collector.spans();
    assert!(spans.len() > 10, "{spans:#?}");
    let info = house.control(Method::GET, "/sandbox/info", &json!(null));
    let text = |name: &str| info[name].as_str().expect("a text").to_owned();
    let told = format!("{spans:?} {:?}", collector.resource());
    // A token of the org begins with its id and a mark.
    for secret in [&*token, secret, "key-of-the-collector", "Bearer", "00D", "SELECT"] {
        assert!(!told.contains(secret), "{secret:?} is told in {told}");
    }
    for secret in ["clientSecret", "password"].map(text) {
        assert!(!told.contains(&secret), "{secret:?} is told in {told}");
    }
    for person in ["Northwind", "Dresden", "@"] {
        assert!(!told.contains(person), "{person:?} is told in {told}");
    }
    let heads = collector.heads();
    let is_right = |head: &String| {
        head.starts_with("POST /v1/traces ") && head.contains("x-key: key-of-the-collector\r\n")
    };
    assert!(heads.iter().all(is_right), "{heads:?}");
}

#[test]
fn a_session_that_ended_is_renewed_within_the_trace_of_the_sync() {
    let collector = Collector::new();
    let house = House::connected();
    let service = traced(&house, &collector, &[("OTEL_SERVICE_NAME", "quotes")]);
    house.control(Method::POST, "/sandbox/sessions/expire", &json!({}));
    let trace = sync(&service, &[])["traceId"].as_str().expect("an id").to_owned();
    service.end();

    let spans = collector.of(&trace);
    let renewal = one(&spans, "renew token");
    let token = one(&spans, "POST token");
    assert_eq!(token.parent, renewal.id);
    assert_eq!(
        (token.get("http.response.status_code"), token.kind),
        ("200", CLIENT)
    );
    assert_eq!(renewal.parent, one(&spans, "read.crm").id);
    let reads: Vec<&Span> = spans.iter().filter(|span| span.name == "GET read").collect();
    let statuses: Vec<&str> = reads
        .iter()
        .map(|read| read.get("http.response.status_code"))
        .collect();
    assert_eq!(statuses, ["401", "200"]);
    assert_eq!(reads[0].error.as_deref(), Some("SESSION_REFUSED"));
    assert_eq!(collector.resource()["service.name"], "quotes");
}

/// The CRM fails once: the first pass says why, and the second one is beside it.
fn fails_once(house: &House) {
    house.faults(json!([{"when": {"path": "/query", "client": "cpq"}, "times": 1,
        "fault": {"kind": "server_error", "status": 503}}]));
}

#[test]
fn a_repeat_is_a_second_pass_in_the_same_trace() {
    let collector = Collector::new();
    let house = House::connected();
    let service = traced(&house, &collector, &[]);
    fails_once(&house);
    let done = sync(&service, &[]);
    service.end();

    let spans = collector.of(done["traceId"].as_str().expect("an id"));
    let request = one(&spans, ROUTE);
    let mut passes: Vec<&Span> = spans.iter().filter(|span| span.name == "sync").collect();
    passes.sort_by_key(|pass| pass.get("cpq.attempt").to_owned());
    let [first, second] = passes[..] else {
        panic!("two passes in {spans:#?}");
    };
    assert_eq!((&first.parent, &second.parent), (&request.id, &request.id));
    let told = |span: &Span| {
        let state = span.get("cpq.state").to_owned();
        (span.get("cpq.attempt").to_owned(), state, span.error.clone())
    };
    let failed = Some("CRM_UNAVAILABLE".to_owned());
    assert_eq!(told(first), ("1".into(), "parked".into(), failed.clone()));
    assert_eq!(first.get("error.type"), "CRM_UNAVAILABLE");
    assert_eq!(told(second), ("2".into(), "succeeded".into(), None));
    let steps: Vec<(&str, Option<&str>)> = spans
        .iter()
        .filter(|span| span.name == "read.crm")
        .map(|span| (span.get("cpq.attempt"), span.error.as_deref()))
        .collect();
    assert_eq!(steps, [("1", failed.as_deref()), ("2", None)]);
    let calls = spans.iter().filter(|span| span.name == "GET read");
    let statuses: Vec<&str> = calls.map(|call| call.get("http.response.status_code")).collect();
    assert_eq!(statuses, ["503", "200"]);
    assert_eq!(request.error, None, "the caller got its answer");
}

#[test]
fn of_traces_that_are_not_kept_only_what_failed_is_sent() {
    let collector = Collector::new();
    let house = House::connected();
    let service = traced(&house, &collector, &[("OTEL_TRACES_SAMPLER", "always_off")]);
    fails_once(&house);
    let done = sync(&service, &[]);
    service.end();

    let spans = collector.spans();
    assert!(
        spans.iter().all(|span| done["traceId"] == *span.trace),
        "{spans:#?}"
    );
    let sync = one(&spans, "sync");
    assert_eq!(
        (sync.get("cpq.attempt"), sync.error.as_deref()),
        ("1", Some("CRM_UNAVAILABLE"))
    );
    assert_eq!(one(&spans, "read.crm").parent, sync.id);
}

#[test]
fn a_sync_that_another_process_takes_up_goes_on_in_its_trace() {
    let collector = Collector::new();
    let house = House::connected();
    let soon = "[retry]\ncap_ms = 1000\ntries_max = 100\n[circuit]\nopen_ms = 100\nopen_max_ms = 100\n";
    std::fs::write(house.path().join("cpq.toml"), soon).expect("the configuration");
    let service = traced(&house, &collector, &[]);
    house.faults(
        json!([{"when": {"path": "/query", "client": "cpq"}, "fault": {"kind": "server_error", "status": 503}}]),
    );
    let headers = [("traceparent", &*traceparent("01")), ("prefer", "wait=0")];
    assert_eq!(service.call(Method::POST, PATH, &headers, "{}").0, 202);
    let state = |service: &Service| {
        let path = "/api/v1/sync/csync-001";
        service.json(Method::GET, path, &[], &json!(null)).1["status"].clone()
    };
    until("the failure", || state(&service), |state| state == "parked");
    service.end();
    house.control(Method::DELETE, "/sandbox/faults", &json!(null));
    let service = traced(&house, &collector, &[]);
    until("the end", || state(&service), |state| state == "success");
    service.end();

    let spans = collector.of(TRACE);
    let request = one(&spans, ROUTE);
    let passes: Vec<&Span> = spans.iter().filter(|span| span.name == "sync").collect();
    assert!(passes.len() > 1, "{spans:#?}");
    assert!(passes.iter().all(|pass| pass.parent == request.id), "{passes:#?}");
    assert_eq!(passes.last().map(|pass| pass.get("cpq.state")), Some("succeeded"));
}

/// A sync that nobody asked for has a trace of its own, which its replay goes on with.
#[test]
fn a_sync_without_a_caller_begins_its_trace_and_its_replay_goes_on_with_it() {
    let collector = Collector::new();
    let house = House::synced();
    let service = traced(&house, &collector, &[]);
    house.cpq(&["quote", "transition", "Q-2026-0137", "submit"]).ok();
    let told = |path: &str| service.json(Method::GET, path, &[], &json!(null)).1;
    let done = until(
        "the sync of the change",
        || told("/api/v1/sync/csync-002"),
        |sync| sync["status"] == "success",
    );
    let replay = house.cpq(&["--json", "sync", "replay", "--correlation", "csync-002"]);
    let replay = replay.ok().json();
    service.end();

    let trace = done["traceId"].as_str().expect("an id");
    assert_eq!(replay["traceId"], trace, "{replay}");
    let spans = collector.of(trace);
    let first = spans
        .iter()
        .find(|span| span.get("cpq.correlation_id") == "csync-002")
        .unwrap_or_else(|| panic!("no such sync in {spans:#?}"));
    assert_eq!((first.parent.as_str(), first.get("cpq.trigger")), ("", "quote"));
    let again = spans
        .iter()
        .find(|span| span.name == "sync" && span.get("cpq.trigger") == "replay")
        .unwrap_or_else(|| panic!("no replay in {spans:#?}"));
    assert_eq!(again.parent, first.id);
}

#[test]
fn a_call_for_many_syncs_is_linked_with_each_of_them() {
    const MANY: usize = 12;
    let collector = Collector::new();
    let house = House::connected();
    let generate = json!({"opportunities": MANY, "prefix": "MANY-"});
    let seed = json!({"add": true, "name": "many", "generate": generate});
    house.control(Method::POST, "/sandbox/seed", &seed);
    let service = traced(&house, &collector, &[]);
    house.faults(json!([{"when": {"path": "/query", "client": "cpq"}, "times": 4, "fault": {"kind": "latency", "millis": 1000}}]));
    for number in 1..=MANY {
        let path = format!("/api/v1/sync/opportunities/MANY-{number:06}");
        let (status, body) = service.call(Method::POST, &path, &[("prefer", "wait=0")], "{}");
        assert_eq!(status, 202, "{body}");
    }
    let path = "/api/v1/sync?state=succeeded";
    let ended = until(
        "the end of all",
        || service.json(Method::GET, path, &[], &json!(null)).1["syncs"].clone(),
        |syncs| syncs.as_array().is_some_and(|syncs| syncs.len() == MANY),
    );
    service.end();

    let spans = collector.spans();
    let batches: Vec<&Span> = spans.iter().filter(|span| span.name == "batch read").collect();
    assert!(!batches.is_empty(), "{spans:#?}");
    for batch in &batches {
        assert_eq!(batch.links.len().to_string(), batch.get("cpq.batch.size"));
        assert!(batch.links.len() > 1, "{batch:#?}");
        for (trace, id) in &batch.links {
            let step = spans.iter().find(|span| span.trace == *trace && span.id == *id);
            let step = step.unwrap_or_else(|| panic!("{id} of {trace} did not come"));
            assert_eq!(step.name, "read.crm");
            assert!(
                step.links.contains(&(batch.trace.clone(), batch.id.clone())),
                "{step:#?}"
            );
        }
        let call = spans.iter().find(|span| span.parent == batch.id);
        assert_eq!(call.map(|call| call.name.as_str()), Some("GET read"));
    }
    // Each sync has its own trace, and its read is in it or behind a link.
    for one in ended.as_array().expect("syncs") {
        let trace = one["traceId"].as_str().expect("an id");
        let own = collector.of(trace);
        let ids: Vec<&str> = own
            .iter()
            .filter(|span| span.name == "sync")
            .map(|span| span.get("cpq.correlation_id"))
            .collect();
        assert_eq!(json!(ids), json!([one["correlationId"]]));
        let is_read = own.iter().any(|span| span.name == "GET read")
            || batches
                .iter()
                .any(|batch| batch.links.iter().any(|(linked, _)| linked == trace));
        assert!(is_read, "{own:#?}");
    }
}

#[test]
fn a_cpq_elsewhere_is_part_of_the_trace() {
    let collector = Collector::new();
    let elsewhere = House::empty();
    let cpq = traced(&elsewhere, &collector, &[("OTEL_SERVICE_NAME", "elsewhere")]);
    let house = House::connected();
    let config = format!("[cpq]\nkind = \"rest\"\nurl = \"{}\"\n", cpq.url);
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let service = traced(&house, &collector, &[("CPQ_REMOTE_TOKEN", &cpq.token)]);
    let trace = sync(&service, &[])["traceId"].as_str().expect("an id").to_owned();
    service.end();
    cpq.end();

    let spans = collector.of(&trace);
    let there = one(&spans, "POST /api/v1/quotes");
    let call = spans.iter().find(|span| span.id == there.parent);
    let call = call.unwrap_or_else(|| panic!("no caller of {there:#?}"));
    assert_eq!((call.kind, call.get("http.request.method")), (CLIENT, "POST"));
    let step = one(&spans, "write.cpq");
    assert_eq!(call.parent, step.id);
}

/// Nobody listens, or somebody who never answers: the syncs do not notice, and what is lost is counted.
#[test]
fn without_a_collector_syncs_go_on() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}", deaf.local_addr().expect("an address"));
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    for endpoint in [closed, silent] {
        let house = House::connected();
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
        ];
        let service = house.serve_with(&env);
        assert_eq!(sync(&service, &[])["status"], "success");
        let lost = || service.call(Method::GET, "/metrics", &[], "").1;
        until("the count of what is lost", lost, |metrics| {
            metrics.contains("cpq_trace_spans_lost_total{reason=\"not_delivered\"}")
        });
        assert_eq!(sync(&service, &[])["outcome"]["effect"], "no_change");
        service.end();
    }
}

/// Traces name opportunities and quotes, so they cross no network in the clear unless somebody said that they may.
#[test]
fn a_collector_elsewhere_is_spoken_to_by_tls() {
    let house = House::empty();
    let named = |env: &[(&str, &str)]| {
        let mut command = house.command(&["serve", "--listen", "127.0.0.1:0"]);
        said(command.envs(env.iter().copied()))
    };
    let collector = "http://collector.example:4318";
    let said = named(&[("OTEL_EXPORTER_OTLP_ENDPOINT", collector)]);
    assert_eq!(said.code, 1, "{said:?}");
    for part in ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector.example", "plain_text"] {
        assert!(said.err.contains(part), "no word of {part}: {said:?}");
    }
    let settings = |plain_text: bool| {
        let text = format!("[traces]\nendpoint = \"{collector}\"\nplain_text = {plain_text}\n");
        std::fs::write(house.path().join("cpq.toml"), text).expect("the configuration");
    };
    settings(false);
    let said = named(&[]);
    assert!(said.code == 1 && said.err.contains("traces.endpoint"), "{said:?}");
    settings(true);
    house.serve().end();
    std::fs::remove_file(house.path().join("cpq.toml")).expect("it was there");
    let named = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318")];
    house.serve_with(&named).end();
}
