//! How the values of one field are translated, beyond what their types say: expressions, value maps, defaults, zones
//! and the names of countries.

use std::sync::Arc;

use cpq_domain::kind::Kind;
use cpq_domain::region;
use cpq_domain::value::Value;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::fields::Field;
use super::values;
use crate::expression::{Expression, Seen};
use crate::json::Node;

/// What an entry of the mapping says about the values of its field. Compiled once, when the mapping is loaded.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) from_crm: Option<Expression>,
    pub(crate) to_crm: Option<Expression>,
    pub(crate) values: Option<Words>,
    pub(crate) by_record_type: Vec<(String, Words)>,
    /// Stands for no value: in the CRM when it is read, and to be written where the CRM takes none.
    pub(crate) default: Option<Value>,
    /// Digits after the point in which both sides are compared.
    pub(crate) scale: Option<u32>,
    /// Whether the CRM field holds codes of countries and states rather than names.
    pub(crate) codes: bool,
    /// The country whose states these are.
    pub(crate) country: Option<String>,
    /// Where that country stands, seen from the row.
    pub(crate) country_path: Option<String>,
}

/// A value map: CRM value and canonical value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words(pub(crate) Vec<(String, String)>);

/// What the org says about how a field is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Vendor type; empty while the org was not described.
    pub(crate) kind: String,
    pub(crate) nillable: bool,
    /// Zone of the organisation's days.
    pub(crate) zone: Arc<TimeZone>,
}

/// What stands around a value that is read.
pub(crate) struct Around<'a> {
    /// The row that it is in.
    pub(crate) row: &'a Node,
    pub(crate) currency: &'a str,
    /// Of the opportunity.
    pub(crate) record_type: Option<&'a str>,
}

impl Default for Stored {
    fn default() -> Self {
        Stored {
            kind: String::new(),
            nillable: true,
            zone: Arc::new(TimeZone::UTC),
        }
    }
}

impl Rules {
    /// Whether an expression stands between the two sides.
    pub(crate) fn computed(&self) -> bool {
        self.from_crm.is_some() || self.to_crm.is_some()
    }

    /// Other columns of the row that are needed to read the field.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &str> {
        let named = self
            .from_crm
            .iter()
            .flat_map(Expression::reads)
            .map(String::as_str);
        named.chain(self.country_path.as_deref())
    }

    fn words(&self, record_type: Option<&str>) -> Option<&Words> {
        let own = self
            .by_record_type
            .iter()
            .find(|(name, _)| Some(name.as_str()) == record_type);
        own.map(|(_, words)| words).or(self.values.as_ref())
    }

    fn has_words(&self) -> bool {
        self.values.is_some() || !self.by_record_type.is_empty()
    }
}

impl Words {
    fn ours(&self, crm: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == crm)
            .map(|(_, ours)| ours.as_str())
    }

    fn theirs(&self, ours: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(_, known)| known == ours)
            .map(|(crm, _)| crm.as_str())
    }
}

/// Our value of what the CRM holds in a field.
///
/// # Errors
/// Why it has none, with what the CRM holds.
pub(crate) fn read(field: &Field, node: &Node, around: &Around) -> Result<Value, String> {
    let (rules, kind) = (&*field.rules, field.kind);
    let empty = || rules.default.clone().unwrap_or_default();
    if is_empty(node) {
        return Ok(empty());
    }
    let computed = match &rules.from_crm {
        Some(expression) => Some(expression.eval(Seen {
            value: crate::expression::dynamic(node),
            currency: around.currency,
            record: Some(around.row),
        })?),
        None => None,
    };
    let node = computed.as_ref().unwrap_or(node);
    let value = match (kind, node) {
        _ if rules.has_words() => word(field, node, around)?,
        (Kind::Country, Node::Text(text)) => Value::text(region::country(text).unwrap_or(text)),
        (Kind::State, Node::Text(text)) => state(rules, around, text),
        (Kind::Date, Node::Text(text)) => date(text, &field.stored.zone)?,
        _ => values::from_crm(kind, &flat(node), around.currency)?,
    };
    Ok(if value.is_null() { empty() } else { value })
}

