//! The bodies in which Salesforce refuses: arrays, row results, one object, plain text, HTML, or nothing.

use cpq_domain::error::redacted;

use super::Said;
use crate::json::Node;

/// Characters of a text body that are kept as the message.
const TEXT_CHARS: usize = 200;

/// Everything that a body says. Never fails: what is not understood is kept as text.
pub(crate) fn read(body: &[u8]) -> Vec<Said> {
    match Node::parse(body) {
        Ok(node) => said(&node),
        Err(_) => text(body).into_iter().collect(),
    }
}

/// Everything that a part of an answer says, e.g. the body of a composite subresponse.
pub(crate) fn said(node: &Node) -> Vec<Said> {
    match node {
        Node::List(entries) => entries.iter().flat_map(said).collect(),
        Node::Text(text) => vec![Said {
            message: redacted(text),
            ..Said::default()
        }],
        Node::Object(_) => object(node),
        _ => Vec::new(),
    }
}

fn object(node: &Node) -> Vec<Said> {
    let rows = [
        "errors",
        "results",
        "compositeResponse",
        "graphs",
        "graphResponse",
        "body",
        "result",
    ];
    let string = |names: [&str; 3]| {
        let found = names
            .into_iter()
            .find_map(|name| node.get(name).and_then(Node::text));
        found.unwrap_or_default().to_owned()
    };
    let code = string(["errorCode", "statusCode", "error"]);
    let message = string(["message", "error_description", "exceptionMessage"]);
    if code.is_empty() && message.is_empty() {
        return rows
            .iter()
            .filter_map(|name| node.get(name))
            .flat_map(said)
            .collect();
    }
    let fields = node.get("fields").map(Node::list).unwrap_or_default();
    vec![Said {
        code: redacted(&code),
        message: redacted(&message),
        fields: fields.iter().filter_map(Node::text).map(redacted).collect(),
        matches: matches(node),
    }]
}

/// Records that a duplicate rule found. The key is spelled `duplicateResut` in older versions.
fn matches(node: &Node) -> Vec<String> {
    let result = node.get("duplicateResult").or_else(|| node.get("duplicateResut"));
    let rules = result
        .and_then(|result| result.get("matchResults"))
        .map(Node::list);
    let records = rules
        .unwrap_or_default()
        .iter()
        .filter_map(|rule| rule.get("matchRecords"));
    records
        .flat_map(Node::list)
        .filter_map(|found| found.at(["record", "Id"]).and_then(Node::text))
        .map(str::to_owned)
        .collect()
}

/// A text body. A page of HTML says nothing that a person could use, save its title.
fn text(body: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(&body[..body.len().min(4_096)]);
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let shown = match text.starts_with('<') {
        true => text
            .split_once("<title>")
            .and_then(|(_, rest)| rest.split_once("</title>"))
            .map_or("a page of HTML", |(t, _)| t.trim()),
        false => text,
    };
    let oauth = ["Bad_OAuth_Token", "Missing_OAuth_Token", "Wrong_Org", "Bad_Id"]
        .into_iter()
        .find(|code| text == *code);
    Some(Said {
        code: oauth.unwrap_or_default().to_owned(),
        message: redacted(shown).chars().take(TEXT_CHARS).collect(),
        ..Said::default()
    })
}
