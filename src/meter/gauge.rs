//! What goes up and down in this process.

use std::cell::Cell;

use crate::family::{About, Family, Kind};
use crate::page::Page;
use crate::reading::Sheet;
use crate::series::Series;

/// A value of this process, as it was when it changed last.
#[derive(Debug)]
pub struct Gauge<const N: usize> {
    about: About,
    series: Series<N, Cell<f64>>,
}

impl<const N: usize> Gauge<N> {
    /// A gauge; only the catalogue makes one.
    pub(crate) const fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str; N],
    ) -> Self {
        Gauge {
            about: About::new(name, help, labels, Kind::Gauge),
            series: Series::new(),
        }
    }

    /// It is this now. `labels` in the order of the catalogue, each out of a closed set.
    pub fn set(&self, labels: [&str; N], now: f64) {
        self.series.with(labels, |value| value.set(now));
    }
}

impl<const N: usize> Family for Gauge<N> {
    fn about(&self) -> &About {
        &self.about
    }

    fn write(&self, page: &mut Page, _: &Sheet) {
        self.series
            .each(|labels, value| page.sample(&self.about, &labels, value.get()));
    }
}
