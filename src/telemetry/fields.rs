//! The fields of our spans, and what becomes of them.
//!
//! | field | in a trace | in logs |
//! |---|---|---|
//! | `otel.name` | name of the span; else the one in the macro | |
//! | `otel.kind` | `server` or `client`; else internal | |
//! | `traceparent` | parent, where the span has none of its own here | |
//! | `origin`, `first` | the place where a trace of ours begins; with `first` the span is that place, else below it | |
//! | `link` | a link to that place, if it is in another trace | |
//! | `joint` | the span is kept if one that it is linked with is | |
//! | `correlation`, `connection`, `opportunity` | `cpq.correlation_id`, `cpq.connection`, `cpq.opportunity` | of every line within |
//! | `code` | `error.type`, and the status is an error; the first one counts | |
//! | any other with a dot | the attribute of that name | |
//!
//! Whatever else a span has is left out, and so are the texts of log lines: an attribute gets out only where somebody
//! named it as one.

use std::fmt;

use cpq_domain::trace::TraceContext;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Key, KeyValue, Value};
use tracing::field::{Field, Visit};

/// Characters of a value of an attribute; the longest name that we give is that of an opportunity, 255 characters.
const VALUE_CHARS: usize = 256;

/// What a span says of itself when it begins, or later.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) name: Option<String>,
    pub(super) kind: Option<SpanKind>,
    pub(super) traceparent: Option<TraceContext>,
    pub(super) origin: Option<TraceContext>,
    pub(super) first: bool,
    pub(super) joint: bool,
    pub(super) link: Option<TraceContext>,
    pub(super) correlation: Option<String>,
    pub(super) connection: Option<String>,
    pub(super) opportunity: Option<String>,
    pub(super) code: Option<String>,
    pub(super) attributes: Vec<KeyValue>,
}

impl Fields {
    /// Takes the fields that have a meaning of their own.
    fn take(&mut self, name: &str, value: &str) -> bool {
        let text = || Some(value.to_owned());
        match name {
            "otel.name" => self.name = text(),
            "otel.kind" => self.kind = kind(value),
            "traceparent" => self.traceparent = TraceContext::parse(value),
            "origin" => self.origin = TraceContext::parse(value),
            "link" => self.link = TraceContext::parse(value),
            "correlation" => self.correlation = text(),
            "connection" => self.connection = text(),
            "opportunity" => self.opportunity = text(),
            "code" => self.code = text(),
            _ => return false,
        }
        true
    }

    fn attribute(&mut self, name: &'static str, value: impl Into<Value>) {
        if name.contains('.') {
            self.attributes
                .push(KeyValue::new(Key::from_static_str(name), value));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.take(field.name(), value) {
            self.attribute(field.name(), shortened(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "first" => self.first = value,
            "joint" => self.joint = value,
            name => self.attribute(name, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attribute(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.attribute(field.name(), i64::try_from(value).unwrap_or(i64::MAX));
    }
}

fn kind(name: &str) -> Option<SpanKind> {
    match name {
        "server" => Some(SpanKind::Server),
        "client" => Some(SpanKind::Client),
        _ => None,
    }
}

/// The text, at most [`VALUE_CHARS`] long.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(VALUE_CHARS).collect()
}
