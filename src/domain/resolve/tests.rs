//! The laws of resolution, and the cases that people ask about.

use proptest::prelude::*;

use super::*;
use crate::adapter::Mapped;
use crate::quote::Status;

const POLICIES: [&str; 9] = [
    "always", "if_blank", "seed", "snapshot", "follow", "computed", "review", "newest", "never",
];

fn matrix(owner: &str, policy: &str) -> Matrix {
    let text = format!("[[rule]]\nfield='quote.x'\nowner='{owner}'\npolicy='{policy}'\n");
    Matrix::parse(&text, "test").expect("the matrix parses")
}

fn mapping() -> Mapping {
    let mapped = Mapped {
        path: "Opportunity.X__c".into(),
        writable: true,
        shape: Shape::scaled(2),
    };
    Mapping {
        fields: [("quote.x".into(), mapped)].into(),
        warnings: vec![],
    }
}

fn view(value: &Value) -> View {
    View {
        fields: [("quote.x".into(), value.clone())].into(),
        ..View::default()
    }
}

fn text(value: &str) -> Value {
    Value::text(value)
}

fn draft() -> Facts {
    Facts {
        quote_status: Some(Status::Draft),
        ..Facts::default()
    }
}

fn plan(matrix: &Matrix, facts: &Facts, base: &Base, crm: &View, cpq: Option<&View>) -> Plan {
    let changed_at = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    decide(&Question {
        matrix,
        facts,
        mapping: &mapping(),
        base,
        crm,
        cpq,
        changed_at,
        rulings: &[],
        asked: &[],
    })
}

fn apply(view: &View, patch: &Patch) -> View {
    let mut after = view.clone();
    after.fields.extend(patch.fields.clone());
    after
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        "[ab]{0,2}".prop_map(Value::Text),
        (-3i64..3, 0u32..4).prop_map(|(n, scale)| Value::Number(rust_decimal::Decimal::new(n * 5, scale))),
        any::<bool>().prop_map(Value::Bool),
    ]
}

