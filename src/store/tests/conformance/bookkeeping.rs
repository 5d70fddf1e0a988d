//! The small tables.

use cpq_domain::Code;
use cpq_domain::id::{ConflictId, LineKey};
use cpq_domain::ownership::{Policy, Side};
use cpq_domain::resolve::{Base, Decision, Origin, Verdict};
use cpq_domain::schema::CrmSchema;
use cpq_domain::value::Value;
use cpq_domain::view::View;
use cpq_store::bases::{self, Agreement};
use cpq_store::decisions::{self, Circumstances};
use cpq_store::links::{self, Link};
use cpq_store::tokens::{self, ApiToken};
use cpq_store::{Store, counters, ownership, schemas, webhooks};

use crate::sample::{
    at, client, connection, correlation, key, queue, quote_id, quote_number, record, run_id,
};
use crate::{read, write};

pub async fn counters_have_no_gaps(store: Store) {
    assert_eq!(read!(store, |tx| counters::peek(tx, "a")).expect("read"), 0);
    let tasks = (0..64).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { write!(store, |tx| counters::next(tx, "a")).expect("counted") })
    });
    let mut numbers = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        numbers.push(task.await.expect("no panic"));
    }
    numbers.sort();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    write!(store, |tx| counters::set(tx, "a", 136)).expect("set");
    assert_eq!(write!(store, |tx| counters::next(tx, "a")).expect("counted"), 137);
    assert_eq!(write!(store, |tx| counters::next(tx, "b")).expect("counted"), 1);
}

fn link(revision: u32) -> Link {
    Link {
        connection: connection(),
        opportunity_id: record("0061"),
        opportunity_number: Some(key("OPP-1")),
        quote_root_id: quote_id("qte-1"),
        quote_number: quote_number("Q-1"),
        revision,
    }
}

pub async fn a_link_belongs_to_one_quote(store: Store) {
    for revision in [1, 2, 2] {
        write!(store, |tx| links::put(tx, &link(revision))).expect("linked");
    }
    for name in ["0061", "OPP-1"] {
        let found = read!(store, |tx| links::by_opportunity(tx, &connection(), &key(name))).expect("read");
        assert_eq!(found, Some(link(2)), "{name}");
    }
    assert_eq!(
        read!(store, |tx| links::by_quote(tx, &quote_number("Q-1"))).expect("read"),
        Some(link(2))
    );
    let second = Link {
        quote_root_id: quote_id("qte-2"),
        quote_number: quote_number("Q-2"),
        ..link(1)
    };
    let error = write!(store, |tx| links::put(tx, &second)).expect_err("it is refused");
    assert_eq!(error.code, Code::QuoteDuplicate);
    assert_eq!(error.facts.expect("facts")["quoteNumber"], "Q-1");
    assert_eq!(
        write!(store, |tx| links::remove(tx, &connection(), &record("0061"))).expect("removed"),
        2
    );
}

pub async fn agreements_are_replaced(store: Store) {
    let agreement = |text: &str| Agreement {
        connection: connection(),
        opportunity_id: record("0061"),
        opportunity_number: Some(key("OPP-1")),
        base: Base {
            crm: View {
                fields: [("account.name".into(), Value::text(text))].into(),
                ..View::default()
            },
            cpq: View::default(),
        },
        matrix_version: "m1".into(),
        agreed_at: at(1),
    };
    for text in ["Acme", "Acme Ltd"] {
        let agreement = agreement(text);
        write!(store, |tx| bases::put(tx, &agreement)).expect("stored");
    }
    for name in ["0061", "OPP-1"] {
        let found = read!(store, |tx| bases::get(tx, &connection(), &key(name))).expect("read");
        assert_eq!(found, Some(agreement("Acme Ltd")), "{name}");
    }
    assert!(write!(store, |tx| bases::remove(tx, &connection(), &record("0061"))).expect("removed"));
    assert_eq!(
        read!(store, |tx| bases::get(tx, &connection(), &key("0061"))).expect("read"),
        None
    );
}

fn circumstances(run: u128) -> Circumstances {
    Circumstances {
        run_id: run_id(run),
        correlation: correlation(&format!("csync-{run:03}")),
        connection: connection(),
        opportunity_id: record("0061"),
        matrix_version: "m1".into(),
        at: at(1),
    }
}

