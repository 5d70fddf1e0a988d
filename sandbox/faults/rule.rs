//! What a fault rule says: which requests, how often, and what goes wrong.

use crate::pubsub::refusal;
use serde::{Deserialize, Serialize};

/// Most rules in one plan; every request looks at each of them.
pub const MAX_RULES: usize = 200;
/// Longest delay a rule may ask for, ten minutes: Salesforce ends calls there.
pub const MAX_DELAY_MILLIS: u64 = 600_000;
/// Longest delay of a delivery, a day: by then outbound messages are dropped.
pub const MAX_DELIVERY_DELAY_MILLIS: u64 = 86_400_000;

/// Longest transaction that a rule may ask for: a day, to be beyond every window that a poller may keep.
pub const MAX_LATE_SECONDS: u32 = 86_400;

/// A list of rules and the seed of their dice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultPlan {
    /// Seed of probabilities and jitter: the same seed and the same order of requests give the same faults.
    #[serde(default)]
    pub seed: u64,
    /// The rules, looked at in this order.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Name shown in the request log; without one it is the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which requests.
    #[serde(default)]
    pub when: When,
    /// At most this many times; without it, always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What goes wrong.
    pub fault: Fault,
}

/// Which requests a rule is for. All given conditions must hold; an empty one matches everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// HTTP method, any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A part of path and query, as sent; for delivery faults of the endpoint's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// API name of an object that the request reads or writes, any case; for row faults the written object, for
    /// delivery faults the record's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Name of a topic of the Pub/Sub API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// A part of the client's name (`client=` of `Sforce-Call-Options`, else `User-Agent`); for delivery faults of the
    /// name of the outbound message or callout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only the matching requests with these numbers, counted from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nth: Vec<u64>,
    /// Only every n-th matching request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Not the first n matching requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Chance from 0 to 1 for each request that fulfils the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Fault {
    /// The answer comes later. Adds up over rules.
    Latency {
        /// Milliseconds before the request is looked at.
        millis: u64,
        /// Up to this many milliseconds more, evenly distributed.
        #[serde(default)]
        jitter_millis: u64,
    },
    /// Data API only: the session ends and the request gets 401 `INVALID_SESSION_ID`.
    SessionExpired {},
    /// Data API only: 403 `REQUEST_LIMIT_EXCEEDED`.
    RequestLimit {
        /// Which limit the message names.
        #[serde(default)]
        scope: LimitScope,
    },
    /// The instance stumbles; nothing was applied.
    ServerError {
        /// HTTP status, 500 to 599, or 406 or 420.
        #[serde(default = "internal_error")]
        status: u16,
        /// Form of the body.
        #[serde(default)]
        body: ErrorBody,
    },
    /// A record write fails with `UNABLE_TO_LOCK_ROW`.
    RowLock {},
    /// A record write fails with another code of the closed list in the README.
    RowError {
        /// The `errorCode` or `statusCode`.
        error_code: String,
        /// The message; without one, a typical text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A bulk job fails after some of its rows; the others stay unprocessed. A query job fails without a result.
    BulkFailure {
        /// How many rows are still looked at; without it, half of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_rows: Option<u64>,
        /// The job's `errorMessage`.
        #[serde(default = "lock_failures")]
        message: String,
    },
    /// The connection is closed before the request is applied.
    ResetBefore {},
    /// The request is applied, then the connection is closed without an answer.
    ResetAfter {},
    /// Token endpoint, refresh only: `token request is already being processed`.
    AlreadyProcessing {},
    /// Token endpoint: 400 `invalid_grant`.
    InvalidGrant {
        /// The `error_description`.
        #[serde(default = "expired_token")]
        description: String,
    },
    /// Token endpoint: 503 with an HTML maintenance page.
    TokenHtmlMaintenance {},
    /// The body arrives in pieces over this time; the head comes at once.
    SlowBody {
        /// Milliseconds from head to last byte.
        millis: u64,
    },
    /// The request is applied twice, as by a proxy that repeats it; the second answer is returned.
    Duplicate {},
    /// This answer is given with another clock: `Date` header, token times and record stamps.
    ClockSkew {
        /// Seconds ahead; negative is behind.
        seconds: i64,
    },
    /// Pub/Sub API: the call ends with an error.
    GrpcStatus {
        /// Name of the gRPC status, such as `UNAVAILABLE`; without one, that of the error code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Code for the `error-code` trailer, with or without `sfdc.platform.eventbus.grpc.`; without one there is no
        /// such trailer, as when something before the service answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_code: Option<String>,
        /// The message; without one, a typical text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// After so many events on the stream.
        #[serde(default)]
        after_events: u64,
    },
    /// Pub/Sub API: the session ends, and with it the call.
    StreamAuthError {
        /// After so many events on the stream.
        #[serde(default)]
        after_events: u64,
    },
    /// Pub/Sub API: nothing comes any more, not even a keepalive, and no error.
    StreamStall {
        /// After so many events on the stream.
        #[serde(default)]
        after_events: u64,
    },
    /// Pub/Sub API: the stream ends with status `OK`.
    StreamClose {
        /// After so many events on the stream.
        #[serde(default)]
        after_events: u64,
    },
    /// Pub/Sub API: the stream ends without a gRPC status.
    StreamCut {
        /// After so many events on the stream.
        #[serde(default)]
        after_events: u64,
    },
    /// Pub/Sub API: the stream is reset (`RST_STREAM`).
    StreamReset {
        /// After so many events on the stream.
        #[serde(default)]
        after_events: u64,
    },
    /// Pub/Sub API: the connection is reset, with all calls on it.
    ConnectionReset {
        /// After so many events on the stream.
        #[serde(default)]
        after_events: u64,
    },
    /// Pub/Sub API: a stream's answers come slowly.
    StreamThrottle {
        /// Milliseconds between two answers at least.
        millis: u64,
    },
    /// An outbound message or callout is never sent, nor tried again.
    DeliveryLost {},
    /// An outbound message or callout is sent again after it was delivered.
    DeliveryDuplicated {},
    /// An outbound message or callout is sent later. Adds up over rules.
    DeliveryDelayed {
        /// Milliseconds of the sandbox's time.
        millis: u64,
    },
    /// An outbound message or callout is sent after a later one of its rule, or when 30 seconds went by without one.
    DeliveryReordered {},
    /// The endpoint's good answer is not heard, so that what it has taken in comes again.
    AckIgnored {
        /// How many answers of an item.
        #[serde(default = "once")]
        attempts: u32,
    },
    /// The request's records are stamped when its transaction began, so long before they became visible: what polls
    /// by `SystemModstamp` has passed that instant already.
    LateCommit {
        /// Seconds between stamp and commit.
        seconds: u32,
    },
    /// An event is stored twice: another replay id, the same event id.
    EventDuplicate {},
    /// An event is accepted and never stored.
    EventDrop {},
    /// An event changes places with the next one.
    EventReorder {},
    /// An event is stored after others, or when `POST /sandbox/events/release` says so.
    EventDelay {
        /// How many others come first; without it, it waits until it is let go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        events: Option<u64>,
    },
    /// A gap event takes the place of a change event.
    EventGap {},
    /// A change event is written in the schema that its object has with another set of fields.
    EventMixedSchema {},
    /// All events before this one are gone, as if they were too old.
    EventReplayExpired {},
    /// The stream begins anew before this event: no replay id of before can be used, as after an org has moved.
    EventStreamReset {},
}

