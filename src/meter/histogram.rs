//! How long things take: how many fell below each of some bounds, and for each bound an example.

use std::cell::RefCell;

use crate::family::{About, Family, Kind};
use crate::page::Page;
use crate::reading::Sheet;
use crate::series::Series;

/// Characters of an exemplar's label and value together (OpenMetrics 1.0, "Exemplars"); the label takes 14 of them.
const EXEMPLAR_CHARS: usize = 128 - "correlation_id".len();

/// A distribution of what happened in this process.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    about: About,
    bounds: &'static [f64],
    series: Series<N, RefCell<Distribution>>,
}

/// What fell where.
#[derive(Debug, Default)]
pub(crate) struct Distribution {
    /// One bucket for each bound, and one for what is above all.
    buckets: Vec<Bucket>,
    sum: f64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    count: u64,
    exemplar: Option<(String, f64)>,
}

impl<const N: usize> Histogram<N> {
    /// A histogram; only the catalogue makes one. `bounds` grow.
    pub(crate) const fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str; N],
        bounds: &'static [f64],
    ) -> Self {
        Histogram {
            about: About::new(name, help, labels, Kind::Histogram),
            bounds,
            series: Series::new(),
        }
    }

    /// Notes one value. `labels` in the order of the catalogue, each out of a closed set; `correlation` is the id by which
    /// people find what took so long.
    pub fn observe(&self, labels: [&str; N], value: f64, correlation: Option<&str>) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.series.with(labels, |distribution| {
            let mut held = distribution.borrow_mut();
            held.buckets.resize(self.bounds.len() + 1, Bucket::default());
            held.sum += value;
            let bucket = &mut held.buckets[at];
            bucket.count += 1;
            if let Some(correlation) = correlation.filter(|id| id.chars().count() <= EXEMPLAR_CHARS) {
                bucket.exemplar = Some((correlation.to_owned(), value));
            }
        });
    }

    /// The same for microseconds, told in seconds.
    #[allow(clippy::cast_precision_loss, reason = "a duration needs no 53 bits")]
    pub fn took(&self, labels: [&str; N], micros: u64, correlation: Option<&str>) {
        self.observe(labels, micros as f64 / 1e6, correlation);
    }
}

impl<const N: usize> Family for Histogram<N> {
    fn about(&self) -> &About {
        &self.about
    }

    #[allow(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
    fn write(&self, page: &mut Page, _: &Sheet) {
        self.series.each(|labels, distribution| {
            let held = distribution.borrow();
            let mut count = 0;
            let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
            for (bound, bucket) in bounds.zip(&held.buckets) {
                count += bucket.count;
                let exemplar = bucket.exemplar.as_ref().map(|(id, value)| (id.as_str(), *value));
                page.bucket(&self.about, &labels, bound, count as f64, exemplar);
            }
            page.part(&self.about, "_sum", &labels, held.sum);
            page.part(&self.about, "_count", &labels, count as f64);
        });
    }
}
