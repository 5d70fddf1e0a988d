//! What must hold once the last service has worked everything off.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::clients::{Acknowledged, Books, acknowledged, same_promise, until_answered};
use super::land::Land;
use crate::house::until;

/// Looks at what is still under way before one gives up, and between two of them.
const LOOKS: usize = 600;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

impl Land {
    /// Returns what there was to judge.
    pub fn judge(&self, books: &Books) -> String {
        let keyed = books.keyed.lock().expect("no panic").clone();
        let hooks = books.hooks.lock().expect("no panic").clone();
        let buried = self.all_ended(keyed.iter().chain(&hooks));
        let told = format!(
            "{} keyed requests, {} webhooks and {} repeats acknowledged; {} syncs put aside after three crashes",
            keyed.len(),
            hooks.len(),
            books.repeats.lock().expect("no panic"),
            buried.len()
        );
        assert!(
            keyed.len() > 50 && hooks.len() > 50,
            "hardly anything got through"
        );
        self.keys_answer_from_memory(&keyed);
        // Who put them aside asks a person to look; the person's answer is one more sync.
        for (at, opportunity) in buried.iter().enumerate() {
            self.call(&format!("person-{at}"), opportunity);
        }
        self.one_quote_each(&keyed);
        self.names_arrived(&books.names.lock().expect("no panic"));
        told
    }

    /// Every promised sync is known and has ended. Returns the opportunities of those that were put aside, which must
    /// have been under way at three kills.
    fn all_ended<'a>(&self, promised: impl Iterator<Item = &'a Acknowledged>) -> BTreeSet<String> {
        let syncs: BTreeMap<&str, &str> = promised
            .map(|one| (one.correlation.as_str(), one.opportunity.as_str()))
            .collect();
        let mut buried = BTreeSet::new();
        for (correlation, opportunity) in syncs {
            let ended = self.ended(correlation);
            if ended["status"] == "dead" {
                assert_eq!(ended["error"]["code"], "DEAD_LETTERED", "{ended}");
                buried.insert(opportunity.to_owned());
            }
        }
        buried
    }

    fn ended(&self, correlation: &str) -> Json {
        let mut last = Json::Null;
        for _ in 0..LOOKS {
            last = self.get(&format!("/api/v1/sync/{correlation}"));
            if matches!(last["status"].as_str(), Some("success" | "dead")) {
                return last;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        panic!("{correlation} was acknowledged and does not end: {last}");
    }

    fn keys_answer_from_memory(&self, keyed: &[Acknowledged]) {
        for old in keyed {
            let (status, body) = self.call(&old.key, &old.opportunity);
            same_promise(old, status, &body);
            let last = acknowledged(old.key.clone(), old.opportunity.clone(), status, body);
            assert!(last.body.is_some(), "{} has not ended", old.key);
        }
    }

    fn one_quote_each(&self, keyed: &[Acknowledged]) {
        let asked: BTreeSet<&str> = keyed.iter().map(|one| one.opportunity.as_str()).collect();
        for opportunity in &asked {
            let quotes = self.get(&format!("/api/v1/quotes?opportunity={opportunity}"));
            let count = quotes["quotes"].as_array().map(Vec::len);
            assert_eq!(count, Some(1), "{opportunity}: {quotes}");
        }
        let mut records: BTreeMap<String, usize> = BTreeMap::new();
        for record in self.house.soql("SELECT OpportunityId FROM Quote") {
            *records.entry(record["OpportunityId"].to_string()).or_default() += 1;
        }
        assert!(records.len() >= asked.len(), "{records:?}");
        assert!(records.values().all(|count| *count == 1), "{records:?}");
    }

    /// What a person last wrote into the CRM is in the quote.
    fn names_arrived(&self, names: &BTreeMap<String, String>) {
        for (number, id) in &self.opportunities {
            let Some(name) = names.get(id) else { continue };
            let found = self.get(&format!("/api/v1/quotes?opportunity={number}"));
            // A change of an opportunity without a quote leads to nothing.
            let Some(quote) = found["quotes"][0]["id"].as_str() else {
                continue;
            };
            let held = || self.get(&format!("/api/v1/quotes/{quote}"))["context"]["opportunity.name"].clone();
            until(number, held, |held| held["text"] == json!(name));
        }
    }

    fn call(&self, key: &str, opportunity: &str) -> (u16, String) {
        self.runtime
            .block_on(until_answered(&self.doors, key, opportunity, "wait=10"))
    }

    fn get(&self, path: &str) -> Json {
        self.runtime.block_on(async {
            let url = format!("{}{path}", self.doors.url.borrow().as_str());
            let request = self.doors.client.request(Method::GET, url);
            let answer = request
                .bearer_auth(&self.doors.token)
                .send()
                .await
                .expect("an answer");
            answer.json().await.expect("JSON")
        })
    }
}
