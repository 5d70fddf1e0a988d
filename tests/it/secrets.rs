//! No secret reaches a file, an answer or a log.

use reqwest::Method;
use serde_json::json;

use crate::house::{House, said};

#[test]
fn tokens_and_secrets_are_in_no_file_and_in_no_output() {
    let house = House::connected();
    let info = house.control(Method::GET, "/sandbox/info", &json!(null));
    let mut loud = house.command(&["-vv", "--json", "sync", "run", "--opportunity", "OPP-4482"]);
    let mut outputs = vec![said(loud.env("RUST_LOG", "trace")).ok()];
    for command in [
        &["-vv", "--json", "auth", "status"][..],
        &["-vv", "auth", "refresh"],
        &["-vv", "--json", "sync", "status", "--correlation", "csync-001"],
    ] {
        outputs.push(house.cpq(command).ok());
    }
    let canaries = [
        info["clientSecret"].as_str().expect("a secret"),
        "00DSb0000000001!",
    ];
    for canary in canaries {
        for output in &outputs {
            assert!(
                !output.out.contains(canary) && !output.err.contains(canary),
                "{canary} was printed"
            );
        }
        for entry in std::fs::read_dir(house.state()).expect("the directory") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let bytes = std::fs::read(&path).expect("a file");
                let found = bytes
                    .windows(canary.len())
                    .any(|window| window == canary.as_bytes());
                assert!(!found, "{canary} is in {}", path.display());
            }
        }
    }
}

#[test]
fn key_store_and_token_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::connected();
    house.cpq(&["sync", "list"]).ok();
    for name in ["cpq.db", "sealing.key", "cli.token"] {
        let mode = std::fs::metadata(house.state().join(name))
            .expect(name)
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, 0o600, "{name} has mode {mode:o}");
    }
    let mode = std::fs::metadata(house.state())
        .expect("the directory")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o700, "the state directory has mode {mode:o}");
}
