//! Errors of queries, with the place they point at.
//!
//! The shape is taken from error texts that people posted: a blank line, a piece of the query, a caret, row and column,
//! the reason. Names that mean nothing are counted from one; tokens that do not fit from zero, with the caret one
//! further left, as the vendor's parser generator counts.

use crate::org::ApiError;

/// How much of the query is repeated before the place; it grows until a word begins.
const BEFORE: usize = 30;
/// How much is repeated after the place, itself included; it grows until a word ends.
const AFTER: usize = 31;

/// An error without a place.
pub fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::bad("MALFORMED_QUERY", message)
}

/// A name or condition at this byte that means nothing or is not allowed.
pub fn pointing(query: &str, at: usize, code: &'static str, reason: &str) -> ApiError {
    let place = Place::of(query, at);
    ApiError::bad(code, place.picture(query, 0, reason))
}

/// A MALFORMED_QUERY that points at this byte.
pub fn misplaced(query: &str, at: usize, reason: &str) -> ApiError {
    pointing(query, at, "MALFORMED_QUERY", reason)
}

/// A syntax error: the token at this byte does not fit.
pub fn syntax(query: &str, at: usize, reason: &str) -> ApiError {
    syntax_as("MALFORMED_QUERY", query, at, reason)
}

/// A syntax error under another code.
pub fn syntax_as(code: &'static str, query: &str, at: usize, reason: &str) -> ApiError {
    let place = Place::of(query, at);
    ApiError::bad(code, place.picture(query, 1, reason))
}

/// Row, column and the whole offset, all counted in characters from zero.
struct Place {
    row: usize,
    column: usize,
    offset: usize,
}

impl Place {
    fn of(query: &str, at: usize) -> Place {
        let before = query.get(..at).unwrap_or(query);
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            row: before.matches('\n').count(),
            column: before[line..].chars().count(),
            offset: before.chars().count(),
        }
    }

    /// The piece of the query around, the caret `back` characters further left, and the reason.
    fn picture(&self, query: &str, back: usize, reason: &str) -> String {
        let text: Vec<char> = query.chars().collect();
        let line = self.offset - self.column;
        let caret = self.offset.saturating_sub(back).max(line);
        let (mut from, mut until) = (
            caret.saturating_sub(BEFORE).max(line),
            (caret + AFTER).min(text.len()),
        );
        while from > line && !ends_word(text[from - 1]) {
            from -= 1;
        }
        while until < text.len() && !ends_word(text[until]) {
            until += 1;
        }
        // The piece stays on its row.
        let rest = &text[from..until];
        let shown: String = rest.iter().take_while(|c| !matches!(c, '\n' | '\r')).collect();
        format!(
            "\n{shown}\n{}^\nERROR at Row:{}:Column:{}\n{reason}",
            " ".repeat(caret - from),
            self.row + 1,
            self.column + 1 - back,
        )
    }
}

fn ends_word(ch: char) -> bool {
    ch.is_whitespace() || ch == ','
}

/// An unknown column.
pub fn no_column(query: &str, at: usize, name: &str, object: &str) -> ApiError {
    let reason = format!(
        "No such column '{name}' on entity '{object}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
    );
    pointing(query, at, "INVALID_FIELD", &reason)
}

/// An unknown object.
pub fn no_object(query: &str, at: usize, name: &str) -> ApiError {
    let reason = format!(
        "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
    );
    pointing(query, at, "INVALID_TYPE", &reason)
}

/// An object without rows, such as an event.
pub fn not_queryable(query: &str, at: usize, name: &str) -> ApiError {
    let reason = format!("entity type {name} does not support query");
    pointing(query, at, "INVALID_TYPE_FOR_OPERATION", &reason)
}

/// An unknown relationship; `part` says where it stands.
pub fn no_relationship(query: &str, at: usize, name: &str, part: &str, code: &'static str) -> ApiError {
    let reason = format!(
        "Didn't understand relationship '{name}' in {part}. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
    );
    pointing(query, at, code, &reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(error: &ApiError) -> Vec<&str> {
        error.message.split('\n').collect()
    }

    #[test]
    fn pieces_reach_to_whole_words() {
        let query = "SELECT Name, Access_Key__c, Image_Vendor__c FROM Opportunity WHERE Image_Vendor__c LIKE 'Getty%'";
        let error = pointing(query, 67, "INVALID_QUERY_FILTER_OPERATOR", "r");
        let art = format!("{}^", " ".repeat(39));
        let expected = [
            "",
            "Image_Vendor__c FROM Opportunity WHERE Image_Vendor__c LIKE 'Getty%'",
            &art,
            "ERROR at Row:1:Column:68",
            "r",
        ];
        assert_eq!(lines(&error), expected);
    }

    #[test]
    fn tokens_count_from_zero() {
        let query = "SELECT Id FROM Account SET OPTIONS (honorEmptyStrings = true) LIMIT 1";
        let error = syntax(
            query,
            query.find("LIMIT").expect("there"),
            "unexpected token: 'LIMIT'",
        );
        let art = format!("{}^", " ".repeat(34));
        assert_eq!(
            lines(&error)[1..4],
            [
                "OPTIONS (honorEmptyStrings = true) LIMIT 1",
                &art,
                "ERROR at Row:1:Column:62"
            ]
        );
    }

    #[test]
    fn rows_count_lines_and_odd_places_are_harmless() {
        let query = "SELECT Id\nFROM Accountz";
        let error = pointing(query, 15, "INVALID_TYPE", "r");
        assert_eq!(
            lines(&error)[1..4],
            ["FROM Accountz", "     ^", "ERROR at Row:2:Column:6"]
        );
        for at in [0, 9, 10, 23, 24, 4000] {
            assert!(syntax(query, at, "r").message.contains("ERROR at Row:"), "{at}");
        }
        assert!(pointing("é\u{1F600}'", 3, "X", "r").message.ends_with("\nr"));
    }
}
