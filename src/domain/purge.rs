//! What stands in the place of data that was removed for good.
//!
//! A row of the log outlives its data: it keeps its place, its kind, its step, its time and its claim, so that the log
//! goes on being provable. In the data's place stands a marker with the moment, the rule and the size of what was there.
//!
//! The marker holds no hash of the data. The values of fields are names, sums and dates: whoever holds a plain hash can
//! guess them. A keyed hash would keep only as long as its key, and with the key destroyed it proves nothing that place,
//! kind and size do not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Name of the one member of a marker.
const MEMBER: &str = "purged";

/// When something was removed, and under which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Purged {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The rule, in words: `retention.journal_days = 90`, or who asked for it.
    pub under: String,
    /// Bytes of what was there.
    #[serde(default)]
    pub bytes: u64,
}

impl Purged {
    /// The marker that stands in the data's place.
    pub fn marker(&self) -> Json {
        serde_json::json!({ MEMBER: self })
    }

    /// The marker that this data is, if it is one.
    pub fn of(data: &Json) -> Option<Purged> {
        let members = data.as_object().filter(|members| members.len() == 1)?;
        serde_json::from_value(members.get(MEMBER)?.clone()).ok()
    }

    /// For people: `purged on 2026-11-26 under retention.journal_days = 90`.
    pub fn words(&self) -> String {
        let day = self.at.to_zoned(jiff::tz::TimeZone::UTC).date();
        format!("purged on {day} under {}", self.under)
    }
}

/// Whether this data is a marker.
pub fn is_marker(data: &Json) -> bool {
    Purged::of(data).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back_and_nothing_else_is_one() {
        let purged = Purged {
            at: Timestamp::UNIX_EPOCH,
            under: "retention.journal_days = 90".into(),
            bytes: 12,
        };
        assert_eq!(Purged::of(&purged.marker()), Some(purged.clone()));
        assert_eq!(
            purged.words(),
            "purged on 1970-01-01 under retention.journal_days = 90"
        );
        for other in [
            serde_json::json!({"purged": true}),
            serde_json::json!({"purged": purged, "more": 1}),
            Json::Null,
        ] {
            assert!(!is_marker(&other), "{other}");
        }
    }
}
