//! The SOAP 1.1 envelope of an outbound message, read with suspicion.
//!
//! Source: SOAP API Developer Guide, "Outbound Messaging" and "Understanding the Outbound Messaging WSDL". Of the
//! session id only is looked whether there is one: it opens the org to whoever holds it.

use std::collections::BTreeMap;

use cpq_domain::{Code, Error, Result};
use roxmltree::{Document, Node, ParsingOptions};

use super::scan::{self, Danger};
use crate::limits;

/// Namespace of a SOAP 1.1 envelope.
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of the message.
const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
/// Namespace of the record.
const SOBJECT: &str = "urn:sobject.enterprise.soap.sforce.com";
/// Namespace of `xsi:type`.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An outbound message.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    /// The org that says it, as it writes its id.
    pub(super) organization: String,
    /// Which outbound message of the org this is; for people.
    pub(super) action: String,
    /// Whether it brought a session id along.
    pub(super) with_session: bool,
    /// What it tells, between one and [`limits::NOTIFICATIONS`].
    pub(super) notifications: Vec<Notification>,
}

/// One record that changed.
#[derive(Debug, PartialEq)]
pub(super) struct Notification {
    /// Its id, the same on every repeat.
    pub(super) id: String,
    /// Kind of the record, e.g. `Opportunity`.
    pub(super) object: String,
    /// Fields of the record as text, among them always `Id`. Empty ones are left out, as Salesforce does.
    pub(super) fields: BTreeMap<String, String>,
}

/// Reads the envelope.
///
/// # Errors
/// [`Code::RequestInvalid`] when it is not what Salesforce sends: nothing of it is taken then.
pub(super) fn read(bytes: &[u8]) -> Result<Message> {
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    scan::check(text, limits::XML_DEPTH).map_err(|danger| match danger {
        Danger::Declaration => wrong("it holds a document type or entity declaration, which SOAP forbids"),
        Danger::Depth => wrong(format!("its elements nest deeper than {}", limits::XML_DEPTH)),
        Danger::Unfinished => wrong("it breaks off within markup"),
    })?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: limits::XML_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| wrong(error.to_string()))?;
    let envelope = document.root_element();
    if !envelope.has_tag_name((SOAP, "Envelope")) {
        return Err(wrong("it is no SOAP 1.1 envelope"));
    }
    message(one(one(envelope, SOAP, "Body")?, OUTBOUND, "notifications")?)
}

fn message(node: Node) -> Result<Message> {
    let notifications = || children(node, OUTBOUND, "Notification");
    let many = notifications().count();
    if many == 0 || many > limits::NOTIFICATIONS {
        let most = limits::NOTIFICATIONS;
        return Err(wrong(format!(
            "it holds {many} notifications instead of 1 to {most}"
        )));
    }
    let session = children(node, OUTBOUND, "SessionId").next();
    Ok(Message {
        organization: record_id(one(node, OUTBOUND, "OrganizationId")?)?,
        action: record_id(one(node, OUTBOUND, "ActionId")?)?,
        with_session: session.is_some_and(|session| !inner(session).is_empty()),
        notifications: notifications().map(notification).collect::<Result<_>>()?,
    })
}

fn notification(node: Node) -> Result<Notification> {
    let record = one(node, OUTBOUND, "sObject")?;
    // Checked, not kept as an id of its own: it is the field that an opportunity is known by.
    record_id(one(record, SOBJECT, "Id")?)?;
    let fields = record
        .children()
        .filter(|child| child.is_element() && child.tag_name().namespace() == Some(SOBJECT))
        .map(|child| (child.tag_name().name().to_owned(), inner(child).to_owned()))
        .filter(|(_, value)| !value.is_empty());
    Ok(Notification {
        id: record_id(one(node, OUTBOUND, "Id")?)?,
        object: kind(record)?,
        fields: fields.collect(),
    })
}

/// The object that `xsi:type` names, whatever its prefix is called.
fn kind(record: Node) -> Result<String> {
    let name = record.attribute((XSI, "type")).unwrap_or_default().trim();
    let (prefix, name) = match name.split_once(':') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, name),
    };
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match record.lookup_namespace_uri(prefix) {
        Some(SOBJECT) if plain && name.len() <= limits::OBJECT_CHARS => Ok(name.to_owned()),
        _ => Err(wrong("an sObject does not say by xsi:type which object it is")),
    }
}

/// A Salesforce id: 15 letters and digits, or 18.
fn record_id(node: Node) -> Result<String> {
    let text = inner(node);
    match matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => Ok(text.to_owned()),
        false => {
            let name = node.tag_name().name();
            Err(wrong(format!(
                "a {name} is not a Salesforce id of 15 or 18 letters and digits"
            )))
        }
    }
}

/// The text in an element, without the white space around it.
fn inner<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default().trim()
}

fn children<'a, 'i>(
    node: Node<'a, 'i>,
    space: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.has_tag_name((space, name)))
}

fn one<'a, 'i>(node: Node<'a, 'i>, space: &'static str, name: &'static str) -> Result<Node<'a, 'i>> {
    let mut found = children(node, space, name);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(wrong(format!(
            "its {} has not exactly one {name}",
            node.tag_name().name()
        ))),
    }
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::RequestInvalid,
        format!("the body is no outbound message: {why}"),
    )
    .next(
        "let a Salesforce outbound message (workflow or flow action) send to this endpoint, and nothing else",
    )
}
