//! What the caller tells about itself beside the request: correlation id, trace context, and how long it will wait.

use std::time::Duration;

use cpq_domain::id::CorrelationId;
use cpq_domain::trace::TraceContext;
use cpq_domain::world::World;
use http::HeaderMap;

use crate::state::ApiSettings;

/// Header with the correlation id, in requests and answers.
pub(crate) const CORRELATION: &str = "x-correlation-id";

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The caller's own correlation id, if it gave a valid one.
    pub(crate) correlation: Option<CorrelationId>,
    /// The caller's W3C trace context, if it gave a valid one.
    pub(crate) traceparent: Option<String>,
    /// Where in a trace the request itself is: what a sync is kept with that is done for it.
    pub(crate) trace: Option<String>,
    /// What this request is called in answers and logs until a sync gives it a name: the caller's id, or a fresh one.
    pub(crate) request: CorrelationId,
}

impl Caller {
    pub(crate) fn of(headers: &HeaderMap, world: &dyn World) -> Caller {
        let correlation = single(headers, CORRELATION).filter(|text| !is_ours(text));
        let correlation = correlation.and_then(|text| CorrelationId::new(text).ok());
        let traceparent = single(headers, "traceparent")
            .filter(|text| TraceContext::parse(text).is_some())
            .map(str::to_owned);
        let request = correlation.clone().unwrap_or_else(|| {
            CorrelationId::new(format!("req-{}", world.uuid()))
                .expect("`req-` and a UUID are 40 visible characters")
        });
        Caller {
            correlation,
            trace: traceparent.clone(),
            traceparent,
            request,
        }
    }
}

/// Whether it looks like an id that we mint for a sync. A caller's own id must not: whoever looks up `csync-001` must
/// find that sync, not a later one of a caller that borrowed its name.
fn is_ours(text: &str) -> bool {
    text.strip_prefix("csync-")
        .is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

/// The text of a header that is there exactly once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// How long the caller will wait: `Prefer: wait=N` or `respond-async` (RFC 7240). What we do not understand is
/// ignored, as the RFC asks; more than the limit is the limit.
pub(crate) fn wait(headers: &HeaderMap, settings: &ApiSettings) -> Duration {
    let mut asynchronous = false;
    for value in headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        for preference in value.split(',') {
            let word = preference.split(';').next().unwrap_or_default().trim();
            let (name, argument) = word.split_once('=').unwrap_or((word, ""));
            match (
                name.trim().to_ascii_lowercase().as_str(),
                argument.trim().trim_matches('"').parse::<u64>(),
            ) {
                ("wait", Ok(seconds)) => return Duration::from_secs(seconds).min(settings.max_wait),
                ("respond-async", _) => asynchronous = true,
                _ => {}
            }
        }
    }
    if asynchronous {
        Duration::ZERO
    } else {
        settings.default_wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &'static str) -> u64 {
        let headers = HeaderMap::from_iter([(
            http::header::HeaderName::from_static("prefer"),
            value.parse().unwrap(),
        )]);
        wait(&headers, &ApiSettings::default()).as_secs()
    }

    #[test]
    fn the_wait_is_the_callers_within_our_limit() {
        assert_eq!(wait(&HeaderMap::new(), &ApiSettings::default()).as_secs(), 10);
        assert_eq!(asked("wait=0"), 0);
        assert_eq!(asked("return=minimal, WAIT=\"7\"; x=1"), 7);
        assert_eq!(asked("wait=900"), 25);
        assert_eq!(asked("respond-async"), 0);
        assert_eq!(asked("respond-async, wait=3"), 3);
        assert_eq!(asked("wait=soon"), 10);
    }
}
