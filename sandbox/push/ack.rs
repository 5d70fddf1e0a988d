//! The acknowledgement of an outbound message. It comes from outside, so it is read with suspicion: bounded, without
//! document types, and anything but the exact shape is no acknowledgement.

use super::envelope::{OUTBOUND, SOAP};
use roxmltree::{Document, Node, ParsingOptions};

/// Most nodes of an answer; a right one has about ten.
const MAX_NODES: u32 = 1_000;

/// Whether this body acknowledges the message.
///
/// # Errors
/// Says why it does not.
pub fn read(body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    // A byte order mark is allowed before the declaration.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| format!("the answer is no XML that is accepted: {error}"))?;
    let envelope = document.root_element();
    if !envelope.has_tag_name((SOAP, "Envelope")) {
        return Err("the answer is no SOAP 1.1 envelope".to_owned());
    }
    let body = only(envelope, |node| !node.has_tag_name((SOAP, "Header")))
        .filter(|node| node.has_tag_name((SOAP, "Body")))
        .ok_or("the answer's envelope has not exactly one Body")?;
    let response = only(body, |_| true)
        .filter(|node| node.has_tag_name((OUTBOUND, "notificationsResponse")))
        .ok_or("the answer's Body is not exactly one notificationsResponse of the outbound namespace")?;
    let ack = only(response, |_| true)
        .filter(|node| node.has_tag_name((OUTBOUND, "Ack")))
        .ok_or("the answer's notificationsResponse is not exactly one Ack of the outbound namespace")?;
    let plain = ack.children().all(|node| node.is_text());
    match ack.text().map(str::trim) {
        Some("true") if plain => Ok(()),
        _ => Err("the answer's Ack is not true".to_owned()),
    }
}

/// The one child element that is wanted; none when there are none or several, or text beside it.
fn only<'a, 'i>(parent: Node<'a, 'i>, wanted: impl Fn(&Node<'a, 'i>) -> bool) -> Option<Node<'a, 'i>> {
    let stray = |node: Node| node.is_text() && !node.text().unwrap_or_default().trim().is_empty();
    let mut found = parent.children().filter(Node::is_element).filter(wanted);
    let first = found.next();
    first.filter(|_| found.next().is_none() && !parent.children().any(stray))
}
