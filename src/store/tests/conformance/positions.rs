//! The promises about readers of feeds, and about the schedule beside them.

use cpq_domain::change::{FeedState, Position};
use cpq_domain::resolve::Base;
use cpq_domain::{Code, Error};
use cpq_store::bases::{self, Agreement};
use cpq_store::positions::{self, Reader, Standing};
use cpq_store::{Store, runs};

use crate::sample::{at, connection, key, queue, record};
use crate::{read, write};

fn position(mark: &str, seconds: i64) -> Position {
    Position {
        mark: mark.into(),
        seen_until: at(seconds),
    }
}

/// Asks for the right for ten seconds.
async fn lease(store: &Store, origin: &str, holder: &str, now: i64) -> Option<(Reader, Option<Position>)> {
    let (origin, holder) = (origin.to_owned(), holder.to_owned());
    write!(store, |tx| positions::lease(
        tx,
        (&connection(), "poll"),
        &origin,
        &holder,
        at(now),
        at(now + 10)
    ))
    .expect("asked")
}

async fn standing(store: &Store) -> Standing {
    let found = read!(store, |tx| positions::get(tx, &connection(), "poll")).expect("read");
    found.expect("it stands")
}

async fn put(store: &Store, reader: &Reader, position: &Position) -> bool {
    let (reader, position) = (reader.clone(), position.clone());
    write!(store, |tx| positions::put(
        tx,
        &reader,
        &position,
        FeedState::Live,
        at(3)
    ))
    .expect("written")
}

pub async fn a_position_reads_back(store: Store) {
    assert_eq!(
        read!(store, |tx| positions::get(tx, &connection(), "poll")).expect("read"),
        None
    );
    let (reader, nothing) = lease(&store, "00D1", "a", 0).await.expect("it is free");
    assert_eq!(nothing, None);
    let first = standing(&store).await;
    assert_eq!((first.position, first.state), (None, FeedState::Behind));
    let stored = position("\u{0}mark", 2);
    assert!(put(&store, &reader, &stored).await);
    let failure = Error::new(Code::CrmUnavailable, "down").report(None);
    let (of, report) = (reader.clone(), failure.clone());
    assert!(
        write!(store, |tx| positions::note(
            tx,
            &of,
            FeedState::Behind,
            Some(&report),
            at(4)
        ))
        .expect("noted")
    );
    let of = reader.clone();
    write!(store, |tx| positions::changed(tx, &of, at(5))).expect("noted");
    let expected = Standing {
        connection: connection(),
        feed: "poll".into(),
        position: Some(stored.clone()),
        state: FeedState::Behind,
        updated_at: at(4),
        change_at: Some(at(5)),
        error: Some((failure, at(4))),
        lease: Some(("a".into(), at(10))),
    };
    assert_eq!(standing(&store).await, expected);
    let of = reader.clone();
    write!(store, |tx| positions::note(tx, &of, FeedState::Gap, None, at(6))).expect("noted");
    let after = standing(&store).await;
    assert_eq!((after.state, after.error), (FeedState::Gap, expected.error));
    assert_eq!(
        lease(&store, "00D1", "b", 20).await.expect("it is over").1,
        Some(stored)
    );
}

