//! The way of spans to a collector (OTLP over HTTP, protobuf). Nothing waits for it: what does not fit into the queue, or
//! cannot be delivered, is lost and counted.

use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use cpq_meter::catalogue::service;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::config::TracesConfig;

/// Spans that may wait, at about a kilobyte each; a thousand syncs make about ten thousand.
const QUEUE_SPANS: usize = 16_384;
/// Spans of one delivery, as OpenTelemetry does by default.
const BATCH_SPANS: usize = 512;
/// Longest time that a span waits for company.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Longest time for one delivery, unless a variable says otherwise.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Variables that name a collector: of traces alone, and of everything.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Variables with the milliseconds of a delivery.
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];

/// Why spans are lost.
#[derive(Clone, Copy)]
pub(super) enum Loss {
    /// They come faster than they are delivered.
    QueueFull,
    /// The collector did not take them.
    NotDelivered,
    /// A trace that was held back until its end has too many.
    TooMany,
}

impl Loss {
    pub(super) fn count(self, spans: usize) {
        let reason = match self {
            Loss::QueueFull => "queue_full",
            Loss::NotDelivered => "not_delivered",
            Loss::TooMany => "too_many",
        };
        service::SPANS_LOST.add([reason], spans as u64);
    }
}

enum Message {
    Span(Box<SpanData>),
    Flush(oneshot::Sender<()>),
}

/// Where finished spans wait.
#[derive(Clone)]
pub(super) struct Queue(mpsc::Sender<Message>);

impl Queue {
    /// Takes a span, unless too many wait already.
    pub(super) fn put(&self, span: SpanData) {
        if self.0.try_send(Message::Span(Box::new(span))).is_err() {
            Loss::QueueFull.count(1);
        }
    }

    /// Until all that wait now were sent once, whatever came of it.
    pub(super) async fn flush(&self) {
        let (flushed, done) = oneshot::channel();
        if self.0.send(Message::Flush(flushed)).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// Starts delivery, if a collector is configured or named by a variable of OpenTelemetry.
///
/// [`Code::ConfigInvalid`] when it is no address.
pub(super) fn start(config: &TracesConfig) -> Result<Option<Queue>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || variable("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    let named = ENDPOINTS
        .iter()
        .find_map(|name| variable(name).map(|url| (*name, url)));
    if is_off || (named.is_none() && config.endpoint.is_empty()) {
        return Ok(None);
    }
    let (from, url) = named
        .clone()
        .unwrap_or_else(|| ("traces.endpoint", config.endpoint.clone()));
    if !config.plain_text {
        check_way(from, &url)?;
    }
    let exporter = exporter(named.is_none().then_some(&config.endpoint))?;
    let (sender, queue) = mpsc::channel(QUEUE_SPANS);
    tokio::spawn(deliver(queue, exporter));
    Ok(Some(Queue(sender)))
}

/// Spans name opportunities and quotes: they do not cross a network in the clear unless somebody said that they may.
fn check_way(from: &str, url: &str) -> Result<()> {
    let Ok(parsed) = url::Url::parse(url) else {
        // The exporter says what is wrong with it.
        return Ok(());
    };
    if parsed.scheme() != "http" || cpq_auth::is_loopback(&parsed) {
        return Ok(());
    }
    let host = parsed.host_str().unwrap_or_default();
    let message = format!("{from} sends traces to {host} in the clear, which is not this machine");
    Err(Error::new(Code::ConfigInvalid, message)
        .field(from)
        .next("use https, or set `traces.plain_text = true` where the network to it is your own"))
}

/// The environment wins over the file, and what it says is read by the exporter itself.
fn exporter(endpoint: Option<&String>) -> Result<SpanExporter> {
    let wrong = |cause: String| {
        Error::new(
            Code::ConfigInvalid,
            format!("traces cannot be delivered as configured: {cause}"),
        )
        .field("traces.endpoint")
    };
    let client = reqwest::Client::builder()
        .user_agent(concat!("cpq/", env!("CARGO_PKG_VERSION")))
        // Headers with a key must never follow a redirect to another host.
        .redirect(reqwest::redirect::Policy::none())
        .timeout(delivery_timeout())
        .build()
        .map_err(|cause| wrong(cause.to_string()))?;
    let mut builder = SpanExporter::builder().with_http().with_http_client(client);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(traces_url(endpoint));
    }
    let mut exporter = builder.build().map_err(|cause| wrong(cause.to_string()))?;
    exporter.set_resource(&resource());
    Ok(exporter)
}

fn delivery_timeout() -> Duration {
    let named = TIMEOUTS.iter().find_map(|name| std::env::var(name).ok());
    let millis = named.and_then(|text| text.trim().parse().ok());
    millis.map_or(DELIVERY_TIMEOUT, Duration::from_millis)
}

/// A base URL, as the variable has it, or the whole one.
fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    match base.ends_with("/v1/traces") {
        true => base.to_owned(),
        false => format!("{base}/v1/traces"),
    }
}

/// Who we are: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
fn resource() -> Resource {
    let told = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
        .build();
    let name = told.get(&Key::from_static_str("service.name"));
    let name = name.map(|name| name.to_string()).unwrap_or_default();
    if !name.is_empty() && !name.starts_with("unknown_service") {
        return told;
    }
    let all = told
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(all)
        .with_service_name("cpq")
        .build()
}

/// Delivers what waits until the last sender is gone.
async fn deliver(mut queue: mpsc::Receiver<Message>, exporter: SpanExporter) {
    let mut lost = 0;
    while let Some((spans, flushed)) = batch(&mut queue).await {
        if !spans.is_empty() {
            lost = send(&exporter, spans, lost).await;
        }
        if let Some(flushed) = flushed {
            let _ = flushed.send(());
        }
    }
}

/// The next spans: as many as one delivery takes, or those of a short while, or all that somebody waits for.
async fn batch(queue: &mut mpsc::Receiver<Message>) -> Option<(Vec<SpanData>, Option<oneshot::Sender<()>>)> {
    let mut spans = Vec::new();
    let mut message = queue.recv().await?;
    let until = Instant::now() + BATCH_WAIT;
    loop {
        match message {
            Message::Span(span) => spans.push(*span),
            Message::Flush(flushed) => return Some((spans, Some(flushed))),
        }
        if spans.len() >= BATCH_SPANS {
            return Some((spans, None));
        }
        match tokio::time::timeout_at(until, queue.recv()).await {
            Ok(Some(next)) => message = next,
            Ok(None) | Err(_) => return Some((spans, None)),
        }
    }
}

/// Sends once, as the exporter sees it. Tells of the first failure, and when it is over. Returns how many are lost since.
async fn send(exporter: &SpanExporter, spans: Vec<SpanData>, lost: usize) -> usize {
    let many = spans.len();
    match exporter.export(spans).await {
        Ok(()) => {
            service::SPANS_SENT.add([], many as u64);
            if lost > 0 {
                tracing::info!(lost, "traces are delivered again");
            }
            0
        }
        Err(error) => {
            Loss::NotDelivered.count(many);
            if lost == 0 {
                tracing::warn!(%error, spans = many, "traces cannot be delivered; they are lost until they can, and syncs go on");
            }
            lost + many
        }
    }
}
