//! What a sender of outbound messages hears: the one acknowledgement that Salesforce takes, or a SOAP fault.

use axum::body::Body;
use axum::response::Response;
use cpq_domain::Error;
use http::{HeaderValue, StatusCode, header};

/// The acknowledgement (SOAP API Developer Guide, "Understanding the Outbound Messaging WSDL"). One for the whole
/// envelope; anything else, with whatever status, counts as a failure, and the envelope comes again for 24 hours.
const ACK: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
    <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse>\
    </soapenv:Body></soapenv:Envelope>";

/// Everything is taken.
pub(super) fn ack() -> Response {
    xml(StatusCode::OK, ACK.to_owned())
}

/// Not everything is taken; let it come again. SOAP 1.1 §6.2 gives every fault the status 500, whose fault it ever is;
/// §4.4.1 tells the two apart by code.
pub(super) fn fault(error: &Error, correlation: &str) -> Response {
    let whose = match error.class().passes_with_time() || error.code.http_status() >= 424 {
        true => "Server",
        false => "Client",
    };
    let text = format!("{}: {error}; {} ({correlation})", error.code, error.advice());
    let text = escaped(&text);
    xml(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
             <soapenv:Fault><faultcode>soapenv:{whose}</faultcode><faultstring>{text}</faultstring></soapenv:Fault>\
             </soapenv:Body></soapenv:Envelope>"
        ),
    )
}

fn xml(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/xml; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Text that means itself between two tags. Characters that XML 1.0 §2.2 does not know become a blank.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
