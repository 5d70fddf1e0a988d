//! The history that is told of a field is the one that happened.
//!
//! What happened is taken down by an observer who knows nothing of the resolver: what each side held before and after
//! every sync, and which rule was in force. A thousand random edits on both sides, then every chain is compared.

use std::collections::BTreeMap;
use std::time::Duration;

use cpq_domain::change::{ChangeKind, Hint};
use cpq_domain::conflict::{ConflictState, Take};
use cpq_domain::id::{ConflictId, LineKey};
use cpq_domain::resolve::Origin;
use cpq_domain::run::{Run, RunState};
use cpq_domain::subject::Subject;
use cpq_domain::value::{Money, Value};
use cpq_orchestrator::{Engine, Passage, Submission};

use crate::bench::{Bench, LONG, lane, look_at, run_of, succeeded};
use crate::conflicts::{FIELD, conflicts, contested, text};
use crate::fakes::{Fate, LINE, Land, NUMBER};
use crate::rulings::choice;

/// Fields that both sides can write, with the rules that they may have, drawn anew now and then.
const SHARED: [&str; 4] = [
    FIELD,
    "opportunity.next_step",
    "opportunity.lead_source",
    "opportunity.type",
];
const RULES: [(&str, &str); 6] = [
    ("crm", "review"),
    ("cpq", "always"),
    ("cpq", "review"),
    ("crm", "always"),
    ("crm", "newest"),
    ("cpq", "newest"),
];
/// A value that the CPQ computes, and one that it only takes.
const COMPUTED: &str = "quote.net_total";
const TAKEN: &str = "opportunity.name";
const QUANTITY: &str = "line.quantity";
const EDITS: usize = 1_000;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("small")
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }
}

/// One entry of a true history.
#[derive(Clone, Debug, PartialEq)]
struct True {
    value: Option<Value>,
    crm: Value,
    cpq: Value,
    origin: Origin,
    lost: Option<Value>,
    rule: (String, String),
    correlation: String,
}

/// What both sides hold of a field.
type Pair = (Value, Value);

/// Who takes down what happens.
struct Observer {
    rules: BTreeMap<&'static str, (&'static str, &'static str)>,
    agreed: BTreeMap<&'static str, Value>,
    before: BTreeMap<&'static str, Pair>,
    history: BTreeMap<&'static str, Vec<True>>,
}

fn fields() -> impl Iterator<Item = &'static str> {
    SHARED.into_iter().chain([COMPUTED, TAKEN, QUANTITY])
}

fn held(land: &Land, field: &str) -> Pair {
    let facts = land.facts();
    let of = |view: &cpq_domain::view::View| match field {
        QUANTITY => view.lines[&LineKey::new(LINE).expect("a key")]
            .get(QUANTITY)
            .cloned(),
        _ => view.get(field).cloned(),
    };
    (
        of(&facts.crm).unwrap_or_default(),
        of(&facts.cpq).unwrap_or_default(),
    )
}

impl Observer {
    fn look(&mut self, land: &Land) {
        self.before = fields().map(|field| (field, held(land, field))).collect();
    }

    /// Compares with what was there before the sync.
    fn note(&mut self, land: &Land, run: &Run) {
        for field in fields() {
            let (crm, cpq) = self.before[field].clone();
            let (after, after_cpq) = held(land, field);
            let last = self.agreed[field].clone();
            let entry = |value, origin, lost| True {
                value,
                crm: crm.clone(),
                cpq: cpq.clone(),
                origin,
                lost,
                rule: (self.rules[field].0.to_owned(), self.rules[field].1.to_owned()),
                correlation: run.correlation.to_string(),
            };
            if after != after_cpq {
                let origin = match (crm == last, cpq == last) {
                    (false, true) => Origin::Crm,
                    (true, false) => Origin::Cpq,
                    _ => Origin::Both,
                };
                let open = entry(None, origin, None);
                let told = self.history[field]
                    .last()
                    .is_some_and(|one| one.value.is_none() && (&one.crm, &one.cpq) == (&open.crm, &open.cpq));
                if !told {
                    self.history.get_mut(field).expect("known").push(open);
                }
                continue;
            }
            if (&crm, &cpq, &after) == (&last, &last, &last) {
                continue;
            }
            let lost = |value: &Value| Some(value.clone()).filter(|value| *value != last && !value.is_null());
            let entry = match (crm == after, cpq == after) {
                (true, true) => entry(Some(after.clone()), Origin::Both, None),
                (true, false) => entry(Some(after.clone()), Origin::Crm, lost(&cpq)),
                (false, true) => entry(Some(after.clone()), Origin::Cpq, lost(&crm)),
                // The CPQ computed it anew while it was written.
                (false, false) if field == COMPUTED => True {
                    cpq: after.clone(),
                    ..entry(Some(after.clone()), Origin::Cpq, lost(&crm))
                },
                (false, false) => entry(Some(after.clone()), Origin::Person, None),
            };
            self.agreed.insert(field, after);
            self.history.get_mut(field).expect("known").push(entry);
        }
    }
}

