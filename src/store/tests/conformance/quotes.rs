//! Quotes of the embedded CPQ.

use cpq_domain::Code;
use cpq_domain::quote::{Quote, Status};
use cpq_store::quote_events::{self, QuoteEvent};
use cpq_store::quotes::{self, Filter};
use cpq_store::{Store, Tx};

use crate::sample::{at, correlation, key, quote, quote_id, quote_number};
use crate::{read, write};

async fn add(store: &Store, quote: Quote) {
    write!(store, |tx| quotes::insert(tx, &quote)).expect("added");
}

pub async fn a_quote_reads_back(store: Store) {
    add(&store, quote(1, 1)).await;
    add(&store, quote(1, 2)).await;
    let by_id = read!(store, |tx| quotes::by_id(tx, &quote_id("qte-1-1"))).expect("read");
    assert_eq!(by_id, Some(quote(1, 1)));
    let newest = read!(store, |tx| quotes::by_number(tx, &quote_number("Q-1"), None)).expect("read");
    assert_eq!(newest, Some(quote(1, 2)));
    let first = read!(store, |tx| quotes::by_number(tx, &quote_number("Q-1"), Some(1))).expect("read");
    assert_eq!(first, Some(quote(1, 1)));
    let all = read!(store, |tx| quotes::revisions(tx, &quote_id("qte-1-1"))).expect("read");
    assert_eq!(all, [quote(1, 1), quote(1, 2)]);
}

pub async fn a_second_quote_is_refused(store: Store) {
    add(&store, quote(1, 1)).await;
    let second = Quote {
        id: quote_id("other"),
        number: quote_number("Q-9"),
        ..quote(1, 1)
    };
    let error = write!(store, |tx| quotes::insert(tx, &second)).expect_err("it is refused");
    assert_eq!(error.code, Code::QuoteDuplicate);
    let facts = error.facts.expect("facts");
    assert_eq!(
        (&facts["quoteId"], &facts["quoteNumber"]),
        (&"qte-1-1".into(), &"Q-1".into())
    );
    let same_number = Quote {
        number: quote_number("Q-1"),
        ..quote(2, 1)
    };
    let error = write!(store, |tx| quotes::insert(tx, &same_number)).expect_err("it is refused");
    assert_eq!(
        error.code,
        Code::Internal,
        "a number given twice is our own mistake"
    );
}

pub async fn a_stale_replace_changes_nothing(store: Store) {
    add(&store, quote(1, 1)).await;
    let sent = Quote {
        status: Status::Sent,
        version: 2,
        ..quote(1, 1)
    };
    let update = sent.clone();
    assert!(write!(store, |tx| quotes::replace(tx, &update, 1)).expect("answered"));
    let stale = Quote {
        status: Status::Cancelled,
        version: 2,
        ..quote(1, 1)
    };
    assert!(!write!(store, |tx| quotes::replace(tx, &stale, 1)).expect("answered"));
    assert_eq!(
        read!(store, |tx| quotes::by_id(tx, &quote_id("qte-1-1"))).expect("read"),
        Some(sent)
    );
}

pub async fn the_current_quote_is_the_newest(store: Store) {
    add(&store, quote(1, 1)).await;
    add(&store, quote(1, 2)).await;
    for name in ["OPP-1", "0061"] {
        let current = read!(store, |tx| quotes::current(tx, "crm", &key(name))).expect("read");
        assert_eq!(current, Some(quote(1, 2)), "{name}");
    }
    assert_eq!(
        read!(store, |tx| quotes::current(tx, "other", &key("OPP-1"))).expect("read"),
        None
    );
}

pub async fn lists_narrow_and_page(store: Store) {
    for number in 1..=4 {
        add(&store, quote(number, 1)).await;
    }
    let list = async |filter: Filter| {
        let found = read!(store, |tx| quotes::list(tx, &filter)).expect("read");
        found
            .into_iter()
            .map(|quote| quote.number.to_string())
            .collect::<Vec<_>>()
    };
    let page = Filter {
        limit: 2,
        ..Filter::default()
    };
    assert_eq!(list(page.clone()).await, ["Q-4", "Q-3"]);
    let last = (quote(3, 1).updated_at, quote(3, 1).id);
    assert_eq!(
        list(Filter {
            before: Some(last),
            ..page.clone()
        })
        .await,
        ["Q-2", "Q-1"]
    );
    assert_eq!(
        list(Filter {
            opportunity: Some(key("OPP-2")),
            ..page.clone()
        })
        .await,
        ["Q-2"]
    );
    assert_eq!(
        list(Filter {
            opportunity: Some(key("0062")),
            ..page.clone()
        })
        .await,
        ["Q-2"]
    );
    assert_eq!(
        list(Filter {
            updated_after: Some(quote(3, 1).updated_at),
            ..page.clone()
        })
        .await,
        ["Q-4"]
    );
    assert_eq!(
        list(Filter {
            status: Some(Status::Draft),
            ..page.clone()
        })
        .await,
        ["Q-4", "Q-3"]
    );
    assert_eq!(
        list(Filter {
            status: Some(Status::Sent),
            ..page
        })
        .await,
        [""; 0]
    );
}

async fn append(tx: &mut dyn Tx, number: u32, kind: &str) -> cpq_domain::Result<QuoteEvent> {
    let mut event = QuoteEvent {
        position: 0,
        root_id: quote(number, 1).root_id,
        sequence: 0,
        quote_id: quote(number, 2).id,
        kind: kind.into(),
        at: at(1),
        correlation: Some(correlation("csync-001")),
        data: serde_json::json!({"from": "draft"}),
    };
    quote_events::append(tx, &mut event).await.map(|()| event)
}

pub async fn events_are_numbered_per_quote(store: Store) {
    let first = write!(store, |tx| append(tx, 1, "quote.created")).expect("appended");
    let other = write!(store, |tx| append(tx, 2, "quote.created")).expect("appended");
    let second = write!(store, |tx| append(tx, 1, "quote.sent")).expect("appended");
    assert_eq!([first.sequence, other.sequence, second.sequence], [1, 1, 2]);
    let root = first.root_id.clone();
    let of_quote = read!(store, |tx| quote_events::of_quote(tx, &root)).expect("read");
    assert_eq!(of_quote, [first.clone(), second.clone()]);
    let position = first.position;
    // A reader of all quotes stays behind every transaction that is still open, also one of another test.
    let mut following = Vec::new();
    while following.len() < 2 {
        following = read!(store, |tx| quote_events::after(tx, position, 9)).expect("read");
    }
    assert_eq!(following, [other, second]);
}
