//! What failures of one cause have in common: no record, number or value is left in it.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Report};

/// Characters of a cause that are kept: a line of a terminal or two.
const CAUSE_CHARS: usize = 160;
/// What stands in the place of a record, number or value.
const GAP: &str = "…";

/// What failures of one cause have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// Short name, e.g. `s-4f2a90c1d377`; follows from everything below.
    pub id: String,
    /// Our code.
    pub code: Code,
    /// Vendor object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The vendor's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_code: Option<String>,
    /// The message, without records, numbers and values.
    pub cause: String,
}

impl Signature {
    /// The signature of a failure. The vendor's words count, where there are some: ours name the record.
    pub fn of(report: &Report) -> Signature {
        let place = &report.details.place;
        let upstream = report.details.upstream.as_ref();
        let said = upstream.map(|upstream| upstream.message.as_str());
        let said = said
            .filter(|said| !said.trim().is_empty())
            .unwrap_or(&report.message);
        let cause = normalised(said, place.record.as_deref());
        let vendor_code = upstream
            .map(|upstream| upstream.code.clone())
            .filter(|code| !code.is_empty());
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let whole = [
            report.code.as_str().to_owned(),
            text(&place.object),
            text(&place.field),
            text(&vendor_code),
            cause.clone(),
        ];
        Signature {
            id: format!("s-{:012x}", fnv(&whole.join("\u{1f}")) >> 16),
            code: report.code,
            object: place.object.clone(),
            field: place.field.clone(),
            vendor_code,
            cause,
        }
    }
}

/// FNV-1a over 64 bits: a name for people, no proof against anybody.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A message without what differs from record to record.
fn normalised(message: &str, record: Option<&str>) -> String {
    let message = match record.filter(|record| record.len() > 2) {
        Some(record) => message.replace(record, GAP),
        None => message.to_owned(),
    };
    let mut told = String::new();
    let mut rest = valueless(&message);
    while let Some(next) = rest.chars().next() {
        let (piece, after) = match next {
            '\'' | '"' => quoted(&rest, next),
            letter if in_word(letter) => word(&rest),
            other => (other.to_string(), rest[other.len_utf8()..].to_owned()),
        };
        told.push_str(&piece);
        rest = after;
    }
    short(&told)
}

/// Where a vendor names the value that it refuses without quotes, it stands between a colon and the end, or the
/// bracket with the limit: `bad value for restricted picklist field: Robots`, `data value too large: … (max length=40)`.
fn valueless(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let speaks_of_values = |before: &str| {
        ["value", "address", "invalid", "too large", "too long", "field"]
            .iter()
            .any(|word| before.contains(word))
    };
    let mut colons = lower.match_indices(": ").map(|(at, _)| at);
    let Some(at) = colons.find(|at| speaks_of_values(&lower[..*at])) else {
        return message.to_owned();
    };
    let (before, after) = message.split_at(at + 2);
    match after.find(" (max ") {
        Some(bracket) => format!("{before}{GAP}{}", &after[bracket..]),
        None => format!("{before}{GAP}"),
    }
}

/// A quoted name of a field or object stays; anything else in quotes is a value.
fn quoted(text: &str, quote: char) -> (String, String) {
    let inner = &text[quote.len_utf8()..];
    let Some(end) = inner.find(quote) else {
        return (quote.to_string(), inner.to_owned());
    };
    let (name, after) = (&inner[..end], &inner[end + quote.len_utf8()..]);
    // An apostrophe, as in `quote's last day`, opens nothing.
    if quote == '\''
        && name.contains(' ')
        && !after.starts_with([' ', '.', ',', ')', ':'])
        && !after.is_empty()
    {
        return (quote.to_string(), inner.to_owned());
    }
    let told = if is_api_name(name) { name } else { GAP };
    (format!("{quote}{told}{quote}"), after.to_owned())
}

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '@' | '/' | '#')
}

/// A word with a digit or an `@` in it is an id, a number, a day or an address, unless it is a name of the schema.
fn word(text: &str) -> (String, String) {
    let end = text.find(|letter| !in_word(letter)).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let differs = word.contains('@') || word.bytes().any(|byte| byte.is_ascii_digit());
    let told = if differs && !is_api_name(word) { GAP } else { word };
    (told.to_owned(), after.to_owned())
}

/// `CPQ_Net_Total__c`, `Opportunity.StageName`, `UNABLE_TO_LOCK_ROW`: names of the schema have an underscore or a dot
/// between letters, and begin with a letter.
fn is_api_name(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let begins = word.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    begins
        && word.bytes().all(plain)
        && (word.contains("__") || !word.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Gaps side by side are one, blanks too, and the whole is no longer than a line or two.
fn short(text: &str) -> String {
    let mut told = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for twice in ["… …", "…, …", "…:…", "….…", "……"] {
        while told.contains(twice) {
            told = told.replace(twice, GAP);
        }
    }
    told.chars().take(CAUSE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Error;

    fn of(error: Error) -> Signature {
        Signature::of(&error.report(Some("csync-001")))
    }

    fn cause(message: &str) -> String {
        normalised(message, None)
    }

    #[test]
    fn records_numbers_and_values_are_left_out_and_names_of_the_schema_stay() {
        for (message, wanted) in [
            (
                "no opportunity OPP-4482 is in Salesforce, or it is hidden from our user",
                "no opportunity … is in Salesforce, or it is hidden from our user",
            ),
            (
                "unable to obtain exclusive access to this record or 1 records: 006Sb0000000001IAA",
                "unable to obtain exclusive access to this record or … records: …",
            ),
            (
                "Stage: bad value for restricted picklist field: Robots (old)",
                "Stage: bad value for restricted picklist field: …",
            ),
            (
                "bad value for restricted picklist field: Robots and arms",
                "bad value for restricted picklist field: …",
            ),
            (
                "data value too large: Northwind Robotics (max length=40)",
                "data value too large: … (max length=…)",
            ),
            (
                "No such column 'CPQ_Net_Total__c' on sobject of type Opportunity",
                "No such column 'CPQ_Net_Total__c' on sobject of type Opportunity",
            ),
            (
                "Close date must not lie before the quote's last day",
                "Close date must not lie before the quote's last day",
            ),
            ("the value 'two words' is refused", "the value '…' is refused"),
            (
                "invalid email address: lena@acme.example",
                "invalid email address: …",
            ),
        ] {
            assert_eq!(cause(message), wanted);
        }
    }

    #[test]
    fn one_cause_on_two_records_is_one_signature() {
        let locked = |record: &str| {
            of(
                Error::new(Code::CrmLocked, format!("opportunity {record} is locked"))
                    .object("Opportunity")
                    .record(record)
                    .upstream(400, "UNABLE_TO_LOCK_ROW", format!("unable to lock {record}")),
            )
        };
        assert_eq!(locked("OPP-1"), locked("006000000000001AAA"));
        let other = of(Error::new(Code::CrmLocked, "opportunity OPP-1 is locked").object("Quote"));
        assert_ne!(locked("OPP-1").id, other.id);
    }

    proptest! {
        #[test]
        fn no_id_number_or_address_survives(number in 1_u32..1_000_000_000, any in ".{0,80}") {
            let id = format!("006{number:012}AAA");
            let mail = format!("u{number}@acme.example");
            let told = normalised(&format!("{any} record {id} of {mail}"), Some("OPP-9"));
            prop_assert!(!told.contains(&id) && !told.contains(&mail), "{}", told);
        }
    }
}
