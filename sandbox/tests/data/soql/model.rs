//! Random queries on random rows, held against an evaluator that walks through all rows and knows no index.

use crate::site::Site;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::cmp::Ordering;

/// A row as the model has it.
#[derive(Debug, Clone)]
struct Model {
    code: Option<String>,
    text: Option<String>,
    number: Option<i64>,
    day: Option<u8>,
    tick: bool,
    parent: Option<usize>,
    id: String,
}

#[derive(Debug, Clone)]
enum Condition {
    Code(&'static str, Option<String>),
    Text(&'static str, Option<String>),
    Number(&'static str, Option<i64>),
    Day(&'static str, u8),
    Tick(bool),
    Parent(bool, Vec<usize>),
    ParentText(&'static str, Option<String>),
    Codes(bool, Vec<Option<String>>),
    Like(String),
    Id(&'static str, usize),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

#[derive(Debug, Clone)]
struct Sort {
    key: &'static str,
    descending: bool,
    nulls_last: bool,
}

const TEXTS: [&str; 7] = ["alpha", "Alpha", "BETA", "beta_2", "x%y", "O'Neil", "ünï"];
const ORDERED: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.8, prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned))
}

fn rows() -> impl Strategy<Value = Vec<Model>> {
    let code = prop::option::weighted(0.7, (0_u8..30).prop_map(|n| format!("Code-{n}")));
    let number = prop::option::weighted(0.8, -3_i64..4);
    let day = prop::option::weighted(0.8, 1_u8..6);
    let parent = prop::option::weighted(0.5, 0_usize..4);
    let row = (code, text(), number, day, any::<bool>(), parent).prop_map(
        |(code, text, number, day, tick, parent)| Model {
            code,
            text,
            number,
            day,
            tick,
            parent,
            id: String::new(),
        },
    );
    prop::collection::vec(row, 4..20)
}

fn op() -> impl Strategy<Value = &'static str> {
    prop::sample::select(ORDERED.to_vec())
}

fn condition() -> impl Strategy<Value = Condition> {
    let code = || prop::option::weighted(0.9, (0_u8..30).prop_map(|n| format!("code-{n}")));
    let number = prop::option::weighted(0.9, -3_i64..4);
    let leaf = prop_oneof![
        (op(), code()).prop_map(|(op, v)| Condition::Code(op, v)),
        (op(), text()).prop_map(|(op, v)| Condition::Text(op, v)),
        (op(), number).prop_map(|(op, v)| Condition::Number(op, v)),
        (op(), 1_u8..6).prop_map(|(op, v)| Condition::Day(op, v)),
        any::<bool>().prop_map(Condition::Tick),
        (any::<bool>(), prop::collection::vec(0_usize..4, 1..3)).prop_map(|(n, v)| Condition::Parent(n, v)),
        (prop::sample::select(vec!["=", "!="]), text()).prop_map(|(op, v)| Condition::ParentText(op, v)),
        (any::<bool>(), prop::collection::vec(code(), 1..5)).prop_map(|(n, v)| Condition::Codes(n, v)),
        prop::sample::select(vec!["a%", "%ta%", "_eta%", "x\\%y", "%2", "beta\\_%", "Ü%"])
            .prop_map(|p| Condition::Like(p.into())),
        (op(), 0_usize..8).prop_map(|(op, v)| Condition::Id(op, v)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|c| Condition::Not(Box::new(c))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::And),
            prop::collection::vec(inner, 2..4).prop_map(Condition::Or),
        ]
    })
}

fn sorts() -> impl Strategy<Value = Vec<Sort>> {
    let key = prop::sample::select(vec![
        "Code__c",
        "Name",
        "N__c",
        "Day__c",
        "SystemModstamp",
        "Up__r.Name",
        "Id",
    ]);
    let sort = (key, any::<bool>(), any::<bool>()).prop_map(|(key, descending, nulls_last)| Sort {
        key,
        descending,
        nulls_last,
    });
    prop::collection::vec(sort, 0..3)
}

fn quoted(value: Option<&str>) -> String {
    value.map_or("null".to_owned(), |v| format!("'{}'", v.replace('\'', "\\'")))
}

impl Condition {
    fn soql(&self, rows: &[Model]) -> String {
        let joined = |all: &[Condition], word: &str| {
            let parts: Vec<String> = all.iter().map(|c| c.soql(rows)).collect();
            format!("({})", parts.join(word))
        };
        let list = |negated: bool, values: Vec<String>| {
            format!(
                "{} ({})",
                if negated { "NOT IN" } else { "IN" },
                values.join(", ")
            )
        };
        match self {
            Condition::Code(op, v) => format!("Code__c {op} {}", quoted(v.as_deref())),
            Condition::Text(op, v) => format!("Text__c {op} {}", quoted(v.as_deref())),
            Condition::Number(op, v) => format!("N__c {op} {}", v.map_or("null".into(), |n| n.to_string())),
            Condition::Day(op, v) => format!("Day__c {op} 2026-11-{v:02}"),
            Condition::Tick(v) => format!("Tick__c = {v}"),
            Condition::Parent(negated, v) => {
                format!(
                    "Up__c {}",
                    list(*negated, v.iter().map(|n| quoted(Some(&rows[*n].id))).collect())
                )
            }
            Condition::ParentText(op, v) => format!("Up__r.Text__c {op} {}", quoted(v.as_deref())),
            Condition::Codes(negated, v) => format!(
                "Code__c {}",
                list(*negated, v.iter().map(|c| quoted(c.as_deref())).collect())
            ),
            Condition::Like(pattern) => format!("Text__c LIKE '{pattern}'"),
            Condition::Id(op, n) => format!("Id {op} '{}'", rows[n % rows.len()].id),
            Condition::Not(inner) => format!("(NOT {})", inner.soql(rows)),
            Condition::And(all) => joined(all, " AND "),
            Condition::Or(all) => joined(all, " OR "),
        }
    }

