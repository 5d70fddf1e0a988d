//! JSON with exact numbers. A CRM writes money as a JSON number (`300.0`, `1.39E8`), and a binary float on the way
//! would change cents.

use cpq_domain::{Code, Error, Result};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::JSON_DEPTH;

/// A JSON value whose numbers are decimals.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Parses a whole answer.
    ///
    /// # Errors
    /// [`Code::ProtocolViolation`] when it is not JSON, is nested too deep, or has a number beyond 28 digits.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Node> {
        let raw: &RawValue = serde_json::from_slice(bytes).map_err(malformed)?;
        node(raw, JSON_DEPTH)
    }

    /// A member of an object, whatever the case of its name.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        let Node::Object(members) = self else { return None };
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The member at the end of a path; `Null` where the path runs through a `null`.
    pub(crate) fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Node> {
        let mut here = self;
        for name in path {
            if *here == Node::Null {
                return Some(here);
            }
            here = here.get(name)?;
        }
        Some(here)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<Decimal> {
        match self {
            Node::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Node::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    /// The entries of a list; none for anything else.
    pub(crate) fn list(&self) -> &[Node] {
        match self {
            Node::List(entries) => entries,
            _ => &[],
        }
    }
}

/// The decimal of a JSON number, exact. Java writes large ones as `1.39E8`.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        Decimal::from_scientific(text).ok()
    } else {
        Decimal::from_str_exact(text).ok()
    }
}

fn malformed(error: serde_json::Error) -> Error {
    Error::new(
        Code::ProtocolViolation,
        "the answer is not JSON of the expected form",
    )
    .cause(error)
}

fn node(raw: &RawValue, depth: u32) -> Result<Node> {
    let text = raw.get();
    if depth == 0 {
        return Err(Error::new(
            Code::ProtocolViolation,
            "the answer is nested too deep",
        ));
    }
    Ok(match text.as_bytes()[0] {
        b'n' => Node::Null,
        b't' => Node::Bool(true),
        b'f' => Node::Bool(false),
        b'"' => Node::Text(serde_json::from_str(text).map_err(malformed)?),
        b'[' => {
            let entries: Vec<&RawValue> = serde_json::from_str(text).map_err(malformed)?;
            Node::List(
                entries
                    .into_iter()
                    .map(|entry| node(entry, depth - 1))
                    .collect::<Result<_>>()?,
            )
        }
        b'{' => {
            let Members(members) = serde_json::from_str(text).map_err(malformed)?;
            let member = |(name, value): (String, &RawValue)| Ok((name, node(value, depth - 1)?));
            Node::Object(members.into_iter().map(member).collect::<Result<_>>()?)
        }
        _ => Node::Number(decimal(text).ok_or_else(|| {
            let message = format!(
                "the number {:.40} in the answer has more digits than we can keep",
                text
            );
            Error::new(Code::ProtocolViolation, message)
        })?),
    })
}

/// Members of an object in their order, each still as text.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::with_capacity(map.size_hint().unwrap_or(16));
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        let parsed =
            Node::parse(br#"{"a":300.0,"b":1.39E8,"c":0.1,"d":-12,"e":12345678901234567.89,"f":1e-2}"#);
        let parsed = parsed.expect("it parses");
        for (name, value) in [
            ("a", "300"),
            ("b", "139000000"),
            ("c", "0.1"),
            ("d", "-12"),
            ("e", "12345678901234567.89"),
            ("f", "0.01"),
        ] {
            assert_eq!(
                parsed.get(name).and_then(Node::number),
                value.parse().ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn nesting_and_garbage_are_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Node::parse(deep.as_bytes()).is_err());
        for bad in [
            "",
            "{",
            "<html>",
            "{\"a\":1e999}",
            "{\"a\":123456789012345678901234567890123}",
        ] {
            let error = Node::parse(bad.as_bytes()).expect_err(bad);
            assert_eq!(error.code, Code::ProtocolViolation, "{bad}");
        }
    }

    #[test]
    fn a_path_through_null_is_null() {
        let record = Node::parse(br#"{"Account":null,"Owner":{"Name":"Jo"}}"#).expect("it parses");
        assert_eq!(record.at(["Account", "Name"]), Some(&Node::Null));
        assert_eq!(record.at(["owner", "name"]).and_then(Node::text), Some("Jo"));
        assert_eq!(record.at(["Nothing"]), None);
    }
}
