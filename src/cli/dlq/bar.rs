//! How far a plan has come, while a command waits for it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value as Json;

use super::told::number;

/// A bar on a terminal; shown only when it takes longer than a second.
pub struct Progress {
    bar: ProgressBar,
    begun: tokio::time::Instant,
}

impl Progress {
    /// A bar that is not shown yet.
    pub fn new() -> Progress {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        let bar = ProgressBar::hidden();
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Progress {
            bar,
            begun: tokio::time::Instant::now(),
        }
    }

    /// How far the plan has come.
    pub fn show(&self, plan: &Json) {
        if self.begun.elapsed() < Duration::from_secs(1) {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        let done = &plan["progress"];
        self.bar.set_length(number(&plan["prediction"]["syncs"]));
        self.bar
            .set_position(number(&done["succeeded"]) + number(&done["failed"]) + number(&done["parked"]));
        let canary = if done["canaryPassed"] == true {
            ""
        } else {
            "canary "
        };
        self.bar
            .set_message(format!("{canary}failed {}", number(&done["failed"])));
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
