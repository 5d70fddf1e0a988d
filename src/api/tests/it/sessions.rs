//! How long a browser stays logged in.

use cpq_api::limits::{SESSION_IDLE, SESSION_LIFE};
use cpq_api::sessions::Sessions;
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
