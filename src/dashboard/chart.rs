//! Syncs over time as a picture, and the alarm that rings when they stop.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// Hours in the picture.
const SHOWN: usize = 24;
/// Height of the picture's highest bar, in its own units.
const HIGH: f64 = 160.0;
/// Width of a bar with its gap.
const STEP: usize = 48;
/// Hours of the week before that have to be known before silence means anything.
const KNOWN: usize = 48;
/// Syncs an hour that are usual enough for their absence to be strange.
const USUAL: f64 = 3.0;

/// What the API counts.
#[derive(Debug, Deserialize)]
pub(crate) struct Statistics {
    pub(crate) hours: Vec<Hour>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Hour {
    pub(crate) hour: Timestamp,
    pub(crate) states: BTreeMap<String, u64>,
}

impl Hour {
    fn all(&self) -> u64 {
        self.states.values().sum()
    }

    fn failed(&self) -> u64 {
        self.states.get("dead").copied().unwrap_or(0)
    }

    fn open(&self) -> u64 {
        ["queued", "running", "parked", "waiting"]
            .iter()
            .filter_map(|state| self.states.get(*state))
            .sum()
    }
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
    pub(crate) fn of_the_last_day(statistics: &Statistics) -> Chart {
        let hours = &statistics.hours[statistics.hours.len().saturating_sub(SHOWN)..];
        let highest = hours.iter().map(Hour::all).max().unwrap_or(0);
        Chart {
            bars: hours
                .iter()
                .enumerate()
                .map(|(at, hour)| bar(at, hour, highest))
                .collect(),
            total: hours.iter().map(Hour::all).sum(),
            failed: hours.iter().map(Hour::failed).sum(),
            highest,
        }
    }
}

fn bar(at: usize, hour: &Hour, highest: u64) -> Bar {
    let (open, failed) = (hour.open(), hour.failed());
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

/// What is strange about the last hour that is over: nothing came, while it usually does at that hour of the day.
pub(crate) fn silence(statistics: &Statistics) -> Option<String> {
    let (_, over) = statistics.hours.split_last()?;
    let (last, before) = over.split_last()?;
    let known = before.iter().skip_while(|hour| hour.all() == 0).count();
    if last.all() > 0 || known < KNOWN {
        return None;
    }
    let same: Vec<u64> = before.iter().rev().skip(23).step_by(24).map(Hour::all).collect();
    let usual = share(same.iter().sum(), same.len() as u64);
    (usual >= USUAL).then(|| {
        let hour = last.hour.strftime("%H:%M");
        format!("no sync was asked for in the hour from {hour} UTC; at that hour there were {usual:.0} on an average day of the last week")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(counts: &[u64]) -> Statistics {
        let hour = |(at, count): (usize, &u64)| Hour {
            hour: Timestamp::from_second(i64::try_from(at).unwrap_or_default() * 3_600).unwrap_or_default(),
            states: BTreeMap::from([("succeeded".to_owned(), *count)]),
        };
        Statistics {
            hours: counts.iter().enumerate().map(hour).collect(),
        }
    }

    #[test]
    fn silence_is_told_where_there_usually_is_something() {
        let mut counts = vec![10; 168];
        assert_eq!(silence(&hours(&counts)), None, "as usual");
        counts[166] = 0;
        assert!(
            silence(&hours(&counts)).is_some(),
            "the hour that is over is empty"
        );
        for day in 0..6 {
            counts[166 - 24 * (day + 1)] = 0;
        }
        assert_eq!(silence(&hours(&counts)), None, "it is empty every day");
        assert_eq!(silence(&hours(&[0; 168])), None, "nothing is known yet");
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
