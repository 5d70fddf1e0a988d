//! The page that Prometheus reads: what this process counted, and how the store stands.
//!
//! What the store knows is the same on every node, and is read when somebody asks. However many ask, and however much is
//! open, that takes up little of a reader: a reading is used again for a while, the longer the longer it took.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use cpq_domain::breaker::Circuit;
use cpq_domain::call_budget::Purpose;
use cpq_domain::change::FeedState;
use cpq_domain::reconcile::Reconciliation;
use cpq_domain::run::RunState;
use cpq_domain::vault::GrantState;
use cpq_meter::catalogue::{crm, service, store, syncs};
use cpq_meter::{Format, Sheet, process};
use cpq_store::positions::Standing;
use cpq_store::watched::{self, Counted, Reading, Watched};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::limits::{METRICS_REST, METRICS_REUSE, METRICS_STORE};
use crate::state::ApiState;

/// The last reading of the store.
#[derive(Clone, Default)]
pub struct Figures(Arc<Mutex<Option<Taken>>>);

struct Taken {
    sheet: Sheet,
    /// Until when it is used again, by the monotonic clock.
    until_us: u64,
}

/// Figures for Prometheus
///
/// In OpenMetrics, with the correlation ids of examples, for those who accept it; else in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service",
    responses((status = 200, description = "The figures", content(
        (String = "text/plain"), (String = "application/openmetrics-text")))))]