/// Both sides agree on something for every field, and the observer begins.
async fn begin(bench: &Bench, engine: &Engine) -> Observer {
    let rules: BTreeMap<_, _> = SHARED
        .into_iter()
        .zip(RULES)
        .chain([
            (COMPUTED, ("cpq", "computed")),
            (TAKEN, ("crm", "always")),
            (QUANTITY, ("crm", "snapshot")),
        ])
        .collect();
    set_rules(bench, &rules);
    for field in SHARED {
        bench.land.rep(field, text("start"));
    }
    succeeded(engine).await;
    for field in SHARED {
        bench.land.seller_sets(field, text("start"));
    }
    succeeded(engine).await;
    let agreed = fields().map(|field| {
        let (crm, cpq) = held(&bench.land, field);
        assert_eq!(crm, cpq, "{field}");
        (field, crm)
    });
    let mut observer = Observer {
        rules,
        agreed: agreed.collect(),
        before: BTreeMap::new(),
        history: fields().map(|field| (field, Vec::new())).collect(),
    };
    observer.look(&bench.land);
    observer
}

fn set_rules(bench: &Bench, rules: &BTreeMap<&'static str, (&'static str, &'static str)>) {
    let rules: Vec<_> = rules
        .iter()
        .map(|(field, (owner, policy))| (*field, *owner, *policy))
        .collect();
    bench.land.rules(&rules);
}

/// A person at one of the two systems changes something.
fn edit(land: &Land, dice: &mut Dice, number: usize) {
    let field = *dice.of(&SHARED);
    // Few values, so that both sides come to the same one by themselves, and go back to old ones.
    let value = match dice.roll(6) {
        0 => Value::Null,
        few @ 1..=3 => text(&format!("v{few}")),
        _ => text(&format!("edit {number}")),
    };
    match dice.roll(10) {
        0..=3 => land.rep(field, value),
        4..=6 => land.seller_sets(field, value),
        7 => land.rep(TAKEN, text(&format!("Acme {number}"))),
        8 if dice.roll(2) == 0 => land.rep_wants(i64::try_from(1 + dice.roll(20)).expect("small")),
        8 => land.seller_gives(i64::try_from(dice.roll(30)).expect("small")),
        _ => {
            let odd = rust_decimal::Decimal::new(100 * i64::try_from(number).expect("small") + 1, 2);
            land.rep(COMPUTED, Value::Money(Money::new(odd, "USD")));
        }
    }
    land.clock.advance(Duration::from_secs(dice.roll(12) as u64));
}

/// Someone decides one of the open conflicts.
async fn decide(engine: &Engine, dice: &mut Dice, number: usize) -> Option<Run> {
    let open: Vec<_> = conflicts(engine)
        .await
        .into_iter()
        .filter(|one| one.state == ConflictState::Open)
        .collect();
    if open.is_empty() {
        return None;
    }
    let one = dice.of(&open).id.clone();
    let given = format!("given {number}");
    let choice = match dice.roll(3) {
        0 => choice(Take::Crm, None),
        1 => choice(Take::Cpq, None),
        _ => choice(Take::Value, Some(&given)),
    };
    let ruled = engine.rule(&one, None, &choice, false).await.expect("decided");
    Some(engine.wait(ruled.runs[0].id, LONG).await.expect("known"))
}

/// The whole history, page by page.
async fn told(engine: &Engine, field: &str, page: u32) -> Vec<Passage> {
    let text = match field {
        QUANTITY => format!("line/{NUMBER}/{LINE}/{QUANTITY}"),
        field => format!("{NUMBER}/{field}"),
    };
    let (subject, connection) = (Subject::parse(&text).expect("a subject"), lane(NUMBER).connection);
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let history = engine
            .why(&connection, &subject, before, page)
            .await
            .expect("told");
        all.splice(0..0, history.passages);
        match history.earlier {
            Some(earlier) => before = Some(earlier),
            None => return all,
        }
    }
}

