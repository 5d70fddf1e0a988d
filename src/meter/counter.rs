//! What only grows.

use std::cell::Cell;

use crate::family::{About, Family, Kind};
use crate::page::Page;
use crate::reading::Sheet;
use crate::series::Series;

/// A count of things that happened in this process.
#[derive(Debug)]
pub struct Counter<const N: usize> {
    about: About,
    series: Series<N, Cell<u64>>,
}

impl<const N: usize> Counter<N> {
    /// A counter; only the catalogue makes one.
    pub(crate) const fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str; N],
    ) -> Self {
        Counter {
            about: About::new(name, help, labels, Kind::Counter),
            series: Series::new(),
        }
    }

    /// Counts more of them. `labels` in the order of the catalogue, each out of a closed set.
    pub fn add(&self, labels: [&str; N], more: u64) {
        self.series
            .with(labels, |value| value.set(value.get().saturating_add(more)));
    }
}

impl<const N: usize> Family for Counter<N> {
    fn about(&self) -> &About {
        &self.about
    }

    fn write(&self, page: &mut Page, _: &Sheet) {
        #[allow(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
        self.series
            .each(|labels, value| page.sample(&self.about, &labels, value.get() as f64));
    }
}
