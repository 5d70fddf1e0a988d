//! That no single difference in a closed field escapes, and that what is no difference is not told as one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::adapter::Mapping;
use crate::conflict::{Ruling, Take};
use crate::id::ConflictId;
use crate::ownership::Matrix;
use crate::resolve::Base;

const MATRIX: &str = "
[[rule]]\nfield = \"account.name\"\nowner = \"crm\"\npolicy = \"always\"
[[rule]]\nfield = \"opportunity.stage\"\nowner = \"crm\"\npolicy = \"review\"
[[rule]]\nfield = \"quote.name\"\nowner = \"crm\"\npolicy = \"seed\"
[[rule]]\nfield = \"quote.number\"\nowner = \"cpq\"\npolicy = \"computed\"
[[rule]]\nfield = \"quote.net_total\"\nowner = \"cpq\"\npolicy = \"computed\"
[[rule]]\nfield = \"quote_record.key\"\nowner = \"cpq\"\npolicy = \"computed\"
[[rule]]\nfield = \"quote_record.name\"\nowner = \"cpq\"\npolicy = \"computed\"
[[rule]]\nfield = \"line.exists\"\nowner = \"crm\"\npolicy = \"snapshot\"
[[rule]]\nfield = \"line.quantity\"\nowner = \"crm\"\npolicy = \"snapshot\"
[[rule]]\nfield = \"line.description\"\nowner = \"crm\"\npolicy = \"seed\"
";
const CLOSED: [&str; 6] = [
    "account.name",
    "opportunity.stage",
    "quote.number",
    "quote.net_total",
    "quote_record.key",
    "quote_record.name",
];

struct Scene {
    matrix: Matrix,
    mapping: Mapping,
    facts: Facts,
    base: Base,
    crm: View,
    cpq: View,
    rulings: Vec<Ruling>,
}

impl Scene {
    /// Both sides agree and have agreed.
    fn agreed() -> Scene {
        let matrix = Matrix::parse(MATRIX, "m1").expect("a matrix");
        let mapped = |writable| Mapped {
            path: String::new(),
            writable,
            shape: Shape {
                scale: Some(2),
                ..Shape::default()
            },
        };
        let fields = matrix
            .fields()
            .map(|field| (field.clone(), mapped(field.as_str() != "line.exists")));
        let mapping = Mapping {
            fields: fields.collect(),
            warnings: vec![],
        };
        let view = view();
        Scene {
            matrix,
            mapping,
            facts: facts(Status::Draft),
            base: Base {
                crm: view.clone(),
                cpq: view.clone(),
            },
            crm: view.clone(),
            cpq: view,
            rulings: vec![],
        }
    }

