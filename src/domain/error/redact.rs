//! Takes secrets out of what a foreign system said, before it is kept anywhere.
//!
//! Vendors echo what they were sent: a session id in "invalid session", an assertion in a fault. Their words are stored
//! with the error and shown to people, so whatever has the shape of a credential is replaced. The shapes are those that
//! Salesforce and OAuth 2.0 use (access token `00D…!…`, refresh token `5Aep…`, JWT per RFC 7519, `Bearer` per RFC 6750,
//! form parameters per RFC 6749).

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";
/// Shortest text that can be a token; shorter ones are words.
const TOKEN_CHARS: usize = 20;
/// Parameters whose value is a secret.
const PARAMETERS: &[&str] = &[
    "access_token",
    "refresh_token",
    "client_secret",
    "assertion",
    "password",
    "code_verifier",
    "sid",
];

/// The text without what looks like a credential, and without control characters.
pub fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = Before::default();
    for word in words(text) {
        match word {
            Word::Gap(gap) => {
                before.gap(gap);
                // It may be printed on a terminal, or stand in a line of a log.
                out.extend(gap.chars().map(|c| if c.is_control() { ' ' } else { c }));
            }
            Word::Text(word) => {
                out.push_str(if before.announces(word) || is_token(word) {
                    REDACTED
                } else {
                    word
                });
                before.word(word);
            }
        }
    }
    out
}

/// What came before a word: `Bearer` and `access_token=` announce a secret.
#[derive(Default)]
struct Before {
    scheme: bool,
    parameter: bool,
    /// The parameter's name was followed by `=` or `:`.
    assigned: bool,
}

impl Before {
    fn announces(&self, word: &str) -> bool {
        (self.scheme && word.len() >= TOKEN_CHARS) || (self.parameter && self.assigned)
    }

    fn word(&mut self, word: &str) {
        let is = |name: &&str| word.eq_ignore_ascii_case(name);
        *self = Before {
            scheme: ["bearer", "oauth"].iter().any(is),
            parameter: PARAMETERS.iter().any(is),
            assigned: false,
        };
    }

    fn gap(&mut self, gap: &str) {
        self.assigned |= gap.contains(['=', ':']);
    }
}

enum Word<'a> {
    /// Letters, digits and what tokens are made of beside them.
    Text(&'a str),
    /// What stands between two of them.
    Gap(&'a str),
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!._-+/%~".contains(c);
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let kind = is_part(first);
        let end = rest.find(|c: char| is_part(c) != kind).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(if kind { Word::Text(word) } else { Word::Gap(word) })
    })
}

fn is_token(word: &str) -> bool {
    let session = word.starts_with("00D") && word.contains('!');
    let refresh = word.starts_with("5Aep");
    let signed = word.starts_with("eyJ") && word.matches('.').count() >= 2;
    word.len() >= TOKEN_CHARS && (session || refresh || signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_credential_is_gone() {
        for (text, shown) in [
            (
                "Session 00DB0000000TfcR!AQQAQexampleexample is invalid",
                "Session [redacted] is invalid",
            ),
            ("token=5Aep861ZRmRSmw0example.x", "token=[redacted]"),
            (
                "bad assertion eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzIn0.c2ln, sorry",
                "bad assertion [redacted], sorry",
            ),
            (
                "Authorization: Bearer abcdefghijklmnopqrst",
                "Authorization: Bearer [redacted]",
            ),
            ("refresh_token=short&x=1", "refresh_token=[redacted]&x=1"),
            (
                r#"{"client_secret":"s3cr3t"}"#,
                r#"{"client_secret":"[redacted]"}"#,
            ),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn what_people_need_stays() {
        for text in [
            "duplicate value found: E__c duplicates value on record with id: 001Vr00000m4eGCIAY",
            "No such column 'Bacon__c' on entity 'Account'.",
            "Bearer tokens are not accepted here",
            "Preis: 12,50 € für „Ä“ im Jahr 2026",
            "the password is wrong",
            "",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn no_control_character_survives() {
        assert_eq!(
            redacted("bad\u{1b}[2Jnews\r\nFake: line\u{85}"),
            "bad [2Jnews  Fake: line "
        );
    }

    proptest::proptest! {
        #[test]
        fn a_planted_token_never_survives(before in "[^!-~]{0,20}", after in "[^!-~]{0,20}") {
            let token = "00DB0000000TfcR!AQQAQexampleexample";
            let text = redacted(&format!("{before} {token} {after}"));
            proptest::prop_assert!(!text.contains("AQQAQ"), "{}", text);
        }
    }
}
