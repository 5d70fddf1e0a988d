//! Conflicts: one open at a time per field, and found by what people know of them.

use cpq_domain::Code;
use cpq_domain::conflict::{Claim, Conflict, ConflictState};
use cpq_domain::id::{ConflictId, LineKey};
use cpq_domain::ownership::{Policy, Side};
use cpq_domain::resolve::Held;
use cpq_domain::value::Value;
use cpq_store::Store;
use cpq_store::conflicts::{self, Filter};

use crate::sample::{at, connection, correlation, key, record, run_id};
use crate::{read, write};

pub fn conflict(number: i64, opportunity: u32, field: &str, line: Option<&str>) -> Conflict {
    Conflict {
        id: ConflictId::numbered(number),
        state: ConflictState::Open,
        version: 1,
        connection: connection(),
        opportunity_id: record(&format!("006{opportunity}")),
        opportunity_number: Some(key(&format!("OPP-{opportunity}"))),
        field: field.into(),
        line: line.map(|key| LineKey::new(key).expect("valid")),
        base: Held {
            crm: Some(Value::text("old")),
            cpq: Some(Value::text("old")),
        },
        crm: Claim {
            value: Value::text("a"),
            by: Some("005A".into()),
            at: Some(at(1)),
            ..Claim::default()
        },
        cpq: Claim::default(),
        owner: Side::Crm,
        policy: Policy::Review,
        matrix_version: "m1".into(),
        reason: "both changed it".into(),
        ruling: None,
        outcome: None,
        run_id: run_id(1),
        correlation: correlation("csync-001"),
        opened_at: at(1),
        updated_at: at(1),
        closed_at: None,
    }
}

pub async fn stored(store: &Store, conflict: &Conflict) -> cpq_domain::Result<()> {
    let conflict = conflict.clone();
    write!(store, |tx| conflicts::insert(tx, &conflict))
}

async fn names(store: &Store, filter: Filter) -> Vec<String> {
    let found = read!(store, |tx| conflicts::list(tx, &filter)).expect("read");
    found.into_iter().map(|found| found.id.to_string()).collect()
}

pub async fn one_conflict_per_field_is_open(store: Store) {
    let first = conflict(1, 1, "quote.name", None);
    stored(&store, &first).await.expect("stored");
    stored(&store, &conflict(2, 1, "quote.name", None))
        .await
        .expect_err("one is open");
    for (number, opportunity, field, line) in [
        (2, 2, "quote.name", None),
        (3, 1, "line.name", Some("l-1")),
        (4, 1, "line.name", Some("l-2")),
    ] {
        stored(&store, &conflict(number, opportunity, field, line))
            .await
            .expect("another field");
    }
    stored(&store, &conflict(5, 1, "line.name", Some("l-2")))
        .await
        .expect_err("one is open");
    let closed = Conflict {
        state: ConflictState::Resolved,
        outcome: Some(Value::text("b")),
        ..first.clone()
    };
    let given = closed.clone();
    write!(store, |tx| conflicts::update(tx, &given)).expect("closed");
    let found = read!(store, |tx| conflicts::by_id(tx, &ConflictId::numbered(1))).expect("read");
    assert_eq!(found, closed);
    stored(&store, &conflict(5, 1, "quote.name", None))
        .await
        .expect("the first is closed");
    let open = read!(store, |tx| conflicts::open(tx, &connection(), &record("0061"))).expect("read");
    let numbers: Vec<_> = open.iter().map(|open| open.id.number()).collect();
    assert_eq!(numbers, [3, 4, 5]);
    let missing = read!(store, |tx| conflicts::by_id(tx, &ConflictId::numbered(9)));
    assert_eq!(missing.expect_err("none").code, Code::NotFound);
}

pub async fn conflicts_are_listed_newest_first(store: Store) {
    for (number, opportunity, field) in [
        (1, 1, "quote.name"),
        (2, 1, "quote.currency"),
        (3, 2, "quote.name"),
        (1_000, 3, "quote.name"),
    ] {
        stored(&store, &conflict(number, opportunity, field, None))
            .await
            .expect("stored");
    }
    let page = Filter {
        limit: 2,
        ..Filter::default()
    };
    assert_eq!(names(&store, page.clone()).await, ["cf-1000", "cf-003"]);
    let next = Filter {
        before: Some(ConflictId::new("cf-3").expect("valid")),
        ..page
    };
    assert_eq!(names(&store, next).await, ["cf-002", "cf-001"]);
    let all = Filter {
        limit: 200,
        ..Filter::default()
    };
    for opportunity in ["OPP-1", "0061"] {
        let of = Filter {
            opportunity: Some(key(opportunity)),
            ..all.clone()
        };
        assert_eq!(names(&store, of).await, ["cf-002", "cf-001"], "{opportunity}");
    }
    let of_field = Filter {
        field: Some("quote.currency".into()),
        ..all.clone()
    };
    assert_eq!(names(&store, of_field.clone()).await, ["cf-002"]);
    let settled = Filter {
        state: Some(ConflictState::Settled),
        ..of_field
    };
    assert!(names(&store, settled).await.is_empty());
    let like = read!(store, |tx| conflicts::open_like(
        tx,
        &connection(),
        &"quote.name".into(),
        Policy::Review
    ));
    assert_eq!(like.expect("read").len(), 3);
}
