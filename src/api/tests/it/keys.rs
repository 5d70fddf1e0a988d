//! Tokens and scopes: every route, every wrong key.

use axum::body::Body;
use axum::http::{Method, Request};
use cpq_api::access::{Access, ROUTES, SCOPES};
use cpq_api::tokens::{self, NewToken};
use cpq_domain::id::ClientId;
use jiff::SignedDuration;

use crate::house::House;

/// A path that fits a route.
fn uri(path: &str) -> String {
    path.replace("{id}", "OPP-4482")
        .replace("{correlationId}", "csync-001")
        .replace("{source}", "erp")
}

fn with(route: &cpq_api::access::Route, authorization: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(route.method).uri(uri(route.path));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request.body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn every_route_with_a_key_refuses_every_wrong_one() {
    // What never ends by itself ends with the service.
    let house = House::with(|state| state.stopping.cancel()).await;
    for route in ROUTES {
        let scope = match route.access {
            Access::Open | Access::Signed => continue,
            Access::Token => None,
            Access::Scope(scope) | Access::ScopeOrLoopback(scope) => Some(scope),
        };
        for wrong in [
            None,
            Some("Bearer nonsense"),
            Some("Basic dTpw"),
            Some("Bearer "),
            Some(""),
        ] {
            let answer = house.send(with(route, wrong)).await;
            answer.is(401, "UNAUTHENTICATED");
            assert!(
                answer.header("www-authenticate").starts_with("Bearer "),
                "{}",
                route.path
            );
        }
        if let Some(scope) = scope {
            let others: Vec<&str> = SCOPES.iter().copied().filter(|other| *other != scope).collect();
            let token = house.token_of("other", &others).await;
            let answer = house.send(with(route, Some(&format!("Bearer {token}")))).await;
            assert_eq!(
                answer.is(403, "SCOPE_INSUFFICIENT")["details"]["facts"]["scope"],
                scope
            );
            assert!(answer.header("www-authenticate").contains("insufficient_scope"));
        }

        let token = house.token_of("right", &[scope.unwrap_or(SCOPES[0])]).await;
        let answer = house.send(with(route, Some(&format!("bearer {token}")))).await;
        assert!(
            ![401, 403].contains(&answer.status.as_u16()),
            "{} {}: {}",
            route.method,
            route.path,
            answer.body
        );
    }
}

#[tokio::test]
async fn open_routes_need_no_key() {
    let house = House::new().await;
    for route in ROUTES.iter().filter(|route| route.access == Access::Open) {
        assert_eq!(house.send(with(route, None)).await.status, 200, "{}", route.path);
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_no_token() {
    let house = House::new().await;
    let uri = format!("/api/v1/ownership?access_token={}", house.token);
    let request = Request::builder()
        .uri(uri)
        .body(Body::empty())
        .expect("a request");
    house.send(request).await.is(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked_or_its_time_is_over() {
    let house = House::new().await;
    let new = |name: &str| NewToken {
        client: ClientId::new("c").unwrap(),
        name: name.into(),
        scopes: vec!["ownership:read".into()],
        connection: None,
        expires_at: Some(cpq_domain::world::World::now(house.world.as_ref()) + SignedDuration::from_hours(1)),
    };
    let world = house.world.as_ref();
    let ending = tokens::create(&house.store, world, new("ending")).await.unwrap();
    let revoked = tokens::create(&house.store, world, new("revoked")).await.unwrap();
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        house
            .send(house.request(
                Method::GET,
                "/api/v1/ownership",
                &[("authorization", &bearer)],
                "",
            ))
            .await
    };
    assert_eq!(
        (
            ask(ending.tell()).await.status.as_u16(),
            ask(revoked.tell()).await.status.as_u16()
        ),
        (200, 200)
    );
    assert!(tokens::revoke(&house.store, world, &revoked.id).await.unwrap());
    assert!(!tokens::revoke(&house.store, world, &revoked.id).await.unwrap());
    ask(revoked.tell()).await.is(401, "UNAUTHENTICATED");
    house.world.advance(SignedDuration::from_hours(1));
    ask(ending.tell()).await.is(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_is_told_once_and_kept_as_a_hash() {
    let house = House::new().await;
    assert_eq!(house.token.len(), "cpq_".len() + 43 + 6);
    assert!(house.token.starts_with("cpq_"));
    let all = tokens::list(&house.store).await.unwrap();
    assert_eq!(
        (all.len(), all[0].client.as_str(), all[0].hash.len()),
        (1, "tester", 32)
    );
    assert!(!format!("{all:?}").contains(&house.token));
    let mut mistyped = house.token.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'A' { 'B' } else { 'A' });
    let bearer = format!("Bearer {mistyped}");
    let answer = house
        .send(house.request(
            Method::GET,
            "/api/v1/ownership",
            &[("authorization", &bearer)],
            "",
        ))
        .await;
    assert!(
        answer.is(401, "UNAUTHENTICATED")["message"]
            .as_str()
            .unwrap()
            .contains("mistyped")
    );
    assert!(!answer.body.contains(&mistyped[..20]), "the token is repeated");
}

#[tokio::test]
async fn the_last_use_is_noted_now_and_then() {
    let house = House::new().await;
    let last = async || {
        // The note is written beside the request; the store's line makes this read come after it at some point.
        for _ in 0..1_000 {
            if let Some(at) = tokens::list(&house.store).await.unwrap()[0].last_used_at {
                return Some(at);
            }
            tokio::task::yield_now().await;
        }
        None
    };
    house.get("/api/v1/ownership").await;
    let first = last().await.expect("it was noted");
    house.world.advance(SignedDuration::from_secs(60));
    house.get("/api/v1/ownership").await;
    tokio::task::yield_now().await;
    assert_eq!(last().await, Some(first), "a minute later it is not noted again");
}

#[tokio::test]
async fn a_token_for_nothing_or_for_the_unknown_is_not_made() {
    let house = House::new().await;
    let make = async |client: &str, scopes: &[&str]| {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let new = NewToken {
            client: ClientId::new(client).unwrap(),
            name: String::new(),
            scopes,
            connection: None,
            expires_at: None,
        };
        tokens::create(&house.store, house.world.as_ref(), new).await
    };
    assert!(make("c", &[]).await.is_err());
    assert!(
        make("c", &["sync:all"])
            .await
            .is_err_and(|error| error.to_string().contains("sync:write"))
    );
    assert!(make("webhook:erp", &["sync:read"]).await.is_err());
}