fn decision(field: &str, lost: bool) -> Decision {
    Decision {
        field: field.into(),
        line: lost.then(|| LineKey::new("l-1").expect("valid")),
        verdict: Verdict::ToCrm,
        owner: Side::Cpq,
        policy: Policy::IfBlank,
        crm: Value::Null,
        cpq: Value::text("x"),
        lost: lost.then(|| Value::text("y")),
        reason: "the CPQ owns it".into(),
        origin: Origin::Cpq,
        base: Default::default(),
        given: lost.then(|| Value::text("z")),
        ruling: lost.then(|| ConflictId::numbered(1)),
    }
}

/// A decision that leaves things as they are comes again with every look, one that writes only when its run starts over.
pub async fn a_repeated_decision_is_not_kept(store: Store) {
    queue(&store, &["OPP-1", "OPP-2"]).await;
    let made = |verdict, crm: &str| Decision {
        verdict,
        crm: Value::text(crm),
        ..decision("quote.name", false)
    };
    for (run, verdict, crm, kept) in [
        (1, Verdict::Review, "a", true),
        (1, Verdict::Review, "a", false),
        (2, Verdict::Review, "a", false),
        (2, Verdict::Review, "b", true),
        (1, Verdict::Keep, "b", true),
        (2, Verdict::Keep, "b", false),
        (1, Verdict::ToCrm, "b", true),
        (1, Verdict::ToCrm, "b", false),
        (2, Verdict::ToCrm, "b", true),
    ] {
        let made = [made(verdict, crm)];
        let appended = write!(store, |tx| decisions::append(tx, &circumstances(run), &made));
        assert_eq!(appended.expect("appended"), [kept], "run {run} {verdict:?} {crm}");
    }
}

/// As many as several statements take, in their order; one about the field of another sees that one.
pub async fn many_decisions_are_kept_in_order(store: Store) {
    queue(&store, &["OPP-1"]).await;
    let names: Vec<String> = (0..140).map(|at| format!("field.{}", at % 130)).collect();
    let made: Vec<Decision> = names.iter().map(|name| decision(name, false)).collect();
    let (given, under) = (made.clone(), circumstances(1));
    let kept = write!(store, |tx| decisions::append(tx, &under, &given)).expect("kept");
    let fresh: Vec<bool> = (0..140).map(|at| at < 130).collect();
    assert_eq!(kept, fresh);
    let found = read!(store, |tx| decisions::of_run(tx, run_id(1))).expect("read");
    let found: Vec<Decision> = found.into_iter().map(|stored| stored.decision).collect();
    assert_eq!(found, made[..130]);
}

pub async fn decisions_are_kept(store: Store) {
    queue(&store, &["OPP-1"]).await;
    let circumstances = circumstances(1);
    let made = vec![decision("quote.name", false), decision("line.name", true)];
    let (given, under) = (made.clone(), circumstances.clone());
    let kept = write!(store, |tx| decisions::append(tx, &under, &given)).expect("kept");
    assert_eq!(kept, [true, true]);
    let found = read!(store, |tx| decisions::of_run(tx, run_id(1))).expect("read");
    assert!(found.iter().all(|stored| stored.circumstances == circumstances));
    assert_eq!(
        found
            .into_iter()
            .map(|stored| stored.decision)
            .collect::<Vec<_>>(),
        made
    );
    let of = |field: &str, line: Option<&str>, before| decisions::OfField {
        connection: connection(),
        opportunity: record("0061"),
        field: field.into(),
        line: line.map(|key| LineKey::new(key).expect("valid")),
        before,
        limit: 9,
    };
    for (field, line, before, rows) in [
        ("quote.name", None, None, 1),
        ("quote.name", None, Some(1), 0),
        ("line.name", Some("l-1"), None, 1),
        ("line.name", Some("l-2"), None, 0),
        ("line.name", None, None, 0),
    ] {
        let which = of(field, line, before);
        let why = read!(store, |tx| decisions::of_field(tx, &which)).expect("read");
        assert_eq!(why.len(), rows, "{field} {line:?} {before:?}");
    }
}

