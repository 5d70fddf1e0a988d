//! How long a browser stays logged in.

use axum::http::Method;
use cpq_api::limits::{SESSION_IDLE, SESSION_LIFE};
use cpq_api::sessions::Sessions;
use cpq_api::tokens;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use crate::house::House;

struct Desk {
    house: House,
    sessions: Sessions,
}

impl Desk {
    async fn new() -> Desk {
        let house = House::new().await;
        let sessions = Sessions::new(house.store.clone(), house.world.clone());
        Desk { house, sessions }
    }

    async fn enter(&self) -> SecretString {
        let token = SecretString::from(self.house.token.clone());
        self.sessions.enter(&token, None).await.expect("a session")
    }

    /// Whether the browser is in. That it was seen is noted beside the request, in the line of writes before ours.
    async fn is_in(&self, secret: &SecretString) -> bool {
        let found = self
            .sessions
            .who(secret.expose_secret())
            .await
            .expect("an answer");
        tokio::task::yield_now().await;
        self.sessions.leave("nobody").await.expect("a write");
        found.is_some()
    }

    fn passes(&self, time: std::time::Duration) {
        let time = SignedDuration::try_from(time).expect("a short time");
        self.house.world.advance(time);
    }
}

#[tokio::test]
async fn a_browser_that_asks_for_nothing_is_logged_out() {
    let desk = Desk::new().await;
    let secret = desk.enter().await;
    let second = std::time::Duration::from_secs(1);
    desk.passes(SESSION_IDLE - second);
    assert!(desk.is_in(&secret).await);
    desk.passes(SESSION_IDLE - second);
    assert!(desk.is_in(&secret).await, "each request counts");
    desk.passes(SESSION_IDLE);
    assert!(!desk.is_in(&secret).await);
}

#[tokio::test]
async fn a_browser_that_never_rests_is_logged_out_in_the_end() {
    let desk = Desk::new().await;
    let secret = desk.enter().await;
    let (step, mut passed) = (SESSION_IDLE / 2, std::time::Duration::ZERO);
    while passed + step < SESSION_LIFE {
        desk.passes(step);
        passed += step;
        assert!(desk.is_in(&secret).await, "after {passed:?}");
    }
    desk.passes(step);
    assert!(!desk.is_in(&secret).await);
    assert!(
        desk.is_in(&desk.enter().await).await,
        "a new login is a new session"
    );
}

/// The browsers that are logged in as whoever holds the token.
async fn listed(house: &House, token: &str) -> Vec<serde_json::Value> {
    let bearer = format!("Bearer {token}");
    let request = house.request(Method::GET, "/api/v1/sessions", &[("authorization", &bearer)], "");
    let answer = house.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["sessions"].as_array().expect("a list").clone()
}

async fn end(house: &House, path: &str, token: &str, body: &str) -> u64 {
    let bearer = format!("Bearer {token}");
    let path = format!("/api/v1/sessions/{path}");
    let answer = house.post(&path, &[("authorization", &bearer)], body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["ended"].as_u64().expect("a number")
}

#[tokio::test]
async fn whoever_is_logged_in_sees_where_and_ends_it() {
    let desk = Desk::new().await;
    let mine = &desk.house.token;
    let other = desk.house.token_of("other", &["quotes:read"]).await;
    let (first, second) = (desk.enter().await, desk.enter().await);
    let theirs = desk
        .sessions
        .enter(&SecretString::from(other.clone()), None)
        .await
        .expect("a session");

    let seen = listed(&desk.house, mine).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    for session in &seen {
        assert_eq!(session["client"], "tester");
        for secret in [&first, &second] {
            assert!(!session.to_string().contains(secret.expose_secret()));
        }
    }
    let [foreign] = &listed(&desk.house, &other).await[..] else {
        panic!("one is somebody else's");
    };
    let foreign = format!("{}/end", foreign["id"].as_str().expect("a name"));
    assert_eq!(
        end(&desk.house, &foreign, mine, "").await,
        0,
        "it belongs to somebody else"
    );
    assert!(desk.is_in(&theirs).await);

    let visitor = desk.sessions.who(first.expose_secret()).await.expect("an answer");
    let first_id = visitor.expect("it is in").session().to_owned();
    assert_eq!(end(&desk.house, &format!("{first_id}/end"), mine, "").await, 1);
    assert_eq!(
        (desk.is_in(&first).await, desk.is_in(&second).await),
        (false, true)
    );
    assert_eq!(
        end(&desk.house, &format!("{first_id}/end"), mine, "").await,
        0,
        "it is over"
    );
}

#[tokio::test]
async fn all_sessions_end_at_once_but_for_the_one_that_is_named() {
    let desk = Desk::new().await;
    let mine = &desk.house.token;
    let other = desk.house.token_of("other", &["quotes:read"]).await;
    let theirs = desk
        .sessions
        .enter(&SecretString::from(other), None)
        .await
        .expect("a session");
    let (here, there) = (desk.enter().await, desk.enter().await);
    let visitor = desk.sessions.who(here.expose_secret()).await.expect("an answer");
    let but = serde_json::json!({"but": visitor.expect("it is in").session()}).to_string();
    assert_eq!(end(&desk.house, "end", mine, &but).await, 1);
    assert_eq!((desk.is_in(&here).await, desk.is_in(&there).await), (true, false));
    assert_eq!(end(&desk.house, "end", mine, "").await, 1);
    assert!(!desk.is_in(&here).await);
    assert!(desk.is_in(&theirs).await, "nobody ends what is somebody else's");
}

#[tokio::test]
async fn what_has_ended_is_not_listed() {
    let desk = Desk::new().await;
    let mine = &desk.house.token;
    let idle = desk.enter().await;
    desk.passes(SESSION_IDLE);
    let good = desk.enter().await;
    assert_eq!(listed(&desk.house, mine).await.len(), 1);
    assert_eq!((desk.is_in(&idle).await, desk.is_in(&good).await), (false, true));

    let leaver = desk.house.token_of("tester", &["quotes:read"]).await;
    let secret = SecretString::from(leaver);
    desk.sessions.enter(&secret, None).await.expect("a session");
    assert_eq!(
        listed(&desk.house, mine).await.len(),
        2,
        "another token of the same client"
    );
    let tokens = tokens::list(&desk.house.store).await.expect("tokens");
    let leaving = tokens.last().expect("the newest");
    tokens::revoke(&desk.house.store, desk.house.world.as_ref(), &leaving.id)
        .await
        .expect("a write");
    assert_eq!(listed(&desk.house, mine).await.len(), 1);
}
