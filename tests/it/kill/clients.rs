//! Clients that do what good clients do: they repeat under the same key until they get an answer, and remember it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpq_api::WebhookSecret;
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use super::land::{Dice, Doors, Land, SECRET, SOURCE};

/// Clients of each kind.
const KEYED: u64 = 4;
const HOOKS: u64 = 2;
/// Pause of a client between two requests: the point is to be in the middle of things, not to fill a queue.
const PAUSE: Duration = Duration::from_millis(40);
/// Pause between two edits in the CRM, each of which leads to a sync.
const EDIT_PAUSE: Duration = Duration::from_millis(150);
/// Pause before a request that got no answer is made again.
const AGAIN: Duration = Duration::from_millis(10);

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// Idempotency key, or id of the delivery.
    pub key: String,
    pub opportunity: String,
    /// The sync that it was promised.
    pub correlation: String,
    /// The answer to the byte, if it was the final one.
    pub body: Option<String>,
}

/// What was acknowledged.
#[derive(Default)]
pub struct Books {
    pub keyed: Mutex<Vec<Acknowledged>>,
    pub hooks: Mutex<Vec<Acknowledged>>,
    /// Last name of each opportunity that the CRM took, by CRM id.
    pub names: Mutex<BTreeMap<String, String>>,
    /// Answers to repeats after a kill that were compared.
    pub repeats: Mutex<u64>,
}

pub struct Clients<'a> {
    land: &'a Land,
    books: Arc<Books>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts all clients.
pub fn start(land: &Land, seed: u64) -> Clients<'_> {
    let (books, stop) = (Arc::<Books>::default(), Arc::<AtomicBool>::default());
    let one = |number: u64| Client {
        number,
        doors: land.doors.clone(),
        dice: Dice(seed.wrapping_add(number)),
        opportunities: land.opportunities.clone(),
        books: books.clone(),
        stop: stop.clone(),
    };
    let mut tasks: Vec<_> = (1..=KEYED)
        .map(|number| land.runtime.spawn(one(number).ask_with_keys()))
        .collect();
    tasks.extend((1..=HOOKS).map(|number| land.runtime.spawn(one(100 + number).deliver_hooks())));
    tasks.push(land.runtime.spawn(one(200).rename_in_the_crm()));
    Clients {
        land,
        books,
        stop,
        tasks,
    }
}

impl Clients<'_> {
    /// Lets each client end its last request, and hands over what they remember.
    pub fn stop(self) -> Arc<Books> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            self.land
                .runtime
                .block_on(task)
                .expect("no client saw a wrong answer");
        }
        self.books
    }
}

struct Client {
    number: u64,
    doors: Doors,
    dice: Dice,
    opportunities: Vec<(String, String)>,
    books: Arc<Books>,
    stop: Arc<AtomicBool>,
}

