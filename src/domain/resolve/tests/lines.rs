//! Lines: which come and go, and which of their fields travel.

use super::*;

fn rules() -> Matrix {
    let rule = |field: &str| format!("[[rule]]\nfield='{field}'\nowner='crm'\npolicy='snapshot'\n");
    Matrix::parse(&(rule("line.exists") + &rule("line.quantity")), "test").expect("it parses")
}

fn lines(quantities: &[(&str, i64)]) -> View {
    let line = |(key, quantity): &(&str, i64)| {
        let quantity = Value::Number((*quantity).into());
        (
            LineKey::new(*key).expect("a key"),
            [("line.quantity".into(), quantity)].into(),
        )
    };
    View {
        lines: quantities.iter().map(line).collect(),
        ..View::default()
    }
}

fn decide_lines(base: &Base, crm: &View, cpq: Option<&View>) -> Plan {
    let mapped = || Mapped {
        path: String::new(),
        writable: false,
        shape: Shape::default(),
    };
    let mapping = Mapping {
        fields: [
            ("line.exists".into(), mapped()),
            ("line.quantity".into(), mapped()),
        ]
        .into(),
        warnings: vec![],
    };
    let changed_at = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    decide(&Question {
        matrix: &rules(),
        facts: &draft(),
        mapping: &mapping,
        base,
        crm,
        cpq,
        changed_at,
        rulings: &[],
        asked: &[],
    })
}

#[test]
fn lines_are_added_changed_and_removed_by_key() {
    let old = lines(&[("a", 1), ("b", 1)]);
    let base = Base {
        crm: old.clone(),
        cpq: old.clone(),
    };
    let plan = decide_lines(&base, &lines(&[("a", 2), ("c", 3)]), Some(&old));
    let key = |name| LineKey::new(name).expect("a key");
    assert!(matches!(&plan.to_cpq.lines[&key("a")], LineChange::Put(fields) if fields.len() == 1));
    assert_eq!(plan.to_cpq.lines[&key("b")], LineChange::Remove);
    assert!(matches!(&plan.to_cpq.lines[&key("c")], LineChange::Put(fields) if fields.len() == 1));
    assert_eq!(
        plan.base.crm.lines.keys().collect::<Vec<_>>(),
        [&key("a"), &key("c")]
    );
}

/// The default's idea: the CRM drives the draft, and the approved quote is what the CRM shows.
fn ask(status: Status, base: &Base, crm: &View, cpq: Option<&View>) -> Plan {
    let rules = ["line.exists", "line.quantity"].map(|field| {
        format!(
            "[[rule]]\nfield='{field}'\nowner='cpq'\npolicy='computed'\n\
             when={{ primary=true, quote_status=['approved'] }}\n\
             [[rule]]\nfield='{field}'\nowner='crm'\npolicy='follow'\n"
        )
    });
    let mapped = || Mapped {
        path: String::new(),
        writable: true,
        shape: Shape::default(),
    };
    let fields = ["line.exists", "line.quantity"].map(|field| (field.into(), mapped()));
    decide(&Question {
        matrix: &Matrix::parse(&rules.concat(), "test").expect("it parses"),
        facts: &Facts {
            quote_status: cpq.map(|_| status),
            primary: cpq.map(|_| true),
            ..Facts::default()
        },
        mapping: &Mapping {
            fields: fields.into(),
            warnings: vec![],
        },
        base,
        crm,
        cpq,
        changed_at: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
        rulings: &[],
        asked: &[],
    })
}

fn key(name: &str) -> LineKey {
    LineKey::new(name).expect("a key")
}

fn put(quantity: i64) -> LineChange {
    LineChange::Put([("line.quantity".into(), Value::Number(quantity.into()))].into())
}

