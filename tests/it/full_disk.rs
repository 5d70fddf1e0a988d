//! A disk without space under the real service: writes are refused clearly, reads go on, and once there is space again
//! everything does, without a restart.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, until};

/// Size of the disk in KiB. The store takes a part of it, and ballast the rest.
const DISK_KIB: usize = 6 * 1024;
const PATH: &str = "/api/v1/sync/opportunities/OPP-4482";

/// A service whose state directory is a small disk of its own, which only its process sees.
struct Small {
    house: House,
    service: Service,
    /// The disk, as it is seen from here.
    disk: PathBuf,
}

impl Small {
    fn new() -> Option<Small> {
        let mut command = own_mounts()?;
        let house = House::connected();
        let token = house.token();
        std::fs::create_dir(house.path().join("small")).expect("a directory");
        let script = format!(
            "mount -t tmpfs -o size={DISK_KIB}k,mode=700 none small && cp -a .cpq/. small/ && \
             exec {} --state-dir small serve --listen 127.0.0.1:0 --changes off",
            env!("CARGO_BIN_EXE_cpq")
        );
        command.args(["sh", "-c", &script]);
        command
            .current_dir(house.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let service = Service::of(command, || token);
        let seen = house
            .path()
            .strip_prefix("/")
            .expect("an absolute path")
            .join("small");
        let disk = PathBuf::from(format!("/proc/{}/root", service.pid())).join(seen);
        Some(Small { house, service, disk })
    }

    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).expect("a file");
        while ballast.write_all(&[1; 4096]).is_ok() {}
    }

    fn ballast(&self) -> PathBuf {
        self.disk.join("ballast")
    }

    /// Asks for a sync with this key and waits for its end.
    fn sync(&self, key: &str) -> (u16, Json) {
        let headers = [("prefer", "wait=5"), ("idempotency-key", key)];
        self.service.json(Method::POST, PATH, &headers, &json!({}))
    }

    fn quotes(&self) -> usize {
        let (status, told) = self
            .service
            .json(Method::GET, "/api/v1/quotes", &[], &json!(null));
        assert_eq!(status, 200, "{told}");
        told["quotes"].as_array().expect("quotes").len()
    }

    /// Asks with keys of their own until one is refused, for the file of the log may have some space left in it; the key.
    fn refused(&self) -> (String, Json) {
        for n in 0..500 {
            let key = format!("full-{n}");
            let (status, told) = self.sync(&key);
            if status == 503 {
                return (key, told);
            }
            assert!([200, 202].contains(&status), "{status} {told}");
        }
        panic!("the disk is full, and everything can be written");
    }
}

/// Runs a command whose mounts only it sees: as root, or as somebody who is root in a name space of their own.
fn own_mounts() -> Option<Command> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    ways.into_iter().find_map(|way| {
        let mut command = Command::new("unshare");
        command.args(way);
        let mut probe = Command::new("unshare");
        probe.args(way).args(["sh", "-c", "mount -t tmpfs none /mnt"]);
        let allowed = probe
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        allowed.then_some(command)
    })
}

#[test]
fn writes_are_refused_clearly_and_go_on_once_there_is_space() {
    let Some(small) = Small::new() else {
        // As in most containers. What the store does is tried by its own test, which limits the file instead of the disk.
        println!("nobody may mount a small disk here, so none is filled");
        return;
    };
    assert_eq!(small.sync("before").0, 200);
    small.fill();
    let (key, told) = small.refused();
    assert_eq!(
        (&told["code"], &told["details"]["written"]),
        (&json!("STORE_UNAVAILABLE"), &json!("no")),
        "{told}"
    );
    let message = told["message"].as_str().expect("a message");
    assert!(message.contains("full"), "{message}");
    assert_eq!(small.quotes(), 1, "readers go on");
    std::fs::remove_file(small.ballast()).expect("space again");
    let (status, told) = small.sync(&key);
    assert_eq!((status, &told["quoteId"]), (200, &json!("Q-2026-0137")), "{told}");
    assert_eq!(small.quotes(), 1);
    let list = || {
        small
            .service
            .json(Method::GET, "/api/v1/sync?limit=200", &[], &json!(null))
            .1
    };
    until("the end of every sync", list, |list| {
        let runs = list["syncs"].as_array().expect("syncs");
        runs.iter().all(|run| run["status"] == "success")
    });
    small.proves_sound();
}

impl Small {
    /// Nothing is damaged: proved on what the killed service left behind.
    fn proves_sound(self) {
        let kept = self.house.path().join("kept");
        let copied = Command::new("cp").arg("-a").arg(&self.disk).arg(&kept).status();
        assert!(copied.expect("copied").success());
        let kept = kept.display().to_string();
        let said = self
            .house
            .cpq(&["--json", "--state-dir", &kept, "store", "check"])
            .ok();
        assert_eq!(said.json()["ok"], true, "{said:?}");
    }
}
