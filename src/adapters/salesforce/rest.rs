//! One call to the data API: token, headers, one renewal where the session ended, the count of calls, and a class for
//! every failure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cpq_auth::{Access, Outward};
use cpq_domain::adapter::{Call, CallBudget, Tally};
use cpq_domain::error::{Class, LimitKind, Written};
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use cpq_meter::catalogue::crm as meter;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, IF_UNMODIFIED_SINCE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::config::Config;
use super::errors::{self, About};
use super::limit_info;
use crate::credentials::Credentials;
use crate::limits::{BATCH_IN_FLIGHT, CALL_TIMEOUT, CORRELATION_HEADER_BYTES, SLOW_US};
use crate::transport::{self, Answer, Lost};

/// Whether a lost answer leaves a change in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Path and query below the instance, beginning with `/`.
    pub(crate) path: &'a str,
    pub(crate) body: Option<Vec<u8>>,
    /// The record must not have changed after this HTTP date (REST API Developer Guide, "Conditional Request Headers").
    pub(crate) unmodified_since: Option<&'a str>,
    pub(crate) effect: Effect,
    /// Name in metrics, e.g. `read`.
    pub(crate) operation: &'static str,
    pub(crate) object: &'a str,
    pub(crate) record: &'a str,
}

/// The data API of one connection.
pub(crate) struct Rest {
    http: reqwest::Client,
    credentials: Arc<dyn Credentials>,
    world: Arc<dyn World>,
    connection: String,
    version: String,
    client: String,
    budget: Mutex<Option<CallBudget>>,
    tally: Mutex<Tally>,
    /// Until when, by our monotonic clock, there are to be fewer calls at the same time.
    slow_until_us: AtomicU64,
    /// The CRM's clock as last heard, and ours at that moment in microseconds.
    clock: Mutex<Option<(Timestamp, u64)>>,
}

