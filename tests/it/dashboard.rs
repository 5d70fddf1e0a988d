//! The dashboard as a browser meets it: who gets in, which forms count, and every page.

use cpq_api::limits::LOGINS_PER_MINUTE;
use cpq_dashboard::{PAGES, Page};
use reqwest::Method;
use serde_json::json;

use crate::house::{House, Service, until};
use crate::undo::{Moved, moved};

/// A browser that follows no redirect by itself.
pub struct Browser<'a> {
    service: &'a Service,
    pub cookie: Option<String>,
}

/// An answer to a browser.
#[derive(Debug)]
pub struct Shown {
    pub status: u16,
    pub to: String,
    pub cookie: String,
    pub hx: String,
    pub policy: String,
    pub body: String,
}

const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

impl<'a> Browser<'a> {
    pub fn new(service: &'a Service) -> Browser<'a> {
        Browser {
            service,
            cookie: None,
        }
    }

    pub fn logged_in(service: &'a Service) -> Browser<'a> {
        Browser::logged_in_with(service, &service.token)
    }

    pub fn logged_in_with(service: &'a Service, token: &str) -> Browser<'a> {
        let mut browser = Browser::new(service);
        let shown = browser.enter(token, "/");
        assert_eq!((shown.status, shown.to.as_str()), (303, "/"), "{shown:?}");
        let secret = shown.cookie.split(';').next().expect("a cookie").to_owned();
        browser.cookie = Some(secret);
        browser
    }

    fn enter(&self, token: &str, back: &str) -> Shown {
        self.send(
            Method::POST,
            "/login",
            &[SAME],
            &[("token", token), ("back", back)],
        )
    }

    pub fn get(&self, path: &str) -> Shown {
        self.send(Method::GET, path, &[], &[])
    }

    /// Sends the form of a page, with what that page gave us.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let page = self.get("/connections").body;
        let given = page.split("name=\"form\" value=\"").nth(1).expect("a form");
        let given = given.split('"').next().expect("its value");
        let all = [&[("form", given)], fields].concat();
        self.send(Method::POST, path, &[SAME], &all)
    }

    pub fn shows(&self, path: &str, parts: &[&str]) {
        let page = self.get(path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        for part in parts {
            assert!(
                page.body.contains(part),
                "{path} says nothing of {part}: {page:?}"
            );
        }
    }

    pub fn moves(&self, path: &str, fields: &[(&str, &str)], to: &str) {
        let shown = self.post(path, fields);
        assert_eq!((shown.status, shown.to.as_str()), (303, to), "{shown:?}");
    }

    fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Shown {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let mut request = client.request(method.clone(), format!("{}{path}", self.service.url));
        if method == Method::POST {
            request = request.form(fields);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        runtime.block_on(async {
            let answer = request.send().await.expect("an answer");
            let text = |name: &str| {
                let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            Shown {
                status: answer.status().as_u16(),
                to: text("location"),
                cookie: text("set-cookie"),
                hx: text("hx-redirect"),
                policy: text("content-security-policy"),
                body: answer.text().await.expect("a body"),
            }
        })
    }
}

/// The path of a page, with something in place of its variables.
fn some(page: &Page) -> String {
    page.path.replace("{id}", "csync-001").replace("{act}", "pause")
}

#[test]
fn nobody_sees_a_page_or_sends_a_form_without_a_login() {
    let house = House::seeded();
    let service = house.serve();
    let stranger = Browser::new(&service);
    for page in PAGES.iter().filter(|page| !page.open) {
        let (method, path) = (page.method.parse().expect("a method"), some(page));
        let shown = stranger.send(method, &path, &[SAME], &[]);
        assert_eq!(shown.status, 303, "{page:?}: {shown:?}");
        assert!(shown.to.starts_with("/login?back=%2F"), "{page:?}: {shown:?}");
    }
    let part = stranger.send(Method::GET, "/syncs?state=dead", &[("hx-request", "true")], &[]);
    assert_eq!(
        (part.status, part.hx.as_str()),
        (204, "/login?back=%2Fsyncs%3Fstate%3Ddead")
    );
    assert_eq!(stranger.get("/login").status, 200);
    assert_eq!(stranger.get("/assets/style.css").status, 200);
    assert_eq!(stranger.get("/assets/secret.txt").status, 404);
}

#[test]
fn a_session_begins_with_a_token_of_ours_and_ends_with_it() {
    let house = House::seeded();
    let service = house.serve();
    let stranger = Browser::new(&service);
    let refused = stranger.enter("cpq_nothing", "/");
    let (status, cookie) = (refused.status, refused.cookie.as_str());
    assert_eq!((status, cookie), (401, ""), "{refused:?}");
    assert!(
        !refused.body.contains("cpq_nothing"),
        "what was typed is not told again"
    );
    for elsewhere in [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "evil",
    ] {
        assert_eq!(stranger.enter(&service.token, elsewhere).to, "/", "{elsewhere}");
    }
    let entered = stranger.enter(&service.token, "/syncs?state=dead");
    assert_eq!(entered.to, "/syncs?state=dead");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(entered.cookie.contains(part), "{}", entered.cookie);
    }
    let browser = Browser::logged_in(&service);
    let page = browser.get("/");
    assert!(!page.body.contains(&service.token), "the token is in no page");
    assert!(page.policy.contains("script-src 'self'"), "{}", page.policy);
    let other = Browser::logged_in(&service);
    assert_eq!(other.post("/logout", &[]).to, "/login");
    assert_eq!(
        other.get("/").status,
        303,
        "the session has ended, whoever keeps its cookie"
    );
    assert_eq!(browser.get("/").status, 200, "another one has not");
    let again = browser.enter(&service.token, "/");
    assert_eq!(
        browser.get("/").status,
        303,
        "a new login ends the session before"
    );
    let browser = Browser {
        service: &service,
        cookie: again.cookie.split(';').next().map(str::to_owned),
    };
    let mut twice = Browser::logged_in(&service);
    let one = twice.cookie.clone().expect("a cookie");
    twice.cookie = Some(format!("{one}; {one}"));
    assert_eq!(twice.get("/").status, 303, "two secrets are none");
    let list = house.cpq(&["token", "list", "--json"]).ok().json();
    let tokens = list["tokens"]
        .as_array()
        .or(list.as_array())
        .expect("tokens")
        .clone();
    for token in tokens {
        house
            .cpq(&["token", "revoke", token["id"].as_str().expect("an id")])
            .ok();
    }
    assert_eq!(browser.get("/").status, 303, "its token was revoked");
}

#[test]
fn logins_that_are_tried_too_often_wait_and_sessions_go_on() {
    let house = House::seeded();
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    let stranger = Browser::new(&service);
    let tried = || stranger.enter("cpq_nothing", "/").status;
    let allowed = LOGINS_PER_MINUTE as usize;
    let statuses: Vec<_> = (0..allowed + 5).map(|_| tried()).collect();
    let refused = statuses.iter().filter(|status| **status == 401).count();
    // One was the login of the browser; while these are tried, a few more may become free.
    assert!((allowed - 1..allowed + 4).contains(&refused), "{statuses:?}");
    // One may have become free just then; whoever takes it leaves none.
    let mut right = (0..4).map(|_| stranger.enter(&service.token, "/"));
    let right = right.find(|shown| shown.status != 303).expect("it waits");
    assert_eq!((right.status, right.cookie.as_str()), (429, ""), "{right:?}");
    assert!(right.body.contains("too many logins"), "{right:?}");
    assert_eq!(browser.get("/").status, 200);
}

#[test]
fn a_form_counts_only_from_a_page_that_this_browser_was_given() {
    let house = House::synced();
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    for page in PAGES.iter().filter(|page| page.method == "POST" && !page.open) {
        let bare = browser.send(Method::POST, &some(page), &[SAME], &[]);
        assert_eq!(bare.status, 403, "{page:?}: {bare:?}");
        assert!(bare.body.contains("FORM_FORGED"), "{page:?}: {bare:?}");
    }
    let foreign = |headers: &[(&str, &str)]| {
        let page = browser.get("/connections").body;
        let given = page.split("name=\"form\" value=\"").nth(1).expect("a form");
        let given = given.split('"').next().expect("its value");
        browser
            .send(
                Method::POST,
                "/syncs/csync-001/replay",
                headers,
                &[("form", given)],
            )
            .status
    };
    assert_eq!(foreign(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(foreign(&[("sec-fetch-site", "same-site")]), 403);
    assert_eq!(foreign(&[("origin", "https://evil.example")]), 403);
    assert_eq!(
        foreign(&[("origin", &service.url)]),
        303,
        "an older browser says no more"
    );
    let stranger = Browser::new(&service);
    let login = [("sec-fetch-site", "cross-site")];
    let login = stranger.send(Method::POST, "/login", &login, &[("token", &service.token)]);
    assert_eq!(login.status, 403, "nobody is logged in by another site");
    let long = "x".repeat(1_100_000);
    assert_eq!(stranger.enter(&long, "/").status, 413);
}

#[test]
fn every_page_shows_what_there_is() {
    let house = House::connected();
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    let compared = act(&browser);
    let shown = [
        ("/", "Open failures"),
        ("/syncs", "csync-002"),
        ("/syncs?find=OPP-4482", "Q-2026-0137"),
        ("/syncs/csync-001", "Stages"),
        ("/quotes/Q-2026-0137", "List price"),
        ("/plan", "Nothing is written anywhere"),
        ("/conflicts", "No conflict fits"),
        ("/ownership", "opportunity.stage"),
        ("/why?opportunity=OPP-4482&field=quote.status", "draft"),
        ("/dead-letters", "OPPORTUNITY_NOT_FOUND"),
        ("/dead-letters/list", "csync-002"),
        ("/dead-letters/csync-002", "Why it is given up"),
        ("/replays", "rp-001"),
        ("/replays/rp-001", "Foretold"),
        ("/reconciliations", "Compare both sides now"),
        (compared.as_str(), "Looked at"),
        ("/connections", "API calls"),
        ("/sessions", "this browser"),
    ];
    for (path, part) in shown {
        browser.shows(path, &[part]);
    }
    nothing_is_left_out(&shown.map(|(path, _)| path));
    browser.moves(
        "/dead-letters/csync-002/discard",
        &[("reason", "a typing error")],
        "/dead-letters/csync-002",
    );
    browser.shows("/dead-letters/csync-002", &["a typing error"]);
    let missing = browser.get("/syncs/csync-999");
    assert_eq!(missing.status, 404, "{missing:?}");
    assert!(
        missing.body.contains("CORRELATION_NOT_FOUND") && missing.body.contains("Log out"),
        "{missing:?}"
    );
    let nonsense = browser.get("/reconciliations/nonsense");
    assert_eq!(nonsense.status, 400, "{nonsense:?}");
    let figures = service.call(Method::GET, "/metrics", &[], "").1;
    for counted in [
        "route=\"/connections\",status=\"200\",from=\"client\"",
        "route=\"/api/v1/connections\",status=\"200\",from=\"page\"",
    ] {
        assert!(figures.contains(counted), "{counted}: {figures}");
    }
}

/// A sync that succeeds, one that dies, a plan to replay it and a comparison: what the pages then show. Returns the
/// page of the comparison.
fn act(browser: &Browser<'_>) -> String {
    browser.shows("/plan?opportunity=OPP-4482", &["a new one", "CRM → CPQ"]);
    browser.moves("/syncs/start", &[("opportunity", "OPP-4482")], "/syncs/csync-001");
    browser.shows(
        "/syncs/csync-001",
        &[
            "Q-2026-0137",
            "write.crm",
            "opportunity.name",
            "Sync again",
            "look at it in the CRM",
            "/quotes/Q-2026-0137",
        ],
    );
    browser.moves("/syncs/start", &[("opportunity", "OPP-0000")], "/syncs/csync-002");
    browser.shows("/syncs/csync-002", &["OPPORTUNITY_NOT_FOUND"]);
    browser.moves("/replays", &[], "/replays/rp-001");
    let compared = browser.post("/reconciliations", &[]);
    assert_eq!(compared.status, 303, "{compared:?}");
    compared.to
}

/// Fails if a page is not among the paths.
fn nothing_is_left_out(paths: &[&str]) {
    let looked_at_elsewhere = [
        "/live",
        "/conflicts/{id}",
        "/login",
        "/assets/{name}",
        "/connections/finish",
        "/oauth/callback",
    ];
    let covers = |page: &&Page| {
        let fixed = page.path.split('{').next().unwrap_or_default();
        paths.iter().any(|path| match page.path.contains('{') {
            true => path.starts_with(fixed) && path.len() > fixed.len(),
            false => path.split('?').next() == Some(page.path),
        })
    };
    let missing: Vec<_> = PAGES
        .iter()
        .filter(|page| page.method == "GET" && !looked_at_elsewhere.contains(&page.path))
        .filter(|page| !covers(page))
        .collect();
    assert!(missing.is_empty(), "nobody looks at {missing:#?}");
}

#[test]
fn a_sync_is_taken_back_in_the_browser() {
    let Moved { house, sync: bad, .. } = moved("2027-06-30");
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    let (page, undo) = (format!("/syncs/{bad}"), format!("/syncs/{bad}/undo"));
    browser.shows(&page, &["Take it back"]);
    browser.shows(
        &undo,
        &["would be written again", "Nothing of it can be put back"],
    );
    browser.shows(
        &format!("{undo}?both=on"),
        &["Put back 1 value", "quote.valid_until"],
    );
    let done = browser.post(&undo, &[("both", "on"), ("reason", "<b>wrong</b> import")]);
    assert_eq!(done.status, 303, "{done:?}");
    browser.shows(&done.to, &["Takes back", &bad, "wrong&#60;", "put back"]);
    browser.shows(&page, &["Taken back by"]);
    let first = browser.get("/syncs/csync-001/undo");
    assert_eq!(first.status, 400, "{first:?}");
    assert!(first.body.contains("made the quote"), "{first:?}");
}

/// What a token may not do, its browser may not do either.
#[test]
fn a_page_can_do_no_more_than_the_token() {
    let house = House::synced();
    let service = house.serve();
    let reader = house
        .cpq(&["token", "create", "--client", "reader", "--scope", "sync:read"])
        .ok();
    let browser = Browser::logged_in_with(&service, reader.out.trim());
    assert_eq!(browser.get("/syncs").status, 200);
    for path in ["/conflicts", "/ownership", "/dead-letters", "/reconciliations"] {
        let page = browser.get(path);
        assert_eq!(page.status, 403, "{path}: {page:?}");
        assert!(page.body.contains("SCOPE_INSUFFICIENT"), "{path}: {page:?}");
    }
    let form = browser.get("/syncs").body;
    let given = form
        .split("name=\"form\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let fields = [("form", given.expect("a form")), ("opportunity", "OPP-4482")];
    let refused = browser.send(Method::POST, "/syncs/start", &[SAME], &fields);
    assert_eq!(refused.status, 403, "{refused:?}");
    let list = house.cpq(&["sync", "list", "--json"]).ok().json();
    assert_eq!(
        list["syncs"].as_array().map(Vec::len),
        Some(1),
        "no sync was begun: {list}"
    );
}

#[test]
fn what_is_wrong_with_the_rules_stands_beside_them() {
    let house = House::connected();
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    let fine = browser.get("/ownership");
    assert!(
        fine.status == 200 && !fine.body.contains("wrong with these rules"),
        "{fine:?}"
    );
    drop(service);
    let rules =
        "[[rule]]\nfield = \"opportunity.nme\"\nowner = \"crm\"\npolicy = \"always\"\nreason = \"a slip\"\n";
    std::fs::write(house.path().join("rules.toml"), rules).expect("the matrix");
    let config = "[ownership]\nfile = \"rules.toml\"\n";
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    browser.shows(
        "/ownership",
        &[
            "wrong with these rules",
            "unknown field",
            "opportunity.nme",
            "no owner",
            "quote.status",
        ],
    );
    std::fs::write(house.path().join("rules.toml"), "no matrix").expect("the matrix");
    let broken = until(
        "the refusal",
        || browser.get("/ownership"),
        |page| page.body.contains("A newer text is not in force"),
    );
    assert_eq!(broken.status, 200, "{broken:?}");
}

#[test]
fn what_the_crm_holds_is_text_in_every_page() {
    let house = House::connected();
    let script = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>";
    let found = house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'");
    let id = found[0]["Id"].as_str().expect("an id");
    let change = json!({ "Name": script, "StageName": "Proposal/Price Quote", "NextStep": script });
    house.crm(Method::PATCH, &format!("sobjects/Opportunity/{id}"), &change);
    let service = house.serve();
    let browser = Browser::logged_in(&service);
    browser.post("/syncs/start", &[("opportunity", "OPP-4482")]);
    let asked = "/syncs?find=%3Cscript%3Ealert('x')%3C/script%3E";
    let pages = [
        "/plan?opportunity=OPP-4482",
        "/syncs/csync-001",
        "/why?opportunity=OPP-4482&field=opportunity.name",
    ];
    for path in pages {
        let page = browser.get(path);
        assert!(
            page.body.contains("&#60;script&#62;"),
            "{path} shows the name: {page:?}"
        );
    }
    for path in pages.iter().chain([&asked, &"/", &"/syncs"]) {
        let page = browser.get(path);
        assert!(
            !page.body.contains("<script>alert") && !page.body.contains("<img src=x"),
            "{path}: {page:?}"
        );
    }
}
