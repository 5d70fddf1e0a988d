//! The audit log: one chain, whoever adds to it.

use std::collections::BTreeSet;

use cpq_domain::act::{Act, Told};
use cpq_store::Store;
use cpq_store::audit::{self, BEGINNING, Entry};
use jiff::Timestamp;

fn told(number: usize) -> Told {
    Told {
        at: Timestamp::UNIX_EPOCH,
        act: Act {
            client: "erp".into(),
            person: number.is_multiple_of(2).then(|| "anna".into()),
            origin: Some("192.0.2.1".into()),
            act: "token.create".into(),
            subject: format!("act {number}"),
            correlation: None,
        },
        begun: (number > 3).then_some(1),
        result: (number > 3).then(|| "done".into()),
    }
}

async fn add(store: &Store, number: usize) -> Entry {
    let told = told(number);
    let added = store.write(move |tx| {
        let told = told.clone();
        Box::pin(async move { audit::add(tx, &told).await })
    });
    added.await.expect("it is added")
}

async fn all(store: &Store) -> Vec<Entry> {
    let page = store.read(|tx| Box::pin(audit::after(tx, 0)));
    page.await.expect("the log")
}

pub async fn entries_follow_from_each_other_whoever_adds_them(store: Store) {
    let adding = (0..40).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { add(&store, number).await.position })
    });
    let mut positions = BTreeSet::new();
    for added in adding.collect::<Vec<_>>() {
        positions.insert(added.await.expect("it ends"));
    }
    assert_eq!(positions, (1..=40).collect(), "no gap and none twice");
    let mut previous = BEGINNING.to_vec();
    for (entry, position) in all(&store).await.into_iter().zip(1..) {
        assert!(entry.follows(&previous, position), "{entry:?}");
        previous = entry.hash;
    }
    let newest = store.read(|tx| Box::pin(audit::newest(tx))).await;
    assert_eq!(newest.expect("a position"), 40);
    let last = store.read(|tx| Box::pin(audit::before(tx, i64::MAX, 2))).await;
    let last: Vec<i64> = last.expect("a page").iter().map(|entry| entry.position).collect();
    assert_eq!(last, [40, 39]);
}

pub async fn whatever_is_changed_shows(store: Store) {
    for number in 0..5 {
        add(&store, number).await;
    }
    let entries = all(&store).await;
    let changes: [fn(&mut Entry); 10] = [
        |entry| entry.told.at = Timestamp::MAX,
        |entry| entry.told.act.client.push('x'),
        |entry| entry.told.act.person = None,
        |entry| entry.told.act.origin = None,
        |entry| entry.told.act.act.clear(),
        |entry| entry.told.act.subject.push('x'),
        |entry| entry.told.act.correlation = Some(String::new()),
        |entry| entry.told.begun = Some(2),
        |entry| entry.told.result = Some("done.".into()),
        |entry| entry.position = 6,
    ];
    let (before, entry) = (&entries[3], &entries[4]);
    assert!(entry.follows(&before.hash, 5));
    for change in changes {
        let mut changed = entry.clone();
        change(&mut changed);
        assert!(!changed.follows(&before.hash, changed.position), "{changed:?}");
    }
    let mut shifted = entry.clone();
    let client = shifted.told.act.client.pop().expect("a letter");
    shifted.told.act.act.insert(0, client);
    assert!(
        !shifted.follows(&before.hash, 5),
        "a letter cannot move between fields"
    );
    assert!(
        !entry.follows(&entries[2].hash, 5),
        "an entry was taken out before it"
    );
}

pub async fn an_act_that_fails_leaves_no_gap(store: Store) {
    add(&store, 1).await;
    let failed = store.write(|tx| {
        Box::pin(async move {
            audit::add(tx, &told(2)).await?;
            Err::<(), _>(cpq_domain::Error::new(cpq_domain::Code::Internal, "it fails"))
        })
    });
    failed.await.expect_err("it fails");
    assert_eq!(add(&store, 3).await.position, 2);
    assert_eq!(all(&store).await.len(), 2);
}
