//! The mark on the quote's record in the CRM that tells a reader whether the lines beside it are all of one version.
//!
//! A quote that fits into one call needs none: a call is applied as a whole. Lines that need several calls are under
//! way for seconds, and for longer when a call fails in between.

use crate::view::View;

/// Canonical name of the field with the mark.
pub const SYNC_STATE: &str = "quote_record.sync_state";
const WRITING: &str = "writing";

/// The mark while the lines of a revision are under way; everything else still tells of the version before.
pub fn writing(revision: u32) -> String {
    format!("{WRITING} {revision}")
}

/// The mark once every line of a revision is in place.
pub fn complete(revision: u32) -> String {
    format!("complete {revision}")
}

/// Whether a broken write left the CRM with lines of two versions.
pub fn is_half_written(crm: &View) -> bool {
    #[cfg(feature = "planted-bugs")]
    if crate::planted::Bug::BelievesHalfLines.is_on() {
        return false;
    }
    crm.text(SYNC_STATE).is_some_and(|mark| mark.starts_with(WRITING))
}
