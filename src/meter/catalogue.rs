//! Every metric: what it is called, what its labels are, and what it means. The sentence above each is what Prometheus
//! shows, and docs/monitoring.md has a row for each; a test compares.
//!
//! Names follow Prometheus' rules: what counts ends in `_total`, durations are seconds, sizes bytes, moments seconds since
//! 1970. Labels come from closed sets (codes, states, connections, routes); nothing that a caller or a record brings along
//! becomes one.

use crate::family::Family;

/// Makes the metrics of a file, and the list of them.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ident = $wire:literal [$($label:literal),*] $(within $bounds:expr)?;)*) => {
        $(
            $(#[doc = $help])+
            pub static $name: $kind<{ <[&str]>::len(&[$($label),*]) }> =
                $kind::new($wire, concat!($($help),+), &[$($label),*] $(, $bounds)?);
        )*
        /// All of this file.
        pub(super) static FAMILIES: &[&dyn crate::family::Family] = &[$(&$name),*];
    };
}

pub mod api;
pub mod crm;
pub mod service;
pub mod store;
pub mod syncs;

/// Every metric there is, in the order of the page.
pub fn families() -> impl Iterator<Item = &'static dyn Family> {
    let all = [
        service::FAMILIES,
        syncs::FAMILIES,
        crm::FAMILIES,
        api::FAMILIES,
        store::FAMILIES,
    ];
    all.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::family::Kind;

    /// What Prometheus calls best practice for names, and `promtool check metrics` for most of it.
    #[test]
    fn names_follow_the_rules() {
        let mut known = BTreeSet::new();
        for about in families().map(Family::about) {
            let name = about.name;
            assert!(known.insert(name), "{name} is there twice");
            assert!(name.starts_with("cpq_") || name.starts_with("process_"), "{name}");
            let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(
                plain(name) && about.labels.iter().all(|label| plain(label)),
                "{name}"
            );
            assert_eq!(name.ends_with("_total"), about.kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_info"), about.kind == Kind::Info, "{name}");
            for unit in [
                "millis",
                "micros",
                "minutes",
                "hours",
                "percent",
                "_ms",
                "kilobytes",
            ] {
                assert!(!name.contains(unit), "{name} is not in a base unit");
            }
            let timed = name.contains("duration") || name.contains("timestamp") || name.contains("lag");
            assert!(!timed || name.ends_with("_seconds"), "{name} says no unit");
            assert!(about.help.trim().ends_with('.'), "{name}: {}", about.help);
            assert!(!about.labels.contains(&"le"), "{name}");
        }
        assert!(known.len() > 40, "{known:?}");
    }
}