    fn holds(&self, row: &Model, rows: &[Model]) -> bool {
        let folded = |v: &Option<String>| v.as_deref().map(fold);
        match self {
            Condition::Code(op, v) => compare(op, folded(&row.code), folded(v)),
            Condition::Text(op, v) => compare(op, folded(&row.text), folded(v)),
            Condition::Number(op, v) => compare(op, row.number, *v),
            Condition::Day(op, v) => compare(op, row.day, Some(*v)),
            Condition::Tick(v) => row.tick == *v,
            Condition::Parent(negated, v) => row.parent.is_some_and(|p| v.contains(&p)) != *negated,
            Condition::ParentText(op, v) => {
                let text = row.parent.and_then(|p| rows[p].text.clone());
                compare(op, folded(&text), folded(v))
            }
            Condition::Codes(negated, v) => v.iter().any(|c| folded(c) == folded(&row.code)) != *negated,
            Condition::Like(pattern) => row.text.as_deref().is_some_and(|t| like(pattern, t)),
            Condition::Id(op, n) => compare(
                op,
                Some(row.id.as_bytes()),
                Some(rows[n % rows.len()].id.as_bytes()),
            ),
            Condition::Not(inner) => !inner.holds(row, rows),
            Condition::And(all) => all.iter().all(|c| c.holds(row, rows)),
            Condition::Or(all) => all.iter().any(|c| c.holds(row, rows)),
        }
    }
}

/// Text without case, in the order of its capitals.
fn fold(text: &str) -> String {
    text.to_lowercase().to_ascii_uppercase()
}

fn compare<T: PartialOrd>(op: &str, value: Option<T>, wanted: Option<T>) -> bool {
    match (op, value, wanted) {
        ("=", a, b) => a == b,
        ("!=", a, b) => a != b,
        (_, None, _) | (_, _, None) => false,
        ("<", Some(a), Some(b)) => a < b,
        ("<=", Some(a), Some(b)) => a <= b,
        (">", Some(a), Some(b)) => a > b,
        (_, Some(a), Some(b)) => a >= b,
    }
}

/// LIKE by trying everything.
fn like(pattern: &str, text: &str) -> bool {
    fn go(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|n| go(rest, &text[n..])),
            ['_', rest @ ..] => !text.is_empty() && go(rest, &text[1..]),
            ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && go(rest, &text[1..]),
        }
    }
    let chars = |s: &str| s.to_lowercase().chars().collect::<Vec<char>>();
    go(&chars(pattern), &chars(text))
}

/// Order of two rows by one key; nulls are told apart from values first.
fn order(sort: &Sort, a: &Model, b: &Model, rows: &[Model]) -> Ordering {
    fn ranked<T: Ord>(sort: &Sort, a: Option<T>, b: Option<T>) -> Ordering {
        let nulls = |none: bool| if none == sort.nulls_last { 1 } else { 0 };
        match (a, b) {
            (Some(a), Some(b)) if sort.descending => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => nulls(a.is_none()).cmp(&nulls(b.is_none())),
        }
    }
    let name = |m: &Model| Some(fold(m.text.as_deref().unwrap_or("none")));
    match sort.key {
        "Code__c" => ranked(sort, a.code.as_deref().map(fold), b.code.as_deref().map(fold)),
        "Name" => ranked(sort, name(a), name(b)),
        "N__c" => ranked(sort, a.number, b.number),
        "Day__c" => ranked(sort, a.day, b.day),
        "Up__r.Name" => ranked(
            sort,
            a.parent.and_then(|p| name(&rows[p])),
            b.parent.and_then(|p| name(&rows[p])),
        ),
        "Id" => ranked(sort, Some(&a.id), Some(&b.id)),
        // All rows are made in the same second.
        _ => Ordering::Equal,
    }
}

