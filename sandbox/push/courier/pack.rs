//! What goes over the wire: read from rules and records at the moment of sending.

use super::Courier;
use super::post::Parcel;
use crate::oauth::Session;
use crate::options::Settings;
use crate::org::Id;
use crate::push::envelope::{self, Sender};
use crate::push::item::{Item, Kind};
use crate::push::outbox::Departure;
use crate::push::{Callout, OutboundMessage, signature};
use crate::state::{Sandbox, default_user, lock};
use http::{HeaderValue, header};
use std::time::Duration;

/// Who sends outbound messages, as observed; and what SOAP 1.1 asks of a sender without an action.
const SOAP_CLIENT: HeaderValue = HeaderValue::from_static("Jakarta Commons-HttpClient/3.1");
const SOAP_TYPE: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const NO_ACTION: HeaderValue = HeaderValue::from_static("\"\"");

impl Courier {
    /// What to send for a departure; none when its rule is gone.
    pub(super) fn pack(&mut self, departure: &Departure, settings: &Settings) -> Option<Parcel> {
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