pub async fn one_reader_at_a_time(store: Store) {
    let (a, _) = lease(&store, "00D1", "a", 0).await.expect("it is free");
    assert!(lease(&store, "00D1", "b", 9).await.is_none());
    let of = a.clone();
    assert!(write!(store, |tx| positions::renew(tx, &of, at(15))).expect("renewed"));
    assert!(lease(&store, "00D1", "b", 14).await.is_none());
    let (b, _) = lease(&store, "00D1", "b", 15).await.expect("it is over");
    assert!(b.fence > a.fence);
    let (of, moved) = (a.clone(), position("of a", 1));
    assert!(!write!(store, |tx| positions::renew(tx, &of, at(99))).expect("asked"));
    assert!(
        !put(&store, &a, &moved).await,
        "who lost the right stores nothing"
    );
    let of = a.clone();
    assert!(
        !write!(store, |tx| positions::note(
            tx,
            &of,
            FeedState::Live,
            None,
            at(16)
        ))
        .expect("asked")
    );
    write!(store, |tx| positions::release(tx, &a)).expect("asked");
    assert!(
        lease(&store, "00D1", "c", 16).await.is_none(),
        "and takes nothing away"
    );
    // The same process may ask again, and what it held before is void.
    let (again, _) = lease(&store, "00D1", "b", 16).await.expect("its own");
    assert!(!put(&store, &b, &moved).await);
    assert!(put(&store, &again, &moved).await);
    write!(store, |tx| positions::release(tx, &again)).expect("released");
    assert!(lease(&store, "00D1", "c", 17).await.is_some());
}

pub async fn a_position_belongs_to_an_organisation(store: Store) {
    let (reader, _) = lease(&store, "00D1", "a", 0).await.expect("it is free");
    assert!(put(&store, &reader, &position("m", 1)).await);
    assert!(lease(&store, "00D1", "a", 1).await.expect("its own").1.is_some());
    assert_eq!(lease(&store, "00D2", "a", 2).await.expect("its own").1, None);
    assert_eq!(
        lease(&store, "00D1", "a", 3).await.expect("its own").1,
        None,
        "it is forgotten"
    );
}

/// Feeds of connections that are gone are nobody's concern.
pub async fn feeds_are_listed_by_connection(store: Store) {
    lease(&store, "00D1", "a", 0).await.expect("it is free");
    let listed = || async { read!(store, |tx| positions::list(tx)).expect("read").len() };
    assert_eq!(listed().await, 0);
    crate::grants::connect(&store).await;
    assert_eq!(listed().await, 1);
    crate::grants::disconnect(&store).await;
    assert_eq!(listed().await, 0);
}

pub async fn the_longest_unseen_come_first_and_once(store: Store) {
    let agreement = |id: &str, seconds: i64| Agreement {
        connection: connection(),
        opportunity_id: record(id),
        opportunity_number: (id == "0062").then(|| key("OPP-2")),
        base: Base::default(),
        matrix_version: "m1".into(),
        agreed_at: at(seconds),
    };
    for (id, seconds) in [("0061", 30), ("0062", 10), ("0063", 20), ("0064", 40)] {
        let agreement = agreement(id, seconds);
        write!(store, |tx| bases::put(tx, &agreement)).expect("stored");
    }
    let look = |before: i64, now: i64, limit: u32| {
        let store = store.clone();
        async move {
            let found = write!(store, |tx| bases::look_again(
                tx,
                &connection(),
                at(before),
                at(now),
                limit
            ));
            let mut names: Vec<String> = found.expect("found").iter().map(ToString::to_string).collect();
            names.sort();
            names
        }
    };
    assert_eq!(look(30, 100, 2).await, ["0063", "OPP-2"]);
    assert_eq!(look(30, 100, 2).await, ["0061"]);
    assert!(look(30, 100, 2).await.is_empty());
    // An agreement is a look, too.
    let agreed = agreement("0064", 150);
    write!(store, |tx| bases::put(tx, &agreed)).expect("stored");
    assert_eq!(look(120, 200, 9).await, ["0061", "0063", "OPP-2"]);
}

pub async fn the_backlog_is_measured(store: Store) {
    queue(&store, &["OPP-1", "OPP-2", "OPP-3"]).await;
    let more = |limit: u32, now: i64| {
        let store = store.clone();
        async move { read!(store, |tx| runs::more_due_than(tx, limit, at(now))).expect("read") }
    };
    assert!(more(2, 100).await);
    assert!(!more(3, 100).await);
    assert!(!more(0, 0).await, "what is due later does not count");
}
