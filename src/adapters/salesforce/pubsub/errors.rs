//! What the Pub/Sub API says when it refuses, in the words of the house.
//!
//! Source: Pub/Sub API Documentation, "Handle Errors". The trailer `error-code` decides; the status of gRPC only where
//! there is none, as from a proxy or a broken connection.

use cpq_domain::{Code, Error};
use tonic::Status;

use crate::limits::{CONCURRENT_LIMIT_RETRY_MS, DAILY_LIMIT_RETRY_MS, LIMIT_RETRY_MS};

/// Before every code of the service.
const FAMILY: &str = "sfdc.platform.eventbus.grpc.";

const CHOOSE_OBJECTS: &str = "in Salesforce Setup, open Change Data Capture and select the objects that are synced \
    (Opportunity, Quote, Account, Contact, OpportunityContactRole), and check the name of the topic";
const ALLOW_USER: &str = "in Salesforce Setup, give the integration user View All Data, or View All Records on every \
    object of the topic; of a platform event, read access";
const LICENSE: &str =
    "ask Salesforce to enable the Pub/Sub API for the org, or take the topics out of the configuration";
const RECONNECT: &str =
    "check the connection with `cpq auth status`, and connect again if its org or address changed";

/// What a refusal is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) connection: &'a str,
    /// What was done, e.g. `subscribe to /data/ChangeEvents`.
    pub(super) what: &'a str,
}

