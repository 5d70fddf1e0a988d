//! Sending: takes from the queue what is due, posts it, and tells the queue what came of it.

use super::deliveries::{Entry, Outcome};
use super::envelope::{self, Sender};
use super::item::{Answer, Item, Kind, Lane};
use super::outbox::{Departure, Patience};
use super::{Callout, OutboundMessage, Rules, ack, endpoint, signature};
use crate::clock::stopwatch;
use crate::oauth::Session;
use crate::options::Settings;
use crate::org::Id;
use crate::state::{Sandbox, Shared, default_user, lock};
use http::{HeaderMap, HeaderValue, header};
use reqwest::Client;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::{Id as TaskId, JoinSet};

/// Largest answer that is read; an acknowledgement has a few hundred bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// How long deliveries under way may go on after a stop; then they are broken off, and sent again after a restart.
const FAREWELL: Duration = Duration::from_secs(2);
/// Longest sleep of the machine between two looks at the queue.
const MAX_NAP: Duration = Duration::from_secs(3_600);
/// Who sends outbound messages, as observed; and what SOAP 1.1 asks of a sender without an action.
const SOAP_CLIENT: HeaderValue = HeaderValue::from_static("Jakarta Commons-HttpClient/3.1");
const SOAP_TYPE: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const NO_ACTION: HeaderValue = HeaderValue::from_static("\"\"");

/// Sends until the sandbox stops.
pub async fn run(sandbox: Shared) {
    let client = match endpoint::client() {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "nothing is sent to endpoints"),
    };
    let mut courier = Courier {
        client,
        sandbox,
        flights: JoinSet::new(),
        departures: HashMap::new(),
        sessions: HashMap::new(),
    };
    courier.work().await;
    courier.finish().await;
}

struct Courier {
    client: Client,
    sandbox: Shared,
    flights: JoinSet<Landing>,
    departures: HashMap<TaskId, Departure>,
    /// Sessions handed over with messages, by rule.
    sessions: HashMap<String, String>,
}

/// What came of a post.
struct Landing {
    status: u16,
    error: Option<String>,
    took: Duration,
}

/// What is posted.
struct Parcel {
    url: String,
    headers: HeaderMap,
    body: String,
    timeout: Duration,
    /// Only an acknowledgement is a success, not every 2xx.
    needs_ack: bool,
}

