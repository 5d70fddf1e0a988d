//! Secrets and names of people are planted, everything is done that can go well or wrong, and then all that came out is
//! searched: standard output and error, logs in both forms, metrics, journal, API, pages, the bare files of the store,
//! and what can be seen of our processes.

mod relay;

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Said, Service, http, said};
use relay::Relay;

const OUTBOUND_SECRET: &str = "canary-outbound-secret-0123456789abcdef";
const DATABASE_PASSWORD: &str = "canary-database-password";
const CLIENT_SECRET: &str = "canary-client-secret-of-another-app";
const SEALING_KEY: &str = "Y2FuYXJ5LXNlYWxpbmcta2V5LW9mLTMyLWJ5dGVzISE=";
/// Of a contact, as the sandbox will hold it.
const PERSON: [&str; 3] = ["Canariensis", "canary.person@private.example", "+49 351 0000777"];

/// What must not come out, and what did.
struct Search {
    secrets: Vec<(String, String)>,
    looked_at: usize,
}

impl Search {
    fn plant(&mut self, what: &str, secret: &str) {
        assert!(
            secret.len() > 12,
            "{what} is too short to be looked for: {secret:?}"
        );
        self.secrets.push((what.to_owned(), secret.to_owned()));
    }

    /// Looks for every secret in some output.
    fn look(&mut self, place: &str, bytes: &[u8]) {
        self.looked_at += bytes.len();
        for (what, secret) in &self.secrets {
            let found = bytes
                .windows(secret.len())
                .position(|window| window == secret.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(80)..(at + 20).min(bytes.len())];
                panic!("{what} is in {place}: …{}…", String::from_utf8_lossy(around));
            }
        }
    }

    /// The same, and for what identifies the person too: nothing but records may hold that.
    fn look_for_people_too(&mut self, place: &str, bytes: &[u8]) {
        self.look(place, bytes);
        let text = String::from_utf8_lossy(bytes);
        for part in PERSON {
            assert!(!text.contains(part), "{part} is in {place}");
        }
    }
}

fn webhook_secret() -> String {
    let key = base64::engine::general_purpose::STANDARD.encode("canary-webhook-key-of-thirty-two-b");
    format!("whsec_{key}")
}

/// A house whose calls to the CRM are listened to, with a person in the records and secrets everywhere.
fn furnished() -> (House, Relay) {
    let house = House::empty();
    let config = format!(
        "[webhooks]\nsources = {{ flow = \"env:CPQ_WEBHOOK_SECRET\" }}\n\n[outbound_messages]\nsources = {{ workflow = \
         [\"{OUTBOUND_SECRET}\"] }}\n"
    );
    std::fs::write(house.path().join("cpq.toml"), config).expect("it is written");
    let mut seed = house.command(&["seed", "--scenario", "crm-sync"]);
    for listen in [
        "--sandbox-listen",
        "--sandbox-tls-listen",
        "--sandbox-pubsub-listen",
    ] {
        seed.args([listen, "127.0.0.1:0"]);
    }
    said(seed.envs(surroundings())).ok();
    let [family, email, phone] = PERSON;
    let found = house.soql(
        "SELECT ContactId FROM OpportunityContactRole WHERE Opportunity.Opportunity_Number__c = 'OPP-4482'",
    );
    for role in found {
        let path = format!("sobjects/Contact/{}", role["ContactId"].as_str().expect("an id"));
        let person = json!({"LastName": family, "Email": email, "Phone": phone});
        house.crm(Method::PATCH, &path, &person);
    }
    let relay = Relay::before(&house.sandbox());
    let place = house.state().join("sandbox.json");
    let mut listening: Json = serde_json::from_slice(&std::fs::read(&place).expect("it runs")).expect("JSON");
    listening["url"] = json!(relay.url);
    std::fs::write(&place, listening.to_string()).expect("it is written");
    (house, relay)
}

