//! `/limits` and `/limits/recordCount`.

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::events::EventUsage;
use crate::org::ApiError;
use http::Method;
use serde_json::{Map, Value as Json, json};

/// Allowances of a Developer Edition org that nothing here uses up (Salesforce Developer Limits and Allocations).
const UNUSED: [(&str, u64); 13] = [
    ("ActiveScratchOrgs", 3),
    ("ConcurrentAsyncGetReportInstances", 200),
    ("ConcurrentSyncReportRuns", 20),
    ("DailyAsyncApexExecutions", 250_000),
    ("DailyGenericStreamingApiEvents", 10_000),
    ("DailyScratchOrgs", 6),
    ("DailyStreamingApiEvents", 10_000),
    ("DailyWorkflowEmails", 100_000),
    ("DataStorageMB", 5),
    ("FileStorageMB", 20),
    ("HourlyAsyncReportRuns", 1_200),
    ("MassEmail", 10),
    ("SingleEmail", 15),
];

/// First version that calls the month's events an entitlement.
const SAYS_ENTITLEMENT: u16 = 48;

/// What was used of the allowances for events (Platform Events Developer Guide, Monitor Platform Event Publishing and
/// Delivery Usage).
fn events(usage: EventUsage, version: &Version) -> [(String, Json); 3] {
    let left = |(used, max): (u64, u64)| json!({"Max": max, "Remaining": max.saturating_sub(used)});
    let month = if version.number >= SAYS_ENTITLEMENT {
        "MonthlyPlatformEventsUsageEntitlement"
    } else {
        "MonthlyPlatformEvents"
    };
    [
        ("DailyDeliveredPlatformEvents".into(), left(usage.delivered)),
        ("HourlyPublishedPlatformEvents".into(), left(usage.published)),
        (month.into(), left(usage.delivered_in_month)),
    ]
}

impl Door<'_> {
    /// `GET /limits`.
    pub(super) fn limits(&self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let (used, max) = self.around.usage();
        let mut out = Map::new();
        out.insert(
            "DailyApiRequests".into(),
            json!({"Max": max, "Remaining": max.saturating_sub(used)}),
        );
        let bulk = self.around.bulk_usage();
        for (name, (used, max)) in [
            ("DailyBulkApiBatches", bulk.batches),
            ("DailyBulkV2QueryFileStorageMB", bulk.result_megabytes),
            ("DailyBulkV2QueryJobs", bulk.queries),
        ] {
            let left = json!({"Max": max, "Remaining": max.saturating_sub(used)});
            out.insert(name.into(), left);
        }
        for (name, max) in UNUSED {
            out.insert(name.into(), json!({"Max": max, "Remaining": max}));
        }
        out.extend(events(self.around.event_usage(), version));
        let custom = json!({"Max": 1000, "Remaining": 1000});
        out.insert(
            "PermissionSets".into(),
            json!({"Max": 1500, "Remaining": 1500, "CreateCustom": custom}),
        );
        Ok(ok(Json::Object(out)))
    }

    /// `GET /limits/recordCount?sObjects=A,B`; objects without records are left out.
    pub(super) fn record_count(&self, ask: &Ask) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let schema = self.schema();
        let wanted = ask
            .parameter("sObjects")
            .map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
        let listed = |name: &str| {
            wanted
                .as_ref()
                .is_none_or(|w| w.iter().any(|n| n.eq_ignore_ascii_case(name)))
        };
        let count = |(at, name): (usize, &str)| {
            let count = self.org.table(at).count();
            (count > 0 && listed(name)).then(|| json!({"count": count, "name": name}))
        };
        let objects = schema
            .objects()
            .iter()
            .enumerate()
            .map(|(at, o)| (at, o.name.as_str()));
        let rows: Vec<Json> = objects.filter_map(count).collect();
        Ok(ok(json!({"sObjects": rows})))
    }
}
