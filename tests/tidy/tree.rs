//! The files of the repository, and how an offence is told.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One file of the repository.
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// Its text; empty for files that are not text.
    pub text: String,
}

impl File {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of it is test code: it lies in a `tests` folder, or is the out-of-line `tests` module of a file.
    pub fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that is tracked or about to be, in order of path. Ignored files are not looked at.
pub fn files() -> Vec<File> {
    let mut paths = match root().join(".git").exists() {
        true => git(&["ls-files", "--cached", "--others", "--exclude-standard"]),
        false => walk(),
    };
    paths.sort();
    paths.dedup();
    let present = paths.into_iter().filter(|path| root().join(path).is_file());
    present
        .map(|path| {
            let text = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
            File { path, text }
        })
        .collect()
}

/// The Rust files that people write: what a tool made has no style of ours.
pub fn rust_files() -> Vec<File> {
    let written = |file: &File| file.is_rust() && !file.path.contains("/generated/");
    files().into_iter().filter(written).collect()
}

/// Lines that `git` prints, one path each.
pub fn git(arguments: &[&str]) -> Vec<String> {
    let ran = Command::new("git").args(arguments).current_dir(root()).output();
    let output = ran.expect("the repository was cloned with git, so git is here");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {arguments:?} failed: {told}");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    listed.lines().map(str::to_owned).collect()
}

/// Every file below the root, for a source archive without history.
fn walk() -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root()];
    while let Some(folder) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of ours can be read");
        for path in entries.map(|entry| entry.expect("an entry can be read").path()) {
            match path.is_dir() {
                true if is_built(&path) => {}
                true => waiting.push(path),
                false => found.push(from_root(&path)),
            }
        }
    }
    found
}

fn is_built(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    ["target", "node_modules", ".venv", ".cpq"].contains(&name.as_str())
}

fn from_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("it was found below the root");
    path.to_string_lossy().replace('\\', "/")
}

/// One line per offence: where, what, what to do.
pub fn offence(path: &str, line: usize, what: &str, remedy: &str) -> String {
    format!("{path}:{line}: {what}. {remedy}")
}

/// Fails with every offence, not only the first.
pub fn none(rule: &str, offences: Vec<String>) {
    let count = offences.len();
    assert!(
        count == 0,
        "{rule}: {count} offence(s)\n{}\n",
        offences.join("\n")
    );
}
