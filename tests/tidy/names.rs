//! Names that say nothing, for rooms, files and modules.

use crate::{rust, tree};

/// A room of such a name takes in everything and means nothing.
const EMPTY_NAMES: &[&str] = &[
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "shared",
    "core",
    "manager",
    "processor",
];

/// Folders and files with an empty name, in the whole repository, and modules in the Rust files.
pub fn offences() -> Vec<String> {
    let mut found = Vec::new();
    for file in tree::files() {
        for name in file.path.split('/').filter(|part| is_empty_name(stem(part))) {
            found.push(offence(&file.path, 1, name));
        }
        if file.is_rust() {
            let modules = modules(&file.text).into_iter();
            found.extend(modules.map(|(line, name)| offence(&file.path, line, &name)));
        }
    }
    found
}

/// Modules with an empty name, with their lines.
pub fn modules(text: &str) -> Vec<(usize, String)> {
    let code = rust::read(text).code;
    let words = rust::words(&code);
    let pairs = words
        .windows(2)
        .filter(|pair| pair[0].1 == "mod" && is_empty_name(pair[1].1));
    pairs
        .map(|pair| (rust::line_of(&code, pair[0].0), pair[1].1.to_owned()))
        .collect()
}

fn is_empty_name(name: &str) -> bool {
    EMPTY_NAMES.contains(&name.to_lowercase().as_str())
}

fn stem(part: &str) -> &str {
    part.split('.').next().unwrap_or(part)
}

fn offence(path: &str, line: usize, name: &str) -> String {
    let what = format!("`{name}` says nothing about what is inside");
    tree::offence(
        path,
        line,
        &what,
        "Name it after what it does, in the words of the field",
    )
}