impl Client {
    async fn ask_with_keys(mut self) {
        let mut count = 0;
        while !self.stop.load(Ordering::Relaxed) {
            count += 1;
            let key = format!("key-{}-{count}", self.number);
            let at = self.dice.below(self.opportunities.len() as u64) as usize;
            let opportunity = self.opportunities[at].0.clone();
            let wait = if self.dice.below(4) == 0 {
                "wait=2"
            } else {
                "wait=0"
            };
            let (status, body) = until_answered(&self.doors, &key, &opportunity, wait).await;
            let acknowledged = acknowledged(key, opportunity, status, body);
            self.books.keyed.lock().expect("no panic").push(acknowledged);
            self.repeat_an_old_one().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What was promised before, perhaps by a process that is long dead, is promised again.
    async fn repeat_an_old_one(&mut self) {
        let old = {
            let keyed = self.books.keyed.lock().expect("no panic");
            keyed[self.dice.below(keyed.len() as u64) as usize].clone()
        };
        let (status, body) = until_answered(&self.doors, &old.key, &old.opportunity, "wait=0").await;
        same_promise(&old, status, &body);
        *self.books.repeats.lock().expect("no panic") += 1;
    }

    async fn deliver_hooks(mut self) {
        let secret = WebhookSecret::parse(&SECRET.to_owned().into()).expect("a secret");
        let mut count = 0;
        while !self.stop.load(Ordering::Relaxed) {
            count += 1;
            let id = format!("msg-{}-{count}", self.number);
            let at = self.dice.below(self.opportunities.len() as u64) as usize;
            let opportunity = self.opportunities[at].0.clone();
            let receipt = until_delivered(&self.doors, &secret, &id, &opportunity).await;
            let correlation = receipt["accepted"][0]["correlationId"]
                .as_str()
                .unwrap_or_else(|| panic!("a delivery without a sync: {receipt}"));
            self.books.hooks.lock().expect("no panic").push(Acknowledged {
                key: id,
                opportunity,
                correlation: correlation.to_owned(),
                body: None,
            });
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A person in the CRM. Nobody tells the service but the CRM's own events.
    async fn rename_in_the_crm(mut self) {
        let mut count = 0;
        while !self.stop.load(Ordering::Relaxed) {
            count += 1;
            let at = self.dice.below(self.opportunities.len() as u64) as usize;
            let (id, name) = (self.opportunities[at].1.clone(), format!("Name {count}"));
            let url = format!(
                "{}/services/data/v68.0/sobjects/Opportunity/{id}",
                self.doors.sandbox
            );
            let request = self
                .doors
                .client
                .patch(url)
                .bearer_auth(&self.doors.crm_token)
                .json(&json!({ "Name": name }));
            let answer = request.send().await.expect("the CRM answers");
            assert_eq!(answer.status(), 204);
            self.books.names.lock().expect("no panic").insert(id, name);
            tokio::time::sleep(EDIT_PAUSE).await;
        }
    }
}

/// Asks under this key until there is an answer, of whichever process.
pub async fn until_answered(doors: &Doors, key: &str, opportunity: &str, wait: &str) -> (u16, String) {
    loop {
        let url = doors.url.borrow().clone();
        let request = doors
            .client
            .post(format!("{url}/api/v1/sync/opportunities/{opportunity}"))
            .bearer_auth(&doors.token)
            .header("idempotency-key", key)
            .header("prefer", wait);
        if let Ok(answer) = request.send().await {
            let status = answer.status().as_u16();
            // A body that breaks off is no answer.
            if let Ok(body) = answer.text().await {
                match status {
                    200 | 202 | 422 => return (status, body),
                    // The first request under this key got no answer, and its run has not ended.
                    409 => assert!(body.contains("IDEMPOTENCY_IN_PROGRESS"), "{body}"),
                    _ => panic!("{key}: {status} {body}"),
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a signature holds for five minutes of real time"
)]
pub async fn until_delivered(doors: &Doors, secret: &WebhookSecret, id: &str, opportunity: &str) -> Json {
    let body = json!({ "opportunity": opportunity }).to_string();
    loop {
        let url = doors.url.borrow().clone();
        let now = jiff::Timestamp::now().as_second();
        let request = doors
            .client
            .post(format!("{url}/api/v1/webhooks/{SOURCE}"))
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", secret.sign(id, now, body.as_bytes()))
            .body(body.clone());
        if let Ok(answer) = request.send().await {
            let status = answer.status().as_u16();
            if let Ok(text) = answer.text().await {
                assert_eq!(status, 202, "{id}: {text}");
                return serde_json::from_str(&text).expect("JSON");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What an answer to a keyed request promises.
pub fn acknowledged(key: String, opportunity: String, status: u16, body: String) -> Acknowledged {
    let said: Json = serde_json::from_str(&body).expect("JSON");
    let correlation = said["correlationId"].as_str().expect("a name").to_owned();
    let is_final = status != 202;
    Acknowledged {
        key,
        opportunity,
        correlation,
        body: is_final.then_some(body),
    }
}

/// The same sync as before, and the same bytes if the answer was the last word.
pub fn same_promise(old: &Acknowledged, status: u16, body: &str) {
    let now = acknowledged(old.key.clone(), old.opportunity.clone(), status, body.to_owned());
    assert_eq!(
        now.correlation, old.correlation,
        "{old:?} was answered with {body}"
    );
    if let Some(before) = &old.body {
        assert_eq!(before, body, "{}", old.key);
    }
}