fn is_empty(node: &Node) -> bool {
    matches!(node, Node::Null) || node.text().is_some_and(|text| text.trim().is_empty())
}

/// A list of an expression in the CRM's form of one.
fn flat(node: &Node) -> Node {
    match node {
        Node::List(entries) => Node::Text(entries.iter().map(plain).collect::<Vec<_>>().join(";")),
        other => other.clone(),
    }
}

fn plain(node: &Node) -> String {
    match node {
        Node::Text(text) => text.clone(),
        Node::Number(number) => number.normalize().to_string(),
        Node::Bool(yes) => yes.to_string(),
        Node::Null | Node::List(_) | Node::Object(_) => String::new(),
    }
}

fn word(field: &Field, node: &Node, around: &Around) -> Result<Value, String> {
    let Some(words) = field.rules.words(around.record_type) else {
        return Err(format!(
            "has no value map for the record type {}",
            around.record_type.unwrap_or("none")
        ));
    };
    let ours = |text: &str| {
        let ours = words.ours(text).map(str::to_owned);
        ours.ok_or_else(|| format!("holds {text:?}, which the value map does not name"))
    };
    let text = plain(node);
    match field.kind {
        Kind::Choices => Ok(Value::Choices(
            text.split(';').map(ours).collect::<Result<_, _>>()?,
        )),
        Kind::Flag => Ok(Value::Bool(ours(&text)? == "true")),
        kind => values::from_crm(kind, &Node::Text(ours(&text)?), around.currency),
    }
}

fn state(rules: &Rules, around: &Around, text: &str) -> Value {
    let there = rules
        .country_path
        .as_ref()
        .and_then(|path| around.row.at(path.split('.')));
    let country = rules.country.as_deref().or(there.and_then(Node::text));
    Value::text(region::state(country, text).unwrap_or(text))
}

/// A date, or the day in the organisation's zone on which a moment is.
fn date(text: &str, zone: &TimeZone) -> Result<Value, String> {
    let wrong = || {
        format!(
            "holds {:?}, which is not a Date",
            text.chars().take(40).collect::<String>()
        )
    };
    // A moment has a `T` between day and time (REST API Developer Guide, "Valid Date and DateTime Formats").
    if text.contains('T') {
        let moment = values::instant(text).ok_or_else(wrong)?;
        return Ok(Value::Date(moment.to_zoned(zone.clone()).date()));
    }
    text.parse().map(Value::Date).map_err(|_| wrong())
}

/// The CRM's JSON of our value.
///
/// # Errors
/// Why there is none.
pub(crate) fn write(
    field: &Field,
    value: &Value,
    record_type: Option<&str>,
) -> Result<Box<RawValue>, String> {
    let (rules, kind) = (&*field.rules, field.kind);
    let value = match (value, &rules.default) {
        (Value::Null, Some(default)) if !field.stored.nillable => default,
        (value, _) => value,
    };
    if value.is_null() {
        return Ok(RawValue::NULL.to_owned());
    }
    if !kind.admits(value)
        && !matches!(
            (kind, value),
            (Kind::Text, Value::Choice(_)) | (Kind::Choice, Value::Text(_))
        )
    {
        return values::to_crm(kind, value);
    }
    if let Some(expression) = &rules.to_crm {
        let currency = match value {
            Value::Money(money) => money.currency.as_str(),
            _ => "",
        };
        let seen = Seen {
            value: seen(value),
            currency,
            record: None,
        };
        return Ok(json(&expression.eval(seen)?, &field.stored.kind));
    }
    if rules.has_words() {
        return their_words(field, value, record_type);
    }
    match (kind, value) {
        (Kind::Country, Value::Text(text)) => Ok(text_json(country_there(rules, text))),
        (Kind::State, Value::Text(text)) => state_there(rules, text).map(text_json),
        (Kind::Date, Value::Date(date)) if field.stored.kind == "datetime" => {
            let start = date
                .to_zoned((*field.stored.zone).clone())
                .map_err(|error| error.to_string())?;
            values::to_crm(Kind::Instant, &Value::Instant(start.timestamp()))
        }
        _ => values::to_crm(kind, value),
    }
}

