//! Whether an entry makes sense, and the field that it is then.

use std::ops::Range;
use std::sync::Arc;

use cpq_domain::kind::Kind;
use cpq_domain::limits::FIELD_NAME_CHARS;
use cpq_domain::region;
use cpq_domain::value::Value;
use cpq_domain::view::FieldName;

use super::entry::{At, Entry, Pairs, Reader};
use super::{Field, Rows};
use crate::expression::Expression;
use crate::json::{Node, decimal};
use crate::salesforce::convert::{Rules, Stored, Words};
use crate::salesforce::soql::Path;
use crate::salesforce::values;

/// The field of an entry; none, with the reasons in the reader's faults, when it makes no sense.
pub(super) fn field(entry: &Entry, reader: &mut Reader) -> Option<Field> {
    let before = reader.faults.len();
    let mut check = Check { entry, reader };
    let name = FieldName::new(&entry.name.value);
    check.name(&name);
    let rows = match name.object() {
        "line" => Rows::Line,
        "contact" => Rows::ContactRole,
        "quote_record" => Rows::Quote,
        _ => Rows::Opportunity,
    };
    let (Some(object), Some(path), Some(kind)) = (&entry.object, &entry.path, &entry.kind) else {
        check.refuse(&(0..0), "needs object, path and type");
        return None;
    };
    let (object_span, path_span, kind) = (object.span.clone(), path.span.clone(), kind.value);
    let (object, path) = (check.path(object), check.path(path));
    let (object, path) = (object?, path?);
    let of_the_row = path.relationship().is_none();
    if of_the_row && !object.as_str().eq_ignore_ascii_case(rows.object()) {
        let why = format!(
            "names a field of {}, so its object must be that too",
            rows.object()
        );
        check.refuse(&object_span, &why);
    }
    let writable = entry.writable.as_ref().is_some_and(|writable| writable.value);
    if writable && !(of_the_row && matches!(rows, Rows::Opportunity | Rows::Quote | Rows::Line)) {
        let span = entry
            .writable
            .as_ref()
            .map_or(path_span, |writable| writable.span.clone());
        check.refuse(
            &span,
            "cannot be writable: only fields of the opportunity, its lines and its quote are written",
        );
    }
    let rules = check.rules(kind, writable, path.field());
    (reader.faults.len() == before).then(|| Field {
        name,
        rows,
        object,
        path,
        kind,
        writable,
        rules: Arc::new(rules),
        stored: Stored::default(),
        line: entry.line,
    })
}

struct Check<'a, 'b> {
    entry: &'a Entry,
    reader: &'a mut Reader<'b>,
}

impl Check<'_, '_> {
    /// Tells a mistake at its place, or at the name where the part is not in the user's text.
    fn refuse(&mut self, span: &Range<usize>, why: &str) {
        let span = if span.is_empty() {
            self.entry.name.span.clone()
        } else {
            span.clone()
        };
        let message = format!("the field mapping of {} {why}", self.entry.name.value);
        self.reader.fault(span, message);
    }

    fn name(&mut self, name: &FieldName) {
        let text = name.as_str();
        let word =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if name.object().is_empty() {
            self.refuse(&(0..0), "has a name without an object, such as quote.number");
        } else if text.len() > FIELD_NAME_CHARS || !text.split('.').all(word) {
            let why = format!(
                "has a name that is none: write object.field in letters, digits and `_`, at most {FIELD_NAME_CHARS} characters"
            );
            self.refuse(&(0..0), &why);
        }
    }

    fn path(&mut self, part: &At<String>) -> Option<Path> {
        let path = Path::new(&part.value).ok();
        if path.is_none() {
            self.refuse(&part.span, "is not a field path such as Account.Name");
        }
        path
    }

    fn rules(&mut self, kind: Kind, writable: bool, field: &str) -> Rules {
        let entry = self.entry;
        self.together(writable);
        let (values, by_record_type) = self.words(kind);
        let (country, country_path) = self.country(kind);
        let from_crm = entry
            .from_crm
            .as_ref()
            .and_then(|text| self.expression(text, true));
        let to_crm = entry
            .to_crm
            .as_ref()
            .and_then(|text| self.expression(text, false));
        let default = entry.default.as_ref().and_then(|text| self.default(kind, text));
        let by_name = field.ends_with("CountryCode") || field.ends_with("StateCode");
        let codes = match entry.holds.as_ref().map(|holds| holds.value.as_str()) {
            None => by_name,
            Some("code") => true,
            Some("name") => false,
            Some(_) => {
                let span = entry.holds.as_ref().map_or(0..0, |holds| holds.span.clone());
                self.refuse(&span, "says `holds` with another word than \"code\" or \"name\"");
                false
            }
        };
        if let Some(holds) = entry
            .holds
            .as_ref()
            .filter(|_| !matches!(kind, Kind::Country | Kind::State))
        {
            self.refuse(
                &holds.span,
                "says `holds`, which is for countries and states only",
            );
        }
        if let Some(scale) = entry.scale.as_ref().filter(|_| !kind.is_numeric()) {
            self.refuse(&scale.span, "says `scale`, which is for numbers and money only");
        }
        Rules {
            scale: entry.scale.as_ref().map(|scale| scale.value),
            from_crm,
            to_crm,
            values,
            by_record_type,
            default,
            codes,
            country,
            country_path,
        }
    }

