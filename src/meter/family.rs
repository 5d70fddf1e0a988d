//! What a metric is called and means.

use crate::page::Page;
use crate::reading::Sheet;

/// How the values of a metric are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process is restarted.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many values fell below each of some bounds.
    Histogram,
    /// Always 1; what it says is in its labels.
    Info,
}

impl Kind {
    /// As it is named in OpenMetrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }
}

/// Name, meaning and labels of a metric.
#[derive(Debug)]
pub struct About {
    /// As in rules and dashboards.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Names of the labels.
    pub labels: &'static [&'static str],
    /// How to understand the values.
    pub kind: Kind,
}

impl About {
    /// Of a metric of the catalogue, whose labels are as many as those that are counted by.
    pub(crate) const fn new<const N: usize>(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str; N],
        kind: Kind,
    ) -> About {
        About {
            name,
            help,
            labels,
            kind,
        }
    }

    /// The name without what OpenMetrics adds to it by itself.
    pub(crate) fn stem(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }
}

/// A metric with all its series.
pub trait Family: Sync {
    /// What it is.
    fn about(&self) -> &About;

    /// Writes its series.
    fn write(&self, page: &mut Page, sheet: &Sheet);
}
