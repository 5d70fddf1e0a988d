//! What is there for those who watch: the table of metrics, alerts with what to do, the dashboard, and whether all of them
//! speak of the same things as the product.

use std::collections::BTreeSet;
use std::path::Path;

use cpq_meter::Family;
use serde_json::Value as Json;

use crate::house::House;

mod busy;
mod prometheus;

pub const RULES: &str = include_str!("../../ops/prometheus/rules.yml");
const TESTS: [&str; 2] = [
    include_str!("../../ops/prometheus/rules_test.yml"),
    include_str!("../../ops/prometheus/rules_long_test.yml"),
];
const DASHBOARD: &str = include_str!("../../ops/grafana/dashboard.json");
const PAGE: &str = include_str!("../../docs/monitoring.md");

/// The folder of the rules.
pub fn rules_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/prometheus")
}

/// Names of metrics in an expression, without what a histogram adds.
pub fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("cpq_") || word.starts_with("process_"));
    let bare = |word: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        let bare = ends.iter().find_map(|end| word.strip_suffix(end));
        bare.unwrap_or(word).to_owned()
    };
    ours.map(bare).collect()
}

/// The expressions of the rules, each with the name of its alert.
pub fn alerts() -> Vec<(String, String)> {
    let parts = RULES.split("- alert: ").skip(1);
    let one = |part: &str| {
        let (name, rest) = part.split_once('\n').expect("an alert has more than its name");
        (name.trim().to_owned(), rest.to_owned())
    };
    parts.map(one).collect()
}

/// Every query of the dashboard, with the title of its panel.
pub fn queries() -> Vec<(String, String)> {
    let dashboard: Json = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut found = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("a query");
            found.push((title.to_owned(), query.to_owned()));
        }
    }
    found
}

#[test]
fn the_table_of_metrics_is_that_of_the_product() {
    let rows: Vec<&str> = PAGE
        .lines()
        .filter(|line| line.starts_with("| `cpq_") || line.starts_with("| `process_"))
        .collect();
    let mut wanted = 0;
    for about in cpq_meter::families().map(Family::about) {
        let labels: Vec<String> = about.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() {
            "–".to_owned()
        } else {
            labels.join(", ")
        };
        let (name, kind, help) = (about.name, about.kind.as_str(), about.help.trim());
        let rows = rows
            .iter()
            .filter(|row| row.starts_with(&format!("| `{name}` | {kind} | {labels} | ")));
        let same = rows.filter(|row| row.ends_with(&format!(" | {help} |"))).count();
        assert_eq!(
            same, 1,
            "docs/monitoring.md lacks: | `{name}` | {kind} | {labels} | … | {help} |"
        );
        wanted += 1;
    }
    assert_eq!(
        rows.len(),
        wanted,
        "docs/monitoring.md has rows of metrics that there are not"
    );
}

#[test]
fn rules_and_dashboard_speak_of_metrics_that_there_are() {
    let known: BTreeSet<String> = cpq_meter::families()
        .map(|one| one.about().name.to_owned())
        .collect();
    let all = queries().into_iter().chain(alerts());
    for (whose, text) in all {
        let unknown: Vec<_> = names(&text)
            .into_iter()
            .filter(|name| !known.contains(name))
            .collect();
        assert!(unknown.is_empty(), "{whose}: {unknown:?}");
    }
    assert!(queries().len() > 40 && alerts().len() > 20);
}

/// A rule that nobody has seen fire is a hope.
#[test]
fn every_alert_is_tested_and_told() {
    for (name, rule) in alerts() {
        let fires = format!("alertname=\"{name}\"");
        assert!(
            TESTS.iter().any(|tests| tests.contains(&fires)),
            "no test lets {name} fire"
        );
        for part in [
            "severity: ",
            "summary: ",
            "description: ",
            "runbook_url: docs/monitoring.md#",
        ] {
            assert!(rule.contains(part), "{name} has no {part}");
        }
        let anchor = format!("docs/monitoring.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&anchor), "{name} does not lead to its own section");
        let section = PAGE.split_once(&format!("\n### {name}\n\n"));
        let says = section.is_some_and(|(_, rest)| rest.lines().next().is_some_and(|line| line.len() > 20));
        assert!(says, "docs/monitoring.md says nothing of {name}");
    }
    let told = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("### Cpq"))
        .count();
    assert_eq!(
        told,
        alerts().len(),
        "docs/monitoring.md tells of alerts that there are not"
    );
}

/// Whoever is woken up types what it says.
#[test]
fn every_command_that_an_alert_names_is_one() {
    let house = House::empty();
    let mut commands = BTreeSet::new();
    for text in [RULES, PAGE] {
        let spoken = text.split('`').skip(1).step_by(2);
        let flat = spoken.map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "));
        commands.extend(flat.filter(|words| words.starts_with("cpq ") && !words.contains(':')));
    }
    assert!(commands.len() > 20, "{commands:#?}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let is_word =
            |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
        let verbs: Vec<&str> = words.iter().take_while(is_word).copied().collect();
        let said = house.cpq(&[&verbs[..], &["--help"]].concat());
        assert_eq!(said.code, 0, "{command}: {said:?}");
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(
                said.out.contains(flag),
                "{command}: there is no {flag}: {}",
                said.out
            );
        }
    }
}
