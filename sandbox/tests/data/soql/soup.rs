//! Whatever text comes: an answer, of a known kind.

use crate::site::Site;
use proptest::prelude::*;
use serde_json::Value as Json;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// Codes that a query or search may be refused with.
const CODES: [&str; 9] = [
    "MALFORMED_QUERY",
    "MALFORMED_SEARCH",
    "INVALID_FIELD",
    "INVALID_TYPE",
    "INVALID_QUERY_FILTER_OPERATOR",
    "NUMBER_OUTSIDE_VALID_RANGE",
    "EXCEEDED_ID_LIMIT",
    "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
    "QUERY_TOO_COMPLICATED",
];

/// Valid queries to be damaged.
const SEEDS: [&str; 12] = [
    "SELECT Id, Name, Account__r.Name FROM Part__c WHERE Name LIKE 'b%' AND (Size__c = 'S' OR Weight__c > 1.5) ORDER BY Name DESC NULLS LAST LIMIT 5 OFFSET 1",
    "SELECT Name, (SELECT Id, (SELECT Name FROM Pieces__r) FROM Parts__r WHERE Made__c = THIS_YEAR ORDER BY Name LIMIT 3) FROM Account a USING SCOPE mine",
    "SELECT Size__c, COUNT(Id) n, SUM(Weight__c), GROUPING(Size__c) FROM Part__c GROUP BY ROLLUP(Size__c, Tested__c) HAVING COUNT(Id) > 0 ORDER BY COUNT(Id)",
    "SELECT CALENDAR_YEAR(Made__c) y, HOUR_IN_DAY(convertTimezone(Seen__c)) FROM Part__c GROUP BY CALENDAR_YEAR(Made__c), HOUR_IN_DAY(convertTimezone(Seen__c))",
    "SELECT toLabel(Size__c), FORMAT(Price__c) p FROM Part__c WHERE Colors__c INCLUDES ('Red;Green', 'Blue') AND Seen__c >= LAST_N_DAYS:3",
    "SELECT TYPEOF What WHEN Account THEN Phone ELSE Name END FROM Task WHERE What.Type IN ('Account') FOR VIEW",
    "SELECT FIELDS(ALL) FROM Part__c WHERE Id IN (SELECT Whole__c FROM Part__c) LIMIT 200",
    "SELECT Id FROM Account WHERE Id NOT IN (SELECT Account__c FROM Part__c WHERE Code__c = 'AbC') AND CreatedDate < 2030-01-01T00:00:00+01:00",
    "SELECT COUNT() FROM Contact c, c.Account a WHERE a.Name = 'x' AND NOT c.LastName = 'y'",
    "SELECT Name, DISTANCE(BillingAddress, GEOLOCATION(1.5, -2), 'mi') d FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(1.5,-2), 'km') < 20 SET OPTIONS (honorEmptyStrings = true)",
    "SELECT QualifiedApiName, EntityDefinition.Label FROM FieldDefinition WHERE EntityDefinitionId = 'Account' AND IsNillable = true",
    "SELECT MIN(Made__c), MAX(Name), AVG(Weight__c), COUNT_DISTINCT(Account__c) FROM Part__c WHERE Opens__c = 08:30:00.000Z OR Price__c > USD5",
];

const SEARCHES: [&str; 3] = [
    "FIND {acme OR \"big parts\" AND NOT (nut* bo?t)} IN NAME FIELDS RETURNING Account(Name WHERE Name != 'x' ORDER BY Name LIMIT 5 OFFSET 1), Contact LIMIT 20",
    "FIND {joe\\@example.com} IN EMAIL FIELDS RETURNING Contact(FirstName, Account.Name) WITH METADATA='LABELS'",
    "find {xy yx} returning account(format(createdDate) f)",
];

static SITE: LazyLock<Mutex<Site>> = LazyLock::new(|| {
    let mut site = super::workshop();
    let rows: Vec<Json> = site.rows("SELECT Id FROM Account");
    site.create(
        "Task",
        serde_json::json!({"Subject": "Call", "WhatId": rows[0]["Id"]}),
    );
    Mutex::new(site)
});

fn site() -> MutexGuard<'static, Site> {
    SITE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Asks in every way there is; each answer must be a page or a known refusal.
fn answered(text: &str) -> Result<(), TestCaseError> {
    let paths = [
        "/query?q=",
        "/queryAll?columns=true&q=",
        "/query?explain=",
        "/tooling/query?q=",
        "/search?q=",
        "/parameterizedSearch?q=",
    ];
    let text = encoded(text);
    for path in paths {
        let target = format!("{path}{text}");
        if target.len() > 16_000 {
            continue;
        }
        let (status, body) = site().get(&target);
        let code = body[0]["errorCode"].as_str().unwrap_or_default();
        let known = status == 200 || status == 400 && CODES.contains(&code);
        prop_assert!(known, "{status} {code}: {target}");
    }
    Ok(())
}

