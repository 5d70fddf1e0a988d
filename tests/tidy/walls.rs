//! The walls of the house: which room may use which room, and which crates it may take in.

use crate::tree;

/// A room: its folder, the rooms it may use, and the crates it may use.
struct Room {
    folder: &'static str,
    name: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
}

/// The plan. A new line in a room's `Cargo.toml` needs its word here: that is the moment to ask whether it belongs.
#[rustfmt::skip]
const PLAN: &[Room] = &[
    // Pure: values in, values out. No async runtime, no I/O.
    Room { folder: "src/domain", name: "cpq-domain", rooms: &[], crates: &[
        "async-trait", "jiff", "rust_decimal", "rust_iso3166", "secrecy", "serde", "serde_json", "thiserror", "toml",
        "utoipa", "uuid",
    ] },
    // Counts, and tells Prometheus. Every room may use it, so it takes nothing in.
    Room { folder: "src/meter", name: "cpq-meter", rooms: &[], crates: &[] },
    // Speaks OAuth and seals tokens; knows no record of any vendor and no SQL.
    Room { folder: "src/auth", name: "cpq-auth", rooms: &["cpq-domain", "cpq-meter"], crates: &[
        "async-trait", "aws-lc-rs", "base64", "jiff", "jsonwebtoken", "reqwest", "secrecy", "serde", "serde_json",
        "tokio", "tracing", "url", "zeroize",
    ] },
    // The memory: the only SQL. Calls nobody.
    Room { folder: "src/store", name: "cpq-store", rooms: &["cpq-domain", "cpq-meter"], crates: &[
        "async-trait", "aws-lc-rs", "bytes", "deadpool-postgres", "futures-util", "jiff", "rusqlite", "rustls", "rustls-native-certs",
        "serde", "serde_json", "tokio", "tokio-postgres", "tokio-postgres-rustls", "tracing", "uuid",
    ] },
    // The hands: speak to vendors. Cannot remember, cannot enqueue.
    Room { folder: "src/adapters", name: "cpq-adapters", rooms: &["cpq-domain", "cpq-auth", "cpq-meter"], crates: &[
        "apache-avro", "async-trait", "base64", "futures-util", "http", "hyper-util", "jiff", "prost", "reqwest",
        "rhai", "rust_decimal", "secrecy", "serde", "serde_json", "tokio", "tokio-util", "toml", "tonic", "tonic-prost",
        "tower-service", "tracing", "url",
    ] },
    // A CPQ of our own behind the same trait as a foreign one. Knows no vendor and no HTTP.
    Room { folder: "src/quoting", name: "cpq-quoting", rooms: &["cpq-domain", "cpq-store"], crates: &[
        "async-trait", "aws-lc-rs", "jiff", "rust_decimal", "serde", "serde_json", "tokio",
    ] },
    // The will: knows traits, no vendor, no HTTP.
    Room { folder: "src/orchestrator", name: "cpq-orchestrator", rooms: &["cpq-domain", "cpq-meter", "cpq-store"], crates: &[
        "async-trait", "aws-lc-rs", "futures-util", "jiff", "rust_decimal", "serde", "serde_json", "tokio",
        "tokio-util", "tracing",
    ] },
    // People and hooks. A request never calls a CRM: it submits a run.
    Room { folder: "src/api", name: "cpq-api", rooms: &["cpq-domain", "cpq-meter", "cpq-store", "cpq-orchestrator", "cpq-auth"],
        crates: &[
        "async-trait", "aws-lc-rs", "axum", "base64", "futures-util", "governor", "http", "hyper", "hyper-util", "jiff",
        "roxmltree", "rust_decimal", "rustls", "secrecy", "serde", "serde_json",
        "serde_path_to_error", "tokio", "tokio-rustls",
        "tokio-util", "tower", "tower-http", "tower-service", "tracing", "url", "utoipa", "utoipa-axum", "uuid",
    ] },
    // Pages for people: one more client of the API. Knows no store and no engine.
    Room { folder: "src/dashboard", name: "cpq-dashboard", rooms: &["cpq-domain", "cpq-api"], crates: &[
        "askama", "axum", "http", "jiff", "secrecy", "serde", "serde_json", "tower", "tracing", "url",
    ] },
    // Across the street: nothing of ours, or one misreading of Salesforce would pass every test.
    Room { folder: "sandbox", name: "sandbox", rooms: &[], crates: &[
        "apache-avro", "aws-lc-rs", "axum", "base64", "csv", "futures-util", "http", "hyper", "hyper-util", "jiff",
        "jsonwebtoken", "prost", "rcgen", "reqwest", "roxmltree", "rust_decimal", "rustls", "serde", "serde_json",
        "thiserror", "tokio", "tokio-rustls", "tokio-util", "tonic", "tonic-prost", "tower", "tower-http", "tracing",
        "url",
    ] },
];