fn made(rows: &mut [Model]) -> Site {
    let scenario = json!({"name": "model", "objects": [{"name": "M__c", "fields": [
        {"name": "Code__c", "type": "string", "length": 20, "externalId": true},
        {"name": "Text__c", "type": "string", "length": 40}, {"name": "N__c", "type": "double", "precision": 5},
        {"name": "Day__c", "type": "date"}, {"name": "Tick__c", "type": "boolean"},
        {"name": "Up__c", "type": "reference", "references": ["M__c"], "children": "Downs__r"}]}]});
    let mut site = Site::of(&serde_json::from_value(scenario).expect("a scenario"));
    for n in 0..rows.len() {
        // A parent has to be there before its children.
        rows[n].parent = rows[n].parent.filter(|p| *p < n);
        let up = rows[n].parent.map(|p| rows[p].id.clone());
        let row = &rows[n];
        let body = json!({"Name": row.text.as_deref().unwrap_or("none"), "Code__c": row.code, "Text__c": row.text, "N__c": row.number,
            "Day__c": row.day.map(|d| format!("2026-11-{d:02}")), "Tick__c": row.tick, "Up__c": up});
        rows[n].id = site.create("M__c", body);
    }
    site
}

fn ids(rows: &[Json]) -> Vec<String> {
    rows.iter()
        .map(|r| r["Id"].as_str().expect("an id").to_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_same_rows_in_the_same_order(
        mut rows in rows(),
        queries in prop::collection::vec((condition(), sorts(), prop::option::of(0_usize..12), 0_usize..3), 1..12),
    ) {
        let mut site = made(&mut rows);
        for (condition, mut sorts, limit, offset) in queries {
            // With the id at the end the order is whole.
            sorts.push(Sort { key: "Id", descending: false, nulls_last: false });
            let by: Vec<String> = sorts.iter().map(|s| {
                let (way, nulls) = (if s.descending { "DESC" } else { "ASC" }, if s.nulls_last { "LAST" } else { "FIRST" });
                format!("{} {way} NULLS {nulls}", s.key)
            }).collect();
            let filter = condition.soql(&rows);
            let mut query = format!("SELECT Id FROM M__c WHERE {filter} ORDER BY {}", by.join(", "));
            if let Some(limit) = limit {
                query += &format!(" LIMIT {limit} OFFSET {offset}");
            }
            let mut expected: Vec<&Model> = rows.iter().filter(|r| condition.holds(r, &rows)).collect();
            expected.sort_by(|a, b| sorts.iter().map(|s| order(s, a, b, &rows)).fold(Ordering::Equal, Ordering::then));
            let all = expected.len();
            let (skip, take) = limit.map_or((0, usize::MAX), |limit| (offset, limit));
            let expected: Vec<String> = expected.into_iter().skip(skip).take(take).map(|r| r.id.clone()).collect();
            prop_assert_eq!(ids(&site.rows(&query)), expected, "{}", query);
            let count = format!("SELECT COUNT() FROM M__c WHERE {filter}");
            prop_assert_eq!(&site.soql(&count).1["totalSize"], &json!(all), "{}", count);
        }
    }

    #[test]
    fn the_same_totals(mut rows in rows(), condition in condition()) {
        let mut site = made(&mut rows);
        let filter = condition.soql(&rows);
        let query = format!("SELECT Tick__c, COUNT(Id) n, COUNT(N__c) m, SUM(N__c) s, MIN(Day__c) d FROM M__c WHERE {filter} GROUP BY Tick__c ORDER BY Tick__c");
        let found = site.rows(&query);
        let mut expected = Vec::new();
        for tick in [false, true] {
            let group: Vec<&Model> = rows.iter().filter(|r| r.tick == tick && condition.holds(r, &rows)).collect();
            if group.is_empty() {
                continue;
            }
            let numbers: Vec<i64> = group.iter().filter_map(|r| r.number).collect();
            let sum = (!numbers.is_empty()).then(|| numbers.iter().sum::<i64>() as f64);
            let day = group.iter().filter_map(|r| r.day).min().map(|d| format!("2026-11-{d:02}"));
            expected.push(json!({"attributes": {"type": "AggregateResult"}, "Tick__c": tick, "n": group.len(), "m": numbers.len(),
                                 "s": sum, "d": day}));
        }
        prop_assert_eq!(found, expected, "{}", query);
    }
}
