//! Reading envelopes, with namespaces as namespaces: prefixes mean nothing.

use super::dialect::Dialect;
use super::fault::Fault;
use roxmltree::{Document, Node, ParsingOptions};

/// Namespace of SOAP 1.1.
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of `xsi:type` and `xsi:nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Nodes of a message; 200 records with 500 fields are 200,000.
const MAX_NODES: u32 = 1_000_000;

/// Parses a message of bounded depth. Document types, and with them entities, are refused.
///
/// # Errors
/// `UNKNOWN_EXCEPTION` with what the parser says.
pub fn parse(text: &str) -> Result<Document<'_>, Fault> {
    super::bounds::check(text)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| Fault::unreadable(error.to_string()))
}

/// Header and the one element of the body.
pub struct Envelope<'d> {
    /// Header entries.
    pub headers: Vec<Node<'d, 'd>>,
    /// The call.
    pub call: Node<'d, 'd>,
}

impl<'d> Envelope<'d> {
    /// Takes an envelope apart.
    ///
    /// # Errors
    /// What SOAP 1.1 says of wrong envelopes.
    pub fn of(document: &'d Document<'d>) -> Result<Self, Fault> {
        let root = document.root_element();
        if root.tag_name().name() != "Envelope" || root.tag_name().namespace() != Some(SOAP) {
            return Err(Fault::Version);
        }
        let part = |name| {
            root.children()
                .find(|node| node.tag_name().name() == name && node.tag_name().namespace() == Some(SOAP))
        };
        let empty = || Fault::Client("The envelope has no body, or nothing in it".to_owned());
        let call = part("Body")
            .and_then(|body| body.first_element_child())
            .ok_or_else(empty)?;
        let headers = part("Header").map(|header| elements(header).collect());
        Ok(Self {
            headers: headers.unwrap_or_default(),
            call,
        })
    }

    /// The name of the call.
    ///
    /// # Errors
    /// `No operation available` when it is in another namespace than the endpoint's.
    pub fn operation(&self, dialect: Dialect) -> Result<&'d str, Fault> {
        let name = self.call.tag_name();
        if name.namespace() == Some(dialect.namespace()) {
            return Ok(name.name());
        }
        Err(unavailable(self.call))
    }
}

/// The fault for a call that the WSDL does not have.
pub fn unavailable(call: Node<'_, '_>) -> Fault {
    let name = call.tag_name();
    Fault::Client(format!(
        "No operation available for request {{{}}}{}, please check the WSDL for the service.",
        name.namespace().unwrap_or_default(),
        name.name()
    ))
}

/// Element children.
pub fn elements<'d>(node: Node<'d, 'd>) -> impl Iterator<Item = Node<'d, 'd>> {
    node.children().filter(Node::is_element)
}

/// Children of this local name. Clients differ in the namespace of what stands inside a call, and Salesforce does not
/// look at it.
pub fn children<'d>(node: Node<'d, 'd>, name: &'static str) -> impl Iterator<Item = Node<'d, 'd>> {
    elements(node).filter(move |child| child.tag_name().name() == name)
}

/// The text of the first child of this name; `None` when there is none or it is nil.
pub fn text_of(node: Node<'_, '_>, name: &'static str) -> Option<String> {
    let child = elements(node).find(|child| child.tag_name().name() == name)?;
    (!is_nil(child)).then(|| text(child))
}

/// All text of an element, whatever it is broken up by.
pub fn text(node: Node<'_, '_>) -> String {
    node.children()
        .filter(Node::is_text)
        .filter_map(|child| child.text())
        .collect()
}

/// `xsi:nil`.
pub fn is_nil(node: Node<'_, '_>) -> bool {
    matches!(node.attribute((XSI, "nil")), Some("true" | "1"))
}

/// The local name in `xsi:type`.
pub fn type_of<'d>(node: Node<'d, 'd>) -> Option<&'d str> {
    let name = node.attribute((XSI, "type"))?.trim();
    Some(name.rsplit(':').next().unwrap_or(name))
}

/// `xsd:boolean`.
pub fn boolean(text: &str) -> bool {
    matches!(text.trim(), "true" | "1")
}
