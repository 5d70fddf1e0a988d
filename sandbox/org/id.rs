//! Record ids: fifteen case-sensitive characters, or eighteen with a checksum over the case.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Digits of an id in ascending byte order, so that ids sort in the order of their making.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Letters of the checksum (five bits each).
const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// Characters four to six of every id made here; in a real org they tell the instance.
const INSTANCE: &[u8; 3] = b"Sb0";

/// A record id, kept in its fifteen-character form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Id([u8; 15]);

impl Id {
    /// Smaller than every id.
    pub const MIN: Id = Id([0; 15]);
    /// Greater than every id.
    pub const MAX: Id = Id([0xff; 15]);

    /// The `number`th id of an object.
    pub fn new(prefix: [u8; 3], number: u64) -> Id {
        let mut bytes = [b'0'; 15];
        bytes[..3].copy_from_slice(&prefix);
        bytes[3..6].copy_from_slice(INSTANCE);
        let mut rest = number;
        for slot in bytes[6..].iter_mut().rev() {
            *slot = BASE62[(rest % 62) as usize];
            rest /= 62;
        }
        Id(bytes)
    }

    /// Reads either form; none when the length, a character or the checksum is wrong.
    pub fn parse(text: &str) -> Option<Id> {
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let id = Id(bytes[..15].try_into().ok()?);
        (bytes.len() == 15 || bytes[15..] == id.checksum()).then_some(id)
    }

    /// First three characters, which tell the object.
    pub fn prefix(self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// Three characters, each saying which of five characters are upper case (first character = lowest bit).
    fn checksum(self) -> [u8; 3] {
        let mut check = [0; 3];
        for (group, slot) in self.0.chunks(5).zip(check.iter_mut()) {
            let bits = group
                .iter()
                .enumerate()
                .map(|(i, c)| usize::from(c.is_ascii_uppercase()) << i);
            *slot = CHECK[bits.sum::<usize>()];
        }
        check
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Id, String> {
        Id::parse(&text).ok_or_else(|| format!("'{text}' is no record id"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or("000000000000000"))?;
        f.write_str(std::str::from_utf8(&self.checksum()).unwrap_or("AAA"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_well_known_ids() {
        for (short, check) in [
            ("001D000000Kv3g5", "IAB"),
            ("012000000000000", "AAA"),
            ("00Di0000000icUB", "EAY"),
            ("0015e00000TwULC", "AA3"),
        ] {
            let id = Id::parse(short).expect("well formed");
            assert_eq!(id.to_string(), format!("{short}{check}"));
            assert_eq!(Id::parse(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn wrong_checksum_or_shape_is_refused() {
        for bad in [
            "001D000000Kv3g5IAC",
            "001D000000Kv3g",
            "001D000000Kv3-5",
            "",
            "001d000000kv3g5iab",
        ] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_sort_in_the_order_of_their_making() {
        let ids: Vec<Id> = [1, 9, 10, 35, 36, 61, 62, 4000]
            .map(|n| Id::new(*b"006", n))
            .to_vec();
        assert!(ids.windows(2).all(|w| w[0] < w[1]));
    }
}
