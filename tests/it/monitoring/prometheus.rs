//! Prometheus itself, of the distribution, over a real service: whether it takes the page, the rules, and every query of
//! the dashboard.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::busy::Busy;
use super::{alerts, names, queries, rules_folder};
use crate::house::{http, until};

/// Figures that a day in the sandbox does not bring about, with the reason.
const ABSENT: &[(&str, &str)] = &[
    ("cpq_cpq_requests_total", "its CPQ is the embedded one"),
    ("cpq_cpq_request_duration_seconds", "its CPQ is the embedded one"),
    ("cpq_store_failures_total", "its disk is well"),
    (
        "cpq_sync_restarts_total",
        "nobody edits between a look and a write",
    ),
];

/// Panels that say in words that there is nothing to show, as on this day.
const EMPTY: &[&str] = &["Oldest sync in the queue", "Calls used up in"];

/// Where `./test` put the programs.
fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("CPQ_TEST_PROMETHEUS").expect("./test names the folder of promtool");
    PathBuf::from(folder).join(name)
}

fn promtool(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(program("promtool"));
    command.args(args).current_dir(rules_folder());
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("promtool starts");
    // It may end before it has read all.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("promtool ends")
}

fn well(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

#[test]
#[ignore = "needs promtool; ./test installs it"]
fn with_prometheus_the_rules_are_rules_and_their_tests_pass() {
    well(&promtool(&["check", "rules", "rules.yml"], ""));
    well(&promtool(
        &["test", "rules", "rules_test.yml", "rules_long_test.yml"],
        "",
    ));
}

#[test]
#[ignore = "needs promtool; ./test installs it"]
fn with_prometheus_a_day_is_watched() {
    let busy = Busy::day();
    let silent = || missing(&busy.page("text/plain"));
    until("the last figure", silent, Vec::is_empty);
    let page = busy.page("text/plain");
    let checked = promtool(&["check", "metrics"], &page);
    well(&checked);
    assert!(
        checked.stderr.is_empty() && checked.stdout.is_empty(),
        "it has something to say: {checked:?}"
    );
    for canary in [busy.token.as_str(), "OPP-", "nobody"] {
        assert!(!page.contains(canary), "{canary}: {page}");
    }
    let watch = Watch::start(&busy);
    watch.sees_the_service();
    watch.keeps_examples();
    watch.takes_the_rules();
    watch.answers_every_query();
}

/// Names in rules and dashboard that have no figure on the page.
fn missing(page: &str) -> Vec<String> {
    let told: BTreeSet<String> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(names)
        .collect();
    let all = queries().into_iter().chain(alerts());
    let wanted: BTreeSet<String> = all.flat_map(|(_, text)| names(&text)).collect();
    let absent = |name: &String| ABSENT.iter().any(|(known, _)| known == name);
    wanted
        .into_iter()
        .filter(|name| !told.contains(name) && !absent(name))
        .collect()
}

/// A Prometheus of its own, on a free port.
struct Watch {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Watch {
    fn start(busy: &Busy) -> Watch {
        let dir = tempfile::tempdir().expect("a directory");
        let target = busy
            .service
            .url
            .strip_prefix("http://")
            .expect("it is served in the clear");
        // YAML is a superset of JSON.
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules_folder().join("rules.yml")],
            "scrape_configs": [{
                "job_name": "cpq",
                "authorization": {"credentials": busy.token},
                "static_configs": [{"targets": [target]}],
            }],
        });
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config.to_string()).expect("a file");
        let mut command = Command::new(program("prometheus"));
        command
            .arg("--config.file")
            .arg(&file)
            .arg("--storage.tsdb.path")
            .arg(dir.path().join("data"));
        command.args([
            "--web.listen-address=127.0.0.1:0",
            "--enable-feature=exemplar-storage",
        ]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Prometheus starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"))
            .lines()
            .map_while(Result::ok);
        let address = said.find_map(|line| {
            let (_, address) = line
                .split_once("address=")
                .filter(|_| line.contains("\"Listening on\""))?;
            address.split_whitespace().next().map(str::to_owned)
        });
        let url = format!("http://{}", address.expect("it says where it listens"));
        // It must not wait for somebody to read what it says.
        std::thread::spawn(move || said.for_each(drop));
        let ready = || http(Method::GET, &format!("{url}/-/ready"), &[], "").0;
        until("Prometheus", ready, |status| *status == 200);
        Watch {
            child,
            url,
            _dir: dir,
        }
    }

    fn ask(&self, path: &str, query: &[(&str, &str)]) -> Json {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let (status, text) = http(
            Method::GET,
            &format!("{}/api/v1/{path}?{query}", self.url),
            &[],
            "",
        );
        let answer: Json = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("success")),
            "{path} {query}: {text}"
        );
        answer["data"].clone()
    }

    fn series(&self, query: &str) -> usize {
        self.ask("query", &[("query", query)])["result"]
            .as_array()
            .map_or(0, Vec::len)
    }

    /// In OpenMetrics, which it asks for by itself, and with a token that may do nothing else.
    fn sees_the_service(&self) {
        let targets = || self.ask("targets", &[])["activeTargets"].clone();
        let up = |targets: &Json| targets[0]["health"] == "up";
        let targets = until("a scrape", targets, up);
        assert_eq!(targets[0]["lastError"], "", "{targets}");
        until(
            "two scrapes",
            || self.series("cpq_syncs_total offset 2s"),
            |count| *count > 0,
        );
    }

    fn keeps_examples(&self) {
        let range = [
            ("query", "cpq_sync_duration_seconds_bucket"),
            ("start", "0"),
            ("end", "99999999999"),
        ];
        let found = || self.ask("query_exemplars", &range);
        let found = until("an example", found, |found| {
            found.as_array().is_some_and(|all| !all.is_empty())
        });
        let label = &found[0]["exemplars"][0]["labels"]["correlation_id"];
        assert!(
            label.as_str().is_some_and(|id| id.starts_with("csync-")),
            "{found}"
        );
    }

    /// No rule fails, and what has to fire is seen coming.
    fn takes_the_rules(&self) {
        let rules = || self.ask("rules", &[])["groups"].clone();
        let all = |groups: &Json| {
            let groups = groups.as_array().expect("groups").iter();
            let rules: Vec<&Json> = groups
                .flat_map(|group| group["rules"].as_array().expect("rules"))
                .collect();
            rules.len() == alerts().len() && rules.iter().all(|rule| rule["health"] == "ok")
        };
        until("every rule", rules, all);
        let pending = || self.ask("alerts", &[])["alerts"].to_string();
        until("the open circuit", pending, |told| {
            told.contains("CpqCircuitOpen")
        });
    }

    /// What is about the whole day has an answer; a query about the last minutes may have none yet, but none fails.
    fn answers_every_query(&self) {
        let mut silent = Vec::new();
        for (title, query) in queries() {
            let query = query
                .replace("$__rate_interval", "1m")
                .replace("$connection", ".*")
                .replace("$instance", ".*");
            let excused =
                EMPTY.contains(&title.as_str()) || ABSENT.iter().any(|(name, _)| query.contains(name));
            if self.series(&query) == 0 && !excused {
                silent.push((title, query));
            }
        }
        assert!(silent.is_empty(), "{silent:#?}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