impl Courier {
    async fn work(&mut self) {
        let mut moved = self.sandbox.clock.moved();
        loop {
            let nap = self.send_due();
            tokio::select! {
                () = self.sandbox.stop.cancelled() => return,
                Some(landed) = self.flights.join_next_with_id() => self.land(landed),
                () = self.sandbox.push.wake.notified() => {}
                _ = moved.changed() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Lets deliveries under way end, for a moment.
    async fn finish(&mut self) {
        let last = tokio::time::Instant::now() + FAREWELL;
        while let Ok(Some(landed)) = tokio::time::timeout_at(last, self.flights.join_next_with_id()).await {
            self.land(landed);
        }
        self.flights.shutdown().await;
    }

    /// Sends what is due; returns how long nothing else will be.
    fn send_due(&mut self) -> Duration {
        let settings = self.sandbox.settings();
        let life = settings.outbound_life_seconds;
        let (departures, nap) = {
            let org = lock(&self.sandbox.org);
            let now = self.sandbox.clock.now();
            let mut outbox = lock(&self.sandbox.push.outbox);
            let address = |lane: &Lane| address(org.push_rules(), lane);
            let departures = outbox.depart(now, life, settings.deliveries_per_endpoint, address);
            let next = outbox.next_event(now, life);
            let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
            (departures, wait.unwrap_or(MAX_NAP).min(MAX_NAP))
        };
        for departure in departures {
            match self.pack(&departure, &settings) {
                Some(parcel) => {
                    let handle = self.flights.spawn(post(self.client.clone(), parcel));
                    self.departures.insert(handle.id(), departure);
                }
                // The rule went away in between: the next look at the queue gives its items up.
                None => self.take_back(&departure, &Landing::broken("its rule does not exist any more")),
            }
        }
        // While time stands still nothing becomes due by waiting; being told of the clock ends the nap.
        match self.sandbox.clock.face().frozen_at {
            Some(_) => MAX_NAP,
            None => nap,
        }
    }

    fn pack(&mut self, departure: &Departure, settings: &Settings) -> Option<Parcel> {
        match departure.lane.kind {
            Kind::OutboundMessage => self.pack_message(departure, settings),
            Kind::Callout => pack_callout(&self.sandbox, departure),
        }
    }

    fn pack_message(&mut self, departure: &Departure, settings: &Settings) -> Option<Parcel> {
        let name = &departure.lane.rule;
        let rule = lock(&self.sandbox.org)
            .push_rules()
            .outbound_message(name)?
            .clone();
        let session = rule.include_session_id.then(|| self.session(&rule)).flatten();
        let action = self.sandbox.push.action_id(name);
        let base_url = format!("http://{}", self.sandbox.addresses.http);
        let sender = Sender {
            rule: &rule,
            action,
            session: session.as_deref(),
            base_url: &base_url,
        };
        let record = |item: &Item| Id::parse(&item.record).map(|record| (item.id(), record));
        let notifications: Vec<_> = departure.items.iter().filter_map(record).collect();
        let headers = [
            (header::CONTENT_TYPE, SOAP_TYPE),
            (header::HeaderName::from_static("soapaction"), NO_ACTION),
            (header::USER_AGENT, SOAP_CLIENT),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        Some(Parcel {
            url: departure.url.clone(),
            headers: headers.into_iter().collect(),
            body: envelope::write(&lock(&self.sandbox.org), &sender, &notifications),
            timeout: Duration::from_millis(settings.outbound_timeout_millis),
            needs_ack: true,
        })
    }

    /// A session of the rule's user: the one handed over before, if it lives, else a new one.
    fn session(&mut self, rule: &OutboundMessage) -> Option<String> {
        let sandbox = &self.sandbox;
        let (user, organization) = {
            let org = lock(&sandbox.org);
            let user = match &rule.integration_user {
                Some(name) => org.user_by_username(name),
                None => default_user(&org),
            };
            (user.filter(|user| user.active)?, org.organization_id().to_owned())
        };
        let (now, lifetime) = (sandbox.clock.now(), sandbox.session_lifetime());
        let mut access = lock(&sandbox.access);
        if let Some(token) = self.sessions.get(&rule.name)
            && access
                .session(token, now, lifetime)
                .is_some_and(|session| session.user_id == user.id)
        {
            return Some(token.clone());
        }
        // Good for the API, not for pages (SOAP API Developer Guide, Considerations for Security).
        let session = Session::new(&user.id, None, vec!["api".to_owned()], now);
        let token = access.add_session(&organization, session, lifetime);
        self.sessions.insert(rule.name.clone(), token.clone());
        Some(token)
    }

    fn land(&mut self, landed: Result<(TaskId, Landing), tokio::task::JoinError>) {
        let (id, landing) = match landed {
            Ok(landed) => landed,
            Err(error) => (error.id(), Landing::broken("the delivery broke off")),
        };
        if let Some(departure) = self.departures.remove(&id) {
            self.log(&departure, &landing);
            self.take_back(&departure, &landing);
        }
    }

    fn take_back(&self, departure: &Departure, landing: &Landing) {
        let patience = patience(&self.sandbox, departure);
        let answer = Answer {
            at: self.sandbox.clock.now(),
            status: landing.status,
            error: landing.error.clone(),
        };
        lock(&self.sandbox.push.outbox).land(departure, &answer, patience);
        self.sandbox.touch();
    }

    fn log(&self, departure: &Departure, landing: &Landing) {
        let items = &departure.items;
        let mut faults: Vec<String> = items.iter().flat_map(|item| item.twists.labels.clone()).collect();
        faults.dedup();
        self.sandbox.push.deliveries.record(Entry {
            seq: 0,
            at: self.sandbox.clock.now(),
            kind: departure.lane.kind,
            rule: departure.lane.rule.clone(),
            url: departure.url.clone(),
            ids: items.iter().map(|item| item.id().to_string()).collect(),
            records: items.iter().map(|item| item.record.clone()).collect(),
            attempt: items.iter().map(|item| item.attempts).max().unwrap_or_default() + 1,
            status: landing.status,
            outcome: match (&landing.error, landing.status) {
                (None, _) => Outcome::Delivered,
                (Some(_), 0) => Outcome::NoAnswer,
                (Some(_), _) => Outcome::Refused,
            },
            error: landing.error.clone(),
            duration_micros: u64::try_from(landing.took.as_micros()).unwrap_or(u64::MAX),
            faults,
        });
    }
}

fn pack_callout(sandbox: &Sandbox, departure: &Departure) -> Option<Parcel> {
    let rule: Callout = lock(&sandbox.org)
        .push_rules()
        .callout(&departure.lane.rule)?
        .clone();
    let request = departure.items.first()?.request.as_ref()?;
    let mut headers = request.header_map();
    if let Some(key) = rule
        .secret
        .as_deref()
        .and_then(|secret| signature::key(secret).ok())
    {
        let seconds = sandbox.clock.now().as_second();
        let signature = signature::sign(&key, &request.message_id, seconds, &request.body);
        headers.insert("webhook-id", HeaderValue::from_str(&request.message_id).ok()?);
        headers.insert("webhook-timestamp", HeaderValue::from(seconds));
        headers.insert("webhook-signature", HeaderValue::from_str(&signature).ok()?);
    }
    Some(Parcel {
        url: departure.url.clone(),
        headers,
        body: request.body.as_ref().to_owned(),
        timeout: Duration::from_millis(rule.timeout_millis),
        needs_ack: false,
    })
}

fn address(rules: &Rules, lane: &Lane) -> Option<String> {
    match lane.kind {
        Kind::OutboundMessage => rules
            .outbound_message(&lane.rule)
            .map(|rule| rule.endpoint_url.clone()),
        Kind::Callout => rules.callout(&lane.rule).map(|rule| rule.endpoint_url.clone()),
    }
}

fn patience(sandbox: &Sandbox, departure: &Departure) -> Patience {
    let settings = sandbox.settings();
    let longest_millis = settings.outbound_retry_longest_millis;
    let retry = match departure.lane.kind {
        Kind::OutboundMessage => {
            return Patience {
                first_millis: settings.outbound_retry_millis,
                longest_millis,
                attempts: None,
            };
        }
        Kind::Callout => lock(&sandbox.org)
            .push_rules()
            .callout(&departure.lane.rule)
            .and_then(|rule| rule.retry),
    };
    Patience {
        first_millis: retry.map_or(0, |retry| retry.first_millis),
        longest_millis,
        attempts: Some(retry.map_or(1, |retry| retry.attempts)),
    }
}

async fn post(client: Client, parcel: Parcel) -> Landing {
    let began = stopwatch();
    let millis = parcel.timeout.as_millis();
    let needs_ack = parcel.needs_ack;
    let answered = tokio::time::timeout(parcel.timeout, exchange(client, parcel)).await;
    let (status, error) = match answered {
        Ok(Ok((status, body))) => (status, complaint(status, &body, needs_ack)),
        Ok(Err((status, why))) => (status, Some(why)),
        Err(_) => (0, Some(format!("no answer within {millis} ms"))),
    };
    Landing {
        status,
        error,
        took: began.elapsed(),
    }
}

/// Status and body of the answer; on failure the status, 0 for none, and why.
/// A callout may be answered at any length; what is beyond the bound is not read.
async fn exchange(client: Client, parcel: Parcel) -> Result<(u16, Vec<u8>), (u16, String)> {
    let request = client.post(&parcel.url).headers(parcel.headers).body(parcel.body);
    let mut response = request.send().await.map_err(|error| (0, innermost(&error)))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| (status, innermost(&error)))?
    {
        body.extend_from_slice(&chunk);
        match (body.len() > MAX_ANSWER, parcel.needs_ack) {
            (true, true) => return Err((status, format!("the answer is longer than {MAX_ANSWER} bytes"))),
            (true, false) => break,
            (false, _) => {}
        }
    }
    Ok((status, body))
}

fn complaint(status: u16, body: &[u8], needs_ack: bool) -> Option<String> {
    match (needs_ack, status) {
        (true, 200) => ack::read(body).err(),
        (false, 200..=299) => None,
        _ => Some(format!("the endpoint answered {status}")),
    }
}

/// The cause at the bottom, such as "connection refused", which says more than what was built on it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl Landing {
    fn broken(why: &str) -> Self {
        Self {
            status: 0,
            error: Some(why.to_owned()),
            took: Duration::ZERO,
        }
    }
}
