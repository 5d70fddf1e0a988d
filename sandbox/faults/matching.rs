//! Does a request fit a rule?

use super::rule::{Fault, When};
use crate::bulk::classic;
use std::borrow::Cow;

/// What rules can see of a request.
#[derive(Clone, Debug)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The client's name, empty when unknown.
    pub client: String,
    /// Topic of a call of the Pub/Sub API.
    pub topic: Option<String>,
    /// The decoded body.
    pub body: axum::body::Bytes,
}

impl Call {
    /// Whether this is a call of the Pub/Sub API; its method is `GRPC`.
    pub fn is_grpc(&self) -> bool {
        self.method == "GRPC"
    }

    /// Whether its answer is a stream.
    fn is_stream(&self) -> bool {
        ["/Subscribe", "/ManagedSubscribe", "/PublishStream"]
            .iter()
            .any(|method| self.target.ends_with(method))
    }

    /// Whether this goes to the data API proper: not the list of versions, which needs no session.
    pub fn is_data(&self) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        path.strip_prefix("/services/data")
            .is_some_and(|rest| rest.len() > 1)
    }

    /// Whether this is a call of the SOAP API that needs a session.
    pub fn is_soap_data(&self) -> bool {
        let logs_in = [&b"<login"[..], b":login"]
            .into_iter()
            .any(|lead| find_ignoring_case(&self.body, lead).is_some());
        self.is_soap() && !logs_in
    }

    /// Whether this goes to the SOAP API.
    pub fn is_soap(&self) -> bool {
        self.target.starts_with("/services/Soap/")
    }

    /// Whether this speaks of a bulk job rather than bringing its data.
    fn is_job(&self) -> bool {
        self.target.contains("/jobs/") && !self.target.contains("/batches")
    }

    /// Whether this goes to the older API for bulk jobs.
    pub fn is_classic_bulk(&self) -> bool {
        classic::concerns(&self.target)
    }

    fn is_token(&self) -> bool {
        self.target.split('?').next() == Some("/services/oauth2/token")
    }

    fn is_refresh(&self) -> bool {
        self.is_token() && find_ignoring_case(&self.body, b"grant_type=refresh_token").is_some()
    }
}

/// Everything about a rule's fit that does not depend on earlier requests.
pub fn fits(when: &When, fault: &Fault, call: &Call) -> bool {
    in_habitat(fault, call)
        && when
            .method
            .as_ref()
            .is_none_or(|method| method.eq_ignore_ascii_case(&call.method))
        && when
            .path
            .as_ref()
            .is_none_or(|part| call.target.contains(part.as_str()))
        && when
            .topic
            .as_ref()
            .is_none_or(|topic| call.topic.as_ref() == Some(topic))
        && when
            .client
            .as_ref()
            .is_none_or(|part| call.client.contains(part.as_str()))
        && when
            .object
            .as_ref()
            .is_none_or(|object| !fault.is_for_requests() || touches(call, object))
}

/// Some faults exist only on some paths: a token endpoint never answers `INVALID_SESSION_ID`.
fn in_habitat(fault: &Fault, call: &Call) -> bool {
    if fault.is_for_grpc() != call.is_grpc() && !matches!(fault, Fault::Latency { .. }) {
        return false;
    }
    match fault {
        Fault::StreamClose { .. } | Fault::StreamThrottle { .. } => call.is_stream(),
        Fault::SessionExpired {} | Fault::RequestLimit { .. } => {
            call.is_data() || call.is_soap_data() || call.is_classic_bulk()
        }
        Fault::AlreadyProcessing {} => call.is_refresh(),
        Fault::InvalidGrant { .. } | Fault::TokenHtmlMaintenance {} => call.is_token(),
        _ => true,
    }
}

/// Whether the request names this object, in its path, its query or, for composite, SOAP requests and bulk jobs, its
/// body.
fn touches(call: &Call, object: &str) -> bool {
    let target = decoded(&call.target);
    let in_body =
        call.target.contains("/composite") || call.is_soap() || call.is_job() || call.is_classic_bulk();
    names(target.as_bytes(), object) || (in_body && names(&call.body, object))
}

fn names(text: &[u8], object: &str) -> bool {
    let before = [
        "/sobjects/",
        "/tree/",
        "from ",
        "from+",
        "\"type\":\"",
        "\"type\": \"",
        "type>",
        "object>",
        "\"object\":\"",
        "\"object\": \"",
    ];
    before.iter().any(|lead| {
        let needle = format!("{lead}{object}");
        let mut rest = text;
        while let Some(at) = find_ignoring_case(rest, needle.as_bytes()) {
            rest = &rest[at + needle.len()..];
            // `Opportunity` must not be found in `OpportunityLineItem`.
            if !rest
                .first()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            {
                return true;
            }
        }
        false
    })
}

fn decoded(target: &str) -> Cow<'_, str> {
    if !target.contains(['%', '+']) {
        return Cow::Borrowed(target);
    }
    // Enough of percent-decoding for the words of a query; `+` is matched as it stands.
    Cow::Owned(target.replace("%20", " ").replace("%2F", "/").replace("%2f", "/"))
}

fn find_ignoring_case(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(target: &str, body: &'static str) -> Call {
        let body = axum::body::Bytes::from_static(body.as_bytes());
        Call {
            method: "GET".into(),
            target: target.into(),
            client: String::new(),
            topic: None,
            body,
        }
    }

    #[test]
    fn an_object_is_found_in_path_query_and_composite_body_but_not_inside_a_longer_name() {
        assert!(touches(
            &call("/services/data/v68.0/sobjects/opportunity/006", ""),
            "Opportunity"
        ));
        assert!(touches(
            &call("/services/data/v68.0/query?q=SELECT+Id+FROM+Opportunity", ""),
            "Opportunity"
        ));
        assert!(touches(
            &call(
                "/services/data/v68.0/query?q=SELECT%20Id%20FROM%20Opportunity",
                ""
            ),
            "Opportunity"
        ));
        let body = r#"{"records":[{"attributes":{"type":"Opportunity"}}]}"#;
        assert!(touches(
            &call("/services/data/v68.0/composite/sobjects", body),
            "Opportunity"
        ));
        assert!(!touches(
            &call("/services/data/v68.0/sobjects/OpportunityLineItem", ""),
            "Opportunity"
        ));
        assert!(!touches(
            &call("/services/data/v68.0/sobjects/Account", body),
            "Opportunity"
        ));
    }
}
