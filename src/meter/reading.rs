//! What is read when somebody asks: of the store, which all nodes share, and of the process.

use std::collections::BTreeMap;

use crate::family::{About, Family, Kind};
use crate::page::Page;

/// A value that is not kept here but read for each page. Its kind goes by its name.
#[derive(Debug)]
pub struct Reading<const N: usize> {
    about: About,
}

impl<const N: usize> Reading<N> {
    /// A reading; only the catalogue makes one.
    pub(crate) const fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str; N],
    ) -> Self {
        let kind = match name.as_bytes() {
            [.., b'_', b't', b'o', b't', b'a', b'l'] => Kind::Counter,
            [.., b'_', b'i', b'n', b'f', b'o'] => Kind::Info,
            _ => Kind::Gauge,
        };
        Reading {
            about: About::new(name, help, labels, kind),
        }
    }
}

impl<const N: usize> Family for Reading<N> {
    fn about(&self) -> &About {
        &self.about
    }

    fn write(&self, page: &mut Page, sheet: &Sheet) {
        for (labels, value) in sheet.0.get(self.about.name).into_iter().flatten() {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            page.sample(&self.about, &labels, *value);
        }
    }
}

/// What was read for one page.
#[derive(Clone, Debug, Default)]
pub struct Sheet(BTreeMap<&'static str, Vec<(Vec<String>, f64)>>);

impl Sheet {
    /// Puts a value down. `labels` in the order of the catalogue; each combination once.
    pub fn put<const N: usize>(&mut self, reading: &Reading<N>, labels: [&str; N], value: f64) {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.0
            .entry(reading.about.name)
            .or_default()
            .push((labels, value));
    }
}
