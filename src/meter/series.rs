//! The series of a metric: one value for each combination of labels.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Series of one metric. Labels come from closed sets; should one not, its metric stays small all the same, and what is
/// over counts together.
const SERIES_MAX: usize = 2_000;
/// The labels of what is over.
const OTHER: Cow<'static, str> = Cow::Borrowed("other");

type Labels<'a, const N: usize> = [Cow<'a, str>; N];

/// One value for each combination of labels. Values change behind a shared reference, as a lookup by borrowed labels
/// gives no other.
#[derive(Debug)]
pub(crate) struct Series<const N: usize, V>(Mutex<BTreeMap<Labels<'static, N>, V>>);

impl<const N: usize, V: Default> Series<N, V> {
    pub(crate) const fn new() -> Series<N, V> {
        Series(Mutex::new(BTreeMap::new()))
    }

    /// Changes the value of these labels, which is made if it is not there yet.
    pub(crate) fn with(&self, labels: [&str; N], change: impl FnOnce(&V)) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key: Labels<'_, N> = labels.map(Cow::Borrowed);
        if let Some(value) = find(&held, &key) {
            return change(value);
        }
        let key = match held.len() < SERIES_MAX {
            true => key.map(|label| Cow::Owned(label.into_owned())),
            false => [OTHER; N],
        };
        change(held.entry(key).or_default());
    }

    /// Shows every value, in the order of the labels.
    pub(crate) fn each(&self, mut show: impl FnMut([&str; N], &V)) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (labels, value) in held.iter() {
            show(labels.each_ref().map(|label| label.as_ref()), value);
        }
    }
}

/// The map is read as one with keys as short-lived as the key, so that no label is copied for a lookup.
fn find<'a, const N: usize, V>(map: &'a BTreeMap<Labels<'a, N>, V>, key: &Labels<'a, N>) -> Option<&'a V> {
    map.get(key)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_over_counts_together() {
        let series: Series<1, Cell<u64>> = Series::new();
        for number in 0..SERIES_MAX + 10 {
            series.with([&number.to_string()], |value| value.set(value.get() + 1));
        }
        let (mut all, mut other) = (0, 0);
        series.each(|[label], value| {
            all += 1;
            other += if label == "other" { value.get() } else { 0 };
        });
        assert_eq!((all, other), (SERIES_MAX + 1, 10));
    }
}
