//! What `cpq why` is asked about: one field of one opportunity, quote or line.

use std::fmt;

use crate::error::{Code, Error, Result};
use crate::id::{LineKey, OpportunityKey, QuoteNumber};
use crate::view::FieldName;

/// Characters of a question: the longest opportunity number with a line key and a field.
const SUBJECT_CHARS: usize = 512;

/// Whose field it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The opportunity with this number or id.
    Opportunity(OpportunityKey),
    /// The opportunity of the quote with this number.
    Quote(QuoteNumber),
}

/// One field of one opportunity and its quote.
///
/// As text: `opportunity/<number or id>/<field>`, `quote/<number>/<field>`, or
/// `line/<opportunity number or id>/<line key>/<line field>`; the short form `<number or id>/<field>` means an
/// opportunity. The field is always the last part, so an opportunity's number may hold a `/` itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Whose.
    pub owner: Owner,
    /// Which line, for line fields.
    pub line: Option<LineKey>,
    /// Which field, by its canonical name.
    pub field: FieldName,
}

impl Subject {
    /// Reads the text form. [`Code::RequestInvalid`] says which form is expected.
    pub fn parse(text: &str) -> Result<Subject> {
        if text.len() > SUBJECT_CHARS {
            return Err(malformed(text));
        }
        let (rest, field) = text.rsplit_once('/').ok_or_else(|| malformed(text))?;
        match rest.split_once('/') {
            Some(("line", rest)) => {
                let (key, line) = rest.rsplit_once('/').ok_or_else(|| malformed(text))?;
                Subject::of("line", key, Some(line), field)
            }
            Some((object @ ("opportunity" | "quote"), key)) => Subject::of(object, key, None, field),
            _ => Subject::of("opportunity", rest, None, field),
        }
    }

    /// The parts, checked: `object` is `opportunity`, `quote` or `line`.
    pub fn of(object: &str, key: &str, line: Option<&str>, field: &str) -> Result<Subject> {
        let well_formed =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let named = field
            .split_once('.')
            .is_some_and(|(object, name)| well_formed(object) && well_formed(name));
        let field = FieldName::new(field);
        if !named || field.is_line() != line.is_some() {
            return Err(malformed(&format!("{object}/…/{field}")));
        }
        let owner = match object {
            "opportunity" | "line" => Owner::Opportunity(OpportunityKey::new(key)?),
            "quote" => Owner::Quote(QuoteNumber::new(key)?),
            _ => return Err(malformed(&format!("{object}/…/{field}"))),
        };
        let line = line.map(LineKey::new).transpose()?;
        Ok(Subject { owner, line, field })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.owner, &self.line) {
            (Owner::Opportunity(key), Some(line)) => write!(f, "line/{key}/{line}/{}", self.field),
            (Owner::Opportunity(key), None) => write!(f, "opportunity/{key}/{}", self.field),
            (Owner::Quote(number), _) => write!(f, "quote/{number}/{}", self.field),
        }
    }
}

fn malformed(text: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    Error::new(
        Code::RequestInvalid,
        format!("{shown:?} does not name a field of a record"),
    )
    .next(
        "write opportunity/OPP-4482/quote.status, quote/Q-2026-0137/quote.net_total or \
         line/OPP-4482/<line key>/line.quantity; `cpq ownership show` lists the fields",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_and_reads_back() {
        for (text, full) in [
            ("OPP-4482/quote.status", "opportunity/OPP-4482/quote.status"),
            (
                "opportunity/OPP-4482/quote.status",
                "opportunity/OPP-4482/quote.status",
            ),
            (
                "opportunity/2026/A/7/account.name",
                "opportunity/2026/A/7/account.name",
            ),
            ("2026/A/account.name", "opportunity/2026/A/account.name"),
            (
                "quote/Q-2026-0137/quote.net_total",
                "quote/Q-2026-0137/quote.net_total",
            ),
            (
                "line/OPP-4482/l-1/line.quantity",
                "line/OPP-4482/l-1/line.quantity",
            ),
        ] {
            let subject = Subject::parse(text).expect(text);
            assert_eq!(subject.to_string(), full);
            assert_eq!(Subject::parse(full).expect(full), subject);
        }
    }

    #[test]
    fn a_form_that_names_no_field_is_refused() {
        for text in [
            "",
            "OPP-4482",
            "OPP-4482/",
            "/quote.status",
            "OPP-4482/status",
            "OPP-4482/line.quantity",
            "line/OPP-4482/line.quantity",
            "line/OPP-4482/l-1/quote.status",
            "quote/Q 1/quote.status",
            "OPP-4482/quote.status;drop",
            &"x/".repeat(300),
        ] {
            let error = Subject::parse(text).expect_err(text);
            assert_eq!(error.code, Code::RequestInvalid, "{text}");
        }
    }
}
