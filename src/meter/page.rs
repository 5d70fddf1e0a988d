//! The page that Prometheus reads, in either of two formats.

use std::fmt::Write;

use crate::family::{About, Kind};

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4, which every tool reads.
    Text,
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
}

impl Format {
    /// Value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What a caller wants that accepts this; plain text unless it likes OpenMetrics at least as well. Prometheus asks for
    /// OpenMetrics first.
    pub fn accepted(accept: &str) -> Format {
        let liked = |name: &str| {
            let ranges = accept.split(',').map(|range| range.split(';').map(str::trim));
            let weights = ranges.filter_map(|mut parts| {
                let named = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(name));
                let weight = parts
                    .find_map(|part| part.strip_prefix("q="))
                    .map_or(Ok(1.0), str::parse);
                named.then(|| weight.unwrap_or(0.0))
            });
            weights.fold(0.0, f64::max)
        };
        let open = liked("application/openmetrics-text");
        match open > 0.0 && open >= liked("text/plain") {
            true => Format::OpenMetrics,
            false => Format::Text,
        }
    }
}

/// A page in the making.
#[derive(Debug)]
pub struct Page {
    format: Format,
    text: String,
}

impl Page {
    pub(crate) fn new(format: Format) -> Page {
        let text = String::with_capacity(64 * 1024);
        Page { format, text }
    }

    /// What the following samples are.
    pub(crate) fn head(&mut self, about: &About) {
        let (name, kind) = match self.format {
            Format::OpenMetrics => (about.stem(), about.kind),
            Format::Text if about.kind == Kind::Info => (about.name, Kind::Gauge),
            Format::Text => (about.name, about.kind),
        };
        let help = about.help.trim().replace('\\', r"\\");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {}", kind.as_str()));
    }

    /// A sample of a metric that is one number.
    pub fn sample(&mut self, about: &About, labels: &[&str], value: f64) {
        self.part(about, "", labels, value);
    }

    /// A sample whose name has a further end.
    pub(crate) fn part(&mut self, about: &About, end: &str, labels: &[&str], value: f64) {
        self.text.push_str(about.name);
        self.text.push_str(end);
        self.labels(about.labels, labels, None);
        self.number(value);
        self.text.push('\n');
    }

    /// How many values of a histogram are not above a bound.
    pub(crate) fn bucket(
        &mut self,
        about: &About,
        labels: &[&str],
        bound: f64,
        count: f64,
        exemplar: Option<(&str, f64)>,
    ) {
        self.text.push_str(about.name);
        self.text.push_str("_bucket");
        // OpenMetrics wants its canonical form, which is the one with the point.
        let bound = match (self.format, bound) {
            (_, f64::INFINITY) => "+Inf".to_owned(),
            (Format::Text, bound) => bound.to_string(),
            (Format::OpenMetrics, bound) => format!("{bound:?}"),
        };
        self.labels(about.labels, labels, Some(&bound));
        self.number(count);
        if let (Format::OpenMetrics, Some((correlation, value))) = (self.format, exemplar) {
            self.text.push_str(" # {");
            self.label("correlation_id", correlation);
            self.text.push('}');
            self.number(value);
        }
        self.text.push('\n');
    }

    /// The whole page.
    pub(crate) fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.line(format_args!("# EOF"));
        }
        self.text
    }

    fn labels(&mut self, names: &[&str], values: &[&str], bound: Option<&str>) {
        let pairs = names.iter().zip(values).map(|(name, value)| (*name, *value));
        let mut open = '{';
        for (name, value) in pairs.chain(bound.map(|bound| ("le", bound))) {
            self.text.push(open);
            self.label(name, value);
            open = ',';
        }
        if open == ',' {
            self.text.push('}');
        }
    }

    fn label(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        self.text.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => self.text.push_str(r"\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str(r"\n"),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    fn number(&mut self, value: f64) {
        self.text.push(' ');
        // A `String` takes whatever it is given.
        let _ = match value {
            f64::INFINITY => write!(self.text, "+Inf"),
            f64::NEG_INFINITY => write!(self.text, "-Inf"),
            value => write!(self.text, "{value}"),
        };
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }
}
