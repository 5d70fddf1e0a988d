//! Logs and traces. Logs go to standard error, so that data on standard output stays clean; traces go to a collector, if
//! one is configured.
//!
//! The rooms know `tracing` alone. A span of ours has the target [`TARGET`]; which fields it may have, and what becomes
//! of them, is told in [`fields`]. Only here it is known that there is such a thing as OpenTelemetry.

mod export;
mod fields;
mod lines;
mod sampling;
mod spans;

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::trace::TraceContext;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

use crate::config::{LogConfig, TracesConfig};
use export::Queue;
use spans::{OurSpans, Spans, Tracing};

/// Target of the spans that are ours; those of libraries are of no interest.
const TARGET: &str = "cpq_trace";
/// Longest time that the end of a process waits for its last spans to be delivered.
const LAST_DELIVERY: Duration = Duration::from_secs(3);

/// What has to be ended in order.
pub struct Telemetry(Option<Queue>);

/// Starts logs and traces. `RUST_LOG` and `-v` win over the configuration of logs. A single command tells its errors
/// itself and logs nothing unless asked to. A second call changes nothing.
pub fn start(log: &LogConfig, traces: &TracesConfig, verbosity: u8, serves: bool) -> Result<Telemetry> {
    let level = match verbosity {
        0 if serves => log.level.clone(),
        0 => "off".to_owned(),
        1 => "info".to_owned(),
        _ => "debug,hyper=info,reqwest=info,h2=info,rustls=info".to_owned(),
    };
    let events = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let queue = export::start(traces)?;
    let ours = OurSpans {
        traced: queue.is_some(),
        logged: events.max_level_hint() != Some(LevelFilter::OFF),
    };
    let tracing = match &queue {
        Some(queue) => Some(Tracing::new(traces, queue.clone())?),
        None => None,
    };
    let lines = lines::Lines::new(log.format);
    // Only the first subscriber of a process counts; tests start several applications in one.
    let _ = Registry::default()
        .with(Spans::new(tracing).with_filter(ours))
        .with(lines.with_filter(lines::Admitted { ours, events }))
        .try_init();
    Ok(Telemetry(queue))
}

impl Telemetry {
    /// Delivers what is left, as far as it goes in a short time.
    pub async fn finish(self) {
        if let Some(queue) = self.0
            && tokio::time::timeout(LAST_DELIVERY, queue.flush()).await.is_err()
        {
            tracing::warn!("the last spans were not delivered within {LAST_DELIVERY:?} and are lost");
        }
    }
}

/// Where in a trace we are, if this is traced.
pub fn trace_context() -> Option<TraceContext> {
    let current = tracing::Span::current();
    let found = current.with_subscriber(|(id, subscriber)| {
        let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
        spans::context(&span)
    });
    found.flatten()
}
