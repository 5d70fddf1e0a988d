//! How a sandbox ends: with all that it holds in its state directory, and nothing that still writes there.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::house::House;

/// An account that was made so late that no periodic snapshot has it.
fn late(house: &House) {
    house.crm(
        reqwest::Method::POST,
        "sobjects/Account",
        &json!({"Name": "Last words"}),
    );
}

fn snapshot(house: &House) -> String {
    std::fs::read_to_string(house.state().join("sandbox/sandbox.snapshot.json")).unwrap_or_default()
}

fn sandbox_file(house: &House) -> std::path::PathBuf {
    house.state().join("sandbox.json")
}

#[test]
fn stop_returns_once_everything_is_written_down() {
    let house = House::seeded();
    late(&house);
    house.cpq(&["sandbox", "stop"]).ok();
    let then = snapshot(&house);
    assert!(then.contains("Last words"), "the last snapshot is not there yet");
    assert!(!sandbox_file(&house).exists());
    std::fs::remove_dir_all(house.state().join("sandbox")).expect("nobody writes there any more");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!house.state().join("sandbox").exists());
}

#[test]
fn one_that_is_interrupted_or_terminated_writes_down_what_it_holds() {
    for signal in ["-INT", "-TERM"] {
        let house = House::seeded();
        let listening: Json =
            serde_json::from_str(&std::fs::read_to_string(sandbox_file(&house)).expect("a file"))
                .expect("JSON");
        late(&house);
        let sent = Command::new("kill")
            .args([signal, &listening["pid"].to_string()])
            .status();
        assert!(sent.expect("kill").success());
        let gone = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            !sandbox_file(&house).exists()
        });
        assert!(gone, "{signal}: it does not end");
        assert!(snapshot(&house).contains("Last words"), "{signal}");
    }
}

#[test]
fn one_that_is_tied_to_whoever_started_it_ends_with_them() {
    let house = House::empty();
    let free = "127.0.0.1:0";
    let listen = ["--listen", free, "--tls-listen", free, "--pubsub-listen", free];
    let mut sandbox = house
        .command(&[&["sandbox", "--until-stdin-ends"], &listen[..]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a sandbox");
    let mut within = |tries: u32, what: &dyn Fn(&mut Child) -> bool| {
        (0..tries).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            what(&mut sandbox)
        })
    };
    assert!(
        within(200, &|_| sandbox_file(&house).exists()),
        "it does not start"
    );
    let goes_on = |sandbox: &mut Child| sandbox.try_wait().expect("its status").is_none();
    assert!(
        !within(10, &|sandbox| !goes_on(sandbox)),
        "it ends before its starter"
    );
    let ends = |sandbox: &mut Child| {
        drop(sandbox.stdin.take());
        !goes_on(sandbox)
    };
    assert!(within(200, &ends), "it outlives its starter");
    assert!(!sandbox_file(&house).exists());
}
