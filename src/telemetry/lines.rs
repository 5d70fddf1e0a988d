//! Log lines, for people or as JSON. Each tells the correlation id, connection and opportunity of the span that it is
//! within, unless it names others itself.
//!
//! A JSON line is flat. Its first members are always the same, where there is something to say: `timestamp`, `level`,
//! `target`, `message`, `correlation`, `connection`, `opportunity`, `code`, `trace_id`, `span_id`.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal as _, Write as _};

use cpq_domain::trace::TraceContext;
use cpq_domain::world::World as _;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;
use crate::telemetry::spans::{self, OurSpans, Told};
use crate::world::RealWorld;

/// Admits events as configured, and our spans whatever the level: what they tell belongs to every line.
pub(super) struct Admitted {
    pub(super) ours: OurSpans,
    pub(super) events: EnvFilter,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for Admitted {
    fn enabled(&self, metadata: &Metadata<'_>, ctx: &Context<'_, S>) -> bool {
        match metadata.is_span() {
            true => self.ours.admits(metadata),
            false => Filter::enabled(&self.events, metadata, ctx),
        }
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.is_span() {
            true => Filter::<S>::callsite_enabled(&self.ours, metadata),
            false => Filter::<S>::callsite_enabled(&self.events, metadata),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Our spans are of level INFO, and nothing is wanted of them where nothing is logged.
        if !self.ours.logged {
            return Some(LevelFilter::OFF);
        }
        Filter::<S>::max_level_hint(&self.events).map(|level| level.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        Filter::on_new_span(&self.events, attributes, id, ctx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        Filter::on_record(&self.events, id, values, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        Filter::on_enter(&self.events, id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        Filter::on_exit(&self.events, id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        Filter::on_close(&self.events, id, ctx);
    }
}

/// Writes lines to standard error.
pub(super) struct Lines {
    world: RealWorld,
    format: LogFormat,
    colours: bool,
}

impl Lines {
    pub(super) fn new(format: LogFormat) -> Lines {
        Lines {
            world: RealWorld::new(),
            format,
            colours: std::io::stderr().is_terminal(),
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if let Some(span) = ctx.event_span(event) {
            line.place = spans::context(&span);
            if let Some(told) = span.extensions().get::<Told>() {
                line.within(told);
            }
        }
        let now = format!("{:.6}", self.world.now());
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut text = match self.format {
            LogFormat::Json => line.json(now, *level, target),
            LogFormat::Human => line.human(&now, *level, target, self.colours),
        };
        text.push('\n');
        // Who reads the log may have gone; that is no reason to stop.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// What is known of a line.
#[derive(Default)]
struct Line {
    message: String,
    /// Where a library wrote it that knows the older crate `log` only.
    target: Option<String>,
    fields: Map<String, Value>,
    place: Option<TraceContext>,
}

impl Line {
    fn within(&mut self, told: &Told) {
        let around = [
            ("correlation", &told.correlation),
            ("connection", &told.connection),
            ("opportunity", &told.opportunity),
        ];
        for (name, value) in around {
            if let Some(value) = value
                && !self.fields.contains_key(name)
            {
                self.fields.insert(name.to_owned(), Value::from(value.as_ref()));
            }
        }
    }

    fn json(mut self, now: String, level: Level, target: &str) -> String {
        const FIRST: [&str; 4] = ["correlation", "connection", "opportunity", "code"];
        let target = self.target.as_deref().unwrap_or(target);
        let mut all = Map::new();
        all.insert("timestamp".into(), now.into());
        all.insert("level".into(), level.as_str().into());
        all.insert("target".into(), target.into());
        all.insert("message".into(), self.message.into());
        for name in FIRST {
            let value = self.fields.shift_remove(name);
            all.extend(value.map(|value| (name.to_owned(), value)));
        }
        if let Some(place) = self.place {
            all.insert("trace_id".into(), place.trace_id().into());
            all.insert("span_id".into(), format!("{:016x}", place.span()).into());
        }
        for (name, value) in self.fields {
            // A field does not take the place of a member that is always there.
            let name = if all.contains_key(&name) {
                format!("{name}_")
            } else {
                name
            };
            all.insert(name, value);
        }
        Value::Object(all).to_string()
    }

    fn human(&self, now: &str, level: Level, target: &str, colours: bool) -> String {
        let target = self.target.as_deref().unwrap_or(target);
        let (on, off) = if colours {
            (colour(level), "\x1b[0m")
        } else {
            ("", "")
        };
        let mut text = format!("{now} {on}{level:>5}{off} {target}: ");
        text.extend(self.message.chars().flat_map(visible));
        for (name, value) in &self.fields {
            // Writing to a text cannot fail.
            let _ = match value {
                Value::String(value) if value.chars().all(|c| c.is_ascii_graphic() && c != '"') => {
                    write!(text, " {name}={value}")
                }
                value => write!(text, " {name}={value}"),
            };
        }
        text
    }

    fn add(&mut self, name: &str, value: impl Into<Value>) {
        // What a record of the crate `log` says of itself.
        if !name.starts_with("log.") {
            self.fields.insert(name.to_owned(), value.into());
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            "log.target" => self.target = Some(value.to_owned()),
            name => self.add(name, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value);
    }
}

/// A line stays one line, and cannot steer a terminal, whatever it quotes.
fn visible(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = match c.is_control() {
        true => (None, Some(c.escape_default())),
        false => (Some(c), None),
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[34m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-27T08:59:34.355056Z";

    fn line(message: &str, fields: &[(&str, &str)]) -> Line {
        let mut line = Line {
            message: message.to_owned(),
            place: TraceContext::new(1, 2, true),
            ..Line::default()
        };
        fields.iter().for_each(|(name, value)| line.add(name, *value));
        line
    }

    #[test]
    fn the_first_members_of_a_json_line_are_always_the_same() {
        let told = Told {
            correlation: Some("csync-001".into()),
            connection: Some("crm".into()),
            opportunity: None,
        };
        let fields = [
            ("micros", "7"),
            ("level", "9"),
            ("code", "X"),
            ("correlation", "own"),
        ];
        let mut line = line("called", &fields);
        line.within(&told);
        assert_eq!(
            line.json(NOW.into(), Level::INFO, "cpq"),
            concat!(
                r#"{"timestamp":"2026-11-27T08:59:34.355056Z","level":"INFO","target":"cpq","message":"called","#,
                r#""correlation":"own","connection":"crm","code":"X","#,
                r#""trace_id":"00000000000000000000000000000001","span_id":"0000000000000002","#,
                r#""micros":"7","level_":"9"}"#
            )
        );
    }

    #[test]
    fn a_line_for_people_stays_one_line_whatever_it_quotes() {
        let line = line("said \u{1b}[2J\nx", &[("error", "a\nb"), ("code", "X")]);
        assert_eq!(
            line.human(NOW, Level::WARN, "cpq", false),
            format!(r#"{NOW}  WARN cpq: said \u{{1b}}[2J\nx error="a\nb" code=X"#)
        );
    }
}
