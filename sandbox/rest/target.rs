//! Taking request targets apart.

use crate::schema::describe::Reader;

/// API version of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Number before the point: 68.
    pub number: u16,
    /// As in paths: `v68.0`.
    pub text: String,
}

/// Oldest and newest version served; older ones were retired in Summer '25 (REST API End-of-Life Policy).
pub const OLDEST: u16 = 31;
/// Oldest version that ever was.
const FIRST: u16 = 7;
/// Winter '27.
pub const NEWEST: u16 = 68;

impl Version {
    /// Whether a path segment names a version that was served once (Salesforce Help, Salesforce Platform API Versions
    /// 7.0 through 20.0 Retirement, 21.0 through 30.0 Retirement).
    pub fn is_retired(segment: &str) -> bool {
        (FIRST..OLDEST).any(|number| segment == format!("v{number}.0"))
    }

    /// Who reads a describe in this version.
    pub fn reader<'a>(&'a self, instance_url: &'a str) -> Reader<'a> {
        Reader {
            version: &self.text,
            number: self.number,
            instance_url,
        }
    }

    /// The version a path segment names, if it is served.
    pub fn parse(segment: &str) -> Option<Version> {
        let number: u16 = segment.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()?;
        let plain = segment == format!("v{number}.0");
        (plain && (OLDEST..=NEWEST).contains(&number)).then(|| Version {
            number,
            text: segment.to_owned(),
        })
    }
}

/// Path segments (decoded, empty ones dropped) and query pairs of a target.
pub fn split(target: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let segments = path.split('/').filter(|s| !s.is_empty()).map(decode).collect();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    (
        segments,
        pairs.map(|(k, v)| (k.into_owned(), v.into_owned())).collect(),
    )
}

/// Resolves percent escapes; a plus stays a plus in a path.
fn decode(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    let mut out = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|b| (*b as char).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(Version::parse("v68.0").map(|v| v.number), Some(68));
        for bad in ["v99.0", "v20.0", "68.0", "v68", "v068.0", "v68.1"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn segments_and_pairs() {
        let (segments, pairs) = split("/services/data//v68.0/sobjects/A/Key__c/a%2Fb+c%zz?q=a+b%2B&x");
        assert_eq!(segments[4..], ["A", "Key__c", "a/b+c%zz"]);
        assert_eq!(pairs, [("q".into(), "a b+".into()), ("x".into(), String::new())]);
    }
}
