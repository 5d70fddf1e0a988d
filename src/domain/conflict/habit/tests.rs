use super::*;
use crate::conflict::{Claim, Ruling};
use crate::id::{ConnectionName, CorrelationId, RecordId};
use crate::resolve::Held;
use crate::value::Value;

fn conflict(number: u32, state: ConflictState, policy: Policy, take: Option<Take>) -> Conflict {
    let id = ConflictId::new(format!("cf-{number:03}")).expect("an id");
    let field = FieldName::new("quote.payment_terms");
    let at = jiff::Timestamp::from_second(i64::from(number) * 86_400).expect("a moment");
    let ruling = take.map(|take| Ruling {
        conflict: id.clone(),
        field: field.clone(),
        line: None,
        take,
        value: Value::Null,
        crm: Value::Null,
        cpq: Value::Null,
        by: "anna".into(),
        at,
        reason: None,
    });
    Conflict {
        id,
        state,
        version: 1,
        connection: ConnectionName::new("crm").expect("a name"),
        opportunity_id: RecordId::new("006A").expect("an id"),
        opportunity_number: None,
        field,
        line: None,
        base: Held::default(),
        crm: Claim::default(),
        cpq: Claim::default(),
        owner: Side::Cpq,
        policy,
        matrix_version: "v1".into(),
        reason: String::new(),
        ruling,
        outcome: None,
        run_id: serde_json::from_value("01a21c4c-9146-75e1-afa1-2c2d0a661d77".into()).expect("an id"),
        correlation: CorrelationId::new("csync-001").expect("an id"),
        opened_at: at,
        updated_at: at,
        closed_at: Some(at),
    }
}

fn decided(takes: &[Take]) -> Vec<Conflict> {
    let each = takes.iter().zip(1..);
    each.map(|(take, number)| conflict(number, ConflictState::Resolved, Policy::Review, Some(*take)))
        .collect()
}

#[test]
fn what_people_always_decide_alike_becomes_a_rule() {
    let mut takes = [Take::Crm; 10];
    takes[3] = Take::Cpq;
    let habits = habits(&decided(&takes));
    let [habit] = &habits[..] else {
        panic!("{habits:?}");
    };
    assert_eq!((habit.seen, habit.took_crm, habit.took_cpq), (10, 9, 1));
    let suggestion = habit.suggestion.as_ref().expect("a suggestion");
    assert!(
        suggestion.rule.contains("owner = \"crm\"\npolicy = \"always\""),
        "{}",
        suggestion.rule
    );
    assert_eq!((suggestion.same, suggestion.otherwise), (9, 1));
    assert_eq!(suggestion.otherwise_in[0].as_str(), "cf-004");
    crate::ownership::Matrix::parse(&suggestion.rule, "test").expect("it can stand in a matrix");
}

#[test]
fn few_or_mixed_decisions_are_no_habit() {
    for takes in [
        &[Take::Crm; 4][..],
        &[Take::Crm, Take::Cpq, Take::Crm, Take::Cpq, Take::Crm, Take::Value],
    ] {
        assert_eq!(habits(&decided(takes))[0].suggestion, None, "{takes:?}");
    }
    let obsolete: Vec<_> = (1..20)
        .map(|number| conflict(number, ConflictState::Obsolete, Policy::Review, None))
        .collect();
    assert_eq!(habits(&obsolete)[0].suggestion, None);
}

#[test]
fn edits_that_are_always_lost_are_shown_to_people() {
    let lost: Vec<_> = (1..=12)
        .map(|number| conflict(number, ConflictState::Settled, Policy::Always, None))
        .collect();
    let habit = habits(&lost).remove(0);
    let suggestion = habit.suggestion.expect("a suggestion");
    assert!(
        suggestion.why.contains("12 edits in the CRM"),
        "{}",
        suggestion.why
    );
    assert!(
        suggestion.rule.contains("policy = \"review\""),
        "{}",
        suggestion.rule
    );
    assert_eq!((suggestion.same, suggestion.otherwise), (0, 12));
}

#[test]
fn days_tell_what_arose_and_what_was_decided() {
    let mut conflicts = decided(&[Take::Crm, Take::Crm]);
    conflicts.push(conflict(2, ConflictState::Settled, Policy::Always, None));
    conflicts.push(conflict(2, ConflictState::Open, Policy::Review, None));
    let days = by_day(&conflicts);
    let told: Vec<_> = days
        .iter()
        .map(|day| (day.day.to_string(), day.settled, day.asked, day.decided))
        .collect();
    assert_eq!(
        told,
        [
            ("1970-01-02".to_owned(), 0, 1, 1),
            ("1970-01-03".to_owned(), 1, 2, 1)
        ]
    );
}
