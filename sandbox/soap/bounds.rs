//! How large a message may be in every direction, looked at before anything is built from it: some costs grow with
//! the square of depth, attributes or namespaces, and no client comes near these bounds.

use super::fault::Fault;

/// Elements inside each other; a record with a parent by external id is eight deep.
const DEPTH: usize = 32;
/// Attributes of one element, namespaces included.
const ATTRIBUTES: usize = 64;
/// Namespaces declared around one element.
const NAMESPACES: usize = 128;
/// Bytes of an attribute's name that are looked at; a longer one is taken for a namespace.
const NAME: usize = 1_000;

/// Looks at the tags alone. What is not well formed otherwise is left to the parser.
///
/// # Errors
/// `UNKNOWN_EXCEPTION` for what is out of bounds, and for a document type, which SOAP forbids (SOAP 1.1 §3).
pub fn check(text: &str) -> Result<(), Fault> {
    let mut open: Vec<usize> = Vec::new();
    let mut namespaces = 0;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let skipped = passive(rest)?;
        if skipped > 0 {
            rest = &rest[skipped..];
            continue;
        }
        let tag = Tag::read(rest);
        rest = &rest[tag.length..];
        if tag.closes {
            namespaces -= open.pop().unwrap_or(0);
            continue;
        }
        if tag.attributes > ATTRIBUTES || namespaces + tag.namespaces > NAMESPACES || open.len() >= DEPTH {
            return Err(Fault::unreadable("The message is too complex"));
        }
        if !tag.empty {
            open.push(tag.namespaces);
            namespaces += tag.namespaces;
        }
    }
    Ok(())
}

/// Length of a comment, CDATA section or processing instruction at the beginning of the text; 0 for a tag.
fn passive(text: &str) -> Result<usize, Fault> {
    let pairs = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
    for (start, end) in pairs {
        if let Some(inner) = text.strip_prefix(start) {
            let length = inner.find(end).map_or(inner.len(), |at| at + end.len());
            return Ok(start.len() + length);
        }
    }
    if text.starts_with("<!") {
        return Err(Fault::unreadable("A document type is not allowed in SOAP"));
    }
    Ok(0)
}

#[derive(Default)]
struct Tag {
    length: usize,
    closes: bool,
    empty: bool,
    attributes: usize,
    namespaces: usize,
}

impl Tag {
    /// The tag at the beginning of the text, up to its end or the end of the text.
    fn read(text: &str) -> Self {
        let mut tag = Self {
            length: text.len(),
            closes: text.starts_with("</"),
            ..Self::default()
        };
        let mut quote = None;
        for (at, byte) in text.bytes().enumerate().skip(1) {
            match (quote, byte) {
                (Some(open), _) if open == byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                // Enough is known by then, and looking on would cost the square of the length.
                (None, b'=') if tag.attributes > ATTRIBUTES => break,
                (None, b'=') => {
                    tag.attributes += 1;
                    tag.namespaces += usize::from(declares(&text.as_bytes()[..at]));
                }
                (None, b'>') => {
                    tag.length = at + 1;
                    tag.empty = text.as_bytes()[at - 1] == b'/';
                    break;
                }
                (None, _) => {}
            }
        }
        tag
    }
}

/// Whether what stands before an equals sign ends with `xmlns` or `xmlns:…`.
fn declares(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let name = &before[before.len().saturating_sub(NAME)..];
    let start = name
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || *byte == b'"' || *byte == b'\'');
    match start {
        Some(at) => name[at + 1..].starts_with(b"xmlns"),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_clients_send_is_within_bounds() {
        let tags = "<a x='>' y=\"<b>\"><!-- <deep> --><![CDATA[<x>]]><?p <q> ?><b/></a>".repeat(1_000);
        assert!(check(&tags).is_ok());
        for broken in ["<", "<a", "<a x='", "</a></a>", "<!--", "a", "<>", "</"] {
            assert!(check(broken).is_ok(), "{broken}");
        }
    }

    #[test]
    fn depth_attributes_namespaces_and_document_types_are_bounded() {
        let attributes = |name: &str, count: usize| {
            let all: String = (0..count).map(|n| format!(" {name}{n}=\"\"")).collect();
            format!("<a{all}>")
        };
        for bad in [
            "<a>".repeat(33),
            attributes("x", 65),
            attributes("xmlns:x", 60).repeat(3),
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(),
            format!("<a {}>", "=".repeat(1_000_000)),
            format!("<a {}=''>", "x".repeat(1_000_000)).repeat(3) + &attributes("xmlns:x", 60).repeat(3),
        ] {
            assert!(
                check(&bad).is_err(),
                "{}",
                bad.chars().take(60).collect::<String>()
            );
        }
        assert!(check(&"<a>".repeat(32)).is_ok());
        assert!(check(&format!("{}</a>", attributes("xmlns:x", 60)).repeat(100)).is_ok());
    }
}
