//! What SECURITY.md and the checklist claim: that the tests and files they name exist, and that no requirement is left out.

use std::collections::BTreeMap;

use crate::tree::{self, File};

/// Pages that name tests as proof.
const PAGES: &[&str] = &["SECURITY.md", CHECKLIST];
/// OWASP ASVS 5.0.0, requirement by requirement.
const CHECKLIST: &str = "docs/asvs.md";
/// Chapters of that standard: how many requirements of levels 1 and 2 each section has. They are numbered from 1, and those
/// of level 3 come behind them.
const SECTIONS: &[(u32, &[u32])] = &[
    (1, &[2, 9, 11, 3, 2]),
    (2, &[3, 3, 4, 1]),
    (3, &[0, 2, 4, 6, 5, 0, 2]),
    (4, &[3, 1, 2, 4]),
    (5, &[1, 3, 2, 3]),
    (6, &[3, 12, 4, 4, 5, 3, 0, 4]),
    (7, &[3, 4, 2, 5, 2, 2]),
    (8, &[2, 3, 1, 1]),
    (9, &[3, 4]),
    (10, &[2, 2, 4, 11, 5, 2, 3]),
    (11, &[2, 3, 3, 4, 1, 1, 0]),
    (12, &[3, 2, 4]),
    (13, &[1, 5, 2, 5]),
    (14, &[2, 4, 3]),
    (15, &[3, 3, 7, 0]),
    (16, &[1, 5, 4, 3, 3]),
    (17, &[1, 4, 2]),
];
/// How a line of the checklist ends up.
const STATES: &[&str] = &["met", "built", "yours", "gap"];

/// Tests and files that a page names and that are not there.
pub fn untrue() -> Vec<String> {
    let files = tree::files();
    let mut found = Vec::new();
    for path in PAGES {
        let page = files.iter().find(|file| file.path == *path);
        let page = page.unwrap_or_else(|| panic!("{path} is there"));
        let named = names(&page.text);
        assert!(named.len() > 50, "the names in {path} were not understood");
        for (line, name) in named {
            if let Some(what) = missing(&files, name) {
                let remedy = "Name what shows it now, or tell the gap";
                found.push(tree::offence(path, line, &what, remedy));
            }
        }
    }
    found
}

/// Requirements that the checklist leaves out, has twice, or calls met without a test that shows it.
pub fn unchecked() -> Vec<String> {
    let files = tree::files();
    let page = files.iter().find(|file| file.path == CHECKLIST);
    checked(&page.expect("the checklist is there").text)
}

/// The same, of a text.
pub fn checked(text: &str) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut found = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        for id in ids(row) {
            *seen.entry(id).or_insert(0) += 1;
        }
        if let Some(what) = groundless(row) {
            found.push(tree::offence(
                CHECKLIST,
                line,
                what,
                "Name the test, or another state",
            ));
        }
    }
    let told =
        |what: String| tree::offence(CHECKLIST, 1, &what, "Each id of both levels is to be there once");
    for id in all() {
        match seen.remove(&id) {
            Some(1) => {}
            Some(times) => found.push(told(format!("{id} is there {times} times"))),
            None => found.push(told(format!("{id} is left out"))),
        }
    }
    found.extend(
        seen.keys()
            .map(|id| told(format!("{id} is no id of level 1 or 2"))),
    );
    found
}

/// What a line of a table claims without ground.
fn groundless(row: &str) -> Option<&'static str> {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, id, _, _, state, how, ..] = cells[..] else {
        return None;
    };
    if ids(row).is_empty() || id.is_empty() {
        return None;
    }
    let proved = how.contains("::");
    match state {
        "met" if !proved => Some("it is called met, and no test shows it"),
        "gap" if !how.contains("Gap: ") => Some("the gap is not told"),
        _ if how.is_empty() => Some("there is no answer"),
        _ if !STATES.contains(&state) => Some("there is no such state"),
        _ => None,
    }
}

/// The ids that a line is about: the first cell of a table, or a list of what does not apply, up to its colon.
fn ids(row: &str) -> Vec<String> {
    let about = match (row.strip_prefix("| "), row.strip_prefix("- ")) {
        (Some(rest), _) => rest.split('|').next(),
        (_, Some(rest)) => rest.split(':').next(),
        _ => None,
    };
    let words = about.unwrap_or_default().split(',').map(str::trim);
    let is_id = |word: &&str| {
        let parts = word
            .strip_prefix('V')
            .map(|rest| rest.split('.').map(str::parse::<u32>));
        parts.is_some_and(|mut parts| parts.all(|part| part.is_ok()))
    };
    words.filter(is_id).map(str::to_owned).collect()
}

fn all() -> Vec<String> {
    let of = |chapter: u32, sections: &[u32]| {
        let numbered: Vec<_> = (1..).zip(sections.iter().copied()).collect();
        numbered
            .into_iter()
            .flat_map(move |(section, count)| (1..=count).map(move |n| format!("V{chapter}.{section}.{n}")))
    };
    let chapters = SECTIONS.iter();
    chapters
        .flat_map(|(chapter, sections)| of(*chapter, sections))
        .collect()
}

/// What a page names in backquotes as a file of ours, or as a test of one, with lines.
pub fn names(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let quoted = row.split('`').skip(1).step_by(2);
        let ours = |name: &&str| {
            ["src/", "tests/", "docs/", "ops/", ".ci/"]
                .iter()
                .any(|room| name.starts_with(room))
        };
        found.extend(quoted.filter(ours).map(|name| (line, name)));
    }
    found
}

fn missing(files: &[File], name: &str) -> Option<String> {
    let (path, test) = match name.split_once("::") {
        Some((path, test)) => (path, Some(test)),
        None => (name, None),
    };
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return Some(format!("there is no file {path}"));
    };
    let test = test?;
    let there = match path.ends_with(".mjs") {
        true => file.text.contains(&format!(".check(\"{test}\"")),
        false => is_test(&file.text, test),
    };
    (!there).then(|| format!("{path} has no test {test}"))
}

/// Whether a function of this name stands under a mark of a test, or of a property that is tried.
pub fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begins = |line: &str| {
        let rest = line.strip_prefix("async ").unwrap_or(line);
        let rest = rest.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with('('))
    };
    let marked = |at: usize| {
        let above = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        above
            .into_iter()
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    (0..lines.len()).any(|at| begins(lines[at]) && marked(at))
}
