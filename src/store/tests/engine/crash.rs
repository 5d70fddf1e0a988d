//! Processes that die, and processes that share a file.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{count, counted, open};

/// Names the file that a child process works on.
const FILE: &str = "CPQ_STORE_TEST_FILE";

/// Starts this test program again, for one of the children below.
fn child(name: &str, path: &Path) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process")
}

fn given() -> PathBuf {
    std::env::var_os(FILE).expect("started by another test").into()
}

/// Counts for ever from several tasks, and says each number once it is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child process of another test"]
async fn counts_until_killed() {
    let store = open(&given()).await;
    let tasks = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                let number = count(&store).await.expect("counted");
                writeln!(std::io::stdout(), "acknowledged {number}").expect("heard");
            }
        })
    });
    futures_util::future::join_all(tasks.collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    let mut newest = 0;
    for round in 1..=5 {
        let mut child = child("crash::counts_until_killed", &path);
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut heard = 0;
        while heard < 40 * round {
            let line = lines.next().expect("it goes on").expect("it is text");
            if let Some((_, number)) = line.split_once("acknowledged ") {
                newest = newest.max(number.trim().parse().expect("a number"));
                heard += 1;
            }
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        let store = open(&path).await;
        let kept = counted(&store).await;
        assert!(kept >= newest, "acknowledged up to {newest}, kept up to {kept}");
        newest = kept;
        let raw = rusqlite::Connection::open(&path).expect("opens");
        let check: String = raw
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("checked");
        assert_eq!(check, "ok");
    }
}

/// Opens a store that others open too, and counts to fifty.
#[tokio::test]
#[ignore = "a child process of another test"]
async fn counts_to_fifty() {
    let store = open(&given()).await;
    for _ in 0..50 {
        count(&store).await.expect("counted");
    }
}

#[tokio::test]
async fn several_processes_start_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cpq.db");
    let children: Vec<Child> = (0..4).map(|_| child("crash::counts_to_fifty", &path)).collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    assert_eq!(counted(&open(&path).await).await, 200);
}
