//! The promises of a token vault.

use cpq_domain::connection::{ConnectionSettings, Flow, Identity, Vendor};
use cpq_domain::id::ConnectionName;
use cpq_domain::vault::{GrantState, Lease, StoredGrant, TokenVault};
use cpq_store::{Store, Vault};

use crate::sample::{at, connection};

fn grant(sealed: &str) -> StoredGrant {
    StoredGrant {
        settings: ConnectionSettings {
            name: connection(),
            vendor: Vendor::Salesforce,
            flow: Flow::Web,
            login_url: "https://login.example".into(),
            client_id: "client".into(),
            username: None,
            audience: None,
            scopes: vec!["api".into()],
            connected_at: at(0),
        },
        identity: Identity {
            instance_url: "https://data.example".into(),
            ..Identity::default()
        },
        generation: 77,
        sealed: sealed.into(),
        state: GrantState::Active,
        refreshed_at: at(0),
    }
}

/// A login, for other promises.
pub async fn connect(store: &Store) {
    Vault(store.clone())
        .connect(&grant("s"))
        .await
        .expect("connected");
}

pub async fn disconnect(store: &Store) {
    assert!(Vault(store.clone()).remove(&connection()).await.expect("removed"));
}

async fn load(vault: &Vault) -> Option<StoredGrant> {
    vault.load(&connection()).await.expect("loaded")
}

/// Asks for a lease of ten seconds.
async fn lease(vault: &Vault, generation: u64, now: i64) -> Lease {
    vault
        .lease(&connection(), generation, "somebody", at(now), 10_000)
        .await
        .expect("answered")
}

async fn acquire(vault: &Vault, generation: u64, now: i64) -> u64 {
    match lease(vault, generation, now).await {
        Lease::Acquired { fence, until } => {
            assert_eq!(until, at(now + 10));
            fence
        }
        other => panic!("not acquired: {other:?}"),
    }
}

pub async fn a_grant_reads_back(store: Store) {
    let vault = Vault(store);
    assert_eq!(load(&vault).await, None);
    assert_eq!(vault.connect(&grant("one")).await.expect("connected"), 1);
    assert_eq!(
        load(&vault).await,
        Some(StoredGrant {
            generation: 1,
            ..grant("one")
        })
    );
    let mut other = grant("two");
    other.settings.name = ConnectionName::new("a-first").expect("valid");
    vault.connect(&other).await.expect("connected");
    let names = vault
        .list()
        .await
        .expect("listed")
        .into_iter()
        .map(|grant| grant.settings.name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["a-first", "crm"]);
}

pub async fn generations_never_start_over(store: Store) {
    let vault = Vault(store);
    vault.connect(&grant("one")).await.expect("connected");
    assert_eq!(vault.connect(&grant("two")).await.expect("connected"), 2);
    assert!(vault.remove(&connection()).await.expect("removed"));
    assert!(!vault.remove(&connection()).await.expect("answered"));
    assert_eq!(load(&vault).await, None);
    assert!(vault.list().await.expect("listed").is_empty());
    assert_eq!(lease(&vault, 2, 0).await, Lease::Newer);
    assert!(vault.connect(&grant("three")).await.expect("connected") > 2);
}

pub async fn only_the_newest_lease_saves(store: Store) {
    let vault = Vault(store);
    vault.connect(&grant("one")).await.expect("connected");
    let old = acquire(&vault, 1, 0).await;
    let new = acquire(&vault, 1, 10).await;
    assert!(new > old);
    assert!(!vault.save(&grant("late"), 1, old).await.expect("answered"));
    assert!(!vault.save(&grant("wrong"), 2, new).await.expect("answered"));
    assert_eq!(load(&vault).await.expect("there").sealed, b"one");
    assert!(vault.save(&grant("fresh"), 1, new).await.expect("saved"));
    let saved = load(&vault).await.expect("there");
    assert_eq!(
        (saved.generation, saved.sealed.as_slice()),
        (2, b"fresh".as_slice())
    );
    assert!(
        !vault.save(&grant("again"), 1, new).await.expect("answered"),
        "the generation moved on"
    );
}

pub async fn one_refresh_at_a_time(store: Store) {
    let vault = Vault(store);
    assert_eq!(
        lease(&vault, 1, 0).await,
        Lease::Newer,
        "there is nothing to refresh"
    );
    vault.connect(&grant("one")).await.expect("connected");
    let tasks = (0..32).map(|_| {
        let vault = vault.clone();
        tokio::spawn(async move { lease(&vault, 1, 0).await })
    });
    let mut acquired = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        match task.await.expect("no panic") {
            Lease::Acquired { fence, .. } => acquired.push(fence),
            other => assert_eq!(other, Lease::Held { until: at(10) }),
        }
    }
    assert_eq!(acquired.len(), 1);
    assert_eq!(lease(&vault, 2, 0).await, Lease::Newer);
    vault
        .release(&connection(), acquired[0] + 1)
        .await
        .expect("answered");
    assert!(
        matches!(lease(&vault, 1, 1).await, Lease::Held { .. }),
        "not theirs to release"
    );
    vault.release(&connection(), acquired[0]).await.expect("released");
    let second = acquire(&vault, 1, 1).await;
    assert!(vault.save(&grant("two"), 1, second).await.expect("saved"));
    assert_eq!(lease(&vault, 1, 2).await, Lease::Newer, "late holders read again");
}

pub async fn a_dead_grant_stays_known(store: Store) {
    let vault = Vault(store);
    vault.connect(&grant("one")).await.expect("connected");
    vault
        .bury(&connection(), 9, "stale", at(3))
        .await
        .expect("answered");
    assert_eq!(load(&vault).await.expect("there").state, GrantState::Active);
    vault
        .bury(&connection(), 1, "revoked", at(4))
        .await
        .expect("buried");
    vault
        .bury(&connection(), 1, "revoked again", at(5))
        .await
        .expect("answered");
    let dead = GrantState::Dead {
        reason: "revoked".into(),
        since: at(4),
    };
    assert_eq!(load(&vault).await.expect("there").state, dead);
    vault.connect(&grant("two")).await.expect("connected");
    assert_eq!(load(&vault).await.expect("there").state, GrantState::Active);
}

pub async fn a_login_ends_a_refresh_under_way(store: Store) {
    let vault = Vault(store);
    vault.connect(&grant("one")).await.expect("connected");
    let fence = acquire(&vault, 1, 0).await;
    vault.connect(&grant("two")).await.expect("connected");
    assert!(!vault.save(&grant("late"), 1, fence).await.expect("answered"));
    assert!(!vault.save(&grant("late"), 2, fence).await.expect("answered"));
    acquire(&vault, 2, 1).await;
    assert_eq!(load(&vault).await.expect("there").sealed, b"two");
}