    /// What goes with what.
    fn together(&mut self, writable: bool) {
        let entry = self.entry;
        let maps = entry.values.is_some() || entry.by_record_type.is_some();
        let expression = entry.from_crm.as_ref().or(entry.to_crm.as_ref());
        if let Some(expression) = expression.filter(|_| maps) {
            self.refuse(
                &expression.span,
                "has both a value map and an expression; use one of them",
            );
        }
        match (&entry.from_crm, &entry.to_crm) {
            (Some(from), None) if writable => {
                self.refuse(
                    &from.span,
                    "is written and has `from_crm` alone: `to_crm` must say how to go back",
                );
            }
            (None, Some(to)) if writable => {
                self.refuse(
                    &to.span,
                    "is read back and has `to_crm` alone: `from_crm` must say how to go back",
                );
            }
            (_, Some(to)) if !writable => {
                self.refuse(
                    &to.span,
                    "has `to_crm`, and is never written: set `writable = true` or take it out",
                );
            }
            _ => {}
        }
    }

    fn expression(&mut self, text: &At<String>, record: bool) -> Option<Expression> {
        let made = match Expression::compile(&text.value, record) {
            Ok(made) => made,
            Err(unclear) => {
                let span = self.inside(text, unclear.at);
                self.refuse(&span, &format!("has an expression that {}", verb(&unclear.why)));
                return None;
            }
        };
        if let Some(path) = made.reads().iter().find(|path| Path::new(path).is_err()) {
            self.refuse(
                &text.span,
                &format!("looks at record.{path}, which is no field path"),
            );
            return None;
        }
        Some(made)
    }

    /// The place of a character of an expression in the file; the whole text where escapes hide it.
    fn inside(&self, text: &At<String>, at: usize) -> Range<usize> {
        let raw = self.reader.text.get(text.span.clone()).unwrap_or_default();
        let triple = raw.starts_with("'''") || raw.starts_with("\"\"\"");
        let mut start = if triple { 3 } else { 1 };
        if triple && raw[start..].starts_with('\n') {
            start += 1;
        }
        if raw.get(start..start + text.value.len()) != Some(text.value.as_str()) {
            return text.span.clone();
        }
        let before: usize = text.value.chars().take(at).map(char::len_utf8).sum();
        let from = text.span.start + start + before;
        from..from + 1
    }

    fn words(&mut self, kind: Kind) -> (Option<Words>, Vec<(String, Words)>) {
        let (plain, by_type) = (self.entry.values.as_ref(), self.entry.by_record_type.as_ref());
        let place = plain
            .map(|part| &part.span)
            .or(by_type.map(|part| &part.span))
            .cloned();
        let fits = matches!(kind, Kind::Text | Kind::Choice | Kind::Choices | Kind::Flag);
        if let Some(span) = place.as_ref().filter(|_| !fits) {
            self.refuse(
                span,
                &format!("has a value map; a {kind} is mapped with expressions"),
            );
        }
        let all = plain.iter().map(|part| &part.value).chain(
            by_type
                .iter()
                .flat_map(|part| part.value.iter().map(|(_, pairs)| pairs)),
        );
        let wrong = |pairs: &&Pairs| {
            kind == Kind::Flag && pairs.iter().any(|(_, ours)| ours != "true" && ours != "false")
        };
        if let (Some(span), true) = (&place, all.clone().any(|pairs| wrong(&pairs))) {
            self.refuse(
                span,
                "maps to another word than \"true\" or \"false\", and it is a flag",
            );
        }
        let by_type = by_type.map(|part| part.value.clone()).unwrap_or_default();
        let by_type = by_type.into_iter().map(|(name, pairs)| (name, Words(pairs)));
        (plain.map(|part| Words(part.value.clone())), by_type.collect())
    }

    fn country(&mut self, kind: Kind) -> (Option<String>, Option<String>) {
        let entry = self.entry;
        let given = entry.country.as_ref().or(entry.country_path.as_ref());
        if kind != Kind::State {
            if let Some(given) = given {
                self.refuse(&given.span, "names a country, which is for states only");
            }
            return (None, None);
        }
        if given.is_none() && entry.from_crm.is_none() {
            let span = entry.kind.as_ref().map_or(0..0, |kind| kind.span.clone());
            self.refuse(
                &span,
                "is a state: say of which country with `country` or `country_path`",
            );
        }
        let country = entry.country.as_ref().and_then(|country| {
            let code = region::country(&country.value);
            if code.is_none() {
                self.refuse(&country.span, "names a country that ISO 3166 does not know");
            }
            code.map(str::to_owned)
        });
        let path = entry.country_path.as_ref().and_then(|path| self.path(path));
        (country, path.map(|path| path.as_str().to_owned()))
    }

    fn default(&mut self, kind: Kind, text: &At<String>) -> Option<Value> {
        let node = match kind {
            Kind::Number => decimal(&text.value).map(Node::Number),
            Kind::Flag => text.value.parse().ok().map(Node::Bool),
            // Its currency would be anybody's guess.
            Kind::Money => None,
            _ => Some(Node::Text(text.value.clone())),
        };
        let value = node.and_then(|node| values::from_crm(kind, &node, "").ok());
        if value.is_none() {
            self.refuse(&text.span, &format!("has a default that is no {kind}"));
        }
        value
    }
}

/// A message of the compiler behind "an expression that".
fn verb(why: &str) -> String {
    let starts = ["is ", "names ", "looks ", "uses ", "cannot "]
        .iter()
        .any(|verb| why.starts_with(verb));
    if starts {
        why.to_owned()
    } else {
        format!("does not parse: {why}")
    }
}