/// A dependency as a manifest names it.
#[derive(Debug, PartialEq)]
pub struct Dependency {
    pub name: String,
    pub line: usize,
    /// For tests only.
    pub dev: bool,
}

/// Every dependency that goes through a wall.
pub fn offences() -> Vec<String> {
    let mut found = Vec::new();
    for room in PLAN {
        let path = format!("{}/Cargo.toml", room.folder);
        let manifest = std::fs::read_to_string(tree::root().join(&path)).unwrap_or_default();
        if !manifest.contains(&format!("name = \"{}\"", room.name)) {
            found.push(tree::offence(
                &path,
                1,
                "the room of the plan is not here",
                "Change the plan in tests/tidy",
            ));
        }
        for dependency in dependencies(&manifest) {
            let refused = match is_room(&dependency.name) {
                true => !room.rooms.contains(&dependency.name.as_str()),
                false => !dependency.dev && !room.crates.contains(&dependency.name.as_str()),
            };
            if refused {
                let what = format!("{} may not use {}", room.name, dependency.name);
                let remedy =
                    "Move the code to a room that may, or argue for it in ARCHITECTURE.md and tests/tidy";
                found.push(tree::offence(&path, dependency.line, &what, remedy));
            }
        }
    }
    found
}

/// Crates of the workspace that the plan does not know.
pub fn strangers() -> Vec<String> {
    let known = |path: &str| {
        PLAN.iter()
            .any(|room| path == format!("{}/Cargo.toml", room.folder))
    };
    let files = tree::files();
    let manifests = files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    let outside =
        |path: &str| path == "Cargo.toml" || path.starts_with("fuzz/") || path.starts_with("tests/");
    manifests
        .filter(|file| !outside(&file.path) && !known(&file.path))
        .map(|file| {
            tree::offence(
                &file.path,
                1,
                "a room without walls",
                "Give it a line in the plan of tests/tidy",
            )
        })
        .collect()
}

/// The folders whose `lib.rs` is the front of a room.
pub fn folders() -> impl Iterator<Item = &'static str> {
    PLAN.iter().map(|room| room.folder)
}

fn is_room(name: &str) -> bool {
    name == "cpq" || PLAN.iter().any(|room| room.name == name)
}

/// The dependencies of a manifest: `name.workspace = true`, `name = …` and `[dependencies.name]`.
pub fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut kind = None;
    for (number, text) in manifest.lines().enumerate() {
        let text = text.split('#').next().unwrap_or_default().trim();
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let (dev, name) = match section(header) {
                Some(section) => section,
                None => {
                    kind = None;
                    continue;
                }
            };
            kind = name.is_empty().then_some(dev);
            let name = name.to_owned();
            found.extend((!name.is_empty()).then_some(Dependency {
                name,
                line: number + 1,
                dev,
            }));
        } else if let (Some(dev), Some((key, _))) = (kind, text.split_once('=')) {
            let name = key
                .split('.')
                .next()
                .unwrap_or_default()
                .trim()
                .trim_matches('"')
                .to_owned();
            found.push(Dependency {
                name,
                line: number + 1,
                dev,
            });
        }
    }
    found
}

/// Whether a header opens dependencies: for tests only or not, and the one crate that it is about, if any.
fn section(header: &str) -> Option<(bool, &str)> {
    let header = match header.starts_with("target.") {
        true => &header[header.rfind("'.").or(header.rfind("\".")).map_or(0, |at| at + 2)..],
        false => header,
    };
    [
        ("dependencies", false),
        ("build-dependencies", false),
        ("dev-dependencies", true),
    ]
    .into_iter()
    .find_map(|(name, dev)| match header.strip_prefix(name)? {
        "" => Some((dev, "")),
        rest => rest.strip_prefix('.').map(|one| (dev, one)),
    })
}
