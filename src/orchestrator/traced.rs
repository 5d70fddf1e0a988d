//! Spans of a sync: one for each pass over it, and in it one for each step and each commit.

use cpq_domain::run::{Run, RunState};
use cpq_domain::{Error, Result};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// A pass of a sync. It is within what led to the run, however long ago and in whichever process; where nothing did, the
/// first pass begins the trace and the others are below it.
pub(crate) fn pass(run: &Run, is_new: bool) -> Span {
    let place = || run.trace().to_string();
    tracing::info_span!(
        target: "cpq_trace",
        "sync",
        traceparent = run.traceparent.is_some().then(place).as_deref(),
        origin = run.traceparent.is_none().then(place).as_deref(),
        first = is_new,
        correlation = run.correlation.as_str(),
        connection = run.lane.connection.as_str(),
        opportunity = run.lane.opportunity.as_str(),
        code = Empty,
        "cpq.caller_correlation_id" = run.caller_correlation.as_ref().map(|id| id.as_str()),
        "cpq.trigger" = format!("{:?}", run.trigger).to_lowercase(),
        "cpq.attempt" = run.attempt,
        "cpq.state" = Empty,
        "cpq.quote" = Empty,
    )
}

/// A step of a sync.
pub(crate) async fn step<T>(name: &str, attempt: u32, work: impl Future<Output = Result<T>>) -> Result<T> {
    let span = tracing::info_span!(
        target: "cpq_trace",
        "step",
        otel.name = name,
        code = Empty,
        "cpq.attempt" = attempt,
    );
    watched(span, work).await
}

/// A commit of the store on which a sync waits.
pub(crate) async fn commit<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let span = tracing::info_span!(target: "cpq_trace", "commit", code = Empty);
    watched(span, work).await
}

async fn watched<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = work.instrument(span.clone()).await;
    if let Err(error) = &result {
        span.record("code", error.code.as_str());
    }
    result
}

/// How the pass that we are in ended, as it was written down.
pub(crate) fn ended(run: &Run) {
    let span = Span::current();
    span.record("cpq.state", run.state.as_str());
    if let Some(outcome) = &run.outcome {
        span.record("cpq.quote", outcome.quote_number.as_str());
    }
    // One that starts over at once because a record was changed under it has not failed.
    if let Some(report) = &run.error
        && run.state != RunState::Running
    {
        span.record("code", report.code.as_str());
    }
}

/// The pass that we are in could not even be written down.
pub(crate) fn failed(error: &Error) {
    Span::current().record("code", error.code.as_str());
}