    fn look<T>(&self, tell: impl FnOnce(Comparison<'_>) -> T) -> T {
        tell(compare(&Question {
            matrix: &self.matrix,
            facts: &self.facts,
            mapping: &self.mapping,
            base: &self.base,
            crm: &self.crm,
            cpq: Some(&self.cpq),
            changed_at: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            rulings: &self.rulings,
            asked: &[],
        }))
    }

    fn causes(&self) -> Vec<(String, Cause)> {
        let name = |difference: &Difference| difference.field.as_ref().map(ToString::to_string);
        self.look(|found| {
            let told = found.differences.iter();
            told.map(|one| (name(one).unwrap_or_default(), one.cause))
                .collect()
        })
    }

    fn sums_agree(&self) -> bool {
        self.look(|found| found.pairs.iter().all(|pair| pair.crm == pair.cpq))
    }
}

fn facts(status: Status) -> Facts {
    Facts {
        quote_status: Some(status),
        primary: Some(true),
        ..Facts::default()
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn view() -> View {
    let header = CLOSED.iter().chain(&["quote.name"]);
    let line = BTreeMap::from([
        ("line.quantity".into(), Value::Number(3.into())),
        ("line.description".into(), text("as agreed")),
    ]);
    View {
        fields: header.map(|field| ((*field).into(), text("agreed"))).collect(),
        lines: [("L1", line.clone()), ("L2", line)]
            .map(|(key, line)| (key_of(key), line))
            .into(),
    }
}

fn key_of(key: &str) -> LineKey {
    LineKey::new(key).expect("a key")
}

#[test]
fn two_sides_that_agree_have_no_difference_and_equal_pairs() {
    let scene = Scene::agreed();
    assert_eq!(scene.causes(), []);
    assert!(scene.sums_agree());
    scene.look(|found| assert_eq!(found.pairs.len(), CLOSED.len() + 4));
}

proptest! {
    /// Any single difference in any closed field, on either side, edited or lost: both witnesses see it.
    #[test]
    fn no_single_difference_escapes(at in 0..CLOSED.len() + 1, crm in any::<bool>(), new in "[a-c]{0,3}", known in any::<bool>()) {
        let mut scene = Scene::agreed();
        if !known {
            scene.base = Base::default();
        }
        let side = if crm { &mut scene.crm } else { &mut scene.cpq };
        match CLOSED.get(at) {
            Some(field) => drop(side.fields.insert((*field).into(), Value::text(new))),
            None => {
                let line = side.lines.get_mut("L2".to_owned().try_into().as_ref().expect("a key")).expect("a line");
                line.insert("line.quantity".into(), Value::Number(4.into()));
            }
        }
        prop_assert_eq!(scene.causes().len(), 1, "{:?}", scene.causes());
        prop_assert!(!scene.sums_agree());
    }

    #[test]
    fn a_line_on_one_side_only_is_seen(crm in any::<bool>()) {
        let mut scene = Scene::agreed();
        let side = if crm { &mut scene.crm } else { &mut scene.cpq };
        side.lines.remove(&key_of("L1"));
        prop_assert_eq!(scene.causes(), [("line.exists".to_owned(), Cause::LineMissing)]);
        prop_assert!(!scene.sums_agree());
    }
}

#[test]
fn the_cause_says_who_changed_it() {
    let set = |view: &mut View, to: &str| drop(view.fields.insert("account.name".into(), text(to)));
    let named = |cause| vec![("account.name".to_owned(), cause)];
    let mut scene = Scene::agreed();
    set(&mut scene.crm, "new");
    assert_eq!(scene.causes(), named(Cause::CrmEdited));
    set(&mut scene.cpq, "newer");
    assert_eq!(scene.causes(), named(Cause::BothEdited));
    set(&mut scene.crm, "agreed");
    assert_eq!(scene.causes(), named(Cause::CpqEdited));
    scene.base = Base::default();
    assert_eq!(scene.causes(), named(Cause::NeverSynced));
}

#[test]
fn a_conflict_a_lost_record_and_a_read_only_field_have_their_own_causes() {
    let mut scene = Scene::agreed();
    scene.crm.fields.insert("opportunity.stage".into(), text("a"));
    scene.cpq.fields.insert("opportunity.stage".into(), text("b"));
    assert_eq!(
        scene.causes(),
        [("opportunity.stage".to_owned(), Cause::ConflictOpen)]
    );

    scene.rulings = vec![Ruling {
        conflict: ConflictId::numbered(1),
        field: "opportunity.stage".into(),
        line: None,
        take: Take::Value,
        value: text("c"),
        crm: text("a"),
        cpq: text("b"),
        by: "jo".into(),
        at: Timestamp::UNIX_EPOCH,
        reason: None,
    }];
    assert_eq!(
        scene.causes(),
        [("opportunity.stage".to_owned(), Cause::DecisionPending)]
    );
    scene.look(|found| assert_eq!(found.differences[0].writes, [Side::Crm, Side::Cpq]));
    assert!(!scene.sums_agree(), "decided is not done");

    let mut scene = Scene::agreed();
    for field in ["quote_record.key", "quote_record.name"] {
        scene.crm.fields.insert(field.into(), Value::Null);
    }
    assert!(
        scene
            .causes()
            .iter()
            .all(|(_, cause)| *cause == Cause::QuoteRecordMissing)
    );
    assert_eq!(scene.causes().len(), 2);

    // However often a sync has looked at it since and taken the two values for agreed.
    let mut scene = Scene::agreed();
    let field = FieldName::new("quote.net_total");
    scene.mapping.fields.get_mut(&field).expect("mapped").writable = false;
    for view in [&mut scene.crm, &mut scene.base.crm] {
        view.fields.insert(field.clone(), text("old"));
    }
    assert_eq!(
        scene.causes(),
        [("quote.net_total".to_owned(), Cause::NotWritable)]
    );
    assert!(!scene.sums_agree());
}

#[test]
fn what_each_side_may_keep_is_no_difference() {
    let mut scene = Scene::agreed();
    scene.crm.fields.insert("quote.name".into(), text("renamed"));
    for view in [&mut scene.crm, &mut scene.base.crm] {
        view.fields.insert("account.name".into(), text("AGREED"));
    }
    assert_eq!(scene.causes(), []);
    assert!(scene.sums_agree());
    scene.look(|found| assert_eq!(found.stored_differently, 1));

    // Lines are free once the quote has left draft.
    let mut scene = Scene::agreed();
    scene.facts = facts(Status::Sent);
    scene.crm.lines.remove(&key_of("L1"));
    assert_eq!(scene.causes(), []);
    assert!(scene.sums_agree());
}

#[test]
fn every_cause_has_a_name_of_its_own_and_a_next_step() {
    let names: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(names.len(), Cause::ALL.len());
    for cause in Cause::ALL {
        assert_eq!(serde_json::json!(cause), cause.as_str());
        assert_eq!(
            cause.next().contains("--repair"),
            cause.is_repairable(),
            "{}",
            cause.as_str()
        );
    }
}
