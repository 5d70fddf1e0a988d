//! The fields of a mapping as the linter looks at them.

use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::lint::mapped::{Codec, Drawn, ValueMap};
use cpq_domain::schema::CrmSchema;
use cpq_domain::value::Value;

use super::config::Config;
use super::convert::{self, Around, Words};
use super::fields::{self, Field, RECORD_KEY, Rows};
use super::layout::{CURRENCY_FALLBACK, Org, time_zone};
use super::quote_record::Records;
use crate::json::Node;

/// The currency of a single-currency org has a setting and no field.
const CURRENCY: &str = "quote.currency";

/// Every field of a connection's mapping, in the light of what its org says.
///
/// # Errors
/// [`cpq_domain::Code::ConfigInvalid`] when a setting or an entry makes no sense.
pub fn drawn(config: &Config, schema: Option<&CrmSchema>) -> Result<Vec<Drawn>> {
    let org = Org(schema);
    let has_quotes = Records::find(config, &org, &mut Vec::new())?.is_some();
    let zone = time_zone(config, schema)?;
    let known = schema.and_then(|schema| schema.time_zone.clone());
    let zone_name = config.time_zone.clone().or(known.filter(|_| zone.is_some()));
    let zone = Arc::new(zone.unwrap_or(jiff::tz::TimeZone::UTC));
    let fields = fields::load(config)?.into_iter();
    let fields = fields.filter(|field| field.rows != Rows::Quote || has_quotes);
    let single = schema.is_some() && org.field("Opportunity", "CurrencyIsoCode").is_none();
    let fields = fields.filter(|field| !(single && field.name.as_str() == CURRENCY));
    let draw = |field: Field| draw(config, &org, org.stored(&field, &zone), zone_name.clone());
    Ok(fields.map(draw).collect())
}

fn draw(config: &Config, org: &Org, field: Field, zone: Option<String>) -> Drawn {
    let currency = config
        .currency
        .clone()
        .unwrap_or_else(|| CURRENCY_FALLBACK.to_owned());
    let paper = |record_type: Option<&String>| -> Arc<dyn Codec> {
        Arc::new(Paper {
            field: field.clone(),
            currency: currency.clone(),
            record_type: record_type.cloned(),
        })
    };
    let map = |record_type: Option<&String>, words: &Words| ValueMap {
        record_type: record_type.cloned(),
        pairs: words.0.clone(),
        codec: paper(record_type),
    };
    let plain = field.rules.values.iter().map(|words| map(None, words));
    let by_type = field
        .rules
        .by_record_type
        .iter()
        .map(|(name, words)| map(Some(name), words));
    Drawn {
        name: field.name.clone(),
        place: format!("{}.{}", field.object, field.path.field()),
        line: field.line,
        kind: field.kind,
        shape: org.shape(&field),
        written: field.writable,
        created: matches!(field.rows, Rows::Quote | Rows::Line),
        once: field.name.as_str() == RECORD_KEY,
        described: org.0.is_some(),
        unreadable: org.unreadable(&field),
        there: org.field(field.object.as_str(), field.path.field()).cloned(),
        maps: plain.chain(by_type).collect(),
        from_crm: field
            .rules
            .from_crm
            .as_ref()
            .map(|expression| expression.text().to_owned()),
        to_crm: field
            .rules
            .to_crm
            .as_ref()
            .map(|expression| expression.text().to_owned()),
        sees_others: field.rules.reads().next().is_some(),
        has_default: field.rules.default.is_some(),
        country: field.rules.country.clone(),
        zone,
        codec: paper(None),
        currency,
    }
}

/// Translates on paper: nothing is sent.
struct Paper {
    field: Field,
    currency: String,
    record_type: Option<String>,
}

impl Codec for Paper {
    fn send(&self, value: &Value) -> Result<String, String> {
        let json = convert::write(&self.field, value, self.record_type.as_deref())?;
        Ok(json.get().to_owned())
    }

    fn receive(&self, json: &str, beside: &Value) -> Result<Value, String> {
        let node = Node::parse(json.as_bytes()).map_err(|error| error.to_string())?;
        let row = self.row(beside);
        let around = Around {
            row: &row,
            currency: &self.currency,
            record_type: self.record_type.as_deref(),
        };
        convert::read(&self.field, &node, &around)
    }
}

impl Paper {
    /// A row with the columns that the field looks at. All are empty but the country of a state.
    fn row(&self, beside: &Value) -> Node {
        let country = beside.as_text().and_then(|state| state.split_once('-'));
        let mut row = Node::Object(Vec::new());
        for path in self.field.rules.reads() {
            let value = match (self.field.rules.country_path.as_deref(), country) {
                (Some(known), Some((country, _))) if known == path => Node::Text(country.to_owned()),
                _ => Node::Null,
            };
            put(&mut row, path, value);
        }
        row
    }
}

fn put(row: &mut Node, path: &str, value: Node) {
    let Node::Object(members) = row else { return };
    let Some((parent, rest)) = path.split_once('.') else {
        members.push((path.to_owned(), value));
        return;
    };
    let at = match members.iter().position(|(name, _)| name == parent) {
        Some(at) => at,
        None => {
            members.push((parent.to_owned(), Node::Object(Vec::new())));
            members.len() - 1
        }
    };
    put(&mut members[at].1, rest, value);
}
