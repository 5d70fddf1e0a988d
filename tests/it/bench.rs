//! What `cpq bench` leaves behind when somebody ends it in the middle: nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use crate::house::{House, until};

/// Files of this name in the folders of measurements.
fn told(temporary: &Path, name: &str) -> Vec<PathBuf> {
    let entries = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries(temporary)
        .flat_map(|bench| entries(&bench.path()).collect::<Vec<_>>())
        .map(|part| part.path().join(name))
        .filter(|file| file.exists())
        .collect()
}

fn pid(file: &Path) -> String {
    let told: Json = serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON");
    told["pid"].to_string()
}

fn lives(pid: &str) -> bool {
    let status = Command::new("kill")
        .args(["-0", pid])
        .stderr(Stdio::null())
        .status();
    status.expect("kill").success()
}

#[test]
fn one_that_is_ended_leaves_no_folder_and_no_process() {
    let house = House::empty();
    let temporary = house.path().join("temporary");
    std::fs::create_dir(&temporary).expect("a folder");
    // So many that it is in the middle when it is ended.
    let mut bench = house.command(&["bench", "webhooks", "--deliveries", "20000"]);
    bench
        .env("TMPDIR", &temporary)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let bench = bench.spawn().expect("cpq bench starts");
    let both = ["sandbox.json", "service.json"];
    let started = (0..1_200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        both.iter().all(|name| !told(&temporary, name).is_empty())
    });
    assert!(started, "no service is measured");
    let pids = both.map(|name| pid(&told(&temporary, name)[0]));
    assert!(pids.iter().all(|pid| lives(pid)), "{pids:?}");
    let sent = Command::new("kill").arg(bench.id().to_string()).status();
    assert!(sent.expect("kill").success());
    let ended = bench.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("nothing was measured"), "{said}");
    let left = std::fs::read_dir(&temporary).expect("a folder").flatten();
    assert_eq!(
        left.map(|entry| entry.path()).collect::<Vec<_>>(),
        Vec::<PathBuf>::new()
    );
    // A killed process is gone a moment later.
    let living = || pids.iter().filter(|pid| lives(pid)).count();
    until("the end of both", living, |living| *living == 0);
}