/// How a code is treated, and what can be done about it beyond the usual.
type Verdict = (Code, Option<&'static str>, Option<u64>);

/// The error of a call that ended with this status.
pub(super) fn refusal(about: About, status: &Status) -> Error {
    let trailer = status.metadata().get("error-code");
    let told = trailer.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = told.strip_prefix(FAMILY).unwrap_or(told);
    let (code, next, wait) = known(name).unwrap_or_else(|| by_status(status.code()));
    let said = match (status.message().trim(), name) {
        ("", "") => format!("{:?}", status.code()),
        (text, "") => text.to_owned(),
        (text, name) => format!("{text} ({name})"),
    };
    let mut error = Error::new(code, sentence(code, about.what, &said))
        .connection(about.connection)
        .upstream(0, told, status.message());
    error.next = next.map(str::to_owned);
    error.retry_after_ms = wait;
    error
}

fn sentence(code: Code, what: &str, said: &str) -> String {
    match code {
        Code::CrmUnavailable => format!("Salesforce could not {what} just now: {said}"),
        Code::CrmLimit => format!("Salesforce did not {what}, because a limit is used up: {said}"),
        Code::CursorExpired => {
            format!(
                "Salesforce cannot {what} behind the stored position, which is too old or of another org: {said}"
            )
        }
        _ => format!("Salesforce refused to {what}: {said}"),
    }
}

/// The codes of the service, without their family.
fn known(name: &str) -> Option<Verdict> {
    let verdict = match name {
        "subscription.fetch.replayid.corrupted" | "subscription.fetch.replayid.validation.failed" => {
            (Code::CursorExpired, None, None)
        }
        "service.auth.error" | "service.auth.refresh.invalid" => (Code::SessionRefused, None, None),
        "service.auth.headers.invalid" => (Code::ConfigInvalid, Some(RECONNECT), None),
        "service.tenant.license" => (Code::CrmForbidden, Some(LICENSE), None),
        "topic.not.found" | "topic.validation.empty" => (Code::SchemaDrift, Some(CHOOSE_OBJECTS), None),
        "topic.meta.permission" | "schema.meta.permission" | "subscription.topic.cannot.subscribe" => {
            (Code::CrmForbidden, Some(ALLOW_USER), None)
        }
        "service.protection.stream.limit.triggered" | "service.protection.triggered" => {
            (Code::CrmLimit, None, Some(CONCURRENT_LIMIT_RETRY_MS))
        }
        "concurrent.client.limit.exceeded" => (Code::CrmLimit, None, Some(LIMIT_RETRY_MS)),
        // The allowance is one of 24 hours, over all subscribers of the org.
        "subscription.limit.exceeded" => (Code::CrmLimit, None, Some(DAILY_LIMIT_RETRY_MS)),
        "service.unavailable" | "topic.api.unavailable" | "schema.api.unavailable" | "subscription.internal.error"
        // An event came with a lower id than the one before it: the subscription has to be opened again.
        | "subscription.fetch.replay.repeated" => (Code::CrmUnavailable, None, None),
        "schema.validation.failed" | "subscription.fetch.overflow" | "subscription.fetch.requested.events.invalid"
        | "subscription.fetch.topic.mismatch" | "subscription.fetch.request.invalid" => {
            (Code::ProtocolViolation, None, None)
        }
        _ => return None,
    };
    Some(verdict)
}

fn by_status(status: tonic::Code) -> Verdict {
    use tonic::Code as Grpc;
    match status {
        Grpc::Unauthenticated => (Code::SessionRefused, None, None),
        Grpc::PermissionDenied => (Code::CrmForbidden, Some(ALLOW_USER), None),
        Grpc::NotFound => (Code::SchemaDrift, Some(CHOOSE_OBJECTS), None),
        Grpc::ResourceExhausted => (Code::CrmLimit, None, Some(LIMIT_RETRY_MS)),
        Grpc::Unimplemented => (Code::Unsupported, None, None),
        Grpc::InvalidArgument | Grpc::FailedPrecondition | Grpc::OutOfRange | Grpc::AlreadyExists => {
            (Code::ProtocolViolation, None, None)
        }
        // What a reset stream, a closed connection or a proxy that gives up looks like. `Ok` is no refusal.
        Grpc::Ok
        | Grpc::Cancelled
        | Grpc::Unknown
        | Grpc::DeadlineExceeded
        | Grpc::Aborted
        | Grpc::Internal
        | Grpc::Unavailable
        | Grpc::DataLoss => (Code::CrmUnavailable, None, None),
    }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataMap;

    use super::*;

    fn refused(status: tonic::Code, trailer: &str) -> Error {
        let mut trailers = MetadataMap::new();
        if !trailer.is_empty() {
            trailers.insert("error-code", trailer.parse().expect("ASCII"));
        }
        let status = Status::with_metadata(status, "Its words. rpcId: 1", trailers);
        let about = About {
            connection: "crm",
            what: "subscribe to /data/ChangeEvents",
        };
        refusal(about, &status)
    }

    #[test]
    fn every_code_of_the_service_has_its_class() {
        let cases = [
            ("service.unavailable", Code::CrmUnavailable),
            ("service.auth.error", Code::SessionRefused),
            ("service.auth.headers.invalid", Code::ConfigInvalid),
            ("service.auth.refresh.invalid", Code::SessionRefused),
            ("service.protection.stream.limit.triggered", Code::CrmLimit),
            ("service.protection.triggered", Code::CrmLimit),
            ("service.tenant.license", Code::CrmForbidden),
            ("concurrent.client.limit.exceeded", Code::CrmLimit),
            ("topic.not.found", Code::SchemaDrift),
            ("topic.validation.empty", Code::SchemaDrift),
            ("topic.meta.permission", Code::CrmForbidden),
            ("schema.meta.permission", Code::CrmForbidden),
            ("topic.api.unavailable", Code::CrmUnavailable),
            ("schema.api.unavailable", Code::CrmUnavailable),
            ("schema.validation.failed", Code::ProtocolViolation),
            ("subscription.fetch.replayid.corrupted", Code::CursorExpired),
            (
                "subscription.fetch.replayid.validation.failed",
                Code::CursorExpired,
            ),
            ("subscription.fetch.replay.repeated", Code::CrmUnavailable),
            ("subscription.limit.exceeded", Code::CrmLimit),
            ("subscription.fetch.overflow", Code::ProtocolViolation),
            (
                "subscription.fetch.requested.events.invalid",
                Code::ProtocolViolation,
            ),
            ("subscription.fetch.topic.mismatch", Code::ProtocolViolation),
            ("subscription.fetch.request.invalid", Code::ProtocolViolation),
            ("subscription.topic.cannot.subscribe", Code::CrmForbidden),
            ("subscription.internal.error", Code::CrmUnavailable),
        ];
        for (name, code) in cases {
            // The status must not matter.
            for status in [tonic::Code::InvalidArgument, tonic::Code::Internal] {
                let error = refused(status, &format!("{FAMILY}{name}"));
                assert_eq!(error.code, code, "{name}");
                assert!(
                    error.message.contains(name) && error.message.contains("Its words."),
                    "{error}"
                );
                assert_eq!(error.upstream.expect("its words").code, format!("{FAMILY}{name}"));
            }
            assert!(known(name).is_some(), "{name}");
        }
    }

    #[test]
    fn without_a_code_the_status_decides() {
        for (status, code) in [
            (tonic::Code::Unauthenticated, Code::SessionRefused),
            (tonic::Code::PermissionDenied, Code::CrmForbidden),
            (tonic::Code::NotFound, Code::SchemaDrift),
            (tonic::Code::ResourceExhausted, Code::CrmLimit),
            (tonic::Code::InvalidArgument, Code::ProtocolViolation),
            (tonic::Code::Unimplemented, Code::Unsupported),
            (tonic::Code::Internal, Code::CrmUnavailable),
            (tonic::Code::Unknown, Code::CrmUnavailable),
            (tonic::Code::Unavailable, Code::CrmUnavailable),
        ] {
            assert_eq!(refused(status, "").code, code, "{status:?}");
            assert_eq!(
                refused(status, "sfdc.platform.eventbus.grpc.brand.new").code,
                code,
                "{status:?}"
            );
        }
    }

    #[test]
    fn what_time_does_not_heal_says_what_to_do_in_setup() {
        for name in [
            "topic.not.found",
            "topic.meta.permission",
            "subscription.topic.cannot.subscribe",
        ] {
            let error = refused(tonic::Code::Unknown, &format!("{FAMILY}{name}"));
            assert!(error.advice().contains("Setup"), "{name}: {}", error.advice());
            assert!(!error.class().passes_with_time(), "{name}");
        }
    }
}
