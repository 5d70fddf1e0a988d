//! A CRM is connected in the browser, and given up there.

use reqwest::Method;
use serde_json::Value as Json;

use crate::dashboard::{Browser, Shown};
use crate::house::{House, Service};

/// What the sandbox tells about itself.
fn info(house: &House) -> Json {
    house.control(Method::GET, "/sandbox/info", &Json::Null)
}

/// Begins a login with this; returns the page and the place that it leads to.
fn begin(browser: &Browser<'_>, info: &Json, secret: &str) -> (Shown, String) {
    let text = |name: &str| {
        info[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {info}"))
            .to_owned()
    };
    let (url, id) = (text("instanceUrl"), text("clientId"));
    let fields = [
        ("login_url", url.as_str()),
        ("client_id", &id),
        ("client_secret", secret),
    ];
    let shown = browser.post("/connections/connect", &fields);
    let link = shown
        .body
        .split("href=\"")
        .find(|part| part.contains("/services/oauth2/authorize"));
    let link = link.and_then(|part| part.split('"').next()).unwrap_or_default();
    let link = link.replace("&#38;", "&").replace("&amp;", "&");
    (shown, link)
}

/// A person agrees there. Returns where the browser is sent back to.
fn agree(link: &str, info: &Json) -> String {
    let user = info["username"].as_str().expect("a user");
    let url = format!("{link}&sandbox_user={user}");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    runtime.block_on(async {
        let answer = client.get(url).send().await.expect("an answer");
        let to = answer.headers().get("location").expect("a redirect");
        to.to_str().expect("a URL").to_owned()
    })
}

fn path<'a>(service: &Service, url: &'a str) -> &'a str {
    url.strip_prefix(&service.url)
        .unwrap_or_else(|| panic!("{url} leads elsewhere"))
}

#[test]
fn a_crm_is_connected_and_given_up_in_the_browser() {
    let house = House::seeded();
    let service = house.serve();
    let mut browser = Browser::logged_in(&service);
    let info = info(&house);
    let secret = info["clientSecret"].as_str().expect("a secret").to_owned();
    let (shown, link) = begin(&browser, &info, &secret);
    assert_eq!(shown.status, 200, "{shown:?}");
    for part in ["Path=/connections/finish", "HttpOnly", "SameSite=Strict"] {
        assert!(shown.cookie.contains(part), "{}", shown.cookie);
    }
    assert!(!shown.body.contains(&secret), "the secret is in no page");
    assert!(link.contains("code_challenge_method=S256"), "{link}");

    let to = agree(&link, &info);
    let stranger = Browser::new(&service);
    let back = stranger.get(path(&service, &to));
    assert!(
        back.status == 200 && back.body.contains("/connections/finish?"),
        "{back:?}"
    );
    let query = to.split_once('?').expect("a query").1;
    let finish = format!("/connections/finish?{query}");
    let elsewhere = browser.get(&finish);
    assert!(
        elsewhere.status == 424 && elsewhere.body.contains("not begun in this browser"),
        "another browser with the link: {elsewhere:?}"
    );
    let session = browser.cookie.clone().expect("a session");
    let own = shown.cookie.split(';').next().expect("a cookie");
    browser.cookie = Some(format!("{session}; {own}"));
    let done = browser.get(&finish);
    assert!(
        done.status == 200 && done.body.contains("Connected: crm"),
        "{done:?}"
    );
    assert!(done.cookie.contains("Max-Age=0"), "{}", done.cookie);
    let again = browser.get(&finish);
    assert_eq!(again.status, 424, "a login ends once: {again:?}");
    browser.shows("/connections", &["api refresh_token", "Log in again"]);
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();

    let reconnect = browser.post("/connections/connect", &[("connection", "crm")]);
    assert!(
        reconnect.status == 200 && reconnect.body.contains("/services/oauth2/authorize"),
        "with the app that is known: {reconnect:?}"
    );
    browser.moves(
        "/connections/disconnect",
        &[("connection", "crm")],
        "/connections",
    );
    browser.shows("/connections", &["No CRM is connected yet"]);
    let revoked = house.control(Method::GET, "/sandbox/requests", &Json::Null);
    assert!(
        revoked["routes"]["POST /services/oauth2/revoke"]["requests"] == 1,
        "{}",
        revoked["routes"]
    );
    let acts = house.cpq(&["audit", "list", "--limit", "100"]).ok().out;
    for act in ["connections/logins/finish", "connections/{name}/disconnect"] {
        assert!(acts.contains(act), "{act}: {acts}");
    }
    assert!(!acts.contains(&secret) && !acts.contains("code="), "{acts}");
}

#[test]
fn a_secret_goes_to_no_other_host_than_its_own() {
    let house = House::connected();
    let service = house.serve();
    let ask = |body: &str| service.call(Method::POST, "/api/v1/connections/logins", &[], body);
    let back = "https://cpq.example/oauth/callback";
    let (status, said) = ask(&format!(
        "{{\"redirectUri\":\"{back}\",\"loginUrl\":\"http://evil.example\"}}"
    ));
    assert_eq!(status, 400, "{said}");
    for redirect in ["http://evil.example/x", "javascript:alert(1)", "no url"] {
        let (status, said) = ask(&format!("{{\"redirectUri\":\"{redirect}\"}}"));
        assert!(
            status == 400 && said.contains("redirectUri"),
            "{redirect}: {said}"
        );
    }
    let unknown = format!("{{\"redirectUri\":\"{back}\",\"connection\":\"other\"}}");
    let (status, said) = ask(&unknown);
    assert!(status == 400 && said.contains("loginUrl"), "{said}");
}
