//! Pages that must exist: one for every error code, and a front page for every crate.

use crate::{rust, tree, walls};

/// Where the closed list of codes is.
const CODES: &str = "src/domain/error/code.rs";
/// Where their pages are.
const FOLDER: &str = "docs/errors/";
/// What a person who hit the error wants to know, in this order.
const HEADINGS: &[&str] = &["## What it means", "## What to do", "## Was anything written?"];

/// Codes without a page, pages without a code, pages without an answer.
pub fn errors() -> Vec<String> {
    let files = tree::files();
    let list = files
        .iter()
        .find(|file| file.path == CODES)
        .expect("the list of codes is there");
    let codes = codes(&list.text);
    assert!(
        codes.len() > 20,
        "the list of codes was not understood: {codes:?}"
    );
    let mut found = Vec::new();
    for (line, code) in &codes {
        let path = format!("{FOLDER}{code}.md");
        match files.iter().find(|file| file.path == path) {
            Some(page) => {
                found.extend(missing_answers(&path, code, &page.text));
                found.extend(wrong_status(&path, list.text.lines().nth(line - 1), &page.text));
            }
            None => found.push(tree::offence(
                CODES,
                *line,
                &format!("{code} has no page"),
                &format!("Write {path}"),
            )),
        }
    }
    let pages = files
        .iter()
        .filter_map(|file| file.path.strip_prefix(FOLDER)?.strip_suffix(".md"));
    let index = files
        .iter()
        .find(|file| file.path == format!("{FOLDER}README.md"));
    let index = index.map(|file| file.text.as_str()).unwrap_or_default();
    let unlisted = codes
        .iter()
        .filter(|(_, code)| !index.contains(&format!("({code}.md)")));
    found.extend(unlisted.map(|(_, code)| {
        tree::offence(
            &format!("{FOLDER}README.md"),
            1,
            &format!("{code} is not listed"),
            "Add its row",
        )
    }));
    let orphans = pages.filter(|page| *page != "README" && !codes.iter().any(|(_, code)| code == page));
    found.extend(orphans.map(|page| {
        tree::offence(
            &format!("{FOLDER}{page}.md"),
            1,
            "no code of that name",
            "Remove the page or correct its name",
        )
    }));
    found
}

/// The row of the list says `"CODE", Class, 424, …`, and the page must say `HTTP 424`.
fn wrong_status(path: &str, row: Option<&str>, page: &str) -> Option<String> {
    let status = row?.split(", ").nth(2)?;
    let told = page.contains(&format!("\nHTTP {status} "));
    let what = format!("the page does not say that the API answers {status}");
    (!told).then(|| {
        tree::offence(
            path,
            3,
            &what,
            &format!("Write `HTTP {status} ·` below the title"),
        )
    })
}

/// The codes on the wire with their lines: `Variant = "CODE", Class, …`.
pub fn codes(text: &str) -> Vec<(usize, String)> {
    let literals = rust::read(text).literals.into_iter();
    let shouts = |word: &str| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    literals.filter(|(_, literal)| shouts(literal)).collect()
}

fn missing_answers(path: &str, code: &str, page: &str) -> Vec<String> {
    let mut found = Vec::new();
    if page.lines().next() != Some(&format!("# {code}")) {
        found.push(tree::offence(
            path,
            1,
            "the title is not the code",
            &format!("Begin with `# {code}`"),
        ));
    }
    let mut from = 0;
    for heading in HEADINGS {
        let place = page[from..].find(&format!("\n{heading}\n"));
        let body = place.map(|at| page[from + at + heading.len() + 2..].trim_start());
        if body.is_none_or(|body| body.is_empty() || body.starts_with('#')) {
            let remedy = "Answer it, in the order of tests/tidy/pages.rs";
            found.push(tree::offence(
                path,
                1,
                &format!("no answer under `{heading}`"),
                remedy,
            ));
        }
        from += place.unwrap_or(0);
    }
    found
}

/// Crates whose front says nothing.
pub fn fronts() -> Vec<String> {
    let mut fronts: Vec<String> = walls::folders()
        .map(|folder| format!("{folder}/lib.rs"))
        .collect();
    fronts.extend(["src/main.rs".to_owned(), "sandbox/main.rs".to_owned()]);
    let text = |path: &String| std::fs::read_to_string(tree::root().join(path)).unwrap_or_default();
    let silent = fronts.iter().filter(|path| !text(path).starts_with("//! "));
    silent
        .map(|path| {
            tree::offence(
                path,
                1,
                "the crate does not say what it is",
                "Begin with a `//!` sentence",
            )
        })
        .collect()
}
