//! A folder of mappings, each with what its org says: every bad one is found with the reason that its first line names,
//! no good one is complained about, and what is let pass comes back as it was.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use cpq_adapters::salesforce::{self, Config};
use cpq_domain::kind::Kind;
use cpq_domain::lint::mapped::{self, Doubt, Drawn, Severity, store};
use cpq_domain::schema::{CrmSchema, FieldSchema};
use cpq_domain::value::{Money, Value};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::org;

/// Round trips for each field that a good mapping writes.
const CASES: u32 = 1_000;

struct Case {
    path: PathBuf,
    expected: String,
    config: Config,
    schema: CrmSchema,
}

impl Case {
    fn drawn(&self) -> Vec<Drawn> {
        salesforce::drawn(&self.config, Some(&self.schema)).expect("it loads")
    }

    /// What is said of the entries of the file.
    fn doubts(&self) -> Vec<Doubt> {
        let all = mapped::check(&self.drawn(), &self.schema.record_types);
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|doubt| doubt.line.is_some());
        // An org whose currency has three digits lacks them in its own fields of a line, too: that is told as well.
        let known = |doubt: &Doubt| {
            doubt.severity == Severity::Warning || doubt.place.starts_with("OpportunityLineItem.")
        };
        assert!(others.iter().all(known), "{others:?}");
        own
    }
}

fn cases(kind: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/mappings")
        .join(kind);
    let files = std::fs::read_dir(&folder).expect("the folder is there");
    let paths = files.map(|file| file.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(case)
        .collect()
}

fn case(path: PathBuf) -> Case {
    let text = std::fs::read_to_string(&path).expect("a text");
    let first = text.lines().next().unwrap_or_default();
    let said = std::fs::read(path.with_extension("describe.json")).expect("a describe");
    let said: Json = serde_json::from_slice(&said).expect("JSON");
    Case {
        expected: first.trim_start_matches("# ").to_owned(),
        config: Config {
            currency: Some(said["currency"].as_str().unwrap_or("USD").to_owned()),
            fields: Some(text),
            ..org::config()
        },
        schema: schema(&said),
        path,
    }
}

/// The usual org with the fields of a describe in it.
fn schema(said: &Json) -> CrmSchema {
    let mut schema = org::schema();
    schema.time_zone = said["timeZone"].as_str().map(str::to_owned);
    schema.record_types = texts(&said["recordTypes"]);
    for (object, fields) in said
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(_, value)| value[0].is_object())
    {
        let there = schema.objects.get_mut(object).expect("an object of the org");
        for field in fields.as_array().expect("fields") {
            let field = described(field);
            there.insert(field.name.clone(), field);
        }
    }
    schema
}

fn texts(list: &Json) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    entries
        .map(|entry| entry.as_str().expect("a text").to_owned())
        .collect()
}

fn described(field: &Json) -> FieldSchema {
    let number = |name: &str| field[name].as_u64().unwrap_or(0).try_into().expect("small");
    let flag = |name: &str, usually: bool| field[name].as_bool().unwrap_or(usually);
    let restricted = flag("restricted", false);
    let (choices, suggested) = match restricted {
        true => (texts(&field["values"]), Vec::new()),
        false => (Vec::new(), texts(&field["values"])),
    };
    FieldSchema {
        name: field["name"].as_str().expect("a name").to_owned(),
        kind: field["type"].as_str().expect("a type").to_owned(),
        length: number("length"),
        scale: number("scale"),
        precision: number("precision"),
        createable: flag("createable", flag("updateable", true)),
        updateable: flag("updateable", true),
        nillable: flag("nillable", true),
        calculated: flag("calculated", false),
        choices,
        suggested,
        ..FieldSchema::default()
    }
}

/// A finding as the first line of a file names it.
fn kind(doubt: &Doubt) -> String {
    let lint = serde_json::to_value(doubt.lint).expect("a word");
    format!("{} {}", lint.as_str().unwrap_or_default(), doubt.field)
}

#[test]
fn every_bad_mapping_is_found_with_its_reason() {
    let cases = cases("bad");
    assert!(cases.len() >= 50, "{}", cases.len());
    for case in cases {
        let (path, expected) = (case.path.display(), &case.expected);
        if let Some(place) = expected.strip_prefix("fault ") {
            let faults = salesforce::faults(&case.config);
            let places: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}:{}", fault.line, fault.column))
                .collect();
            assert!(places.iter().any(|one| one == place), "{path}: {faults:#?}");
            assert!(
                salesforce::drawn(&case.config, Some(&case.schema)).is_err(),
                "{path}"
            );
            continue;
        }
        let doubts = case.doubts();
        let kinds: Vec<String> = doubts.iter().map(kind).collect();
        assert_eq!(kinds, [expected.as_str()], "{path}: {doubts:#?}");
        assert!(!doubts[0].fix.is_empty() && !doubts[0].message.is_empty());
    }
}

#[test]
fn no_good_mapping_is_complained_about() {
    let cases = cases("good");
    assert!(cases.len() >= 30, "{}", cases.len());
    for case in cases {
        assert_eq!(salesforce::faults(&case.config), [], "{}", case.path.display());
        let doubts = case.doubts();
        assert!(doubts.is_empty(), "{}: {doubts:#?}", case.path.display());
    }
}