pub(crate) async fn metrics(State(api): State<ApiState>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let mut sheet = of_the_store(&api).await;
    of_the_process(&api, &mut sheet);
    let mut response = Response::new(cpq_meter::render(format, &sheet).into());
    let kind = HeaderValue::from_static(format.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// One caller reads, and whoever asks meanwhile waits for it.
async fn of_the_store(api: &ApiState) -> Sheet {
    let mut held = api.figures.0.lock().await;
    let begin = api.world.monotonic_us();
    if let Some(taken) = held.as_ref().filter(|taken| begin < taken.until_us) {
        return taken.sheet.clone();
    }
    let now = api.world.now();
    let all = api.store.read(move |tx| Box::pin(watched::read(tx, now)));
    let asked = async { futures_util::try_join!(all, api.store.size()) };
    let read = tokio::time::timeout(METRICS_STORE, asked)
        .await
        .ok()
        .and_then(Result::ok);
    let took = Duration::from_micros(api.world.monotonic_us().saturating_sub(begin));
    let mut sheet = Sheet::default();
    sheet.put(&store::UP, [], flag(read.is_some()));
    sheet.put(&store::READING_DURATION, [], took.as_secs_f64());
    if let Some((reading, bytes)) = read {
        sheet.put(&store::SIZE, [], number(bytes));
        reading
            .connections
            .iter()
            .for_each(|one| connection(&mut sheet, one));
        reading.feeds.iter().for_each(|one| feed(&mut sheet, one, now));
        open(&mut sheet, &reading);
    }
    let reuse = METRICS_REUSE.max(took * METRICS_REST);
    let until_us = begin.saturating_add(u64::try_from(reuse.as_micros()).unwrap_or(u64::MAX));
    *held = Some(Taken {
        sheet: sheet.clone(),
        until_us,
    });
    sheet
}

fn of_the_process(api: &ApiState, sheet: &mut Sheet) {
    sheet.put(
        &service::BUILD,
        [env!("CARGO_PKG_VERSION"), api.store.engine()],
        1.0,
    );
    let (busy, all) = api.engine.workers();
    sheet.put(&service::WORKERS_BUSY, [], number(busy as u64));
    sheet.put(&service::WORKERS, [], number(all as u64));
    let stats = api.store.stats();
    sheet.put(&store::COMMITS, [], number(stats.commits));
    sheet.put(&store::WRITES, [], number(stats.jobs));
    sheet.put(&store::TROUBLE, [], flag(api.store.trouble().is_some()));
    process::read(sheet);
}

/// What is open. A connection without syncs of a state has none; a code or field without any is not named.
fn open(sheet: &mut Sheet, reading: &Reading) {
    let known: Vec<&str> = reading
        .connections
        .iter()
        .map(|one| one.grant.settings.name.as_str())
        .collect();
    let mut unfinished = folded(&reading.unfinished, &known);
    for name in &known {
        for state in [
            RunState::Queued,
            RunState::Running,
            RunState::Parked,
            RunState::Waiting,
        ] {
            unfinished.entry((name, state.as_str())).or_default();
        }
    }
    for ((name, state), (count, oldest)) in unfinished {
        sheet.put(&syncs::UNFINISHED, [name, state], number(count));
        put(sheet, &syncs::OLDEST, [name, state], oldest);
    }
    let mut oldest = BTreeMap::new();
    for ((name, code), (count, died)) in folded(&reading.dead_letters, &known) {
        sheet.put(&syncs::DEAD_LETTERS, [name, code], number(count));
        let first = oldest.entry(name).or_insert(died);
        *first = (*first).min(died);
    }
    for (name, died) in oldest {
        put(sheet, &syncs::OLDEST_DEAD_LETTER, [name], died);
    }
    for ((name, field), (count, _)) in folded(&reading.conflicts, &known) {
        sheet.put(&syncs::CONFLICTS, [name, field], number(count));
    }
}

/// By connection and kind. Rows may be left of connections that there are no longer, or that there never were: whoever may
/// ask for a sync may name any. Together they are `unknown`.
fn folded<'a>(
    rows: &'a [Counted],
    known: &[&'a str],
) -> BTreeMap<(&'a str, &'a str), (u64, Option<Timestamp>)> {
    let mut folded: BTreeMap<_, (u64, Option<Timestamp>)> = BTreeMap::new();
    for row in rows {
        let name = row.connection.as_str();
        let name = if known.contains(&name) { name } else { "unknown" };
        let (count, oldest) = folded.entry((name, row.kind.as_str())).or_default();
        *count += row.count;
        *oldest = [*oldest, row.oldest].into_iter().flatten().min();
    }
    folded
}

fn connection(sheet: &mut Sheet, one: &Watched) {
    let name = one.grant.settings.name.as_str();
    sheet.put(
        &crm::GRANT_ALIVE,
        [name],
        flag(one.grant.state == GrantState::Active),
    );
    put(sheet, &crm::GRANT_REFRESHED, [name], Some(one.grant.refreshed_at));
    let circuit = one.breaker.as_ref().map(|breaker| breaker.circuit);
    let states = [
        ("closed", None),
        ("open", Some(Circuit::Open)),
        ("half_open", Some(Circuit::HalfOpen)),
    ];
    for (state, of) in states {
        sheet.put(&crm::CIRCUIT, [name, state], flag(circuit == of));
    }
    if let Some(heard) = &one.heard {
        sheet.put(&crm::CALLS_USED, [name], number(heard.budget.used));
        sheet.put(&crm::CALLS_MAX, [name], number(heard.budget.max));
        put(sheet, &crm::CALLS_HEARD, [name], Some(heard.at));
        let exhausted = heard.exhausted_at.map_or(f64::INFINITY, seconds);
        sheet.put(&crm::CALLS_EXHAUSTED, [name], exhausted);
    }
    for purpose in Purpose::ALL {
        let made = one.spent.get(&purpose).copied().unwrap_or(0);
        sheet.put(&crm::CALLS_MADE, [name, purpose.as_str()], number(made));
    }
    put(sheet, &syncs::LAST_ACCEPTED, [name], one.last_accepted);
    if one.last_accepted.is_some() {
        let succeeded = one.last_succeeded.map_or(0.0, seconds);
        sheet.put(&syncs::LAST_SUCCEEDED, [name], succeeded);
    }
    for verdict in ["green", "open", "red"] {
        let of = |(named, count): &(String, u64)| (named == verdict).then_some(*count);
        let count = one.certificates.iter().find_map(of).unwrap_or(0);
        sheet.put(&syncs::CERTIFICATES, [name, verdict], number(count));
    }
    one.reconciled
        .iter()
        .for_each(|last| reconciled(sheet, name, last));
}

fn reconciled(sheet: &mut Sheet, name: &str, last: &Reconciliation) {
    let scope = if last.order.since.is_some() {
        "changed"
    } else {
        "all"
    };
    let ended = last.ended_at.unwrap_or(last.updated_at);
    put(sheet, &syncs::RECONCILED, [name, scope], Some(ended));
    sheet.put(
        &syncs::DIFFERING,
        [name, scope],
        number(last.told.remaining().records),
    );
}

fn feed(sheet: &mut Sheet, one: &Standing, now: Timestamp) {
    let (name, feed) = (one.connection.as_str(), one.feed.as_str());
    if let Some(position) = &one.position {
        let lag = now.duration_since(position.seen_until).as_secs_f64();
        sheet.put(&crm::FEED_LAG, [name, feed], lag.max(0.0));
    }
    for state in [FeedState::Live, FeedState::Behind, FeedState::Gap] {
        sheet.put(
            &crm::FEED_STATE,
            [name, feed, state.as_str()],
            flag(one.state == state),
        );
    }
    let is_read = one.lease.as_ref().is_some_and(|(_, until)| *until > now);
    sheet.put(&crm::FEED_READ, [name, feed], flag(is_read));
}

fn put<const N: usize>(
    sheet: &mut Sheet,
    reading: &cpq_meter::Reading<N>,
    labels: [&str; N],
    at: Option<Timestamp>,
) {
    if let Some(at) = at {
        sheet.put(reading, labels, seconds(at));
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
fn number(count: u64) -> f64 {
    count as f64
}