/// What a person may have in the environment of every command.
fn surroundings() -> Vec<(&'static str, String)> {
    vec![
        ("CPQ_SEALING_KEY", SEALING_KEY.to_owned()),
        ("CPQ_CRM_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("CPQ_WEBHOOK_SECRET", webhook_secret()),
        ("RUST_BACKTRACE", "full".to_owned()),
    ]
}

/// Runs a command as loud as it gets, in both forms, and looks at all it says.
fn loud(search: &mut Search, house: &House, args: &[&str], more: &[(&str, &str)]) -> Vec<Said> {
    let form = |json: bool| {
        let mut all = vec!["-vv"];
        all.extend(json.then_some("--json"));
        all.extend(args);
        let mut command = house.command(&all);
        command
            .envs(surroundings())
            .env("RUST_LOG", "trace")
            .envs(more.iter().copied());
        let done = said(&mut command);
        let name = args.join(" ");
        search.look(&format!("the output of {name}"), done.out.as_bytes());
        search.look_for_people_too(&format!("the log of {name}"), done.err.as_bytes());
        done
    };
    [true, false].map(form).into()
}

/// The same for a command that must end well.
fn loud_and_well(search: &mut Search, house: &House, args: &[&str]) {
    for done in loud(search, house, args, &[]) {
        let end = done.err.lines().rev().take(4).collect::<Vec<_>>();
        assert_eq!(done.code, 0, "{args:?}: {} {end:#?}", done.out);
    }
}

#[test]
fn nothing_that_comes_out_holds_a_secret() {
    let (house, relay) = furnished();
    let mut search = Search {
        secrets: Vec::new(),
        looked_at: 0,
    };
    let info = house.control(Method::GET, "/sandbox/info", &json!(null));
    let pem = std::fs::read_to_string(info["jwtPrivateKeyPath"].as_str().expect("a path")).expect("a key");
    search.plant(
        "the client secret",
        info["clientSecret"].as_str().expect("a secret"),
    );
    search.plant(
        "the key of the assertion",
        pem.lines().nth(3).expect("a line of base64"),
    );
    search.plant("a client secret of the environment", CLIENT_SECRET);
    search.plant("the sealing key", SEALING_KEY);
    search.plant(
        "the webhook secret",
        webhook_secret()
            .trim_start_matches("whsec_")
            .trim_end_matches('='),
    );
    search.plant("the outbound secret", OUTBOUND_SECRET);
    search.plant("the database password", DATABASE_PASSWORD);

    loud_and_well(
        &mut search,
        &house,
        &["auth", "connect-crm", "--flow", "jwt", "--name", "machine"],
    );
    loud_and_well(&mut search, &house, &["auth", "connect-crm"]);
    plant_tokens(&mut search, &relay);
    well(&mut search, &house);
    badly(&mut search, &house, &relay);
    plant_tokens(&mut search, &relay);
    served(&mut search, &house, &relay);
    wrong_settings(&mut search, &house);
    plant_tokens(&mut search, &relay);
    files(&mut search, &house);
    assert!(
        search.looked_at > 1_000_000,
        "little was looked at: {}",
        search.looked_at
    );
}

/// Every token that went by.
fn plant_tokens(search: &mut Search, relay: &Relay) {
    let (access, refresh) = (relay.members("access_token"), relay.members("refresh_token"));
    assert!(!access.is_empty() && !refresh.is_empty(), "no token went by");
    access
        .iter()
        .for_each(|token| search.plant("an access token", token));
    refresh
        .iter()
        .for_each(|token| search.plant("a refresh token", token));
}

fn well(search: &mut Search, house: &House) {
    for args in [
        &["sync", "run", "--opportunity", "OPP-4482"][..],
        &["auth", "refresh"],
        &["auth", "status"],
        &["connections"],
        &["sync", "status", "--correlation", "csync-001"],
        &["reconcile"],
        &["config", "check"],
        &["auth", "rotate-key"],
        &["why", "OPP-4482/quote.status"],
    ] {
        loud_and_well(search, house, args);
    }
}

/// Failures of every class; the CRM sends back what it was sent, token and all.
fn badly(search: &mut Search, house: &House, relay: &Relay) {
    let run = ["sync", "run", "--opportunity", "OPP-4482", "--wait", "0"];
    for status in [200, 401, 403, 500] {
        relay.echo(status);
        loud(search, house, &run, &[]);
    }
    loud(search, house, &["auth", "connect-crm", "--flow", "jwt"], &[]);
    relay.echo(0);
    for fault in [
        json!({"kind": "row_error", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no"}),
        json!({"kind": "reset_after"}),
        json!({"kind": "server_error", "status": 503, "body": "html"}),
        json!({"kind": "session_expired"}),
    ] {
        house.faults(json!([{"when": {"path": "/services/data/*"}, "fault": fault, "times": 3}]));
        loud(search, house, &run, &[]);
    }
    let dead =
        json!({"when": {"path": "/services/oauth2/token"}, "fault": {"kind": "invalid_grant"}, "times": 2});
    house.faults(json!([dead]));
    loud(search, house, &["auth", "refresh"], &[]);
    house.faults(json!([]));
    loud_and_well(search, house, &["auth", "connect-crm"]);
}

/// The service with its log in both forms: every route, every page, and its process.
fn served(search: &mut Search, house: &House, relay: &Relay) {
    for format in ["human", "json"] {
        let config = house.path().join("cpq.toml");
        let text = std::fs::read_to_string(&config).expect("it is there");
        std::fs::write(
            house.path().join("log.toml"),
            format!("{text}\n[log]\nformat = \"{format}\"\n"),
        )
        .expect("a file");
        let log = house.path().join(format!("{format}.log"));
        let mut command = house.command(&["-vv", "--config", "log.toml", "serve", "--listen", "127.0.0.1:0"]);
        command.envs(surroundings()).env("RUST_LOG", "trace");
        command
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a file"));
        let mut tokened = house.command(&["token", "create", "--client", "canary"]);
        let scopes = said(house.command(&["token", "scopes"]).envs(surroundings()))
            .ok()
            .out;
        for scope in scopes.lines() {
            tokened.args(["--scope", scope]);
        }
        let token = said(tokened.envs(surroundings())).ok().out.trim().to_owned();
        let service = Service::of(command, || token.clone());
        calls(search, &service);
        relay.echo(500);
        service.call(
            Method::POST,
            "/api/v1/sync/opportunities/OPP-4482?",
            &[("prefer", "wait=1")],
            "",
        );
        relay.echo(0);
        let cmdline = std::fs::read(format!("/proc/{}/cmdline", service.pid())).unwrap_or_default();
        search.look_for_people_too("the command line of the service", &cmdline);
        service.end();
        let log = std::fs::read(&log).expect("a log");
        search.look_for_people_too("the log of the service", &log);
        let shown = String::from_utf8_lossy(&log);
        assert!(
            shown.contains("request") && !shown.contains(&token),
            "the API token is in the log, or nothing is"
        );
    }
}

fn calls(search: &mut Search, service: &Service) {
    let names = [
        ("{id}", "csync-001"),
        ("{correlationId}", "csync-001"),
        ("{source}", "flow"),
        ("{secret}", OUTBOUND_SECRET),
    ];
    let (_, document) = service.json(Method::GET, "/api/v1/openapi.json", &[], &json!(null));
    for (path, item) in document["paths"].as_object().expect("paths") {
        if path == "/api/v1/events" {
            continue; // It never ends; its events are rows of the journal, which are among the files.
        }
        let filled = names
            .iter()
            .fold(path.clone(), |path, (name, value)| path.replace(name, value));
        for method in item.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            for body in ["{}", "{\"connection\":\"crm\"}", "{"] {
                let body = if method == Method::GET { "" } else { body };
                let (_, text) = service.call(method.clone(), &filled, &[("prefer", "wait=1")], body);
                search.look(&format!("the answer of {method} {path}"), text.as_bytes());
                assert!(!text.contains(&service.token), "{path} tells the API token");
            }
        }
    }
    let (_, metrics) = service.call(Method::GET, "/metrics", &[], "");
    search.look_for_people_too("the metrics", metrics.as_bytes());
    for page in [
        "/",
        "/syncs",
        "/syncs/csync-001",
        "/conflicts",
        "/ownership",
        "/dead-letters",
        "/replays",
        "/connections",
    ] {
        let cookie = login(service);
        let (status, text) = http(
            Method::GET,
            &format!("{}{page}", service.url),
            &[("cookie", &cookie)],
            "",
        );
        assert_eq!(status, 200, "{page}: {text}");
        search.look(page, text.as_bytes());
        assert!(!text.contains(&service.token), "{page} tells the API token");
    }
}

/// The cookie of a browser that is logged in.
fn login(service: &Service) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let form = [("token", service.token.as_str()), ("back", "/")];
        let sent = client
            .build()
            .expect("a client")
            .post(format!("{}/login", service.url));
        let answer = sent
            .header("sec-fetch-site", "same-origin")
            .form(&form)
            .send()
            .await
            .expect("an answer");
        let cookie = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        cookie.split(';').next().expect("a cookie").to_owned()
    })
}

