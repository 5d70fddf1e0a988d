//! Commands that a text names: each must be there, or a person who follows it at three in the morning is lost.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::Cli;

/// Where texts for people are.
const PLACES: [&str; 8] = [
    "src",
    "docs",
    "ops",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "cpq.default.toml",
];

fn texts(place: &Path, found: &mut Vec<PathBuf>) {
    if place.is_dir() {
        for entry in std::fs::read_dir(place).expect("a folder") {
            texts(&entry.expect("an entry").path(), found);
        }
        return;
    }
    let ending = place.extension().and_then(|ending| ending.to_str());
    if matches!(ending, Some("rs" | "md" | "html" | "toml" | "yml" | "json")) {
        found.push(place.to_owned());
    }
}

/// What stands behind `cpq` in backticks, in a `code` element, or at the beginning of a line of a shell.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text
        .split(['`', '>'])
        .filter_map(|part| part.strip_prefix("cpq "));
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("$ cpq ").or_else(|| line.strip_prefix("cpq "))
    });
    quoted.chain(lines)
}

/// The first word that is no command where one is wanted, or the first option that the command does not have.
fn wrong(named: &str) -> Option<&str> {
    let root = Cli::command();
    let mut command = &root;
    let line = named
        .split(['\n', '<', '#', '|', ';', '&', '"', '('])
        .next()
        .unwrap_or_default();
    for word in line.split_whitespace() {
        let plain = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        if let Some(option) = word.strip_prefix("--") {
            let end = option.find(|c: char| !c.is_ascii_lowercase() && c != '-');
            let option = &option[..end.unwrap_or(option.len())];
            let has = |of: &clap::Command| of.get_arguments().any(|one| one.get_long() == Some(option));
            if !option.is_empty() && !["help", "version"].contains(&option) && !has(command) && !has(&root) {
                return Some(word);
            }
        } else if command.has_subcommands() && !word.starts_with('-') {
            if !plain || word == "help" {
                return None;
            }
            match command.find_subcommand(word) {
                Some(found) => command = found,
                None => return Some(word),
            }
        }
    }
    None
}

#[test]
fn every_command_that_a_text_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    PLACES
        .iter()
        .for_each(|place| texts(&root.join(place), &mut files));
    let mut offences = Vec::new();
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a text");
        for named in named(&text) {
            seen += 1;
            if let Some(word) = wrong(named) {
                let line = named.lines().next().unwrap_or_default();
                offences.push(format!(
                    "{}: `cpq {line:.60}`: there is no {word}",
                    file.display()
                ));
            }
        }
    }
    assert!(seen > 300, "{seen}");
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn a_slip_is_seen() {
    for (named, slip) in [
        ("dlq groups", Some("groups")),
        ("dlq group --cause X", Some("--cause")),
        ("sync run --oportunity OPP-1", Some("--oportunity")),
        ("sync run --opportunity OPP-1 --json", None),
        ("conflicts resolve ID --take crm|cpq", None),
        ("sync …", None),
    ] {
        assert_eq!(wrong(named), slip, "{named}");
    }
}