fn their_words(field: &Field, value: &Value, record_type: Option<&str>) -> Result<Box<RawValue>, String> {
    let Some(words) = field.rules.words(record_type) else {
        return Err(format!(
            "there is no value map for the record type {}",
            record_type.unwrap_or("none")
        ));
    };
    let theirs = |ours: &str| {
        let theirs = words.theirs(ours).map(str::to_owned);
        theirs.ok_or_else(|| format!("the value map has no CRM value for {ours:?}"))
    };
    let text = match value {
        Value::Choices(set) => {
            let words: Result<Vec<String>, String> = set.iter().map(|ours| theirs(ours)).collect();
            words?.join(";")
        }
        Value::Bool(yes) => theirs(&yes.to_string())?,
        other => theirs(other.as_text().unwrap_or_default())?,
    };
    Ok(json(&Node::Text(text), &field.stored.kind))
}

fn country_there(rules: &Rules, text: &str) -> String {
    let code = region::country(text);
    let there = code.and_then(|code| {
        if rules.codes {
            Some(code)
        } else {
            region::country_name(code)
        }
    });
    there.unwrap_or(text).to_owned()
}

/// A state of another country would be read back as none, or as another one.
fn state_there(rules: &Rules, text: &str) -> Result<String, String> {
    let country = rules.country.as_deref();
    let Some(code) = region::state(country, text) else {
        return Ok(text.to_owned());
    };
    let of = code.split('-').next();
    match country {
        // It would be read back as the code, and the two never agree.
        _ if !code.eq_ignore_ascii_case(text.trim()) => Err(format!(
            "{text:?} is a state by name; its ISO 3166-2 code is {code}"
        )),
        Some(country) if of != Some(country) => Err(format!("{code} is no state of {country}")),
        _ if rules.codes => Ok(region::short(code).to_owned()),
        _ => Ok(region::state_name(code).unwrap_or(text).to_owned()),
    }
}

/// Our value as an expression sees it.
fn seen(value: &Value) -> rhai::Dynamic {
    match value {
        Value::Null => rhai::Dynamic::UNIT,
        Value::Text(text) | Value::Choice(text) => text.as_str().into(),
        Value::Bool(yes) => (*yes).into(),
        Value::Number(number) => number.normalize().into(),
        Value::Money(money) => money.amount.normalize().into(),
        Value::Date(date) => date.to_string().into(),
        Value::Instant(instant) => instant.to_string().into(),
        Value::Choices(set) => set
            .iter()
            .map(|one| one.as_str().into())
            .collect::<Vec<rhai::Dynamic>>()
            .into(),
    }
}

/// The JSON of a result. A text field takes numbers as text, and a checkbox takes the words true and false.
fn json(node: &Node, stored: &str) -> Box<RawValue> {
    let text = match (flat(node), stored) {
        (Node::Null | Node::Object(_) | Node::List(_), _) => return RawValue::NULL.to_owned(),
        (Node::Bool(yes), _) => yes.to_string(),
        (Node::Number(number), "" | "double" | "currency" | "percent" | "int" | "long") => number.to_string(),
        (Node::Number(number), _) => return text_json(number.to_string()),
        (Node::Text(text), "boolean") if matches!(text.as_str(), "true" | "false") => text,
        (Node::Text(text), _) => return text_json(text),
    };
    RawValue::from_string(text).expect("numbers and booleans are JSON")
}

fn text_json(text: String) -> Box<RawValue> {
    RawValue::from_string(serde_json::Value::from(text).to_string()).expect("quoted text is JSON")
}
