//! Merge fields: places in a callout's body and headers that are filled from the record, written as in flows.
//!
//! A text that is nothing but one merge field becomes the value itself, with its JSON type; inside a longer text the
//! value is written out, and an empty one as nothing.

use super::check::field;
use super::moment::Moment;
use crate::org::ChangeKind;
use crate::schema::Object;
use serde_json::{Map, Value as Json};

const OPEN: &str = "{!";
const CLOSE: char = '}';

/// What a merge field can name.
#[derive(Debug, PartialEq)]
enum Name<'a> {
    /// `$Record.Field`: the record at the end of the transaction.
    Record(&'a str),
    /// `$Record__Prior.Field`: the record before it.
    Prior(&'a str),
    /// `$User.Id`: who made the change.
    UserId,
    /// `$User.Username`.
    Username,
    /// `$Organization.Id`.
    OrganizationId,
    /// `$Trigger.operationType`: `AFTER_INSERT`, `AFTER_UPDATE`, `AFTER_DELETE`, `AFTER_UNDELETE`.
    Operation,
    /// `$Flow.CurrentDateTime`: when the transaction was committed.
    DateTime,
    /// `$Flow.InterviewGuid`: the id of this request, the same at each repetition.
    Guid,
}

/// Fills a whole body in.
pub fn fill(template: &Json, moment: &Moment, guid: &str) -> Json {
    match template {
        Json::String(text) => filled(text, moment, guid),
        Json::Array(items) => items.iter().map(|item| fill(item, moment, guid)).collect(),
        Json::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| (key.clone(), fill(value, moment, guid)));
            Json::Object(pairs.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Fills a text in; the result is a text.
pub fn fill_text(template: &str, moment: &Moment, guid: &str) -> String {
    match filled(template, moment, guid) {
        Json::String(text) => text,
        other => plain(&other),
    }
}

/// Whether every merge field of a body names something.
///
/// # Errors
/// Says which does not.
pub fn check(object: &Object, template: &Json) -> Result<(), String> {
    match template {
        Json::String(text) => check_text(object, text),
        Json::Array(items) => items.iter().try_for_each(|item| check(object, item)),
        Json::Object(map) => map.values().try_for_each(|value| check(object, value)),
        _ => Ok(()),
    }
}

/// Whether every merge field of a text names something.
///
/// # Errors
/// Says which does not.
pub fn check_text(object: &Object, text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some((_, inside, after)) = next(rest) {
        match Name::parse(inside) {
            Some(Name::Record(name) | Name::Prior(name)) => drop(field(object, name)?),
            Some(_) => {}
            None => return Err(format!("the merge field {{!{inside}}} names nothing")),
        }
        rest = after;
    }
    Ok(())
}

/// How many merge fields a text may hold.
pub fn count(text: &str) -> usize {
    text.matches(OPEN).count()
}

fn filled(text: &str, moment: &Moment, guid: &str) -> Json {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inside, after)) = next(rest) {
        let value = Name::parse(inside).map_or(Json::Null, |name| name.value(moment, guid));
        if before.len() + after.len() == 0 && rest.len() == text.len() {
            return value;
        }
        out.push_str(before);
        out.push_str(&plain(&value));
        rest = after;
    }
    out.push_str(rest);
    Json::String(out)
}

/// What stands before the first merge field, its inside, and what stands behind it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (inside, after) = rest.split_once(CLOSE)?;
    Some((before, inside, after))
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Name<'_> {
    fn parse(inside: &str) -> Option<Name<'_>> {
        let (whole, part) = inside.trim().split_once('.')?;
        match (whole, part) {
            ("$Record", name) => Some(Name::Record(name)),
            ("$Record__Prior", name) => Some(Name::Prior(name)),
            ("$User", "Id") => Some(Name::UserId),
            ("$User", "Username") => Some(Name::Username),
            ("$Organization", "Id") => Some(Name::OrganizationId),
            ("$Trigger", "operationType") => Some(Name::Operation),
            ("$Flow", "CurrentDateTime") => Some(Name::DateTime),
            ("$Flow", "InterviewGuid") => Some(Name::Guid),
            _ => None,
        }
    }

    fn value(&self, moment: &Moment, guid: &str) -> Json {
        let user = moment.commit.user.to_string();
        match self {
            Self::Record(name) => moment.after(name).map_or(Json::Null, |(f, v)| v.to_json(f.kind)),
            Self::Prior(name) => moment.before(name).map_or(Json::Null, |(f, v)| v.to_json(f.kind)),
            Self::Username => moment
                .org
                .user(&user)
                .map_or(Json::Null, |user| user.username.into()),
            Self::UserId => user.into(),
            Self::OrganizationId => moment.org.organization_id().into(),
            Self::Operation => operation(moment.kind()).into(),
            Self::DateTime => crate::org::value::wire_instant(moment.commit.at).into(),
            Self::Guid => guid.into(),
        }
    }
}

/// The name that Apex gives the moment (Apex Reference, `System.TriggerOperation`).
fn operation(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Create => "AFTER_INSERT",
        ChangeKind::Update => "AFTER_UPDATE",
        ChangeKind::Delete => "AFTER_DELETE",
        ChangeKind::Undelete => "AFTER_UNDELETE",
    }
}