/// Which limit `REQUEST_LIMIT_EXCEEDED` is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// The allowance of 24 hours: waiting seconds does not help.
    #[default]
    Daily,
    /// Too many long calls at once: waiting seconds helps.
    Concurrent,
    /// Too many long transactions of the org at once.
    LongTransactions,
}

/// Form of an error body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// The array of the data API.
    #[default]
    Json,
    /// A page of the edge.
    Html,
    /// Nothing.
    Empty,
}

fn once() -> u32 {
    1
}

fn internal_error() -> u16 {
    500
}

fn expired_token() -> String {
    "expired access/refresh token".to_owned()
}

fn lock_failures() -> String {
    "TooManyLockFailure : Too many lock failure 200 Trying again later.".to_owned()
}

impl Fault {
    /// The name used in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::SessionExpired {} => "session_expired",
            Self::RequestLimit { .. } => "request_limit",
            Self::ServerError { .. } => "server_error",
            Self::RowLock {} => "row_lock",
            Self::RowError { .. } => "row_error",
            Self::BulkFailure { .. } => "bulk_failure",
            Self::ResetBefore {} => "reset_before",
            Self::ResetAfter {} => "reset_after",
            Self::AlreadyProcessing {} => "already_processing",
            Self::InvalidGrant { .. } => "invalid_grant",
            Self::TokenHtmlMaintenance {} => "token_html_maintenance",
            Self::SlowBody { .. } => "slow_body",
            Self::Duplicate {} => "duplicate",
            Self::ClockSkew { .. } => "clock_skew",
            Self::GrpcStatus { .. } => "grpc_status",
            Self::StreamAuthError { .. } => "stream_auth_error",
            Self::StreamStall { .. } => "stream_stall",
            Self::StreamClose { .. } => "stream_close",
            Self::StreamCut { .. } => "stream_cut",
            Self::StreamReset { .. } => "stream_reset",
            Self::ConnectionReset { .. } => "connection_reset",
            Self::StreamThrottle { .. } => "stream_throttle",
            Self::DeliveryLost {} => "delivery_lost",
            Self::DeliveryDuplicated {} => "delivery_duplicated",
            Self::DeliveryDelayed { .. } => "delivery_delayed",
            Self::DeliveryReordered {} => "delivery_reordered",
            Self::AckIgnored { .. } => "ack_ignored",
            Self::LateCommit { .. } => "late_commit",
            Self::EventDuplicate {} => "event_duplicate",
            Self::EventDrop {} => "event_drop",
            Self::EventReorder {} => "event_reorder",
            Self::EventDelay { .. } => "event_delay",
            Self::EventGap {} => "event_gap",
            Self::EventMixedSchema {} => "event_mixed_schema",
            Self::EventReplayExpired {} => "event_replay_expired",
            Self::EventStreamReset {} => "event_stream_reset",
        }
    }

    /// Whether this fault waits for an event on its way to the bus.
    pub fn is_for_events(&self) -> bool {
        matches!(
            self,
            Self::EventDuplicate {}
                | Self::EventDrop {}
                | Self::EventReorder {}
                | Self::EventDelay { .. }
                | Self::EventGap {}
                | Self::EventMixedSchema {}
                | Self::EventReplayExpired {}
                | Self::EventStreamReset {}
        )
    }

    /// Whether this fault is for calls of the Pub/Sub API only.
    pub fn is_for_grpc(&self) -> bool {
        self.after_events().is_some() || matches!(self, Self::StreamThrottle { .. })
    }

    /// After how many events of a stream it happens; none for faults that are not of that kind.
    pub fn after_events(&self) -> Option<u64> {
        match self {
            Self::GrpcStatus { after_events, .. }
            | Self::StreamAuthError { after_events }
            | Self::StreamStall { after_events }
            | Self::StreamClose { after_events }
            | Self::StreamCut { after_events }
            | Self::StreamReset { after_events }
            | Self::ConnectionReset { after_events } => Some(*after_events),
            _ => None,
        }
    }

    /// Whether this fault waits for a record write or a bulk job instead of acting on the request.
    pub fn waits(&self) -> bool {
        self.is_for_rows() || matches!(self, Self::BulkFailure { .. })
    }

    /// Whether this fault waits for a record write.
    pub fn is_for_rows(&self) -> bool {
        matches!(self, Self::RowLock {} | Self::RowError { .. })
    }

    /// Whether this fault waits for an outbound message or a callout.
    pub fn is_for_deliveries(&self) -> bool {
        matches!(
            self,
            Self::DeliveryLost {}
                | Self::DeliveryDuplicated {}
                | Self::DeliveryDelayed { .. }
                | Self::DeliveryReordered {}
                | Self::AckIgnored { .. }
        )
    }

    /// Whether this fault acts on a request as a whole.
    pub fn is_for_requests(&self) -> bool {
        !self.waits() && !self.is_for_deliveries() && !self.is_for_events()
    }
}

