//! One renewal per expiry, whoever asks and how many.

use std::sync::Arc;

use cpq_auth::Session;
use cpq_domain::Code;
use secrecy::ExposeSecret;

use crate::{Street, crm};

const TASKS: usize = 64;
const EXPIRIES: u32 = 20;

/// What an adapter does on a 401: renew once, then use what it got.
async fn call(street: &Street, session: &Arc<Session>) {
    let mut access = session.access().await.unwrap();
    if !street.endpoint.accepts(access.token.expose_secret()) {
        access = session.renew(access.generation).await.unwrap();
    }
    assert!(
        street.endpoint.accepts(access.token.expose_secret()),
        "generation {} is no good",
        access.generation
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_callers_on_four_nodes_refresh_once_per_expiry() {
    let street = Arc::new(Street::new().await);
    street.connected().await;
    let nodes: Vec<_> = (0..4).map(|_| Arc::new(street.broker())).collect();
    for _ in 0..EXPIRIES {
        street.endpoint.expire();
        let callers: Vec<_> = (0..TASKS)
            .map(|task| {
                let (street, session) = (Arc::clone(&street), nodes[task % nodes.len()].session(&crm()));
                tokio::spawn(async move { call(&street, &session).await })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
    }
    assert_eq!(street.endpoint.counts(), (EXPIRIES, 0));
    assert_eq!(street.vault.grant(&crm()).generation, u64::from(EXPIRIES) + 1);
}

#[tokio::test]
async fn a_cached_token_costs_no_io() {
    let street = Street::new().await;
    let broker = street.connected().await;
    let session = broker.session(&crm());
    let first = session.access().await.unwrap();
    street.vault.tamper(&crm(), |grant| grant.sealed.clear());
    assert_eq!(session.access().await.unwrap().generation, first.generation);
}

#[tokio::test]
async fn a_late_holder_of_an_old_token_gets_the_new_one_without_a_refresh() {
    let street = Street::new().await;
    let (here, there) = (street.connected().await, street.broker());
    let old = there.session(&crm()).access().await.unwrap();
    let new = here.session(&crm()).renew(old.generation).await.unwrap();
    let late = there.session(&crm()).renew(old.generation).await.unwrap();
    assert_eq!(late.token.expose_secret(), new.token.expose_secret());
    assert_eq!(street.endpoint.shelf().refreshes, 1);
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_break_the_renewal_off() {
    let street = Street::new().await;
    let session = street.connected().await.session(&crm());
    let seen = session.access().await.unwrap().generation;
    street.vault.save_gate.forget_permits(usize::MAX);
    let caller = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.renew(seen).await }
    });
    street.vault.save_begun.acquire().await.unwrap().forget();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    street.vault.save_gate.add_permits(10);
    assert_eq!(session.renew(seen).await.unwrap().generation, seen + 1);
    assert_eq!(street.endpoint.counts(), (1, 0));
}

#[tokio::test]
async fn nobody_gets_a_token_whose_refresh_token_is_not_stored() {
    let street = Street::new().await;
    let session = street.connected().await.session(&crm());
    let seen = session.access().await.unwrap();
    street.vault.save_gate.forget_permits(usize::MAX);
    let renewal = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.renew(seen.generation).await.unwrap() }
    });
    street.vault.save_begun.acquire().await.unwrap().forget();
    assert!(!renewal.is_finished());
    assert_eq!(session.access().await.unwrap().generation, seen.generation);
    street.vault.save_gate.add_permits(10);
    assert_eq!(renewal.await.unwrap().generation, seen.generation + 1);
}

#[tokio::test]
async fn without_rotation_the_old_refresh_token_stays() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.endpoint.shelf().rotate = false;
    for generation in 2..5 {
        assert_eq!(broker.refresh(&crm()).await.unwrap().generation, generation);
    }
    let shelf = street.endpoint.shelf();
    let sent: Vec<_> = shelf
        .requests
        .iter()
        .filter_map(|form| form.get("refresh_token"))
        .collect();
    assert!(
        sent.len() == 3 && sent.iter().all(|token| *token == sent[0]),
        "{sent:?}"
    );
}

#[tokio::test]
async fn the_data_host_is_read_again_from_each_answer() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.endpoint.shelf().instance_url = Some("http://localhost:7071".to_owned());
    assert_eq!(
        broker.refresh(&crm()).await.unwrap().instance_url,
        "http://localhost:7071"
    );
    assert_eq!(
        street
            .broker()
            .session(&crm())
            .access()
            .await
            .unwrap()
            .instance_url,
        "http://localhost:7071"
    );
}

#[tokio::test]
async fn a_data_host_that_is_not_the_vendors_gets_no_token() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street.endpoint.shelf().instance_url = Some("https://evil.example".to_owned());
    assert_eq!(
        broker.refresh(&crm()).await.unwrap_err().code,
        Code::ProtocolViolation
    );
    // The database may have been changed, too.
    street.vault.tamper(&crm(), |grant| {
        grant.identity.instance_url = "https://evil.example".to_owned()
    });
    assert_eq!(
        street.broker().session(&crm()).access().await.unwrap_err().code,
        Code::ProtocolViolation
    );
}

#[tokio::test]
async fn callers_that_ask_together_share_a_failure() {
    let street = Street::new().await;
    let session = street.connected().await.session(&crm());
    let seen = session.access().await.unwrap().generation;
    let before = street.endpoint.token_requests();
    street.endpoint.script(503, "", "");
    let ask = || {
        let session = Arc::clone(&session);
        tokio::spawn(async move { session.renew(seen).await.unwrap_err().code })
    };
    let callers: Vec<_> = (0..16).map(|_| ask()).collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Code::CrmUnavailable);
    }
    assert_eq!(street.endpoint.token_requests() - before, 1);
}

#[tokio::test]
async fn nothing_is_sent_under_a_lease_that_is_about_to_end() {
    let street = Street::new().await;
    let broker = street.connected().await;
    street
        .vault
        .short_leases
        .store(2, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(broker.refresh(&crm()).await.unwrap().generation, 2);
    assert_eq!((street.vault.leases(), street.endpoint.counts()), (3, (1, 0)));
}
