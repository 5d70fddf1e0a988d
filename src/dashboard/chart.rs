//! Syncs over time as a picture.

use cpq_api::{SyncHour, SyncStatistics};

/// Hours in the picture.
const SHOWN: usize = 24;
/// Height of the picture's highest bar, in its own units.
const HIGH: f64 = 160.0;
/// Width of a bar with its gap.
const STEP: usize = 48;

fn failed(hour: &SyncHour) -> u64 {
    hour.states.get("dead").copied().unwrap_or(0)
}

fn open(hour: &SyncHour) -> u64 {
    ["queued", "running", "parked", "waiting"]
        .iter()
        .filter_map(|state| hour.states.get(*state))
        .sum()
}

/// A bar chart.
pub(crate) struct Chart {
    pub(crate) bars: Vec<Bar>,
    pub(crate) total: u64,
    pub(crate) failed: u64,
    pub(crate) highest: u64,
}

/// One hour: what succeeded below, what is open above it, what failed on top.
pub(crate) struct Bar {
    pub(crate) x: usize,
    pub(crate) label: String,
    pub(crate) title: String,
    pub(crate) parts: Vec<Part>,
}

pub(crate) struct Part {
    pub(crate) mark: &'static str,
    pub(crate) y: String,
    pub(crate) height: String,
}

impl Chart {
    pub(crate) fn of_the_last_day(statistics: &SyncStatistics) -> Chart {
        let hours = &statistics.hours[statistics.hours.len().saturating_sub(SHOWN)..];
        let highest = hours.iter().map(SyncHour::all).max().unwrap_or(0);
        Chart {
            bars: hours
                .iter()
                .enumerate()
                .map(|(at, hour)| bar(at, hour, highest))
                .collect(),
            total: hours.iter().map(SyncHour::all).sum(),
            failed: hours.iter().map(failed).sum(),
            highest,
        }
    }
}

fn bar(at: usize, hour: &SyncHour, highest: u64) -> Bar {
    let (open, failed) = (open(hour), failed(hour));
    let good = hour.all() - open - failed;
    let clock = hour.hour.strftime("%H:%M");
    let mut y = 0.0;
    let parts = [("good", good), ("wait", open), ("bad", failed)];
    let parts = parts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(mark, count)| {
            let height = share(count, highest) * HIGH;
            y += height;
            Part {
                mark,
                y: format!("{:.1}", HIGH - y),
                height: format!("{height:.1}"),
            }
        });
    Bar {
        x: at * STEP,
        parts: parts.collect(),
        label: if at.is_multiple_of(3) {
            clock.to_string()
        } else {
            String::new()
        },
        title: format!(
            "{clock} UTC: {} asked for, {open} open, {failed} failed",
            hour.all()
        ),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of an hour need no 53 bits")]
fn share(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;

    fn hours(counts: &[u64]) -> SyncStatistics {
        let hour = |(at, count): (usize, &u64)| SyncHour {
            hour: Timestamp::from_second(i64::try_from(at).unwrap_or_default() * 3_600).unwrap_or_default(),
            states: BTreeMap::from([("succeeded".to_owned(), *count)]),
        };
        SyncStatistics {
            hours: counts.iter().enumerate().map(hour).collect(),
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_none_is_higher_than_the_picture() {
        let mut statistics = hours(&[4, 8]);
        statistics.hours[1].states.insert("dead".to_owned(), 8);
        let chart = Chart::of_the_last_day(&statistics);
        assert_eq!((chart.total, chart.failed, chart.highest), (20, 8, 16));
        let top: Vec<_> = chart.bars[1].parts.iter().map(|part| part.y.as_str()).collect();
        assert_eq!(top, ["80.0", "0.0"]);
    }
}