fn any_base() -> impl Strategy<Value = Base> {
    prop_oneof![
        Just(Base::default()),
        any_value().prop_map(|value| Base {
            crm: view(&value),
            cpq: view(&value)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Once both patches are applied and the agreement is stored, the next look writes nothing.
    #[test]
    fn idempotent(owner in "crm|cpq", policy in 0..POLICIES.len(), base in any_base(), crm in any_value(), cpq in any_value()) {
        let matrix = matrix(&owner, POLICIES[policy]);
        let first = plan(&matrix, &draft(), &base, &view(&crm), Some(&view(&cpq)));
        let (crm, cpq) = (apply(&view(&crm), &first.to_crm), apply(&view(&cpq), &first.to_cpq));
        let second = plan(&matrix, &draft(), &first.base, &crm, Some(&cpq));
        prop_assert!(second.to_crm.is_empty() && second.to_cpq.is_empty(), "{second:?}");
    }

    /// Under the closed policies the owner's value is never touched, and both sides end up the same.
    #[test]
    fn the_owner_wins_and_both_agree(owner in "crm|cpq", policy in "always|computed|snapshot", base in any_base(), crm in any_value(), cpq in any_value()) {
        let plan = plan(&matrix(&owner, &policy), &draft(), &base, &view(&crm), Some(&view(&cpq)));
        let (own, other) = if owner == "crm" { (&plan.to_crm, &plan.to_cpq) } else { (&plan.to_cpq, &plan.to_crm) };
        prop_assert!(own.is_empty());
        let stored_apart = plan.decisions.iter().any(|d| d.reason.contains("its own way"));
        let owners = if owner == "crm" { &crm } else { &cpq };
        let others = if owner == "crm" { &cpq } else { &crm };
        let after = other.fields.values().next().unwrap_or(others);
        prop_assert!(stored_apart || after.same(owners, Shape::scaled(2)), "{plan:?}");
    }

    /// Swapping sides and owners swaps the patches: nothing in the rules favours the CRM or the CPQ.
    #[test]
    fn symmetric(policy in 0..POLICIES.len(), base in any_base(), crm in any_value(), cpq in any_value()) {
        let there = plan(&matrix("crm", POLICIES[policy]), &draft(), &base, &view(&crm), Some(&view(&cpq)));
        let back = plan(&matrix("cpq", POLICIES[policy]), &draft(), &base, &view(&cpq), Some(&view(&crm)));
        prop_assert_eq!(there.to_crm, back.to_cpq);
        prop_assert_eq!(there.to_cpq, back.to_crm);
    }

    /// An edit of the other side is never overruled without being kept for people to see.
    #[test]
    fn no_edit_vanishes_unseen(owner in "crm|cpq", policy in 0..POLICIES.len(), old in any_value(), crm in any_value(), cpq in any_value()) {
        let base = Base { crm: view(&old), cpq: view(&old) };
        let plan = plan(&matrix(&owner, POLICIES[policy]), &draft(), &base, &view(&crm), Some(&view(&cpq)));
        for (patch, held) in [(&plan.to_crm, &crm), (&plan.to_cpq, &cpq)] {
            let edited = !held.same(&old, Shape::scaled(2)) && !held.is_null();
            if edited && !patch.is_empty() {
                prop_assert_eq!(plan.decisions[0].lost.as_ref(), Some(held));
            }
        }
    }
}

#[test]
fn both_changed_a_shared_field_and_a_person_decides() {
    let base = Base {
        crm: view(&text("old")),
        cpq: view(&text("old")),
    };
    let plan = plan(
        &matrix("crm", "review"),
        &draft(),
        &base,
        &view(&text("a")),
        Some(&view(&text("b"))),
    );
    assert_eq!(plan.open().count(), 1);
    assert!(plan.to_crm.is_empty() && plan.to_cpq.is_empty());
    assert_eq!(plan.base, base, "the open field keeps its old agreement");
}

#[test]
fn a_snapshot_is_frozen_once_the_quote_left_draft() {
    let base = Base {
        crm: view(&text("old")),
        cpq: view(&text("old")),
    };
    let facts = Facts {
        quote_status: Some(Status::Sent),
        ..Facts::default()
    };
    let plan = plan(
        &matrix("crm", "snapshot"),
        &facts,
        &base,
        &view(&text("new")),
        Some(&view(&text("old"))),
    );
    assert!(plan.to_cpq.is_empty());
    assert_eq!(plan.decisions[0].reason, "frozen since the quote left draft");
}

#[test]
fn a_draft_follows_the_owner_and_keeps_what_the_other_side_made_of_it() {
    let base = Base {
        crm: view(&text("old")),
        cpq: view(&text("old")),
    };
    let by = |crm: &str, cpq: &str, facts: &Facts| {
        let matrix = matrix("crm", "follow");
        plan(&matrix, facts, &base, &view(&text(crm)), Some(&view(&text(cpq))))
    };
    assert_eq!(by("new", "old", &draft()).to_cpq.fields["quote.x"], text("new"));
    let kept = by("old", "mine", &draft());
    assert!(kept.to_cpq.is_empty() && kept.to_crm.is_empty(), "{kept:?}");
    assert_eq!(kept.base, base, "it goes on being an edit");
    let both = by("new", "mine", &draft());
    assert_eq!(both.decisions[0].lost, Some(text("mine")));
    let sent = Facts {
        quote_status: Some(Status::Sent),
        ..Facts::default()
    };
    assert!(by("new", "old", &sent).to_cpq.is_empty());
}

#[test]
fn a_value_that_a_side_stores_its_own_way_is_not_an_edit() {
    let base = Base {
        crm: view(&text("Acme GmbH & Co")),
        cpq: view(&text("Acme GmbH")),
    };
    let plan = plan(
        &matrix("crm", "always"),
        &draft(),
        &base,
        &base.crm.clone(),
        Some(&base.cpq.clone()),
    );
    assert!(plan.to_cpq.is_empty(), "{plan:?}");
}

#[test]
fn a_seed_is_given_once() {
    let first = plan(
        &matrix("crm", "seed"),
        &Facts::default(),
        &Base::default(),
        &view(&text("a")),
        None,
    );
    assert_eq!(first.to_cpq.fields["quote.x"], text("a"));
    let later = plan(
        &matrix("crm", "seed"),
        &draft(),
        &first.base,
        &view(&text("b")),
        Some(&view(&text("a"))),
    );
    assert!(later.to_cpq.is_empty());
}

#[test]
fn a_seed_that_was_cleared_later_is_not_given_again() {
    let base = Base {
        crm: view(&text("a")),
        cpq: view(&text("a")),
    };
    let plan = plan(
        &matrix("crm", "seed"),
        &draft(),
        &base,
        &view(&text("b")),
        Some(&view(&Value::Null)),
    );
    assert!(plan.to_cpq.is_empty(), "{plan:?}");
}

#[test]
fn a_shared_field_follows_whichever_side_alone_changed_it() {
    let base = Base {
        crm: view(&text("old")),
        cpq: view(&text("old")),
    };
    let by = |crm: &str, cpq: &str| {
        plan(
            &matrix("crm", "review"),
            &draft(),
            &base,
            &view(&text(crm)),
            Some(&view(&text(cpq))),
        )
    };
    assert_eq!(by("new", "old").to_cpq.fields["quote.x"], text("new"));
    assert_eq!(by("old", "new").to_crm.fields["quote.x"], text("new"));
}

#[test]
fn of_two_changes_the_later_wins_where_the_rule_says_so_and_the_clocks_can_tell() {
    let base = Base {
        crm: view(&text("old")),
        cpq: view(&text("old")),
    };
    let (matrix, facts, mapping) = (matrix("crm", "newest"), draft(), mapping());
    let (crm, cpq) = (view(&text("a")), view(&text("b")));
    let at = |seconds| Timestamp::from_second(seconds).expect("a moment");
    let by = |crm_at, cpq_at, asked: &[Asked]| {
        let changed_at = (at(crm_at), at(cpq_at));
        decide(&Question {
            matrix: &matrix,
            facts: &facts,
            mapping: &mapping,
            base: &base,
            crm: &crm,
            cpq: Some(&cpq),
            changed_at,
            rulings: &[],
            asked,
        })
    };
    assert_eq!(by(100, 50, &[]).to_cpq.fields["quote.x"], text("a"));
    assert_eq!(by(50, 100, &[]).to_crm.fields["quote.x"], text("b"));
    assert_eq!(
        by(100, 99, &[]).open().count(),
        1,
        "a second apart the clocks cannot tell"
    );
    // Whoever was asked about these values decides, whatever has changed elsewhere in the records since.
    let asked = |cpq: &str| Asked {
        field: "quote.x".into(),
        line: None,
        crm: text("a"),
        cpq: text(cpq),
    };
    assert_eq!(by(50, 100, &[asked("b")]).open().count(), 1);
    assert_eq!(by(50, 100, &[asked("old")]).to_crm.fields["quote.x"], text("b"));
}

mod lines;
