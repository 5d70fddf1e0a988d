//! Browsers that are logged in, listed and ended: by whom they belong to on the page, and by whoever runs the service.

use cpq_api::limits::LOGINS_PER_MINUTE;

use crate::dashboard::Browser;
use crate::house::{House, Service};

const PAGE: &str = "/sessions";
const END: &str = "/sessions/end";

/// A new token of this client.
fn token(house: &House, client: &str) -> String {
    let made = house.cpq(&["token", "create", "--client", client, "--scope", "sync:read"]);
    made.ok().out.trim().to_owned()
}

/// Sessions as `cpq token sessions` tells them: id and client, latest login first.
fn listed(house: &House, more: &[&str]) -> Vec<(String, String)> {
    let told = house
        .cpq(&[&["token", "sessions", "--json"], more].concat())
        .ok()
        .json();
    let sessions = told.as_array().expect("sessions");
    let text = |session: &serde_json::Value, name: &str| session[name].as_str().expect(name).to_owned();
    let one = |session| (text(session, "id"), text(session, "client"));
    sessions.iter().map(one).collect()
}

fn is_logged_in(browser: &Browser<'_>) -> bool {
    browser.get("/syncs").status == 200
}

/// Two browsers of vera, one of rosa.
fn three<'a>(house: &House, service: &'a Service) -> (String, [Browser<'a>; 3]) {
    let (vera, rosa) = (token(house, "vera"), token(house, "rosa"));
    let browsers = [&rosa, &vera, &vera].map(|token| Browser::logged_in_with(service, token));
    (vera, browsers)
}

#[test]
fn a_page_lists_ones_own_browsers_and_ends_them_for_a_token_alone() {
    let house = House::seeded();
    let service = house.serve();
    let (vera, [rosas, there, here]) = three(&house, &service);
    let [(own, _), (other, _)] = listed(&house, &["--client", "vera"])
        .try_into()
        .expect("two of hers");
    let page = here.get(PAGE).body;
    assert_eq!(page.matches("127.0.0.1</td>").count(), 2, "hers alone: {page}");
    assert!(
        page.contains(&other) && !page.contains(&own),
        "her own has no button: {page}"
    );
    let theirs = token(&house, "mallory");
    for wrong in ["cpq_nothing", theirs.as_str()] {
        let refused = here.post(END, &[("which", &other), ("token", wrong)]);
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(refused.body.contains("No browser was logged out"), "{refused:?}");
        assert!(!refused.body.contains(wrong), "what was typed is not told again");
    }
    assert_eq!(
        here.post(END, &[("which", "others")]).status,
        400,
        "without a token"
    );
    assert!(is_logged_in(&there), "nothing was ended by these");
    // Another's is none of hers.
    let [(of_rosa, _)] = listed(&house, &["--client", "rosa"]).try_into().expect("one");
    here.moves(END, &[("which", &of_rosa), ("token", &vera)], PAGE);
    here.moves(END, &[("which", &other), ("token", &vera)], PAGE);
    assert!(!is_logged_in(&there) && is_logged_in(&here) && is_logged_in(&rosas));
    here.shows(PAGE, &["No other browser"]);
    let again = Browser::logged_in_with(&service, &vera);
    here.moves(END, &[("which", "others"), ("token", &vera)], PAGE);
    assert!(!is_logged_in(&again) && is_logged_in(&here) && is_logged_in(&rosas));
}

#[test]
fn tokens_are_not_guessed_at_the_form_that_ends_sessions() {
    let house = House::seeded();
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    let guess = || {
        browser
            .post(END, &[("which", "others"), ("token", "cpq_nothing")])
            .status
    };
    let allowed = LOGINS_PER_MINUTE as usize;
    // While these are tried, a few more become free.
    let tried = (1..=allowed * 5).find(|_| guess() == 429);
    assert!(tried.is_some_and(|tried| tried >= allowed), "{tried:?}");
    assert!(is_logged_in(&browser));
}

#[test]
fn whoever_runs_the_service_ends_one_browser_or_all_of_a_client() {
    let house = House::seeded();
    let service = house.serve();
    let (_, [rosas, there, here]) = three(&house, &service);
    let all = listed(&house, &[]);
    let clients: Vec<_> = all.iter().map(|(_, client)| client.as_str()).collect();
    assert_eq!(clients, ["vera", "vera", "rosa"]);
    let silent = house.cpq(&["token", "end-session"]);
    assert_ne!(
        silent.code, 0,
        "all browsers are not meant by silence: {silent:?}"
    );
    assert_eq!(listed(&house, &[]).len(), 3);
    house.cpq(&["token", "end-session", &all[0].0]).ok();
    assert!(!is_logged_in(&here) && is_logged_in(&there) && is_logged_in(&rosas));
    let none = house.cpq(&["token", "end-session", &all[0].0]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.err.contains("cpq token sessions"), "{none:?}");
    let ended = house.cpq(&["token", "end-session", "--client", "vera", "--json"]);
    assert_eq!(ended.ok().json()["ended"], 1);
    assert!(!is_logged_in(&there) && is_logged_in(&rosas));
    let told = house.cpq(&["audit", "list", "--json"]).ok().out;
    assert!(told.contains("session.end"), "{told}");
}