#[test]
fn a_value_that_does_not_come_back_is_shown() {
    let all = cases("bad");
    let proof = |name: &str| {
        let case = all
            .iter()
            .find(|case| case.path.ends_with(format!("bad/{name}.toml")))
            .expect("it is there");
        case.doubts()[0]
            .counter_example
            .as_ref()
            .expect("a proof")
            .to_string()
    };
    assert_eq!(proof("cents_lost"), "12345.67 USD → 12346 → 12346 USD");
    assert_eq!(proof("case_lost"), "Größe 東京 → \"GRÖSSE 東京\" → grösse 東京");
    assert_eq!(
        proof("many_to_one"),
        "\"Warm\" in the CRM → \"high\" in the CPQ → \"Hot\" in the CRM"
    );
    assert_eq!(
        proof("picklist_lacks_status"),
        "cancelled → refused: the restricted picklist has no \"cancelled\""
    );
    assert_eq!(
        proof("day_shifted"),
        "2024-02-29 → \"2024-03-01T04:30:00.000Z\" → 2024-03-01"
    );
}

/// Values as a canonical field of a kind may hold them, likely and not.
fn values(field: &Drawn) -> BoxedStrategy<Value> {
    let number = || (any::<i64>(), 0_u32..7).prop_map(|(units, scale)| Decimal::new(units >> 20, scale));
    let currency = field.currency.clone();
    let words: Vec<String> = field
        .maps
        .iter()
        .flat_map(|map| map.pairs.iter().map(|(_, ours)| ours.clone()))
        .collect();
    let offered = field
        .there
        .iter()
        .flat_map(|there| there.choices.iter().chain(&there.suggested).cloned());
    let words: Vec<String> = if words.is_empty() {
        offered.collect()
    } else {
        words
    };
    let word = match words.is_empty() {
        true => "[a-zA-Zäß ]{1,30}".boxed(),
        false => proptest::sample::select(words).boxed(),
    };
    match field.kind {
        Kind::Text => prop_oneof![any::<String>(), "[ -~\r\n]{0,60}", "[0-9]{1,8}"]
            .prop_map(Value::text)
            .boxed(),
        Kind::Choice => word.prop_map(Value::Choice).boxed(),
        Kind::Choices => proptest::collection::btree_set(word, 0..4)
            .prop_map(Value::Choices)
            .boxed(),
        Kind::Flag => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Number => number().prop_map(Value::Number).boxed(),
        Kind::Money => number()
            .prop_map(move |amount| Value::Money(Money::new(amount, currency.clone())))
            .boxed(),
        Kind::Date => (1_i16..9_999, 1_i8..13, 1_i8..29)
            .prop_map(|(year, month, day)| Value::Date(jiff::civil::date(year, month, day)))
            .boxed(),
        Kind::Instant => (-60_000_000_000_000_i64..250_000_000_000_000)
            .prop_map(|milli| Value::Instant(Timestamp::from_millisecond(milli).expect("in range")))
            .boxed(),
        Kind::Phone => prop_oneof!["[+]?[0-9 ().x-]{1,30}", any::<String>()]
            .prop_map(Value::text)
            .boxed(),
        Kind::Country => prop_oneof!["[A-Z]{2,3}", "[A-Za-z ]{1,20}"]
            .prop_map(Value::text)
            .boxed(),
        Kind::State => {
            prop_oneof![6 => "US-(OR|CA|NY|TX|MN|WA)", 1 => "(CA|DE)-[A-Z]{2}", 1 => "[A-Za-z ]{1,20}"]
                .prop_map(Value::text)
                .boxed()
        }
    }
}

#[test]
fn what_is_let_pass_comes_back_as_it_was() {
    let mut tried = 0;
    for case in cases("good") {
        let written = case
            .drawn()
            .into_iter()
            .filter(|field| field.written && field.line.is_some());
        for field in written {
            let (came, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let there = field.there.clone().expect("it is there");
            let strategy = prop_oneof![9 => values(&field), 1 => Just(Value::Null)];
            let mut runner = TestRunner::new(Cases {
                failure_persistence: None,
                ..Cases::with_cases(CASES)
            });
            let trip = |value: Value| {
                let value = value.canonical(field.shape);
                let codec = field.maps.first().map_or(&field.codec, |map| &map.codec);
                // What is refused is refused with a reason, and nothing of it goes to and fro.
                let kept = codec.send(&value).and_then(|sent| store(&there, &sent));
                let Ok(kept) = kept else {
                    refused.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                };
                came.fetch_add(1, Ordering::Relaxed);
                let back = codec.receive(&kept, &value).map_err(TestCaseError::fail)?;
                let is_default = value.is_null() && field.has_default;
                prop_assert!(
                    back.canonical(field.shape) == value || is_default,
                    "{value:?} → {kept} → {back:?}"
                );
                Ok(())
            };
            let result = runner.run(&strategy, trip);
            assert!(
                result.is_ok(),
                "{}: {} {result:?}",
                case.path.display(),
                field.name
            );
            let (came, refused) = (came.into_inner(), refused.into_inner());
            assert!(
                came * 3 > refused,
                "{}: {came} came back, {refused} did not",
                case.path.display()
            );
            tried += came;
        }
    }
    assert!(tried >= 10_000, "{tried}");
}
