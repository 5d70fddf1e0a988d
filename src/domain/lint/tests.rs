//! A folder of matrices: every bad one is found with the reason that its first line names, and no good one is.

use std::path::{Path, PathBuf};

use super::{Ground, lint};
use crate::adapter::{Mapped, Mapping};
use crate::value::Shape;
use crate::view::FieldName;

const FIELDS: [&str; 8] = [
    "opportunity.stage",
    "opportunity.record_type",
    "opportunity.name",
    "quote.status",
    "quote.is_primary",
    "quote.net_total",
    "quote.name",
    "line.quantity",
];

fn mapping(fields: &[&str], read_only: &[&str]) -> Mapping {
    let mapped = |name: &&str| {
        let place = Mapped {
            path: format!("Opportunity.{name}"),
            writable: !read_only.contains(name),
            shape: Shape::default(),
        };
        (FieldName::new(name), place)
    };
    Mapping {
        fields: fields.iter().map(mapped).collect(),
        warnings: Vec::new(),
    }
}

/// Findings as `kind field`.
fn found(text: &str) -> Vec<String> {
    let (synced, org) = (
        mapping(&FIELDS, &[]),
        mapping(&FIELDS[..7], &["opportunity.record_type"]),
    );
    let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (stages, record_types) = (listed(&["A", "B", "C"]), listed(&["New", "Renewal"]));
    let ground = Ground {
        synced: &synced,
        org: Some(&org),
        cpq_read_only: &["quote.status", "quote.net_total", "quote.is_primary"],
        stages: &stages,
        record_types: &record_types,
    };
    let findings = lint(text, &ground).expect("it parses");
    let kind = |lint| {
        serde_json::to_value(lint)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
    };
    let told = findings
        .iter()
        .map(|one| format!("{} {}", kind(one.lint).unwrap_or_default(), one.field));
    told.collect()
}

fn matrices(kind: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("lint/matrices")
        .join(kind);
    let files = std::fs::read_dir(&folder).expect("the folder is there");
    let paths = files.map(|file| file.expect("an entry").path());
    paths
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("a text")))
        .collect()
}

#[test]
fn every_bad_matrix_is_found_with_its_reason() {
    let bad = matrices("bad");
    assert!(bad.len() >= 30, "{}", bad.len());
    for (path, text) in bad {
        let expected = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("# ")
            .to_owned();
        let found = found(&text);
        assert!(found.contains(&expected), "{}: {found:?}", path.display());
        // Nothing else is complained about but what follows from the same mistake.
        let field = expected.split(' ').nth(1).unwrap_or_default();
        let elsewhere = found
            .iter()
            .find(|one| !one.ends_with(field) && !one.starts_with("circle"));
        assert_eq!(elsewhere, None, "{}: {found:?}", path.display());
    }
}

#[test]
fn no_good_matrix_is_complained_about() {
    let good = matrices("good");
    assert!(good.len() >= 30, "{}", good.len());
    for (path, text) in good {
        assert_eq!(found(&text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn a_finding_names_line_case_and_way_out() {
    let (synced, text) = (
        mapping(&["opportunity.name"], &[]),
        "\n[[rule]]\nfield = 'opportunity.name'\nowner = 'crm'\npolicy = 'always'\nwhen = { stage = ['A'], primary = true }\n",
    );
    let ground = Ground {
        synced: &synced,
        org: None,
        cpq_read_only: &[],
        stages: &[],
        record_types: &[],
    };
    let findings = lint(text, &ground).expect("it parses");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].line, Some(2));
    assert_eq!(
        findings[0].message,
        "nobody owns opportunity.name in this case: any other stage, no quote yet"
    );
    assert_eq!(findings[0].fix, "add a last rule of the field without `when`");
}