/// A configuration that is wrong, and a database that is not there: messages quote what they were given, but no secret.
fn wrong_settings(search: &mut Search, house: &House) {
    let url = format!("postgres://cpq:{DATABASE_PASSWORD}@127.0.0.1:1/cpq");
    let mut command = house.command(&["-vv", "sync", "list"]);
    let done = command.envs(surroundings()).env("CPQ_STORE_URL", &url).output();
    let done = done.expect("it runs");
    search.look(
        "what was said to a store that is not there",
        &[done.stdout, done.stderr].concat(),
    );
    for broken in [
        format!("[store]\nurl = \"{url}\"\nurll = 1\n"),
        format!("[store]\nurl = \"postgres://cpq:{DATABASE_PASSWORD}@:x/\"\n"),
        format!("[store]\nurl = [\"{url}\"]\n"),
        format!("[webhooks]\nsources = {{ flow = \"whsec_{DATABASE_PASSWORD}\" }}\n"),
        format!("[outbound_messages]\nsources = {{ workflow = \"{OUTBOUND_SECRET}\" }}\n"),
        format!("[outbound_messages]\nsources = {{ workflow = [\"{OUTBOUND_SECRET}\", 1] }}\n"),
        format!("[outbound_messages]\nsources = {{ workflow = [\"{OUTBOUND_SECRET}\n"),
    ] {
        std::fs::write(house.path().join("bad.toml"), &broken).expect("it is written");
        let mut command = house.command(&["-vv", "--json", "--config", "bad.toml", "sync", "list"]);
        let done = command.envs(surroundings()).output().expect("it runs");
        search.look(
            &format!("what was said to {broken:?}"),
            &[done.stdout, done.stderr].concat(),
        );
    }
    let mut command = house.command(&["--json", "auth", "status"]);
    let done = command
        .env("CPQ_SEALING_KEY", DATABASE_PASSWORD)
        .output()
        .expect("it runs");
    search.look(
        "what was said to a wrong key",
        &[done.stdout, done.stderr].concat(),
    );
}

/// The bare files, and the surroundings of the process that goes on after its command.
fn files(search: &mut Search, house: &House) {
    let mut seen = 0;
    for entry in std::fs::read_dir(house.state()).expect("the directory") {
        let path = entry.expect("an entry").path();
        // These belong to the sandbox: its own keys, and its org.
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        if path.is_file()
            && !name.starts_with("sandbox")
            && Path::new(&name).extension().is_none_or(|kind| kind != "pem")
        {
            search.look(&name, &std::fs::read(&path).expect("a file"));
            seen += 1;
        }
    }
    assert!(seen >= 2, "the store was not among {seen} files");
    let place = std::fs::read(house.state().join("sandbox.json")).expect("it runs");
    let sandbox: Json = serde_json::from_slice(&place).expect("JSON");
    for what in ["environ", "cmdline"] {
        let bytes = std::fs::read(format!("/proc/{}/{what}", sandbox["pid"])).unwrap_or_default();
        assert!(!bytes.is_empty(), "nothing is known of the sandbox's {what}");
        search.look(&format!("the {what} of the sandbox"), &bytes);
    }
}