fn truth(passage: &Passage) -> True {
    let word = |value: serde_json::Value| value.as_str().expect("a word").to_owned();
    True {
        value: passage.value.clone(),
        crm: passage.decision.crm.clone(),
        cpq: passage.decision.cpq.clone(),
        origin: passage.decision.origin,
        lost: passage.decision.lost.clone(),
        rule: (
            word(serde_json::json!(passage.decision.owner)),
            word(serde_json::json!(passage.decision.policy)),
        ),
        correlation: passage.correlation.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_edits_are_told_as_they_happened() {
    let mut decided = 0;
    for seed in [1, 2, 4482] {
        decided += thousand_edits(seed).await;
    }
    assert!(decided > 30, "people decided {decided} conflicts");
}

/// Returns how many conflicts people decided.
async fn thousand_edits(seed: u64) -> usize {
    let bench = Bench::new().await;
    let engine = bench.process("a").engine;
    let mut dice = Dice(seed);
    let mut observer = begin(&bench, &engine).await;
    let mut prefix = BTreeMap::new();
    for field in fields() {
        prefix.insert(field, told(&engine, field, 200).await.len());
    }
    let mut decided = 0;
    for number in 0..EDITS {
        edit(&bench.land, &mut dice, number);
        if number % 40 == 0 {
            let field = *dice.of(&SHARED);
            observer.rules.insert(field, *dice.of(&RULES));
            set_rules(&bench, &observer.rules);
        }
        // A sync after each edit, or after a few.
        if dice.roll(5) < 2 {
            continue;
        }
        observer.look(&bench.land);
        let run = match dice.roll(4) {
            0 => None,
            _ => decide(&engine, &mut dice, number).await,
        };
        decided += usize::from(run.is_some());
        let run = match run {
            Some(run) => run,
            None => succeeded(&engine).await,
        };
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
        observer.note(&bench.land, &run);
    }
    let mut entries = 0;
    for field in fields() {
        let history: Vec<_> = told(&engine, field, 37).await;
        let history: Vec<_> = history.iter().skip(prefix[field]).map(truth).collect();
        let expected = &observer.history[field];
        for (at, (told, happened)) in history.iter().zip(expected).enumerate() {
            assert_eq!(told, happened, "{field}, entry {at}");
        }
        assert_eq!(history.len(), expected.len(), "{field}");
        entries += history.len();
    }
    let kinds: std::collections::BTreeSet<_> = observer
        .history
        .values()
        .flatten()
        .map(|one| format!("{:?}", one.origin))
        .collect();
    assert_eq!(kinds.len(), 4, "the CRM, the CPQ, both and a person: {kinds:?}");
    assert!(entries > 500);
    decided
}

/// Looking again and again at two sides that differ and are meant to, or agree, writes no history.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_what_did_not_change() {
    let bench = contested("review").await;
    let engine = bench.process("a").engine;
    succeeded(&engine).await;
    for _ in 0..3 {
        let run = succeeded(&engine).await;
        let kept = bench
            .store
            .read(move |tx| Box::pin(cpq_store::decisions::of_run(tx, run.id)))
            .await;
        assert!(kept.expect("read").is_empty());
    }
}

/// What was carried to the CPQ before the sync started over is told, and told once.
#[tokio::test(start_paused = true)]
async fn a_sync_that_starts_over_tells_all_that_it_did() {
    for fate in [
        Fate::Edited(|land: &Land| land.rep_prices(30)),
        Fate::LostUnapplied,
        Fate::LostApplied,
        Fate::Refused(cpq_domain::Code::CrmLocked),
    ] {
        let bench = Bench::new().await;
        let engine = bench.service("a");
        succeeded(&engine).await;
        bench.land.clock.advance(Duration::from_secs(60));
        bench.land.rep(TAKEN, text("Acme, renamed"));
        bench.land.seller_gives(10);
        bench.land.script("crm.write", [fate]);
        let run = succeeded(&engine).await;
        let name = told(&engine, TAKEN, 200).await;
        let [first, renamed] = name.as_slice() else {
            panic!("{name:?}")
        };
        assert_eq!(first.value, Some(text("Acme expansion")));
        assert_eq!(
            (&renamed.value, renamed.decision.origin),
            (&Some(text("Acme, renamed")), Origin::Crm)
        );
        assert_eq!(renamed.correlation, run.correlation);
        let total = told(&engine, COMPUTED, 200).await;
        let last = total.last().expect("told");
        assert_eq!(
            (total.len(), last.decision.origin, &last.correlation),
            (2, Origin::Cpq, &run.correlation)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_event_that_named_the_field_and_the_conflict_are_told_with_it() {
    let bench = contested("always").await;
    let engine = bench.process("a").engine;
    let hint = Hint {
        source: "pubsub /data/OpportunityChangeEvent".into(),
        event: Some("e-7".into()),
        kind: ChangeKind::Changed,
        at: None,
        by: Some("005SUE".into()),
        ours: false,
        fields: vec![FIELD.into()],
    };
    let submission = Submission {
        hints: vec![hint],
        ..look_at(NUMBER)
    };
    let run = run_of(engine.submit(submission).await.expect("accepted"));
    engine.wait(run.id, LONG).await.expect("known");
    let history = told(&engine, FIELD, 200).await;
    let (old, new) = (&history[0], history.last().expect("told"));
    assert_eq!((old.value.clone(), &old.hint), (Some(text("old")), &None));
    assert_eq!(new.value, Some(text("rep's")));
    let event = new.hint.as_ref().expect("told");
    assert_eq!(
        (event.by.as_deref(), event.event.as_deref()),
        (Some("005SUE"), Some("e-7"))
    );
    assert_eq!(new.decision.lost, Some(text("seller's")));
    assert_eq!(new.conflict, Some(ConflictId::numbered(1)));
}