impl FaultPlan {
    /// Reads a plan: an object with `seed` and `rules`, or just the list of rules.
    ///
    /// # Errors
    /// A sentence that says which rule is wrong and how.
    pub fn parse(value: serde_json::Value) -> Result<Self, String> {
        let plan: Self = match value {
            serde_json::Value::Array(rules) => Self {
                seed: 0,
                rules: serde_json::from_value(rules.into()).map_err(|e| e.to_string())?,
            },
            other => serde_json::from_value(other).map_err(|error| error.to_string())?,
        };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), String> {
        if self.rules.len() > MAX_RULES {
            return Err(format!(
                "{} rules, at most {MAX_RULES} are allowed",
                self.rules.len()
            ));
        }
        let wrong =
            |index: usize, rule: &Rule| rule.complaint().map(|why| format!("rule {}: {why}", index + 1));
        self.rules
            .iter()
            .enumerate()
            .find_map(|(index, rule)| wrong(index, rule))
            .map_or(Ok(()), Err)
    }
}

impl Rule {
    /// The name for log and list.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.fault.kind().to_owned())
    }

    fn complaint(&self) -> Option<String> {
        let chance_ok = self
            .when
            .probability
            .is_none_or(|chance| (0.0..=1.0).contains(&chance));
        if !chance_ok {
            return Some("probability must be between 0 and 1".to_owned());
        }
        if self.when.every == Some(0) || self.when.nth.contains(&0) {
            return Some("requests are counted from 1, so 0 never happens".to_owned());
        }
        if self.fault.is_for_events() && self.when.method.is_some() {
            return Some("an event has no method".to_owned());
        }
        match &self.fault {
            Fault::EventDelay { events: Some(0) } => {
                Some("an event is delayed by at least one other".to_owned())
            }
            Fault::LateCommit { seconds } if *seconds > MAX_LATE_SECONDS => Some(format!(
                "a transaction ends after at most {MAX_LATE_SECONDS} seconds"
            )),
            Fault::Latency {
                millis,
                jitter_millis,
            } if millis.saturating_add(*jitter_millis) > MAX_DELAY_MILLIS => {
                Some(format!("a delay is at most {MAX_DELAY_MILLIS} milliseconds"))
            }
            Fault::DeliveryDelayed { millis } if *millis > MAX_DELIVERY_DELAY_MILLIS => Some(format!(
                "a delivery is delayed by at most {MAX_DELIVERY_DELAY_MILLIS} milliseconds"
            )),
            Fault::SlowBody { millis } | Fault::StreamThrottle { millis } if *millis > MAX_DELAY_MILLIS => {
                Some(format!("a delay is at most {MAX_DELAY_MILLIS} milliseconds"))
            }
            Fault::ServerError { status, .. } if !matches!(status, 500..=599 | 406 | 420) => Some(format!(
                "status {status} is not one that a stumbling instance gives"
            )),
            Fault::GrpcStatus { code, error_code, .. } => {
                refusal::complaint(code.as_deref(), error_code.as_deref())
            }
            Fault::RowError { error_code, .. } if super::rows::typical(error_code).is_none() => Some(
                format!("errorCode {error_code} is not one of {}", super::rows::known()),
            ),
            _ => None,
        }
    }
}
