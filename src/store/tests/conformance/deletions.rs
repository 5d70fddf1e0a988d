//! Answers about records that are gone.

use cpq_domain::deletion::{Answer, Gone};
use cpq_store::links::Link;
use cpq_store::{Store, deletions};

use crate::sample::{at, connection, key, lane, quote_id, quote_number, record};
use crate::{read, write};

fn link() -> Link {
    Link {
        connection: connection(),
        opportunity_id: record("0061"),
        opportunity_number: Some(key("OPP-1")),
        quote_root_id: quote_id("qte-1"),
        quote_number: quote_number("Q-1"),
        revision: 1,
    }
}

async fn of(store: &Store, name: &'static str) -> Vec<(Gone, Answer)> {
    read!(store, |tx| deletions::of(tx, &lane(name))).expect("read")
}

pub async fn answers_are_found_by_both_names_until_cleared(store: Store) {
    assert!(of(&store, "OPP-1").await.is_empty());
    for (gone, answer) in [
        (Gone::Opportunity, Answer::Unlink),
        (Gone::QuoteRecord, Answer::Unlink),
        (Gone::QuoteRecord, Answer::Recreate),
    ] {
        write!(store, |tx| deletions::put(tx, &link(), gone, answer, at(1))).expect("stored");
    }
    let both = [
        (Gone::Opportunity, Answer::Unlink),
        (Gone::QuoteRecord, Answer::Recreate),
    ];
    for name in ["OPP-1", "0061"] {
        let mut found = of(&store, name).await;
        found.sort_by_key(|(gone, _)| gone.as_str());
        assert_eq!(found, both, "{name}");
    }
    assert!(of(&store, "OPP-2").await.is_empty());
    let clear = |gone| {
        let store = store.clone();
        async move {
            write!(store, |tx| deletions::clear(
                tx,
                &connection(),
                &record("0061"),
                gone
            ))
        }
    };
    clear(Gone::Opportunity).await.expect("cleared");
    assert_eq!(of(&store, "OPP-1").await, both[1..]);
    clear(Gone::Quote).await.expect("there was none");
    clear(Gone::QuoteRecord).await.expect("cleared");
    assert!(of(&store, "0061").await.is_empty());
}
