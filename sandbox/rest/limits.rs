//! `/limits` and `/limits/recordCount`.

use super::door::{Ask, Door};
use super::target::Version;
use super::{DataResponse, ok};
use crate::bulk::limits::Used;
use crate::events::EventUsage;
use crate::org::ApiError;
use http::Method;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Allowances that nothing here uses up, each with the first version that lists it, as far as the release notes tell
/// (Salesforce Developer Limits and Allocations; REST API Developer Guide, Limits).
const UNUSED: [(&str, u64, u16); 18] = [
    ("ActiveScratchOrgs", 3, 40),
    ("AnalyticsExternalDataSizeMB", 40_960, 52),
    ("ConcurrentAsyncGetReportInstances", 200, 31),
    ("ConcurrentSyncReportRuns", 20, 31),
    ("DailyAnalyticsDataflowJobExecutions", 60, 47),
    ("DailyAsyncApexExecutions", 250_000, 31),
    ("DailyDurableGenericStreamingApiEvents", 10_000, 37),
    ("DailyDurableStreamingApiEvents", 10_000, 37),
    ("DailyGenericStreamingApiEvents", 10_000, 31),
    ("DailyScratchOrgs", 6, 40),
    ("DailyStreamingApiEvents", 10_000, 31),
    ("DailyWorkflowEmails", 100_000, 31),
    ("FileStorageMB", 20, 31),
    ("HourlyAsyncReportRuns", 1_200, 31),
    ("HourlySyncReportRuns", 500, 31),
    ("HourlyTimeBasedWorkflow", 50, 31),
    ("MassEmail", 10, 31),
    ("SingleEmail", 15, 31),
];

/// First version that calls bulk batches by this name; before, they were requests.
const SAYS_BATCHES: u16 = 49;
/// First version with what bulk queries and delivered events use up.
const BULK_QUERIES: u16 = 47;
/// First version with the hour's published events.
const PUBLISHED_EVENTS: u16 = 40;
/// First version with the month's events.
const MONTHLY_EVENTS: u16 = 43;
/// First version that calls the month's events an entitlement.
const SAYS_ENTITLEMENT: u16 = 48;

/// What was used of an allowance, as `/limits` shows it.
fn left((used, max): (u64, u64)) -> Json {
    json!({"Max": max, "Remaining": max.saturating_sub(used)})
}

/// What bulk jobs used of their allowances (Bulk API 2.0 Developer Guide, Limits), with the first version of each.
fn bulk(usage: &Used, version: &Version) -> [(&'static str, u16, Json); 3] {
    let batches = if version.number >= SAYS_BATCHES {
        "DailyBulkApiBatches"
    } else {
        "DailyBulkApiRequests"
    };
    [
        (batches, 0, left(usage.batches)),
        (
            "DailyBulkV2QueryFileStorageMB",
            BULK_QUERIES,
            left(usage.result_megabytes),
        ),
        ("DailyBulkV2QueryJobs", BULK_QUERIES, left(usage.queries)),
    ]
}

/// What was used of the allowances for events (Platform Events Developer Guide, Monitor Platform Event Publishing and
/// Delivery Usage), with the first version of each.
fn events(usage: EventUsage, version: &Version) -> [(&'static str, u16, Json); 3] {
    let month = if version.number >= SAYS_ENTITLEMENT {
        "MonthlyPlatformEventsUsageEntitlement"
    } else {
        "MonthlyPlatformEvents"
    };
    [
        (
            "DailyDeliveredPlatformEvents",
            BULK_QUERIES,
            left(usage.delivered),
        ),
        (
            "HourlyPublishedPlatformEvents",
            PUBLISHED_EVENTS,
            left(usage.published),
        ),
        (month, MONTHLY_EVENTS, left(usage.delivered_in_month)),
    ]
}

impl Door<'_> {
    /// `GET /limits`.
    pub(super) fn limits(&self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let mut all = BTreeMap::from([
            ("DailyApiRequests".to_owned(), self.api_requests()),
            ("DataStorageMB".to_owned(), self.data_storage()),
        ]);
        let unused = UNUSED.map(|(name, max, since)| (name, since, left((0, max))));
        let batches = bulk(&self.around.bulk_usage(), version);
        let told = events(self.around.event_usage(), version);
        let known = unused.into_iter().chain(batches).chain(told);
        for (name, since, left) in known {
            if since <= version.number {
                all.insert(name.into(), left);
            }
        }
        let custom = json!({"Max": 1000, "Remaining": 1000});
        all.insert(
            "PermissionSets".into(),
            json!({"Max": 1500, "Remaining": 1500, "CreateCustom": custom}),
        );
        Ok(ok(Json::Object(all.into_iter().collect::<Map<_, _>>())))
    }

    /// The daily allowance, with the allotments of single apps inside.
    fn api_requests(&self) -> Json {
        let (used, max) = self.around.usage();
        let mut out = json!({"Max": max, "Remaining": max.saturating_sub(used)});
        for (app, max) in self.around.settings().app_allotments {
            let left = max.saturating_sub(self.around.used_by(&app));
            out[app] = json!({"Max": max, "Remaining": left});
        }
        out
    }

    fn data_storage(&self) -> Json {
        let max = self.around.settings().data_storage_mb;
        json!({"Max": max, "Remaining": max.saturating_sub(self.org.data_used())})
    }

    /// `GET /limits/recordCount?sObjects=A,B`; objects without records are left out.
    pub(super) fn record_count(&self, ask: &Ask) -> Result<DataResponse, ApiError> {
        if ask.method != Method::GET {
            return Err(ask.not_allowed("GET,HEAD"));
        }
        let schema = self.schema();
        // `sf org list sobject record-counts` without names asks with an empty list, and means all of them.
        let wanted = ask
            .parameter("sObjects")
            .filter(|list| !list.is_empty())
            .map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
        let listed = |name: &str| {
            wanted
                .as_ref()
                .is_none_or(|w| w.iter().any(|n| n.eq_ignore_ascii_case(name)))
        };
        let count = |(at, name): (usize, &str)| {
            let count = self.org.table(at).count();
            let shown = !schema.at(at).hidden && count > 0 && listed(name);
            shown.then(|| json!({"count": count, "name": name}))
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
