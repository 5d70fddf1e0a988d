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

/// Ignored tests that do run: their parent test starts them as a process of its own.
const STARTED_BY_A_TEST: &[&str] = &["src/store/tests/engine/crash.rs"];

/// Folders that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Where a file that nobody added to the repository would be missed by everybody else.
const WATCHED: &[&str] = &["src", "sandbox", "tests", "migrations", "fixtures", "docs"];

/// Marks and ignored tests.
pub fn unfinished() -> Vec<String> {
    let mut found = Vec::new();
    for file in tree::files().iter().filter(|file| is_made_by_hand(&file.path)) {
        for (line, mark) in marks(&file.text) {
            found.push(tree::offence(
                &file.path,
                line,
                &format!("`{mark}`"),
                "Finish it, or open an issue and remove it",
            ));
        }
        let exempt = STARTED_BY_A_TEST.contains(&file.path.as_str());
        for at in file
            .text
            .match_indices(IGNORE)
            .map(|(at, _)| at)
            .filter(|_| !exempt)
        {
            let line = rust::line_of(&file.text, at);
            found.push(tree::offence(
                &file.path,
                line,
                "a test that never runs",
                "Make it run, or remove it",
            ));
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
