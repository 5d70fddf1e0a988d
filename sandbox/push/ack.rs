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

#[cfg(test)]
mod tests {
    use super::read;
    use proptest::prelude::*;

    const GOOD: &str = r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></S:Body></S:Envelope>"#;

    #[test]
    fn the_exact_shape_is_read() {
        assert_eq!(read(GOOD.as_bytes()), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn garbage_is_refused_and_never_more(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn things_that_look_like_xml_are_refused_and_never_more(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "<", ">", "</", "/>", "a", "S:Envelope", " xmlns:S=\"", "\"", "'", "<!DOCTYPE a [", "<!ENTITY b \"", "]>",
                    "&b;", "&#0;", "&#x110000;", "<![CDATA[", "]]>", "<!--", "-->", "<?xml version=\"1.0\"?>", "<?x", "?>",
                    "\u{FEFF}", "\u{0}", "true", " ", "http://schemas.xmlsoap.org/soap/envelope/", "xmlns=\"\"",
                ]),
                0..200,
            )
        ) {
            prop_assert!(read(parts.concat().as_bytes()).is_err());
        }

        #[test]
        fn a_good_answer_with_damage_is_read_without_harm(at in 0..GOOD.len(), cut in 0_usize..20, put in "\\PC{0,12}") {
            let end = (at + cut).min(GOOD.len());
            let damaged = format!("{}{put}{}", &GOOD[..at], &GOOD[end..]);
            // Some damage is none (white space, a longer prefix); what counts is that "true" is still said.
            if read(damaged.as_bytes()).is_ok() {
                prop_assert!(damaged.contains("true"), "{damaged}");
            }
        }
    }
}
