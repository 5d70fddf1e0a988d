//! Things that have one place: SQL, and what makes two equal runs differ.

use crate::{rust, tree};

/// Where SQL stands. Everybody else asks the store. One test forges a store of a later version, from outside; another
/// changes quotes behind the back of a service that is down, which is what a reconcile is there to find. A third makes a
/// store large, and asks a server what it is doing. A fourth forges the audit log.
const SQL_PLACES: &[&str] = &[
    "src/store/",
    "migrations/",
    "tests/it/audit.rs",
    "tests/it/bad_input.rs",
    "tests/it/copy.rs",
    "tests/it/reconcile.rs",
];

/// Where SOQL, the query language of Salesforce, is written or understood. It begins like SQL and is none.
const SOQL_PLACES: &[&str] = &[
    "src/adapters/salesforce/",
    "src/adapters/tests/",
    "src/cli/bench/sandbox.rs",
    "src/cli/suite/",
    "sandbox/",
    "tests/it/",
    "tests/pubsub/",
    "tests/interop/",
];

/// Where the clock and randomness may be asked: the two real worlds. Everybody else is given them.
const WORLDS: &[&str] = &["src/world.rs", "sandbox/clock.rs", "sandbox/oauth/random.rs"];

/// What asks for them. `tokio::time::Instant` is a timer's clock, follows paused time in tests, and is allowed.
const SOURCES_OF_CHANGE: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "Uuid::new_v4",
    "Uuid::now_v7",
    "now_v7",
    "rand::",
    "SystemRandom",
    "OsRng",
    "thread_rng",
    "getrandom",
    "fastrand",
];

/// SQL where it does not belong.
pub fn sql() -> Vec<String> {
    let mut found = Vec::new();
    let elsewhere =
        |file: &tree::File| !begins_with_any(&file.path, SQL_PLACES) && !file.path.starts_with("tests/tidy");
    for file in tree::rust_files().into_iter().filter(elsewhere) {
        for (line, literal) in rust::read(&file.text).literals {
            let soql = begins_with_any(&file.path, SOQL_PLACES) && !changes_rows(&literal);
            if looks_like_sql(&literal) && !soql {
                let what = format!(
                    "SQL outside the store: {:?}",
                    literal.chars().take(60).collect::<String>()
                );
                found.push(tree::offence(
                    &file.path,
                    line,
                    &what,
                    "Give the store an operation of that meaning",
                ));
            }
        }
    }
    found
}

/// Whether a text is a statement, or holds one.
pub fn looks_like_sql(literal: &str) -> bool {
    let words: Vec<&str> = literal.split_whitespace().collect();
    let starts = |word: &str| {
        words
            .first()
            .is_some_and(|first| first.eq_ignore_ascii_case(word))
    };
    let upper = |word: &str| words.contains(&word);
    let any = |word: &str| words.iter().any(|found| found.eq_ignore_ascii_case(word));
    changes_rows(literal)
        || upper("SELECT") && upper("FROM")
        || starts("select") && any("from") && any("where")
}

/// Statements that SOQL does not have.
fn changes_rows(literal: &str) -> bool {
    let words: Vec<String> = literal.split_whitespace().map(str::to_uppercase).collect();
    let shouted: Vec<&str> = literal.split_whitespace().collect();
    let pair = |first: &str, second: &str| shouted.windows(2).any(|pair| pair == [first, second]);
    let starts = |first: &str, second: &str| words.starts_with(&[first.to_owned(), second.to_owned()]);
    let update = shouted.iter().position(|word| *word == "UPDATE");
    pair("INSERT", "INTO")
        || pair("DELETE", "FROM")
        || starts("INSERT", "INTO")
        || starts("DELETE", "FROM")
        || update.is_some_and(|at| shouted[at..].contains(&"SET"))
}

/// Clock and randomness where they do not belong. Test code may use the real ones.
pub fn clock_and_randomness() -> Vec<String> {
    let mut found = Vec::new();
    let bound = |file: &tree::File| !WORLDS.contains(&file.path.as_str()) && !file.is_test();
    for file in tree::rust_files().into_iter().filter(bound) {
        for (line, what) in sources_of_change(&file.text) {
            let what = format!("`{what}` makes two equal runs differ");
            found.push(tree::offence(
                &file.path,
                line,
                &what,
                "Take it from the `World` (sandbox: from its clock)",
            ));
        }
    }
    found
}

/// What a text asks of the machine outside its test code, with lines.
pub fn sources_of_change(text: &str) -> Vec<(usize, &'static str)> {
    let code = rust::read(text).code;
    let tests = rust::test_lines(&code);
    let mut found = Vec::new();
    for source in SOURCES_OF_CHANGE {
        for at in rust::find_words(&code, source) {
            let line = rust::line_of(&code, at);
            let by_tokio =
                code[..at].ends_with("tokio::time::") || code.contains("use tokio::time::Instant;");
            let timer = *source == "Instant::now" && by_tokio;
            let already = found.iter().any(|(known, _)| *known == line);
            if !timer && !already && !tests[line - 1] {
                found.push((line, *source));
            }
        }
    }
    found
}

fn begins_with_any(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}
