//! What the user sees: data on standard output, words on standard error, one way to tell an error.

use std::error::Error as _;
use std::io::Write;
use std::time::Duration;

use cpq_domain::Error;
use serde::Serialize;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// JSON instead of text.
    pub json: bool,
}

impl Output {
    /// Data: `text` for people, `value` with `--json`.
    pub fn data(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let line = if self.json {
            serde_json::to_string_pretty(value).unwrap_or_default()
        } else {
            text()
        };
        // Whoever reads may have closed the pipe (`| head`); that is no reason to fail.
        let _ = writeln!(anstream::stdout(), "{}", line.trim_end_matches('\n'));
    }

    /// One of many: a line for people, and with `--json` an object on a line of its own.
    pub fn line(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let line = if self.json {
            serde_json::to_string(value).unwrap_or_default()
        } else {
            text()
        };
        let _ = writeln!(anstream::stdout(), "{line}");
    }

    /// Waits for something; what takes longer than a second shows that it goes on. Only on a terminal.
    pub async fn busy<T>(&self, words: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(Duration::from_secs(1), &mut work).await {
            return done;
        }
        let bar = indicatif::ProgressBar::new_spinner().with_message(words.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        let done = work.await;
        bar.finish_and_clear();
        done
    }

    /// A remark on the way.
    pub fn say(&self, words: impl AsRef<str>) {
        let _ = writeln!(anstream::stderr(), "{}", words.as_ref());
    }

    /// An error, with its place, causes and hint. Returns the exit code.
    pub fn error(&self, error: &Error, correlation: Option<&str>) -> u8 {
        if self.json {
            self.data(&error.report(correlation), String::new);
        } else {
            let _ = write!(anstream::stderr(), "{}", told(error, correlation));
        }
        error.code.exit_code()
    }
}

fn told(error: &Error, correlation: Option<&str>) -> String {
    let mut lines = vec![format!("error: {} [{}]", error, error.code)];
    let place = &error.place;
    let parts = [
        ("connection", &place.connection),
        ("object", &place.object),
        ("record", &place.record),
        ("field", &place.field),
        ("step", &place.step),
    ];
    let place: Vec<String> = parts
        .iter()
        .filter_map(|(name, part)| part.as_ref().map(|part| format!("{name} {part}")))
        .collect();
    if !place.is_empty() {
        lines.push(format!("  where: {}", place.join(", ")));
    }
    if let Some(upstream) = &error.upstream {
        let code = if upstream.code.is_empty() {
            String::new()
        } else {
            format!(" {}", upstream.code)
        };
        lines.push(format!(
            "  answered: {}{code} {}",
            upstream.status, upstream.message
        ));
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        lines.push(format!("  caused by: {source}"));
        cause = source.source();
    }
    for (name, value) in error.facts.iter().flat_map(|facts| facts.iter()) {
        lines.push(format!(
            "  {name}: {}",
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        ));
    }
    lines.push(format!("  written: {}", written(error)));
    if let Some(correlation) = correlation {
        lines.push(format!("  correlation: {correlation}"));
    }
    lines.push(format!("hint: {}", error.advice()));
    lines.join("\n") + "\n"
}

fn written(error: &Error) -> &'static str {
    use cpq_domain::error::Written;
    match error.written {
        Written::No => "nothing was changed",
        Written::Partly => "some changes are in place; `cpq sync status` names them",
        Written::Unknown => "not known yet; it is read back before anything is sent again",
    }
}

/// A table without frames, columns two blanks apart, as wide as it needs to be.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_header(head.iter().copied());
    table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}