#[test]
fn a_draft_keeps_lines_that_the_cpq_dropped_or_added_and_takes_those_of_the_crm() {
    let old = lines(&[("a", 1), ("b", 1)]);
    let base = Base {
        crm: old.clone(),
        cpq: old.clone(),
    };
    let mine = lines(&[("a", 5), ("own", 2)]);
    let crm = lines(&[("a", 1), ("b", 1), ("new", 3)]);
    let plan = ask(Status::Draft, &base, &crm, Some(&mine));
    assert!(plan.to_crm.is_empty(), "{plan:?}");
    assert_eq!(plan.to_cpq.lines, [(key("new"), put(3))].into());
}

#[test]
fn the_approved_quote_replaces_the_lines_and_what_was_lost_is_kept() {
    let old = lines(&[("a", 1), ("b", 1), ("c", 1)]);
    let base = Base {
        crm: old.clone(),
        cpq: old.clone(),
    };
    let mine = lines(&[("a", 5), ("c", 1), ("own", 2)]);
    let crm = lines(&[("a", 1), ("b", 1), ("theirs", 9)]);
    let plan = ask(Status::Approved, &base, &crm, Some(&mine));
    let expected = [
        (key("a"), put(5)),
        (key("b"), LineChange::Remove),
        (key("c"), put(1)),
        (key("own"), put(2)),
        (key("theirs"), LineChange::Remove),
    ];
    assert_eq!(plan.to_crm.lines, expected.into());
    let lost = |name: &str| {
        let mut found = plan
            .decisions
            .iter()
            .filter(|d| d.line.as_ref() == Some(&key(name)));
        found.next().expect("it is decided").lost.clone()
    };
    assert_eq!(lost("theirs"), Some(text(" × 9")));
    assert_eq!(lost("c"), Some(Value::Bool(false)), "somebody took it away");
    assert_eq!(lost("b"), None);
    let next = ask(Status::Approved, &plan.base, &mine, Some(&mine));
    assert!(next.to_crm.is_empty() && next.to_cpq.is_empty(), "{next:?}");
}

#[test]
fn no_line_of_the_crm_goes_as_long_as_there_is_no_quote() {
    let rule = "[[rule]]\nfield='line.exists'\nowner='cpq'\npolicy='computed'\n";
    let matrix = Matrix::parse(rule, "test").expect("it parses");
    let crm = lines(&[("a", 1)]);
    let mapped = Mapped {
        path: String::new(),
        writable: true,
        shape: Shape::default(),
    };
    let plan = decide(&Question {
        matrix: &matrix,
        facts: &Facts::default(),
        mapping: &Mapping {
            fields: [("line.exists".into(), mapped)].into(),
            warnings: vec![],
        },
        base: &Base::default(),
        crm: &crm,
        cpq: None,
        changed_at: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
        rulings: &[],
        asked: &[],
    });
    assert!(plan.to_crm.is_empty(), "{plan:?}");
}

#[test]
fn half_written_lines_are_finished_and_never_taken_for_an_edit() {
    let old = lines(&[("a", 1), ("b", 1)]);
    let base = Base {
        crm: old.clone(),
        cpq: old,
    };
    let quote = lines(&[("a", 5), ("b", 6)]);
    let mut half = lines(&[("a", 5), ("b", 1)]);
    let mark = Value::text(crate::quote::writing(2));
    half.fields.insert(crate::quote::SYNC_STATE.into(), mark);
    let plan = ask(Status::Draft, &base, &half, Some(&quote));
    assert!(plan.to_cpq.is_empty(), "{plan:?}");
    assert_eq!(plan.to_crm.lines, [(key("b"), put(6))].into());
    half.fields.clear();
    let plan = ask(Status::Draft, &base, &half, Some(&quote));
    assert!(
        plan.to_crm.is_empty(),
        "without the mark the draft's rules hold: {plan:?}"
    );
}

#[test]
fn a_line_born_in_the_cpq_is_not_the_crms_to_remove() {
    let both = lines(&[("a", 1)]);
    let base = Base {
        crm: both.clone(),
        cpq: both.clone(),
    };
    let plan = decide_lines(&base, &both, Some(&lines(&[("a", 1), ("own", 5)])));
    assert!(plan.to_cpq.is_empty() && plan.to_crm.is_empty(), "{plan:?}");
}
