//! What must not stay behind: marks of unfinished work, tests that never run, paths of one machine, forgotten files.

use crate::{rust, tree};

/// Marks of unfinished work, in code and comments. Written in halves, or this file would find itself.
const MARKS: &[&str] = &[
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("db", "g!"),
];

/// What opens an ignored test.
const IGNORE: &str = concat!("#[ig", "nore");

/// Ignored tests that do run, with what starts them: a file, and the words in it that do so.
const STARTED_OTHERWISE: &[(&str, &str, &str)] = &[
    // A parent test starts them as processes of their own.
    (
        "src/store/tests/engine/crash.rs",
        "src/store/tests/engine/crash.rs",
        "--ignored",
    ),
    // They need a running sandbox, and `./test` starts one for them.
    ("src/auth/tests/it/live.rs", "test", "--ignored live::"),
    // They need Prometheus, and `./test` unpacks it for them.
    (
        "tests/it/monitoring/prometheus.rs",
        "test",
        "--ignored with_prometheus_",
    ),
    // It takes minutes, and runs beside those.
    ("tests/it/many_lines.rs", "test", "--ignored live::"),
    // They need a PostgreSQL server, and `./test` starts one for them.
    (
        "src/store/tests/conformance/main.rs",
        "test",
        "--ignored on_a_server::",
    ),
    (
        "src/store/tests/conformance/copy.rs",
        "test",
        "--ignored on_a_server::",
    ),
    ("src/store/postgres/tests.rs", "test", "--ignored on_a_server::"),
    (
        "src/store/postgres/tests/walks.rs",
        "test",
        "--ignored on_a_server::",
    ),
    ("tests/it/handover.rs", "test", "--ignored on_a_server::"),
    ("tests/it/doctor/outside.rs", "test", "--ignored on_a_server::"),
    ("tests/it/nodes.rs", "test", "--ignored on_a_server::"),
    ("tests/it/copy.rs", "test", "--ignored on_a_server::"),
    ("tests/it/dead_letters.rs", "test", "--ignored on_a_server::"),
];

/// Folders that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Where a file that nobody added to the repository would be missed by everybody else.
const WATCHED: &[&str] = &["src", "sandbox", "tests", "migrations", "fixtures", "docs"];

/// Marks of unfinished work.
pub fn unfinished() -> Vec<String> {
    let mut found = Vec::new();
    for file in tree::files().iter().filter(|file| is_made_by_hand(&file.path)) {
        for (line, mark) in marks(&file.text) {
            let remedy = "Finish it, or open an issue and remove it";
            found.push(tree::offence(&file.path, line, &format!("`{mark}`"), remedy));
        }
    }
    found
}

/// Tests that nobody ever starts.
pub fn ignored() -> Vec<String> {
    let files = tree::files();
    let says = |path: &str, words: &str| {
        files
            .iter()
            .any(|file| file.path == path && file.text.contains(words))
    };
    let started = |file: &tree::File| {
        let mut known = STARTED_OTHERWISE.iter().filter(|(path, ..)| file.path == *path);
        known.any(|(_, starter, words)| says(starter, words))
    };
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !started(file)) {
        for (at, _) in file.text.match_indices(IGNORE) {
            let line = rust::line_of(&file.text, at);
            let remedy = "Make it run, or start it from ./test and say so in tests/tidy/leftovers.rs";
            found.push(tree::offence(&file.path, line, "a test that never runs", remedy));
        }
    }
    found
}

/// The marks of a text, with lines.
pub fn marks(text: &str) -> Vec<(usize, &'static str)> {
    let places = MARKS.iter().flat_map(|mark| {
        let found = rust::find_words(text, mark).into_iter();
        found.map(|at| (rust::line_of(text, at), *mark))
    });
    places.collect()
}

/// Paths of one machine, in any text of the repository.
pub fn machine_paths() -> Vec<String> {
    let mut found = Vec::new();
    for file in tree::files() {
        for path in MACHINE_PATHS {
            for (at, _) in file
                .text
                .match_indices(path)
                .filter(|(at, _)| begins_a_path(&file.text, *at))
            {
                let line = rust::line_of(&file.text, at);
                let remedy = "Name it from the repository's root, or let the user choose";
                found.push(tree::offence(
                    &file.path,
                    line,
                    &format!("`{path}` exists on one machine only"),
                    remedy,
                ));
            }
        }
    }
    found
}

/// Alone it is a path of a machine; after `https://example.com` it is a part of another.
fn begins_a_path(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back().unwrap_or(' ');
    !(before.is_alphanumeric() || "-_.~/:".contains(before))
}

/// Files that the repository does not know.
pub fn untracked() -> Vec<String> {
    if !tree::root().join(".git").exists() {
        return Vec::new();
    }
    let mut arguments = vec!["ls-files", "--others", "--exclude-standard", "--"];
    arguments.extend(WATCHED);
    let forgotten = tree::git(&arguments).into_iter();
    forgotten
        .map(|path| {
            tree::offence(
                &path,
                1,
                "the repository does not know this file",
                "`git add` it, or remove it",
            )
        })
        .collect()
}

fn is_made_by_hand(path: &str) -> bool {
    let kinds = [
        ".rs", ".toml", ".sql", ".sh", ".py", ".js", ".mjs", ".ts", ".yml", ".yaml", ".html", ".css",
    ];
    kinds.iter().any(|kind| path.ends_with(kind)) || path == "test" || path == ".ci/run"
}
