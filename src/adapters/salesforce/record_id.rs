//! Salesforce record ids: 15 characters that mind case, or 18 with a checksum of the case.

/// Key prefix of opportunities (Salesforce Help, "Standard Field Record ID Prefix Decoder").
const OPPORTUNITY: &str = "006";

/// The 18-character form of a record id, or `None` if the text is not an id.
pub(crate) fn long_form(text: &str) -> Option<String> {
    if !text.is_ascii() || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let short = text.get(..15)?;
    let full = format!("{short}{}", checksum(short));
    match text.len() {
        15 => Some(full),
        18 => full.eq_ignore_ascii_case(text).then_some(full),
        _ => None,
    }
}

/// The 18-character form, if the text is the id of an opportunity. A business number of 15 letters and digits is not
/// taken for one unless it begins with the opportunity's key prefix.
pub(crate) fn opportunity(text: &str) -> Option<String> {
    long_form(text).filter(|id| id.starts_with(OPPORTUNITY))
}

/// One character for each five: bit n is set when the n-th character is upper case.
fn checksum(short: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let letter = |group: &[u8]| {
        let upper = group.iter().enumerate().filter(|(_, c)| c.is_ascii_uppercase());
        char::from(ALPHABET[upper.map(|(bit, _)| 1_usize << bit).sum::<usize>()])
    };
    short.as_bytes().chunks(5).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_vendor() {
        for (short, full) in [
            ("001D000000Kv3g5", "001D000000Kv3g5IAB"),
            ("012000000000000", "012000000000000AAA"),
            ("00Di0000000icUB", "00Di0000000icUBEAY"),
            ("0015e00000TwULC", "0015e00000TwULCAA3"),
        ] {
            assert_eq!(long_form(short).as_deref(), Some(full));
            assert_eq!(long_form(full).as_deref(), Some(full));
        }
    }

    #[test]
    fn a_business_number_is_not_an_id() {
        for number in [
            "OPP-4482",
            "OPP202600000001",
            "006D000000Kv3g5IAA",
            "",
            "006ü00000000000",
        ] {
            assert_eq!(opportunity(number), None, "{number}");
        }
        assert_eq!(
            opportunity("006D000000Kv3g5").as_deref(),
            Some("006D000000Kv3g5IAB")
        );
    }
}
