//! Why a call ends in an error: status, `error-code` trailer and text of each cause ("Handle Errors", Pub/Sub API).
//!
//! Clients are told to decide by the trailer. The status of some causes is known from recordings, of the others it is
//! the one that gRPC's own descriptions suggest; the README lists the doubts.

use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Code, Status};

/// What every error code begins with.
const FAMILY: &str = "sfdc.platform.eventbus.grpc.";

/// A cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The error code without its family.
    suffix: &'static str,
    code: Code,
    text: &'static str,
}

/// A cause with what is particular to this case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    /// None for errors that the service itself knows nothing of: those carry neither code nor id.
    suffix: Option<&'static str>,
    text: String,
}

impl Reason {
    /// The cause with this error code, with or without the family's name.
    pub fn named(code: &str) -> Option<Reason> {
        let suffix = code.strip_prefix(FAMILY).unwrap_or(code);
        ALL.iter().find(|reason| reason.suffix == suffix).copied()
    }

    /// The same cause with another text.
    pub fn because(self, text: impl Into<String>) -> Refusal {
        Refusal {
            text: text.into(),
            ..self.into()
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            code: reason.code,
            suffix: Some(reason.suffix),
            text: reason.text.to_owned(),
        }
    }
}

impl Refusal {
    /// An error of the network or of a server before the service.
    pub fn foreign(code: Code, text: &str) -> Self {
        Self {
            code,
            suffix: None,
            text: text.to_owned(),
        }
    }

    /// A request larger than the service takes never reaches it; this is what its proxy says ("Event Allocations").
    pub fn too_large() -> Self {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: remote reset";
        Self::foreign(Code::Unavailable, text)
    }

    /// The same with another status.
    pub fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// What a client sees. The id of the call is in text and trailers of the service's own errors.
    pub fn status(&self, rpc_id: &str) -> Status {
        let Some(suffix) = self.suffix else {
            return Status::new(self.code, self.text.clone());
        };
        let mut trailers = MetadataMap::new();
        let both = [
            ("error-code", format!("{FAMILY}{suffix}")),
            ("rpc-id", rpc_id.to_owned()),
        ];
        for (name, value) in both {
            if let Ok(value) = AsciiMetadataValue::try_from(value) {
                trailers.insert(name, value);
            }
        }
        Status::with_metadata(self.code, format!("{} rpcId: {rpc_id}", self.text), trailers)
    }
}

/// A status by the name it has in JSON, such as `UNAVAILABLE`.
pub fn code_named(name: &str) -> Option<Code> {
    STATUSES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, code)| *code)
}

/// The name of a status.
pub fn name_of(code: Code) -> &'static str {
    let known = STATUSES.iter().find(|(_, known)| *known == code);
    known.map_or("UNKNOWN", |(name, _)| name)
}

/// What is wrong with these words of a fault rule.
pub fn complaint(code: Option<&str>, error_code: Option<&str>) -> Option<String> {
    if let Some(name) = code.filter(|name| matches!(code_named(name), None | Some(Code::Ok))) {
        return Some(format!(
            "code {name} is not the name of a gRPC error, such as UNAVAILABLE"
        ));
    }
    if let Some(named) = error_code.filter(|named| Reason::named(named).is_none()) {
        let known: Vec<_> = ALL.iter().map(|reason| reason.suffix).collect();
        return Some(format!("errorCode {named} is not one of {}", known.join(", ")));
    }
    (code.is_none() && error_code.is_none()).then(|| "code or errorCode must be given".to_owned())
}

/// gRPC status codes ("Status codes and their use in gRPC").
const STATUSES: [(&str, Code); 17] = [
    ("OK", Code::Ok),
    ("CANCELLED", Code::Cancelled),
    ("UNKNOWN", Code::Unknown),
    ("INVALID_ARGUMENT", Code::InvalidArgument),
    ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
    ("NOT_FOUND", Code::NotFound),
    ("ALREADY_EXISTS", Code::AlreadyExists),
    ("PERMISSION_DENIED", Code::PermissionDenied),
    ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
    ("FAILED_PRECONDITION", Code::FailedPrecondition),
    ("ABORTED", Code::Aborted),
    ("OUT_OF_RANGE", Code::OutOfRange),
    ("UNIMPLEMENTED", Code::Unimplemented),
    ("INTERNAL", Code::Internal),
    ("UNAVAILABLE", Code::Unavailable),
    ("DATA_LOSS", Code::DataLoss),
    ("UNAUTHENTICATED", Code::Unauthenticated),
];