impl Rest {
    pub(crate) fn new(
        config: &Config,
        credentials: Arc<dyn Credentials>,
        world: Arc<dyn World>,
    ) -> Result<Rest> {
        let version = config.api_version.as_str();
        if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            let message = format!("{version:.20?} is not an API version such as 68.0");
            return Err(Error::new(Code::ConfigInvalid, message).connection(config.connection.as_str()));
        }
        let client = config.client.as_str();
        if client.is_empty()
            || !client
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
        {
            let message = format!("{client:.80?} is no name of an API client: use letters, digits or -_./");
            return Err(Error::new(Code::ConfigInvalid, message).connection(config.connection.as_str()));
        }
        Ok(Rest {
            http: config.reach.client(&config.ca_certificates_pem, CALL_TIMEOUT)?,
            credentials,
            world,
            connection: config.connection.as_str().to_owned(),
            version: version.to_owned(),
            client: client.to_owned(),
            budget: Mutex::default(),
            tally: Mutex::default(),
            slow_until_us: AtomicU64::new(0),
            clock: Mutex::default(),
        })
    }

    /// A path of the data API in our version.
    pub(crate) fn data(&self, rest: &str) -> String {
        format!("/services/data/v{}/{rest}", self.version)
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn connection(&self) -> &str {
        &self.connection
    }

    /// Name of our client, which the change events of what we write carry.
    pub(crate) fn client(&self) -> &str {
        &self.client
    }

    pub(crate) fn credentials(&self) -> Arc<dyn Credentials> {
        self.credentials.clone()
    }

    /// Calls used and allowed, as last heard.
    pub(crate) fn budget(&self) -> Option<CallBudget> {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls made so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many calls of one kind may be under way.
    pub(crate) fn in_flight(&self) -> usize {
        match self.world.monotonic_us() < self.slow_until_us.load(Ordering::Relaxed) {
            true => 1,
            false => BATCH_IN_FLIGHT,
        }
    }

    /// A CRM whose token endpoint does not answer is as far away as one whose data API does not.
    fn note_absence(&self, error: &Error) {
        if error.class() == Class::Unavailable {
            self.tally
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .unavailable += 1;
        }
    }

    /// Counts a call, and goes slower for a while if there were too many at the same time.
    fn count(&self, calls: &[&Call], request: &Request, result: &Result<Answer>) {
        let error = result.as_ref().err();
        if error.and_then(Error::limit_kind) == Some(LimitKind::Concurrent) {
            let until = self.world.monotonic_us() + SLOW_US;
            self.slow_until_us.store(until, Ordering::Relaxed);
        }
        let is_away =
            error.is_some_and(|error| matches!(error.class(), Class::Unavailable | Class::UnknownOutcome));
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        match is_away {
            true => tally.unavailable += 1,
            false => tally.answered += 1,
        }
        // The list of versions and the user's identity count as no call.
        if request.path.starts_with("/services/data/v") {
            let purpose = calls.iter().map(|call| call.purpose).min().unwrap_or_default();
            *tally.counted.entry(purpose).or_default() += 1;
        }
    }

    /// What the CRM's clock shows now, to the second, by the last answer that carried a date.
    pub(crate) fn crm_now(&self) -> Option<Timestamp> {
        let (heard, at) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = i64::try_from(self.world.monotonic_us().saturating_sub(at)).unwrap_or(i64::MAX);
        heard.saturating_add(SignedDuration::from_micros(since)).ok()
    }

    fn note_clock(&self, headers: &HeaderMap) {
        let date = text(headers, DATE.as_str());
        // RFC 9110 §5.6.7 writes it as RFC 2822 does, with the zone as GMT.
        let heard = date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
        if let Some(heard) = heard {
            let at = self.world.monotonic_us();
            *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((heard, at));
        }
    }

    /// Asks for the versions of the API: the one request that counts as none and needs no right.
    pub(crate) async fn versions(&self, call: &Call) -> Result<()> {
        let request = Request {
            method: Method::GET,
            path: "/services/data",
            body: None,
            unmodified_since: None,
            effect: Effect::Read,
            operation: "probe",
            object: "",
            record: "",
        };
        self.send(&[call], &request).await.map(drop)
    }

    /// Takes over a count that came in a body.
    pub(crate) fn note_budget(&self, budget: CallBudget) {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = Some(budget);
    }

    /// Where the data API is, as of now.
    pub(crate) async fn instance_url(&self) -> Result<String> {
        Ok(self.credentials.access().await?.instance_url)
    }

    /// Sends the request for these callers and gives the answer if Salesforce took it (2xx).
    ///
    /// A session that ended is renewed once, and the request is sent once more; nothing else is repeated.
    pub(crate) async fn send(&self, calls: &[&Call], request: &Request<'_>) -> Result<Answer> {
        let access = self.credentials.access().await;
        let access = access.inspect_err(|error| self.note_absence(error))?;
        let first = self.attempt(calls, request, &access).await;
        let Err(error) = &first else { return first };
        if !session_ended(error) {
            return first;
        }
        let renewed = self.credentials.renew(access.generation).await;
        let renewed = renewed.inspect_err(|error| self.note_absence(error))?;
        self.attempt(calls, request, &renewed).await
    }

    async fn attempt(&self, calls: &[&Call], request: &Request<'_>, access: &Access) -> Result<Answer> {
        let begin = self.world.monotonic_us();
        let outward = Outward {
            method: &request.method,
            operation: request.operation,
            connection: &self.connection,
            host: &access.instance_url,
        };
        let result = outward
            .traced(self.exchange(calls, request, access), |error: &Error| error.code)
            .await;
        self.count(calls, request, &result);
        self.measure(calls, request, begin, &result);
        result
    }

    async fn exchange(&self, calls: &[&Call], request: &Request<'_>, access: &Access) -> Result<Answer> {
        if !request.path.starts_with('/') {
            // Anything else could carry the token to another host.
            let message = "Salesforce pointed to a page outside of its data API";
            return Err(Error::new(Code::ProtocolViolation, message).connection(self.connection.as_str()));
        }
        let url = format!("{}{}", access.instance_url, request.path);
        let mut wire = self.http.request(request.method.clone(), url).headers(headers(
            calls,
            self.trace(calls),
            access,
            &self.client,
        )?);
        if let Some(body) = &request.body {
            wire = wire
                .header(CONTENT_TYPE, "application/json; charset=UTF-8")
                .body(body.clone());
        }
        if let Some(date) = request.unmodified_since {
            wire = wire.header(IF_UNMODIFIED_SINCE, date);
        }
        let answer = transport::exchange(wire)
            .await
            .map_err(|lost| self.lost(request, lost))?;
        self.note_clock(&answer.headers);
        if let Some(budget) = text(&answer.headers, "sforce-limit-info").and_then(limit_info::parse) {
            self.note_budget(budget);
        }
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(self.refused(request, &answer)),
        }
    }

    /// That of the call itself; where it is not traced that of whom it is for, of several the first.
    fn trace(&self, calls: &[&Call]) -> Option<String> {
        let own = self.world.trace_context().map(|own| own.to_string());
        own.or_else(|| calls.iter().find_map(|call| call.traceparent.clone()))
    }

    fn about<'a>(&'a self, request: &Request<'a>) -> About<'a> {
        About {
            connection: &self.connection,
            object: request.object,
            record: request.record,
            verb: request.operation,
        }
    }

    fn refused(&self, request: &Request, answer: &Answer) -> Error {
        let status = answer.status.as_u16();
        let retry_after = text(&answer.headers, RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        let error = errors::refusal(self.about(request), status, retry_after, &answer.body);
        let error = self.of_the_day(error);
        // A gateway that gives up, a server that failed in the middle, and a code that we do not know do not say
        // whether the write was applied.
        if request.effect == Effect::Read || status < 500 || errors::did_nothing(&answer.body) {
            return error;
        }
        let mut error = error.written(Written::Unknown);
        error.code = Code::OutcomeUnknown;
        error.message = format!(
            "Salesforce failed while it was asked to {}, so that the outcome is not known: HTTP status {status}",
            request.operation
        );
        error
    }

    /// A limit whose text is in a language that we do not read is the day's if the count says so.
    fn of_the_day(&self, error: Error) -> Error {
        let code = error.upstream.as_ref().map(|said| said.code.as_str());
        let is_open = code == Some("REQUEST_LIMIT_EXCEEDED") && error.limit_kind().is_none();
        let is_spent = |budget: CallBudget| budget.max > 0 && budget.used >= budget.max;
        match is_open && self.budget().is_some_and(is_spent) {
            true => error
                .limit(LimitKind::Daily)
                .retry_after_ms(errors::limit_wait(Some(LimitKind::Daily))),
            false => error,
        }
    }

    fn lost(&self, request: &Request, lost: Lost) -> Error {
        let what = [request.operation, request.object, request.record].join(" ");
        lost.of(&transport::Request {
            whom: "Salesforce",
            connection: &self.connection,
            what: what.trim(),
            writes: request.effect == Effect::Write,
            unavailable: Code::CrmUnavailable,
        })
    }

    fn measure(&self, calls: &[&Call], request: &Request, begin: u64, result: &Result<Answer>) {
        let outcome = result.as_ref().map_or_else(transport::outcome, |_| "ok");
        let micros = self.world.monotonic_us().saturating_sub(begin);
        let (connection, operation) = (self.connection.as_str(), request.operation);
        meter::REQUESTS.add([connection, operation, outcome], 1);
        let correlation = calls.first().map(|call| call.correlation.as_str());
        meter::REQUEST_DURATION.took([connection, operation], micros, correlation);
        tracing::debug!(
            connection = self.connection,
            operation = request.operation,
            outcome,
            micros,
            "called Salesforce"
        );
    }
}

/// Only this code means that a new token helps; other refusals with status 401 do not get better by logging in again.
fn session_ended(error: &Error) -> bool {
    error.code == Code::SessionRefused
        && error
            .upstream
            .as_ref()
            .is_some_and(|said| said.status == 401 && said.code == "INVALID_SESSION_ID")
}

/// Salesforce is not known to do anything with `traceparent`; a header that it does not know it ignores, as every server
/// has to (RFC 9110, 5.1). It is sent for what stands between: proxies and gateways that are traced.
fn headers(calls: &[&Call], trace: Option<String>, access: &Access, client: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut token =
        HeaderValue::from_str(&format!("Bearer {}", access.token.expose_secret())).map_err(|_| {
            Error::new(
                Code::SessionRefused,
                "the access token has characters that no header can carry",
            )
        })?;
    token.set_sensitive(true);
    headers.insert(AUTHORIZATION, token);
    if let Ok(options) = HeaderValue::from_str(&format!("client={client}")) {
        headers.insert("sforce-call-options", options);
    }
    if let Ok(ids) = HeaderValue::from_str(&correlations(calls)) {
        headers.insert("x-correlation-id", ids);
    }
    if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(&trace).ok()) {
        headers.insert("traceparent", trace);
    }
    Ok(headers)
}

/// The correlation ids of all callers, as many as fit.
fn correlations(calls: &[&Call]) -> String {
    let mut text = String::new();
    for call in calls {
        let id = call.correlation.as_str();
        if text.len() + id.len() + 1 > CORRELATION_HEADER_BYTES {
            break;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(id);
    }
    text
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
