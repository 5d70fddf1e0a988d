//! `cpq sync watch`: the real command beside a real service, which comes and goes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service};

/// The longest that a line may take to come before the test is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command that watches.
struct Watch {
    child: Child,
    lines: Receiver<String>,
    remarks: Receiver<String>,
}

impl Watch {
    /// Starts it, and waits until it follows.
    fn start(house: &House, args: &[&str]) -> Watch {
        let args = [&["sync", "watch"], args].concat();
        let mut command = house.command(&args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = told(child.stdout.take().expect("a pipe"));
        let remarks = told(child.stderr.take().expect("a pipe"));
        let watch = Watch {
            child,
            lines,
            remarks,
        };
        watch.hears("watching http");
        watch
    }

    /// Waits for a remark.
    fn hears(&self, words: &str) {
        loop {
            let remark = self
                .remarks
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("nobody said {words:?}"));
            if remark.contains(words) {
                return;
            }
        }
    }

    /// The next event.
    fn event(&self) -> Json {
        let line = self.lines.recv_timeout(PATIENCE).expect("an event");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Events up to the end of so many syncs.
    fn until_ends(&self, ends: usize) -> Vec<Json> {
        let mut seen = Vec::new();
        while seen
            .iter()
            .filter(|event: &&Json| event["kind"] == "succeeded")
            .count()
            < ends
        {
            seen.push(self.event());
        }
        seen
    }

    /// What else it says on standard output, and how it ends.
    fn rest(mut self) -> (i32, Vec<String>) {
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        (code, self.lines.iter().collect())
    }

    /// Ctrl-C.
    fn interrupt(self) -> (i32, Vec<String>) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .expect("kill runs")
                .success()
        );
        self.rest()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn told(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    told
}

fn sync(service: &Service, opportunity: &str) -> Json {
    let path = format!("/api/v1/sync/opportunities/{opportunity}");
    let own = [("x-correlation-id", "deal-desk-7"), ("prefer", "wait=20")];
    let (_, answer) = service.json(Method::POST, &path, &own, &json!({}));
    answer
}

#[test]
fn a_sync_is_seen_from_its_acceptance_to_its_end() {
    let house = House::connected();
    let service = house.serve();
    let watch = Watch::start(&house, &["--opportunity", "OPP-4482", "--until-end", "--json"]);
    let other = Watch::start(&house, &["--opportunity", "OPP-1", "--until-idle", "--json"]);
    let lines = Watch::start(&house, &["--opportunity", "OPP-4482", "--until-end"]);
    sync(&service, "OPP-4482");
    let (code, seen) = watch.rest();
    assert_eq!(code, 0, "{seen:?}");
    let seen: Vec<Json> = seen
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let (first, last) = (&seen[0], &seen[seen.len() - 1]);
    assert_eq!(
        (&first["kind"], &first["state"]),
        (&json!("accepted"), &json!("queued"))
    );
    assert_eq!(
        (&last["kind"], &last["state"]),
        (&json!("succeeded"), &json!("succeeded"))
    );
    assert_eq!(
        (&last["correlationId"], &last["connection"]),
        (&json!("csync-001"), &json!("crm"))
    );
    let steps: Vec<&str> = seen.iter().filter_map(|event| event["step"].as_str()).collect();
    for step in ["read.crm", "decide", "write.cpq", "write.crm"] {
        assert!(steps.contains(&step), "{step} is missing in {steps:?}");
    }
    let (code, told) = lines.rest();
    assert_eq!((code, told.len()), (0, seen.len()));
    assert!(
        told[told.len() - 1].ends_with("OPP-4482      succeeded"),
        "{told:?}"
    );
    assert_eq!(other.rest(), (0, Vec::new()), "nothing of another opportunity");
}

#[test]
fn nothing_is_lost_or_doubled_when_the_service_is_restarted_or_killed() {
    let house = House::connected();
    let service = house.serve();
    let watch = Watch::start(&house, &["--json"]);
    // The stream has told of nothing yet: it begins where it stands all the same.
    service.end();
    watch.hears("the service does not answer");
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let service = house.serve();
    watch.hears("nothing was missed");
    let mut seen = watch.until_ends(1);
    sync(&service, "OPP-4482");
    seen.extend(watch.until_ends(1));
    service.kill();
    watch.hears("the service does not answer");
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let _service = house.serve();
    seen.extend(watch.until_ends(1));
    let (code, rest) = watch.interrupt();
    assert_eq!((code, rest.len()), (0, 0), "{rest:?}");
    let positions: Vec<i64> = seen
        .iter()
        .filter_map(|event| event["position"].as_i64())
        .collect();
    let all: Vec<i64> = (positions[0]..).take(seen.len()).collect();
    assert_eq!(positions, all);
    assert_eq!(
        (&seen[0]["kind"], &seen[0]["correlationId"]),
        (&json!("accepted"), &json!("csync-001"))
    );
    assert_eq!(seen[seen.len() - 1]["correlationId"], "csync-003");
}

#[test]
fn filters_leave_out_what_is_not_asked_for() {
    let house = House::connected();
    let service = house.serve();
    let ends = Watch::start(&house, &["--state", "succeeded", "--state", "dead", "--json"]);
    let nowhere = Watch::start(&house, &["--connection", "second", "--json"]);
    sync(&service, "OPP-4482");
    let by_own = Watch::start(&house, &["--correlation", "deal-desk-7", "--until-end", "--json"]);
    let (code, told) = by_own.rest();
    assert_eq!(code, 0, "it has ended already");
    assert!(told[0].contains(r#""status":"success""#), "{told:?}");
    assert_eq!(ends.event()["kind"], "succeeded");
    let dead = Watch::start(
        &house,
        &["--opportunity", "OPP-404", "--state", "dead", "--until-end"],
    );
    sync(&service, "OPP-404");
    let (code, told) = dead.rest();
    assert_eq!((code, told.len()), (1, 1), "{told:?}");
    assert_eq!(ends.event()["state"], "dead");
    assert_eq!(ends.interrupt(), (0, Vec::new()));
    assert_eq!(nowhere.interrupt(), (0, Vec::new()));
}

#[test]
fn without_a_service_it_says_how_to_start_one() {
    let house = House::seeded();
    let said = house.cpq(&["sync", "watch"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("no service runs") && said.err.contains("cpq serve"),
        "{said:?}"
    );
    let endless = house.cpq(&["sync", "watch", "--until-end"]);
    assert_eq!(endless.code, 1, "{endless:?}");
    assert!(endless.err.contains("--correlation"), "{endless:?}");
    let _service = house.serve();
    let unknown = house.cpq(&["--json", "sync", "watch", "--correlation", "csync-404"]);
    assert_eq!(unknown.json()["code"], "CORRELATION_NOT_FOUND", "{unknown:?}");
    let help = house.cpq(&["sync", "watch", "--help"]).ok().out;
    assert!(
        help.contains("sync:read") && help.contains("--until-idle"),
        "{help}"
    );
}
