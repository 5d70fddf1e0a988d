//! The report, for people and for programs.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::finding::{Check, Group, Verdict, count};

/// Single things that people are shown of one check; `--json` has all.
const SHOWN: usize = 8;

/// Everything that was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing failed.
    ok: bool,
    /// Version of this program.
    version: &'static str,
    /// State directory that was examined.
    state_directory: String,
    /// When.
    at: Timestamp,
    /// How long it took.
    seconds: f64,
    /// Checks by verdict.
    counts: Counts,
    /// The checks, by group.
    checks: Vec<Check>,
    /// Whether a check could not be carried out by the doctor itself.
    #[serde(skip)]
    broken: bool,
}

#[derive(Serialize)]
struct Counts {
    ok: usize,
    warn: usize,
    fail: usize,
    skipped: usize,
}

impl Report {
    /// The report of these checks.
    pub fn of(
        mut checks: Vec<Check>,
        broken: bool,
        state_directory: String,
        at: Timestamp,
        took: Duration,
    ) -> Report {
        // Stable: within a group the order is that in which things depend on each other.
        checks.sort_by(|a, b| (a.group, &a.connection).cmp(&(b.group, &b.connection)));
        let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        Report {
            ok: of(Verdict::Fail) == 0 && !broken,
            version: env!("CARGO_PKG_VERSION"),
            state_directory,
            at,
            seconds: took.as_secs_f64(),
            counts: Counts {
                ok: of(Verdict::Ok),
                warn: of(Verdict::Warn),
                fail: of(Verdict::Fail),
                skipped: of(Verdict::Skipped),
            },
            checks,
            broken,
        }
    }

    /// 0 nothing failed, 1 something did, 2 the doctor itself could not.
    pub fn exit_code(&self) -> u8 {
        match (self.broken, self.ok) {
            (true, _) => 2,
            (false, false) => 1,
            (false, true) => 0,
        }
    }

    /// For people: by group, aligned, what is wrong with its fix below.
    pub fn text(&self) -> String {
        let width = self
            .checks
            .iter()
            .map(|check| check.name.len())
            .max()
            .unwrap_or(0);
        let mut lines = vec![format!("cpq {} in {}", self.version, self.state_directory)];
        let mut heading: Option<(Group, Option<&str>)> = None;
        for check in &self.checks {
            let own = (check.group, check.connection.as_deref());
            if heading != Some(own) {
                let name = own.1.map_or(String::new(), |name| format!(" {name}"));
                lines.push(format!("\n{}{name}", check.group.title()));
                heading = Some(own);
            }
            lines.extend(told(check, width));
        }
        lines.push(format!("\n{}", self.summary()));
        lines.join("\n")
    }

    fn summary(&self) -> String {
        let Counts {
            ok,
            warn,
            fail,
            skipped,
        } = &self.counts;
        let mut parts = vec![format!("{ok} ok")];
        let more = [
            (*warn, count(*warn, "warning", "warnings")),
            (*fail, count(*fail, "failure", "failures")),
            (*skipped, format!("{skipped} skipped")),
        ];
        parts.extend(
            more.into_iter()
                .filter(|(number, _)| *number > 0)
                .map(|(_, words)| words),
        );
        let renewed = |check: &&Check| check.name == "token" && check.verdict == Verdict::Ok;
        let written = match self.checks.iter().any(|check| renewed(&check)) {
            true => "nothing was written but a renewed token",
            false => "nothing was written",
        };
        format!("{}, in {:.1} s; {written}", parts.join(", "), self.seconds)
    }
}

fn told(check: &Check, width: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "  {:<7}  {:<width$}  {}",
        check.verdict.word(),
        check.name,
        check.found
    )];
    let indent = " ".repeat(width + 13);
    let shown = if check.more.len() > SHOWN {
        SHOWN - 1
    } else {
        SHOWN
    };
    lines.extend(
        check
            .more
            .iter()
            .take(shown)
            .map(|more| format!("{indent}{more}")),
    );
    if check.more.len() > shown {
        lines.push(format!(
            "{indent}… and {} more: --json names them",
            check.more.len() - shown
        ));
    }
    lines.extend(check.fix.iter().map(|fix| format!("{indent}fix: {fix}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_stand_below_what_they_are_for() {
        let checks = vec![
            Check::fail(
                Group::Connection,
                "grant",
                "it is dead",
                "run `cpq auth connect-crm`",
            )
            .of("crm"),
            Check::ok(Group::Store, "schema", "9"),
        ];
        let report = Report::of(
            checks,
            false,
            ".cpq".into(),
            Timestamp::UNIX_EPOCH,
            Duration::from_millis(1_240),
        );
        let expected = "cpq 0.1.0 in .cpq\n\nstore\n  ok       schema  9\n\nconnection crm\n  fail     grant   it is dead\n                   fix: run `cpq auth connect-crm`\n\n1 ok, 1 failure, in 1.2 s; nothing was written";
        assert_eq!(
            report.text(),
            expected.replace("0.1.0", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(report.exit_code(), 1);
    }
}
