//! The laws of undoing.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::adapter::Mapped;
use crate::ownership::{Facts, Matrix};
use crate::quote::Status;
use crate::resolve::Base;

const FIELD: &str = "quote.x";
const POLICIES: [&str; 9] = [
    "always", "if_blank", "seed", "snapshot", "follow", "computed", "review", "newest", "never",
];

fn matrix(owner: &str, policy: &str) -> Matrix {
    let text = format!("[[rule]]\nfield='{FIELD}'\nowner='{owner}'\npolicy='{policy}'\n");
    Matrix::parse(&text, "test").expect("the matrix parses")
}

fn view(value: &str) -> View {
    View {
        fields: [(FIELD.into(), Value::text(value))].into(),
        ..View::default()
    }
}

/// What both sides hold, and what they agreed on: one value of each.
#[derive(Clone, Debug)]
struct Stand {
    crm: View,
    cpq: View,
    base: Base,
    status: Status,
}

impl Stand {
    fn of(crm: &str, cpq: &str, base: &str) -> Stand {
        let (crm, cpq) = (view(crm), view(cpq));
        let base = Base {
            crm: view(base),
            cpq: view(base),
        };
        Stand {
            crm,
            cpq,
            base,
            status: Status::Draft,
        }
    }

    fn plan(&self, matrix: &Matrix, reversals: &[Reversal]) -> Plan {
        let mapped = Mapped {
            path: "Opportunity.X__c".into(),
            writable: true,
            shape: Shape::default(),
        };
        let mapping = Mapping {
            fields: [(FIELD.into(), mapped)].into(),
            warnings: vec![],
        };
        let facts = Facts {
            quote_status: Some(self.status),
            ..Facts::default()
        };
        let question = Question {
            matrix,
            facts: &facts,
            mapping: &mapping,
            base: &self.base,
            crm: &self.crm,
            cpq: Some(&self.cpq),
            changed_at: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            rulings: &[],
            asked: &[],
        };
        undo(&question, reversals)
    }

    fn after(mut self, plan: &Plan) -> Stand {
        self.crm.fields.extend(plan.to_crm.fields.clone());
        self.cpq.fields.extend(plan.to_cpq.fields.clone());
        self.base = plan.base.clone();
        self
    }

    fn held(&self) -> (String, String) {
        let text = |view: &View| view.text(FIELD).unwrap_or_default().to_owned();
        (text(&self.crm), text(&self.cpq))
    }
}

/// The CPQ's "b" was written over the CRM's "a".
fn reversal(both: bool) -> Reversal {
    Reversal {
        sync: CorrelationId::new("csync-001").expect("an id"),
        field: FIELD.into(),
        line: None,
        side: Side::Crm,
        old: Value::text("a"),
        wrote: Value::text("b"),
        at: None,
        both,
        lost: None,
        since: None,
    }
}

fn fate(plan: &Plan) -> Fate {
    plan.undone.first().expect("it is told").fate
}

#[test]
fn what_the_rules_would_write_again_is_left() {
    let stand = Stand::of("b", "b", "b");
    let plan = stand.plan(&matrix("cpq", "always"), &[reversal(false)]);
    assert_eq!(fate(&plan), Fate::WrittenAgain);
    assert!(
        plan.undone[0].reason.contains("change the rule"),
        "{:?}",
        plan.undone
    );
    assert!(plan.to_crm.is_empty() && plan.to_cpq.is_empty());
    assert_eq!(plan.base, stand.base);
}

#[test]
fn under_better_rules_the_old_value_comes_back_and_goes_where_it_belongs() {
    let stand = Stand::of("b", "b", "b");
    let plan = stand.plan(&matrix("crm", "always"), &[reversal(false)]);
    assert_eq!(fate(&plan), Fate::PutBack);
    assert_eq!(stand.after(&plan).held(), ("a".into(), "a".into()));
    assert!(plan.decisions[0].reason.contains("before sync csync-001"));
}

#[test]
fn where_people_decide_it_is_put_back_and_asked_about() {
    let stand = Stand::of("b", "b", "b");
    let plan = stand.plan(&matrix("crm", "review"), &[reversal(false)]);
    assert_eq!(fate(&plan), Fate::PutBack);
    assert_eq!(plan.open().count(), 1);
    assert_eq!(stand.after(&plan).held(), ("a".into(), "b".into()));
}

#[test]
fn the_source_goes_back_too_where_that_is_wanted() {
    let stand = Stand::of("b", "b", "b");
    let rules = matrix("cpq", "always");
    let plan = stand.plan(&rules, &[reversal(true)]);
    assert_eq!(fate(&plan), Fate::PutBack);
    let after = stand.after(&plan);
    assert_eq!(after.held(), ("a".into(), "a".into()));
    let next = after.plan(&rules, &[]);
    assert!(next.to_crm.is_empty() && next.to_cpq.is_empty(), "{next:?}");
    // Once more finds nothing to do.
    let again = after.plan(&rules, &[reversal(true)]);
    assert_eq!(fate(&again), Fate::AsBefore);
    assert!(again.to_crm.is_empty() && again.to_cpq.is_empty());
}

#[test]
fn an_edit_of_the_other_side_goes_on_as_what_it_is() {
    // The sync carried "b" to the CRM; somebody has edited the CPQ since.
    let stand = Stand::of("b", "c", "b");
    let plan = stand.plan(&matrix("crm", "always"), &[reversal(false)]);
    assert_eq!(fate(&plan), Fate::PutBack);
    assert_eq!(plan.to_cpq.fields[&FieldName::new(FIELD)], Value::text("a"));
    assert_eq!(
        plan.decisions[0].lost,
        Some(Value::text("c")),
        "it is lost unseen"
    );
    // Where it is the owner's, it is carried, and nothing is put back.
    let plan = stand.plan(&matrix("cpq", "always"), &[reversal(false)]);
    assert_eq!(fate(&plan), Fate::WrittenAgain);
    assert_eq!(stand.after(&plan).held(), ("c".into(), "c".into()));
}

