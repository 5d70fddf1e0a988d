//! SOQL text that cannot be broken out of: identifiers are checked, literals are escaped.
//!
//! Source: Salesforce SOQL and SOSL Reference, "Quoted String Escape Sequences" and "SELECT".

use std::fmt;

use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;

/// An object, field or relationship path, e.g. `Account.Name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(String);

impl Path {
    /// Checks a path: names of letters, digits and `_` that begin with a letter, joined by dots.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`]: paths come from the mapping file only.
    pub(crate) fn new(text: &str) -> Result<Path> {
        if text.len() <= 255 && text.split('.').all(is_name) {
            return Ok(Path(text.to_owned()));
        }
        let message = format!("{text:.80?} in the field mapping is not a field path such as Account.Name");
        Err(Error::new(Code::ConfigInvalid, message))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// The field at the end.
    pub(crate) fn field(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// The relationship at the start, if the path has one.
    pub(crate) fn relationship(&self) -> Option<&str> {
        self.0.split_once('.').map(|(first, _)| first)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A string literal.
pub(crate) struct Literal<'a>(pub(crate) &'a str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for c in self.0.chars() {
            match c {
                '\'' => f.write_str("\\'")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{c}' => f.write_str("\\f")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("'")
    }
}

/// A query: fields, sub-queries, and which rows.
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub(crate) fields: Vec<Path>,
    pub(crate) children: Vec<Select>,
    /// Object, or child relationship in a sub-query.
    pub(crate) from: Path,
    /// Which rows of a sub-query.
    pub(crate) filter: Option<Filter>,
    /// Order of the rows.
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<u32>,
}

/// A condition on the rows of a sub-query.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// The column is not empty.
    Filled(Path),
    /// The column is one of these values; there is at least one.
    OneOf(Path, Vec<String>),
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::Filled(path) => write!(f, " WHERE {path} != NULL"),
            Filter::OneOf(path, values) => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                write!(f, " WHERE {}", condition(path, &values))
            }
        }
    }
}

/// One column of an order.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Up(Path),
    Down(Path),
}

impl Select {
    /// The text, with the condition that one of the columns is one of its values.
    pub(crate) fn matching(&self, any_of: &[(&Path, Vec<&str>)]) -> String {
        let conditions: Vec<String> = any_of
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(path, values)| condition(path, values))
            .collect();
        self.text(&format!(" WHERE {}", conditions.join(" OR ")))
    }

    /// The text, for the rows that have `stamp` at this moment or later and an id behind this one, in the order of ids.
    pub(crate) fn page(&self, stamp: &Path, since: Option<Timestamp>, after: Option<&str>) -> String {
        let since = since.map(|since| format!("{stamp} >= {}", whole_second(since)));
        let after = after.map(|after| format!("Id > {}", Literal(after)));
        let conditions: Vec<String> = since.into_iter().chain(after).collect();
        match conditions.is_empty() {
            true => self.text(""),
            false => self.text(&format!(" WHERE {}", conditions.join(" AND "))),
        }
    }

    fn text(&self, filter: &str) -> String {
        let fields = self.fields.iter().map(ToString::to_string);
        let child = |child: &Select| {
            let filter = child.filter.as_ref().map(ToString::to_string);
            format!("({})", child.text(&filter.unwrap_or_default()))
        };
        let children = self.children.iter().map(child);
        let columns = fields.chain(children).collect::<Vec<_>>().join(", ");
        let mut text = format!("SELECT {columns} FROM {}{filter}", self.from);
        for (at, order) in self.order.iter().enumerate() {
            text.push_str(if at == 0 { " ORDER BY " } else { ", " });
            text.push_str(&match order {
                Order::Up(path) => path.to_string(),
                Order::Down(path) => format!("{path} DESC"),
            });
        }
        if let Some(limit) = self.limit {
            text.push_str(&format!(" LIMIT {limit}"));
        }
        text
    }
}

/// A moment as a literal: without quotes, and no finer than a second.
fn whole_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

fn condition(path: &Path, values: &[&str]) -> String {
    match values {
        [value] => format!("{path} = {}", Literal(value)),
        _ => {
            let list: Vec<String> = values.iter().map(|value| Literal(value).to_string()).collect();
            format!("{path} IN ({})", list.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> Path {
        Path::new(text).expect("a path")
    }

    fn select() -> Select {
        Select {
            fields: vec![path("Id")],
            children: vec![],
            from: path("Opportunity"),
            filter: None,
            order: vec![],
            limit: None,
        }
    }

    /// Reads one literal as the server does; what is left over is outside of the quotes.
    fn read(text: &str) -> (String, String) {
        let mut chars = text.strip_prefix('\'').expect("a quote").chars();
        let mut value = String::new();
        loop {
            match chars.next().expect("the literal ends") {
                '\'' => return (value, chars.collect()),
                '\\' => match chars.next().expect("an escape") {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    'b' => value.push('\u{8}'),
                    'f' => value.push('\u{c}'),
                    'u' => {
                        let digits: String = chars.by_ref().take(4).collect();
                        let number = u32::from_str_radix(&digits, 16).expect("hexadecimal");
                        value.push(char::from_u32(number).expect("a character"));
                    }
                    c @ ('\'' | '\\') => value.push(c),
                    other => panic!("unknown escape {other}"),
                },
                c => value.push(c),
            }
        }
    }

    proptest! {
        #[test]
        fn a_literal_comes_back_whole_and_nothing_is_left_outside(text in any::<String>()) {
            prop_assert_eq!(read(&Literal(&text).to_string()), (text, String::new()));
        }

        #[test]
        fn hostile_strings_stay_inside(text in r"['\\\\)(\n\r\t %_\-OR=]{0,40}") {
            let number = path("Opportunity_Number__c");
            let query = select().matching(&[(&number, vec![&text])]);
            let literal = query.strip_prefix("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = ");
            prop_assert_eq!(read(literal.expect("the prefix")), (text, String::new()));
        }

        #[test]
        fn a_path_is_made_of_names_only(text in any::<String>()) {
            if let Ok(path) = Path::new(&text) {
                prop_assert!(path.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.'));
            }
        }
    }

    #[test]
    fn it_writes_sub_queries_order_and_limit() {
        let mut query = select();
        query.children = vec![Select {
            order: vec![Order::Down(path("IsPrimary")), Order::Up(path("Id"))],
            limit: Some(5),
            from: path("OpportunityContactRoles"),
            filter: Some(Filter::Filled(path("Key__c"))),
            ..select()
        }];
        let (id, number) = (path("Id"), path("N__c"));
        assert_eq!(
            query.matching(&[(&id, vec![]), (&number, vec!["a", "b'"])]),
            "SELECT Id, (SELECT Id FROM OpportunityContactRoles WHERE Key__c != NULL ORDER BY IsPrimary DESC, Id LIMIT 5) \
             FROM Opportunity WHERE N__c IN ('a', 'b\\'')"
        );
        assert!(Path::new("Id FROM Account--").is_err());
        assert!(Path::new("").is_err());
    }
}