/// Words and signs that queries are made of.
fn tokens() -> Vec<String> {
    let mut all: Vec<String> = SEEDS
        .iter()
        .chain(&SEARCHES)
        .flat_map(|seed| pieces(seed))
        .collect();
    let more = [
        "é",
        "'",
        "\\",
        "\\u00",
        "'\\u12'",
        "{",
        "}",
        "\"",
        "--",
        "/*",
        "99999999999999999999",
        "-1",
        "2026-02-30",
        "USD5",
        "1e999",
        ":x",
        "NEXT_N_YEARS:9999999",
        "LAST_N_DAYS:",
        "N_FISCAL_QUARTERS_AGO:10000",
        "convertCurrency(Price__c)",
        "GROUPING(",
        "CUBE(",
        "Owner.Profile.Name",
        "Who.Name",
        "Who.Profile.Name",
        "0",
        "a.b.c.d.e.f.g.h",
        "WITH SECURITY_ENFORCED",
        "ALL ROWS",
    ];
    all.extend(more.map(str::to_owned));
    all.sort();
    all.dedup();
    all
}

/// A query taken apart into words and signs.
fn pieces(text: &str) -> Vec<String> {
    let mut out: Vec<String> = vec![String::new()];
    for ch in text.chars() {
        let word = ch.is_alphanumeric() || "_.'".contains(ch);
        let last = out.last_mut().expect("never empty");
        if word && last.chars().all(|c| c.is_alphanumeric() || "_.'".contains(c)) {
            last.push(ch);
        } else {
            out.push(ch.to_string());
        }
    }
    out.retain(|piece| !piece.trim().is_empty());
    out
}

/// A way to damage a query.
#[derive(Debug, Clone)]
enum Damage {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Replace(usize, String),
    Insert(usize, String),
    Cut(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let token = prop::sample::select(tokens());
    prop_oneof![
        any::<usize>().prop_map(Damage::Drop),
        any::<usize>().prop_map(Damage::Double),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Damage::Swap(a, b)),
        (any::<usize>(), token.clone()).prop_map(|(at, t)| Damage::Replace(at, t)),
        (any::<usize>(), token).prop_map(|(at, t)| Damage::Insert(at, t)),
        any::<usize>().prop_map(Damage::Cut),
    ]
}

fn damaged(seed: &str, damages: &[Damage]) -> String {
    let mut parts = pieces(seed);
    for damage in damages {
        let n = parts.len().max(1);
        if parts.is_empty() {
            break;
        }
        match damage {
            Damage::Drop(at) => drop(parts.remove(at % n)),
            Damage::Double(at) => parts.insert(at % n, parts[at % n].clone()),
            Damage::Swap(a, b) => parts.swap(a % n, b % n),
            Damage::Replace(at, token) => parts[at % n].clone_from(token),
            Damage::Insert(at, token) => parts.insert(at % n, token.clone()),
            Damage::Cut(at) => parts.truncate(at % n),
        }
    }
    parts.join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_text(text in ".{0,200}") {
        answered(&text)?;
        answered(&format!("SELECT Id FROM Part__c WHERE {text}"))?;
        answered(&format!("FIND {{{text}}} RETURNING Account"))?;
    }

    #[test]
    fn random_words(words in prop::collection::vec(prop::sample::select(tokens()), 0..40)) {
        let text = words.join(" ");
        answered(&text)?;
        answered(&format!("SELECT {text} FROM Part__c"))?;
        answered(&format!("SELECT Id FROM Part__c {text}"))?;
    }

    #[test]
    fn damaged_queries(seed in prop::sample::select(SEEDS.to_vec()), damages in prop::collection::vec(damage(), 1..4)) {
        answered(&damaged(seed, &damages))?;
    }

    #[test]
    fn damaged_searches(seed in prop::sample::select(SEARCHES.to_vec()), damages in prop::collection::vec(damage(), 1..4)) {
        answered(&damaged(seed, &damages))?;
    }

    #[test]
    fn deep_nesting(depth in 1_usize..4_000, which in 0_usize..6) {
        let text = match which {
            0 => format!("SELECT Id FROM Part__c WHERE {}Name = 'x'{}", "(".repeat(depth), ")".repeat(depth)),
            1 => format!("SELECT Id FROM Part__c WHERE {}Name = 'x'", "NOT ".repeat(depth)),
            2 => format!("SELECT {}Id", "(SELECT ".repeat(depth)),
            3 => format!("SELECT Id FROM Part__c WHERE Id IN {}", "(SELECT Id FROM Part__c WHERE Id IN ".repeat(depth)),
            4 => format!("SELECT {}Id{} FROM Part__c", "FORMAT(".repeat(depth), ")".repeat(depth)),
            _ => format!("FIND {{{}ab{}}}", "(".repeat(depth), ")".repeat(depth)),
        };
        answered(&text)?;
    }
}

#[test]
fn the_seeds_are_valid() {
    // Were they not, damaging them would try little. One of them is refused by a rule about its objects.
    for seed in SEEDS {
        let (status, body) = site().get(&format!("/query?q={}", encoded(seed)));
        let expected = if seed.contains("IN (SELECT Whole__c") {
            400
        } else {
            200
        };
        assert_eq!(status, expected, "{seed}: {body}");
    }
    for seed in SEARCHES {
        let (status, body) = site().get(&format!("/search?q={}", encoded(seed)));
        assert_eq!(status, 200, "{seed}: {body}");
    }
}