macro_rules! reasons {
    ($($name:ident = $suffix:literal, $code:ident, $text:literal;)*) => {
        impl Reason {
            $(
                #[doc = concat!("`", $suffix, "`: ", $text)]
                pub const $name: Reason = Reason { suffix: $suffix, code: Code::$code, text: $text };
            )*
        }

        /// Every cause.
        const ALL: &[Reason] = &[$(Reason::$name),*];
    };
}

reasons! {
    SERVICE_UNAVAILABLE = "service.unavailable", Internal, "The service is unavailable. Try again later.";
    AUTH_ERROR = "service.auth.error", Unauthenticated,
        "An authentication exception occurred. Provide valid authentication via metadata headers.";
    AUTH_HEADERS_INVALID = "service.auth.headers.invalid", Unauthenticated,
        "An authentication header is blank or malformed. Send accesstoken, instanceurl and tenantid.";
    AUTH_REFRESH_INVALID = "service.auth.refresh.invalid", Unauthenticated, "The auth refresh is not a valid token.";
    STREAM_PROTECTION = "service.protection.stream.limit.triggered", ResourceExhausted,
        "The service received too many requests on this stream.";
    PROTECTION = "service.protection.triggered", ResourceExhausted,
        "The service received too many connections and doesn't have the resources to accept new connections.";
    TENANT_LICENSE = "service.tenant.license", PermissionDenied, "The org is not licensed for the Pub/Sub API.";
    CLIENT_LIMIT = "concurrent.client.limit.exceeded", ResourceExhausted,
        "Too many clients publish and subscribe at the same time.";
    TOPIC_NOT_FOUND = "topic.not.found", NotFound, "The topic is not found.";
    TOPIC_EMPTY = "topic.validation.empty", InvalidArgument, "The topic name can't be blank.";
    TOPIC_PERMISSION = "topic.meta.permission", PermissionDenied,
        "The topic cannot be accessed. Ensure the credentials and topic name are correct.";
    TOPIC_UNAVAILABLE = "topic.api.unavailable", Unavailable, "The topic information is unavailable. Try again later.";
    SCHEMA_PERMISSION = "schema.meta.permission", PermissionDenied,
        "The schema cannot be accessed. Ensure the credentials and schema ID are correct.";
    SCHEMA_UNAVAILABLE = "schema.api.unavailable", Unavailable,
        "The schema information is unavailable. Try again later.";
    SCHEMA_INVALID = "schema.validation.failed", InvalidArgument,
        "Schema validation failed. The schema ID can't be blank.";
    REPLAY_CORRUPTED = "subscription.fetch.replayid.corrupted", InvalidArgument,
        "The Replay ID validation failed. Ensure that the Replay ID is valid and within the retention window.";
    REPLAY_MISSING = "subscription.fetch.replayid.validation.failed", InvalidArgument,
        "The replay preset CUSTOM needs a Replay ID.";
    REPLAY_REPEATED = "subscription.fetch.replay.repeated", Internal,
        "An event came with a lower Replay ID than the one before. Restart the subscription.";
    DELIVERY_LIMIT = "subscription.limit.exceeded", ResourceExhausted,
        "You have exceeded the event delivery limit for your org.";
    OVERFLOW = "subscription.fetch.overflow", ResourceExhausted, "More events were requested than were drained.";
    COUNT_INVALID = "subscription.fetch.requested.events.invalid", InvalidArgument,
        "The number of requested events must be greater than 0.";
    TOPIC_MISMATCH = "subscription.fetch.topic.mismatch", InvalidArgument,
        "The topic name differs from the one of the first request on this stream.";
    FETCH_INVALID = "subscription.fetch.request.invalid", InvalidArgument, "The fetch request lacks an auth refresh.";
    CANNOT_SUBSCRIBE = "subscription.topic.cannot.subscribe", PermissionDenied,
        "The user is not permitted to subscribe to the topic.";
    SUBSCRIPTION_INTERNAL = "subscription.internal.error", Internal,
        "An internal error occurred. Restart the subscription.";
    PUBLISH_IDLE = "publish.stream.sweeper.timeout", DeadlineExceeded,
        "No event was published on this stream for too long.";
    PUBLISH_REFRESH = "publish.auth.refresh.invalid", InvalidArgument,
        "The first publish request can't have an auth refresh.";
    PUBLISH_EMPTY = "publish.event.count.invalid", InvalidArgument, "The publish request has no events.";
    PUBLISH_MISMATCH = "publish.topic.mismatch", InvalidArgument,
        "The topic name differs from the one of the first request on this stream.";
    PUBLISH_TOPIC_EMPTY = "publish.topic.validation.empty", InvalidArgument, "The topic name can't be blank.";
    MANAGED_ACTIVE = "managed.subscription.already.active", AlreadyExists,
        "A stream of this managed subscription is already active.";
    MANAGED_STOPPED = "managed.subscription.config.stopped", FailedPrecondition,
        "The managed subscription is in state STOP.";
    MANAGED_DELETED = "managed.subscription.config.deleted", NotFound, "The managed subscription was deleted.";
    MANAGED_NAME_NOT_FOUND = "managed.subscription.developer.name.not.found", NotFound,
        "There is no managed subscription with this developer name.";
    MANAGED_ID_NOT_FOUND = "managed.subscription.subscription.id.not.found", NotFound,
        "There is no managed subscription with this ID.";
    MANAGED_ID_INVALID = "managed.subscription.subscription.id.invalid", InvalidArgument,
        "The ID of a managed subscription has 15 or 18 characters.";
    MANAGED_WHICH = "managed.subscription.id.or.developer.name.empty", InvalidArgument,
        "Either a subscription ID or a developer name must be given, and not both.";
    MANAGED_COUNT_INVALID = "managed.subscription.fetch.request.events.invalid", InvalidArgument,
        "The number of requested events can't be negative.";
    MANAGED_FETCH_INVALID = "managed.subscription.fetch.request.invalid", InvalidArgument,
        "A request for no events must have a commit or an auth refresh.";
    MANAGED_COMMIT_RESTRICTED = "managed.subscription.fetch.request.commit.request.restricted", InvalidArgument,
        "The first request can't have a commit.";
    MANAGED_AUTH_RESTRICTED = "managed.subscription.fetch.request.auth.request.restricted", InvalidArgument,
        "The first request can't have an auth refresh.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_code_and_the_call_in_trailers_and_text() {
        let status = Refusal::from(Reason::REPLAY_CORRUPTED).status("ab-1");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().ends_with(" rpcId: ab-1"), "{}", status.message());
        let trailer = |name: &str| status.metadata().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            trailer("error-code"),
            "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted"
        );
        assert_eq!(trailer("rpc-id"), "ab-1");
        let foreign = Refusal::too_large().status("ab-1");
        assert!(foreign.metadata().is_empty() && !foreign.message().contains("ab-1"));
    }

    #[test]
    fn every_code_is_found_by_its_name_and_no_two_are_alike() {
        for reason in ALL {
            assert_eq!(Reason::named(reason.suffix), Some(*reason));
            assert_eq!(
                Reason::named(&format!("{FAMILY}{}", reason.suffix)),
                Some(*reason)
            );
        }
        assert_eq!(Reason::named("service.asleep"), None);
    }

    #[test]
    fn rules_with_unknown_words_are_complained_about() {
        assert_eq!(complaint(Some("UNAVAILABLE"), Some("service.unavailable")), None);
        for (code, error_code) in [
            (Some("OK"), None),
            (Some("Unavailable"), None),
            (None, Some("x")),
            (None, None),
        ] {
            assert!(complaint(code, error_code).is_some(), "{code:?} {error_code:?}");
        }
    }
}