#[test]
fn where_the_later_change_wins_both_sides_go_back() {
    let stand = Stand::of("b", "b", "b");
    let rules = matrix("cpq", "newest");
    let plan = stand.plan(&rules, &[reversal(false)]);
    let after = stand.after(&plan);
    assert_eq!(after.held(), ("a".into(), "a".into()));
    assert!(after.plan(&rules, &[]).to_crm.is_empty());
}

#[test]
fn once_the_quote_left_draft_its_offer_holds_still() {
    let mut stand = Stand::of("b", "b", "b");
    stand.status = Status::Sent;
    let plan = stand.plan(&matrix("cpq", "always"), &[reversal(true)]);
    assert_eq!(fate(&plan), Fate::CannotBe);
    assert!(plan.undone[0].reason.contains("left draft"), "{:?}", plan.undone);
    assert!(plan.to_crm.is_empty() && plan.to_cpq.is_empty());
}

#[test]
fn what_another_sync_wrote_since_is_that_ones() {
    let since = Some(CorrelationId::new("csync-009").expect("an id"));
    let reversal = Reversal {
        since,
        ..reversal(true)
    };
    let plan = Stand::of("b", "b", "b").plan(&matrix("cpq", "always"), &[reversal]);
    assert_eq!(fate(&plan), Fate::ChangedSince);
    assert!(plan.undone[0].reason.contains("csync-009"), "{:?}", plan.undone);
    assert!(plan.to_crm.is_empty() && plan.to_cpq.is_empty());
}

#[test]
fn what_the_cpq_computes_is_not_put_back_there() {
    let plan = Stand::of("b", "b", "b").plan(&matrix("cpq", "computed"), &[reversal(true)]);
    assert_eq!(fate(&plan), Fate::CannotBe);
    assert!(plan.to_crm.is_empty() && plan.to_cpq.is_empty());
}

#[test]
fn of_several_writes_the_oldest_value_counts_unless_somebody_changed_it_between() {
    let decision = |crm: &str, cpq: &str| {
        let plan = Stand::of(crm, cpq, crm).plan(&matrix("cpq", "always"), &[]);
        plan.decisions[0].clone()
    };
    let told = |sync: &str, decision: Decision| Told {
        sync: CorrelationId::new(sync).expect("an id"),
        decision,
        crm: Taken::Surely,
        cpq: Taken::Surely,
    };
    let undoes = Undoes::default();
    let chain = [
        told("csync-001", decision("a", "b")),
        told("csync-002", decision("b", "c")),
    ];
    let folded = reversals(&chain, &undoes);
    assert_eq!(folded.len(), 1);
    assert_eq!(
        (&folded[0].old, &folded[0].wrote),
        (&Value::text("a"), &Value::text("c"))
    );
    let edited = [
        told("csync-001", decision("a", "b")),
        told("csync-002", decision("x", "c")),
    ];
    assert_eq!(reversals(&edited, &undoes)[0].old, Value::text("x"));
    let never = [Told {
        crm: Taken::No,
        cpq: Taken::No,
        ..told("csync-001", decision("a", "b"))
    }];
    assert!(
        reversals(&never, &undoes).is_empty(),
        "it may never have been written"
    );
    // Both sides have one value to go back to, wherever it was written last.
    let both = Undoes {
        both_sides: true,
        ..Undoes::default()
    };
    let mut back = decision("b", "c");
    (back.verdict, back.crm, back.cpq) = (Verdict::ToCpq, Value::text("c"), Value::text("b"));
    let folded = reversals(
        &[told("csync-001", decision("a", "b")), told("csync-002", back)],
        &both,
    );
    assert_eq!(folded.len(), 1, "{folded:?}");
    assert_eq!((folded[0].side, &folded[0].old), (Side::Cpq, &Value::text("a")));
    let other = Undoes {
        field: Some("quote.y".into()),
        ..undoes
    };
    assert!(reversals(&chain, &other).is_empty());
}

proptest! {
    /// What somebody changed since is never touched by an undo: it does what any sync would do.
    #[test]
    fn an_edit_that_came_later_stays(
        owner in prop_oneof![Just("crm"), Just("cpq")],
        policy in prop::sample::select(&POLICIES[..]),
        quote in "[abcd]",
        both: bool,
    ) {
        let rules = matrix(owner, policy);
        let stand = Stand::of("d", &quote, "b");
        let plan = stand.plan(&rules, &[reversal(both)]);
        prop_assert_eq!(fate(&plan), Fate::ChangedSince);
        let plain = stand.plan(&rules, &[]);
        prop_assert_eq!((plan.to_crm, plan.to_cpq, plan.base), (plain.to_crm, plain.to_cpq, plain.base));
    }

    /// What was put back stays: the next sync does not write the value again that was taken back.
    #[test]
    fn no_sync_undoes_the_undoing(
        owner in prop_oneof![Just("crm"), Just("cpq")],
        policy in prop::sample::select(&POLICIES[..]),
        quote in "[abc]",
        base in "[abc]",
        both: bool,
    ) {
        let rules = matrix(owner, policy);
        let stand = Stand::of("b", &quote, &base);
        let plan = stand.plan(&rules, &[reversal(both)]);
        if fate(&plan) == Fate::PutBack {
            let after = stand.after(&plan);
            prop_assert_eq!(after.held().0, "a");
            let next = after.plan(&rules, &[]);
            prop_assert!(!next.to_crm.fields.contains_key(&FieldName::new(FIELD)), "{:?}", next);
        }
    }
}
