//! What is counted and measured, and how Prometheus is told.
//!
//! Every metric of the product is a static of the [`catalogue`] with its name, its labels and its sentence, so none can be
//! recorded that is not described, and none can be given another set of labels. Rooms count where something happens;
//! what the store knows is read when somebody asks, into a [`Sheet`]. [`render`] makes the answer, in the text format of
//! Prometheus or in OpenMetrics. The latter has exemplars: beside a bucket stands the correlation id of the last sync or
//! request that fell into it. Why this is no crate of others: docs/adr/0001-own-metrics.md.
//!
//! ```
//! use cpq_meter::{Format, Sheet, catalogue::syncs};
//!
//! syncs::SYNCS.add(["crm", "succeeded", "none"], 1);
//! let page = cpq_meter::render(Format::Text, &Sheet::default());
//! assert!(page.contains("cpq_syncs_total{connection=\"crm\",end=\"succeeded\",code=\"none\"} 1\n"));
//! ```

pub mod catalogue;
pub mod process;

mod counter;
mod family;
mod gauge;
mod histogram;
mod page;
mod reading;
mod series;

pub use catalogue::families;
pub use counter::Counter;
pub use family::{About, Family, Kind};
pub use gauge::Gauge;
pub use histogram::Histogram;
pub use page::{Format, Page};
pub use reading::{Reading, Sheet};

/// Every metric as one page: those that this process counted, and those on the sheet.
pub fn render(format: Format, sheet: &Sheet) -> String {
    let mut page = Page::new(format);
    for family in families() {
        page.head(family.about());
        family.write(&mut page, sheet);
    }
    page.end()
}