pub async fn tokens_are_found_by_hash(store: Store) {
    let token = ApiToken {
        id: "tok-1".into(),
        client: client(),
        name: "shop".into(),
        hash: vec![0xab; 32],
        scopes: vec!["sync:write".into()],
        connection: Some(connection()),
        created_at: at(0),
        expires_at: Some(at(99)),
        revoked_at: None,
        last_used_at: None,
    };
    assert!(!format!("{token:?}").contains("171"), "a hash is not shown");
    let stored = token.clone();
    write!(store, |tx| tokens::insert(tx, &stored)).expect("stored");
    assert_eq!(
        read!(store, |tx| tokens::by_hash(tx, &[0xab; 32])).expect("read"),
        Some(token.clone())
    );
    assert_eq!(
        read!(store, |tx| tokens::by_hash(tx, &[0; 32])).expect("read"),
        None
    );
    write!(store, |tx| tokens::touch(tx, "tok-1", at(5))).expect("touched");
    write!(store, |tx| tokens::touch(tx, "tok-1", at(4))).expect("touched");
    assert!(write!(store, |tx| tokens::revoke(tx, "tok-1", at(6))).expect("revoked"));
    assert!(!write!(store, |tx| tokens::revoke(tx, "tok-1", at(7))).expect("answered"));
    let gone = ApiToken {
        revoked_at: Some(at(6)),
        last_used_at: Some(at(5)),
        ..token
    };
    assert_eq!(read!(store, |tx| tokens::list(tx)).expect("read"), [gone]);
}

pub async fn deliveries_are_seen_once(store: Store) {
    let seen = async |source: &'static str, seconds| {
        write!(store, |tx| webhooks::seen(tx, source, "msg-1", at(seconds))).expect("answered")
    };
    assert!(seen("crm", 0).await);
    assert!(!seen("crm", 1).await);
    assert!(seen("cpq", 1).await);
    let month = cpq_store::limits::WEBHOOK_DAYS * 86_400;
    assert_eq!(
        write!(store, |tx| webhooks::purge(tx, at(month))).expect("purged"),
        1
    );
    assert!(seen("crm", month).await);
    assert!(!seen("cpq", month).await);
}

pub async fn schemas_are_cached(store: Store) {
    assert_eq!(
        read!(store, |tx| schemas::get(tx, &connection())).expect("read"),
        None
    );
    let schema = CrmSchema {
        objects: [("Opportunity".to_owned(), Default::default())].into(),
        ..CrmSchema::default()
    };
    let stored = schema.clone();
    write!(store, |tx| schemas::put(tx, &connection(), &stored, at(1))).expect("stored");
    write!(store, |tx| schemas::put(
        tx,
        &connection(),
        &CrmSchema::default(),
        at(2)
    ))
    .expect("stored");
    write!(store, |tx| schemas::put(tx, &connection(), &schema, at(3))).expect("stored");
    let (found, fetched_at) = read!(store, |tx| schemas::get(tx, &connection()))
        .expect("read")
        .expect("there");
    assert_eq!((found.objects.len(), fetched_at), (1, at(3)));
}

pub async fn old_matrices_stay(store: Store) {
    assert_eq!(read!(store, |tx| ownership::latest(tx)).expect("read"), None);
    for (version, body, seconds) in [("m1", "one", 1), ("m2", "two", 2), ("m1", "one", 3)] {
        write!(store, |tx| ownership::put(tx, version, body, at(seconds))).expect("stored");
    }
    let latest = read!(store, |tx| ownership::latest(tx))
        .expect("read")
        .expect("there");
    assert_eq!(
        (latest.version.as_str(), latest.created_at),
        ("m1", at(1)),
        "an older text may come back"
    );
    let old = read!(store, |tx| ownership::by_version(tx, "m2"))
        .expect("read")
        .expect("there");
    assert_eq!(old.body, "two");
    write!(store, |tx| ownership::keep(tx, "m3", "three", at(4))).expect("stored");
    let latest = read!(store, |tx| ownership::latest(tx)).expect("read");
    assert_eq!(
        latest.map(|one| one.version),
        Some("m1".to_owned()),
        "kept, and not in force"
    );
    let versions = read!(store, |tx| ownership::newest(tx, 2)).expect("read");
    let versions: Vec<&str> = versions.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(versions, ["m3", "m2"]);
    assert!(write!(store, |tx| ownership::withdraw(tx)).expect("stored"));
    assert!(!write!(store, |tx| ownership::withdraw(tx)).expect("stored"));
    assert_eq!(read!(store, |tx| ownership::latest(tx)).expect("read"), None);
}

pub async fn the_store_tells_what_it_is(store: Store) {
    let about = store.about().await.expect("told");
    match about.answered_in {
        Some(_) => assert!(
            about.engine.starts_with("PostgreSQL 1") && about.bytes > 0,
            "{about:?}"
        ),
        None => assert!(about.engine.starts_with("SQLite 3."), "{about:?}"),
    }
    let is_file = about.log_bytes.is_some();
    assert_eq!(
        about.bytes > 0,
        is_file || about.answered_in.is_some(),
        "{about:?}"
    );
}
