//! Looking for changes: what is told once, what is never lost.

use std::collections::BTreeMap;
use std::time::Duration;

use cpq_adapters::salesforce::{Polling, PollingFeed, Watched};
use cpq_domain::change::{Change, ChangeFeed as _, ChangeKind, ChangeStream, ChangeSweep as _, Position};
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::watch;

use super::{Grant, Json, adapter, call, login};
use crate::house::House;

/// Somebody else in the org.
pub struct Rep {
    grant: Grant,
    http: reqwest::Client,
}

impl Rep {
    /// So long after everything that was seeded that no look goes back to it.
    pub async fn new(house: &House) -> Rep {
        let (grant, http) = (login(house).await, reqwest::Client::new());
        let rep = Rep { grant, http };
        rep.pass(1_000).await;
        rep
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Json) -> Json {
        let url = format!("{}{path}", self.grant.url);
        let mut request = self.http.request(method, url).bearer_auth(&self.grant.token);
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.expect("it answers");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn data(&self, method: reqwest::Method, path: &str, body: Json) -> Json {
        self.send(method, &format!("/services/data/v68.0/{path}"), body)
            .await
    }

    async fn control(&self, path: &str, body: Json) {
        self.send(reqwest::Method::POST, &format!("/sandbox/{path}"), body)
            .await;
    }

    /// New opportunities, all stamped with one second.
    pub async fn opportunities(&self, count: usize) -> Vec<String> {
        let record = |n| {
            json!({"attributes": {"type": "Opportunity"}, "Name": format!("Polled {n}"),
                   "StageName": "Prospecting", "CloseDate": "2027-01-31"})
        };
        let records: Vec<Json> = (0..count).map(record).collect();
        let body = json!({"allOrNone": true, "records": records});
        let made = self.data(reqwest::Method::POST, "composite/sobjects", body).await;
        let id = |made: &Json| made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        made.as_array().expect("a list").iter().map(id).collect()
    }

    async fn rename(&self, id: &str, name: &str) {
        let path = format!("sobjects/Opportunity/{id}");
        self.data(reqwest::Method::PATCH, &path, json!({"Name": name}))
            .await;
    }

    /// Lets time pass in the org.
    async fn pass(&self, seconds: u32) {
        self.control("clock", json!({"advanceSeconds": seconds})).await;
    }
}

async fn feed(house: &House, rows: u32, watched: &[Watched]) -> PollingFeed {
    let (_, pace) = watch::channel(Duration::ZERO);
    adapter(house).await.polling(Polling {
        overlap: SignedDuration::from_mins(15),
        rows,
        watched: watched.to_vec(),
        pace,
    })
}

/// Reads until nothing is told any more: what was told of each opportunity, and where the reader stands.
async fn drain(stream: &mut Box<dyn ChangeStream>) -> (BTreeMap<String, Vec<Change>>, Position) {
    let mut told: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    let (mut quiet, mut last) = (0, None);
    // The first look ends where the CRM's clock was when it was heard last, the next one where it is now; and each goes
    // through up to six pages of what is known.
    while quiet < 15 {
        let read = stream.next().await.expect("it reads");
        quiet = if read.changes.is_empty() { quiet + 1 } else { 0 };
        for change in read.changes {
            told.entry(change.opportunity.to_string())
                .or_default()
                .push(change);
        }
        last = Some(read.position);
    }
    (told, last.expect("a position"))
}

fn counts(told: &BTreeMap<String, Vec<Change>>, ids: &[String]) -> Vec<usize> {
    ids.iter().map(|id| told.get(id).map_or(0, Vec::len)).collect()
}

/// A bulk load stamps more records with one second than a page holds. Each is told once, and not again while nothing
/// changes; a reader that starts in the middle of the pages goes on there.
#[tokio::test]
async fn a_second_with_more_records_than_a_page_is_told_once() {
    let house = House::seeded();
    let rep = Rep::new(&house).await;
    let feed = feed(&house, 10, &[Watched::Opportunity]).await;
    let mut stream = feed.open(&call(), None).await.expect("it opens");
    drain(&mut stream).await;
    rep.control("clock", json!({"freeze": true})).await;
    let ids = rep.opportunities(57).await;
    rep.control("clock", json!({"freeze": false})).await;
    rep.pass(5).await;
    stream.next().await.expect("it reads");
    let mut first = stream.next().await.expect("it reads");
    while first.changes.is_empty() {
        first = stream.next().await.expect("it reads");
    }
    assert_eq!(first.changes.len(), 10, "a page");

    let mut resumed = feed.open(&call(), Some(&first.position)).await.expect("it opens");
    let second = resumed.next().await.expect("it reads");
    let told_first: Vec<_> = first.changes.iter().map(|change| &change.opportunity).collect();
    assert_eq!(second.changes.len(), 10);
    assert!(
        second
            .changes
            .iter()
            .all(|change| !told_first.contains(&&change.opportunity)),
        "it goes on behind the page"
    );

    let (mut told, _) = drain(&mut stream).await;
    for change in first.changes {
        told.entry(change.opportunity.to_string())
            .or_default()
            .push(change);
    }
    assert_eq!(counts(&told, &ids), vec![1; 57]);
    assert!(
        told[&ids[0]]
            .iter()
            .all(|change| change.hint.kind == ChangeKind::Created)
    );
    rep.pass(60).await;
    assert!(drain(&mut stream).await.0.is_empty(), "nothing changed");
}

/// A transaction that took minutes stamps its records below what was read already.
#[tokio::test]
async fn a_late_commit_is_seen() {
    let house = House::seeded();
    let rep = Rep::new(&house).await;
    let ids = rep.opportunities(1).await;
    rep.pass(5).await;
    let feed = feed(&house, 200, &[Watched::Opportunity]).await;
    let mut stream = feed.open(&call(), None).await.expect("it opens");
    rep.pass(600).await;
    drain(&mut stream).await;
    let fault = json!({"rules": [{"when": {"object": "Opportunity", "method": "PATCH"},
        "fault": {"kind": "late_commit", "seconds": 540}, "times": 1}]});
    rep.control("faults", fault).await;
    rep.rename(&ids[0], "Late").await;
    rep.pass(5).await;
    let (told, position) = drain(&mut stream).await;
    assert_eq!(counts(&told, &ids), [1]);
    let stamped = told[&ids[0]][0].hint.at.expect("a stamp");
    assert!(
        position.seen_until.duration_since(stamped) > SignedDuration::from_mins(8),
        "the stamp {stamped} lies behind {}",
        position.seen_until
    );
}

#[tokio::test]
async fn deletions_and_restorations_are_seen() {
    let house = House::seeded();
    let rep = Rep::new(&house).await;
    let ids = rep.opportunities(2).await;
    rep.pass(5).await;
    let feed = feed(&house, 200, &[Watched::Opportunity]).await;
    let mut stream = feed.open(&call(), None).await.expect("it opens");
    drain(&mut stream).await;
    let path = format!("sobjects/Opportunity/{}", ids[0]);
    rep.data(reqwest::Method::DELETE, &path, json!(null)).await;
    rep.pass(180).await;
    let (told, _) = drain(&mut stream).await;
    assert_eq!(counts(&told, &ids), [1, 0]);
    assert_eq!(told[&ids[0]][0].hint.kind, ChangeKind::Deleted);
    rep.control("records/undelete", json!({"ids": [ids[0]]})).await;
    rep.pass(5).await;
    let (told, _) = drain(&mut stream).await;
    assert_eq!(counts(&told, &ids), [1, 0]);
    assert_eq!(told[&ids[0]][0].hint.kind, ChangeKind::Changed);
}

/// Deletions are kept for fifteen days. Who comes later is told that something is missing.
#[tokio::test]
async fn who_comes_after_the_deletions_were_forgotten_is_told_so() {
    let house = House::seeded();
    let feed = feed(&house, 200, &[Watched::Opportunity]).await;
    let (_, now) = drain(&mut feed.open(&call(), None).await.expect("it opens")).await;
    let old = Position {
        mark: Vec::new(),
        seen_until: now.seen_until - SignedDuration::from_hours(16 * 24),
    };
    let mut stream = feed.open(&call(), Some(&old)).await.expect("it opens");
    let read = stream.next().await.expect("it reads");
    assert_eq!(read.sweep_from, Some(old.seen_until));
    let again = stream.next().await.expect("it reads");
    assert_eq!(again.sweep_from, None, "it is told once");
}

/// What hangs on an opportunity leads to it: account, line, contact role, quote; also when it is deleted.
#[tokio::test]
async fn what_hangs_on_an_opportunity_leads_to_it() {
    let house = House::seeded();
    let rep = Rep::new(&house).await;
    let query = |soql: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        format!("query?q={encoded}")
    };
    let soql = "SELECT Id, AccountId, (SELECT Id FROM OpportunityLineItems LIMIT 1) FROM Opportunity \
                WHERE Opportunity_Number__c = 'OPP-4482'";
    let found = rep.data(reqwest::Method::GET, &query(soql), json!(null)).await;
    let row = &found["records"][0];
    let id = row["Id"].as_str().expect("an id").to_owned();
    let line = row["OpportunityLineItems"]["records"][0]["Id"]
        .as_str()
        .expect("a line");
    let account = row["AccountId"].as_str().expect("an account");
    let quote = json!({"Name": "Polled", "OpportunityId": id});
    let quote = rep.data(reqwest::Method::POST, "sobjects/Quote", quote).await;
    let quote = quote["id"].as_str().expect("an id").to_owned();
    let edits = [
        (
            Watched::Account,
            "PATCH",
            format!("sobjects/Account/{account}"),
            json!({"Phone": "+1 555 0199"}),
        ),
        (
            Watched::Line,
            "PATCH",
            format!("sobjects/OpportunityLineItem/{line}"),
            json!({"Description": "polled"}),
        ),
        (
            Watched::Quote,
            "PATCH",
            format!("sobjects/Quote/{quote}"),
            json!({"Name": "Polled again"}),
        ),
        (
            Watched::Quote,
            "DELETE",
            format!("sobjects/Quote/{quote}"),
            json!(null),
        ),
    ];
    for (watched, method, path, body) in edits {
        rep.pass(5).await;
        let feed = feed(&house, 200, &[watched]).await;
        let mut stream = feed.open(&call(), None).await.expect("it opens");
        drain(&mut stream).await;
        rep.data(method.parse().expect("a method"), &path, body).await;
        rep.pass(5).await;
        let (told, _) = drain(&mut stream).await;
        assert!(told.contains_key(&id), "{method} of {watched:?}: {told:?}");
    }
}

/// All kinds in one call, and a sweep gives the same as the looks did.
#[tokio::test]
async fn a_look_is_one_call_and_a_sweep_finds_the_same() {
    let house = House::seeded();
    let rep = Rep::new(&house).await;
    let feed = feed(&house, 10, &Watched::ALL).await;
    let mut stream = feed.open(&call(), None).await.expect("it opens");
    let (_, before) = drain(&mut stream).await;
    let ids = rep.opportunities(25).await;
    rep.pass(5).await;
    drain(&mut stream).await;
    let url = "/sandbox/requests";
    rep.send(reqwest::Method::DELETE, url, json!(null)).await;
    stream.next().await.expect("it reads");
    let requests = rep.send(reqwest::Method::GET, url, json!(null)).await;
    assert_eq!(requests["apiCalls"], 1, "{requests}");

    let (mut after, mut told) = (None, BTreeMap::new());
    loop {
        let since = before.seen_until;
        let page = feed
            .changed_since(&call(), since, after.as_deref())
            .await
            .expect("it reads");
        for change in page.changes {
            told.entry(change.opportunity.to_string())
                .or_insert_with(Vec::new)
                .push(change);
        }
        assert!(page.as_of > since);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(counts(&told, &ids), vec![1; 25]);
}
