//! How what happens is shown: an object per line, a line per event, or on a terminal a line per sync that changes.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use cpq_api::Happened;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use super::filter::state_after;
use crate::cli::output::Output;

/// Syncs that have a line of their own on a terminal. Of further ones only the end is shown.
const LINES: usize = 20;

/// What is shown, and how.
pub(super) struct Shown {
    output: Output,
    screen: Option<Screen>,
}

/// A terminal.
struct Screen {
    lines: MultiProgress,
    syncs: Mutex<HashMap<String, Line>>,
}

/// A sync on it.
struct Line {
    bar: ProgressBar,
    begun: Timestamp,
}

/// An event with its place in the journal and the state that it leads to.
#[derive(Serialize)]
struct Told<'a> {
    position: i64,
    #[serde(flatten)]
    happened: &'a Happened,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

impl Shown {
    pub(super) fn new(output: Output) -> Shown {
        let on_terminal = !output.json && std::io::stdout().is_terminal();
        let screen = || Screen {
            lines: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()),
            syncs: Mutex::default(),
        };
        Shown {
            output,
            screen: on_terminal.then(screen),
        }
    }

    /// An event.
    pub(super) fn event(&self, position: i64, happened: &Happened) {
        if let Some(screen) = &self.screen {
            return screen.event(happened);
        }
        let told = Told {
            position,
            happened,
            state: state_after(happened).map(|state| state.as_str()),
        };
        self.output.line(&told, || row(happened));
    }

    /// A sync as it is now.
    pub(super) fn now(&self, sync: &impl Serialize, text: impl FnOnce() -> String) {
        self.output.line(sync, text);
    }

    /// A remark.
    pub(super) fn say(&self, words: impl AsRef<str>) {
        match &self.screen {
            Some(screen) => screen.lines.suspend(|| self.output.say(words)),
            None => self.output.say(words),
        }
    }

    /// Leaves the terminal as it is.
    pub(super) fn close(&self) {
        if let Some(screen) = &self.screen {
            let syncs = screen.syncs.lock().unwrap_or_else(PoisonError::into_inner);
            syncs.values().for_each(|line| line.bar.abandon());
        }
    }
}

impl Screen {
    fn event(&self, happened: &Happened) {
        let mut syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = state_after(happened).filter(|state| state.is_terminal());
        if ended.is_some() {
            let line = syncs.remove(&happened.correlation_id);
            let begun = line.as_ref().map(|line| line.begun);
            if let Some(line) = line {
                line.bar.finish_and_clear();
            }
            // It fails only if whoever reads has gone.
            let _ = self.lines.println(ending(happened, begun));
            return;
        }
        if syncs.len() >= LINES && !syncs.contains_key(&happened.correlation_id) {
            return;
        }
        let line = syncs
            .entry(happened.correlation_id.clone())
            .or_insert_with(|| Line {
                bar: self.lines.add(spinner()),
                begun: happened.at,
            });
        line.bar.set_message(brief(happened));
        line.bar.tick();
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A line for an event.
fn row(happened: &Happened) -> String {
    format!("{:.3}  {}", happened.at, brief(happened))
}

/// A line for a sync that is under way.
fn brief(happened: &Happened) -> String {
    named(happened, &what(happened))
}

/// A line for a sync that has ended.
fn ending(happened: &Happened, begun: Option<Timestamp>) -> String {
    let took = begun.map_or(String::new(), |begun| {
        let seconds = happened.at.duration_since(begun).as_secs_f64();
        format!(" after {seconds:.2} s")
    });
    named(happened, &format!("{}{took}{}", happened.kind, why(happened)))
}

fn named(happened: &Happened, what: &str) -> String {
    format!(
        "{:<10}  {:<8}  {:<12}  {what}",
        happened.correlation_id, happened.connection, happened.opportunity
    )
}

fn what(happened: &Happened) -> String {
    let step = match happened.step.as_str() {
        "run" => String::new(),
        step => format!("{step} "),
    };
    let again = match happened.attempt {
        0 | 1 => String::new(),
        attempt => format!(" (try {attempt})"),
    };
    let took = happened
        .duration_ms
        .map_or(String::new(), |ms| format!(" {ms:.1} ms"));
    format!("{step}{}{again}{took}{}", happened.kind, why(happened))
}

fn why(happened: &Happened) -> String {
    let message = happened.message.as_ref();
    message.map_or(String::new(), |why| {
        format!(": {}", why.replace(['\n', '\r'], " "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happened(step: &str, kind: &str, attempt: u32) -> Happened {
        Happened {
            correlation_id: "csync-001".into(),
            connection: "crm".into(),
            opportunity: "OPP-4482".into(),
            kind: kind.into(),
            step: step.into(),
            attempt,
            at: "2026-11-27T08:00:01.5Z".parse().expect("a moment"),
            duration_ms: Some(12.34),
            message: Some("locked\nby another".into()),
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let told = row(&happened("write.crm", "failed", 2));
        assert_eq!(
            told,
            "2026-11-27T08:00:01.500Z  csync-001   crm       OPP-4482      write.crm failed (try 2) 12.3 ms: locked by another"
        );
    }

    #[test]
    fn an_end_says_how_long_it_took() {
        let begun = "2026-11-27T08:00:01.25Z".parse().ok();
        let mut one = happened("run", "succeeded", 1);
        (one.duration_ms, one.message) = (None, Some("gone".into()));
        assert_eq!(
            ending(&one, begun),
            "csync-001   crm       OPP-4482      succeeded after 0.25 s: gone"
        );
    }
}
