//! The quote's own record: where the org keeps it, how it is read, and the part of a call that upserts it.
//!
//! Sources: Object Reference, "Quote"; REST API Developer Guide, "Insert or Update (Upsert) a Record Using an External
//! ID". The external id is the quote's root id, which all revisions share: a repeated write finds the same record.

use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::id::QuoteId;
use serde_json::json;

use super::composite::{Body, Part};
use super::config::Config;
use super::layout::{MISSING, Org, find};
use super::rest::Rest;
use super::soql::{Filter, Order, Path, Select};
use super::write::{all_or_none, raw};

/// The field of a standard quote that names its opportunity.
const PARENT: &str = "OpportunityId";
/// The field with the price book of a quote.
const PRICE_BOOK: &str = "Pricebook2Id";

/// Where the records of quotes are.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) object: Path,
    /// External id of a record.
    pub(crate) key: Path,
    /// From the opportunity to its records.
    pub(crate) relationship: Path,
    /// The field that names the opportunity; given once, when the record is made.
    pub(crate) parent: Path,
    /// The field with the price book, where a new record can be given one.
    pub(crate) price_book: Option<Path>,
    /// Where the correlation id is written.
    pub(crate) correlation: Option<Path>,
}

/// One upsert, ready to be sent.
#[derive(Clone)]
pub(crate) struct Upsert {
    pub(crate) records: Arc<Records>,
    pub(crate) key: QuoteId,
    /// Whether no such record was there when the CRM was read.
    pub(crate) creates: bool,
    pub(crate) body: Body,
}

/// Begins what is warned of where there is no place for the records of quotes.
pub(super) const NO_RECORD: &str = "quotes have no record of their own";

impl Records {
    /// The place for quote records; where the org has none, a warning says what is missing.
    pub(super) fn find(
        config: &Config,
        org: &Org,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Arc<Records>>> {
        if config.quote_object.is_empty() {
            return Ok(None);
        }
        let found = Records::in_org(config, org)?;
        if let Err(why) = &found {
            warnings.push(format!("{NO_RECORD}: {why}"));
        }
        Ok(found.ok().map(Arc::new))
    }

    fn in_org(config: &Config, org: &Org) -> Result<Result<Records, String>> {
        let object = Path::new(&config.quote_object)?;
        let key = Path::new(&config.quote_key_field)?;
        let relationship = Path::new(&config.quote_relationship)?;
        let parent = match why_not(org, &object, &key, &relationship) {
            Err(why) => return Ok(Err(why)),
            Ok(parent) => Path::new(&parent)?,
        };
        let name = object.as_str();
        let price_book = org.own(name, PRICE_BOOK)?;
        let correlation = org.optional(name, &config.correlation_field)?;
        Ok(Ok(Records {
            price_book: price_book.filter(|field| org.createable(name, field.as_str())),
            correlation: correlation
                .filter(|field| org.createable(name, field.as_str()) && org.updateable(name, field.as_str())),
            object,
            key,
            relationship,
            parent,
        }))
    }

    /// The opportunity's newest record that carries a key. Others were made by people and are none of our business.
    pub(super) fn newest(&self, mapped: Vec<Path>) -> Result<Select> {
        let by_age = [
            Order::Down(Path::new("CreatedDate")?),
            Order::Down(Path::new("Id")?),
        ];
        Ok(Select {
            order: by_age.into(),
            limit: Some(1),
            ..self.select(mapped, Filter::Filled(self.key.clone()))
        })
    }

    /// The records with these keys.
    pub(super) fn keyed(&self, fields: Vec<Path>, keys: Vec<String>) -> Select {
        self.select(fields, Filter::OneOf(self.key.clone(), keys))
    }

    fn select(&self, fields: Vec<Path>, filter: Filter) -> Select {
        Select {
            fields,
            children: vec![],
            from: self.relationship.clone(),
            filter: Some(filter),
            order: vec![],
            limit: None,
        }
    }
}

impl Upsert {
    /// The part that makes or changes the record. A change must not make one: without its opportunity it would belong
    /// to nothing.
    pub(super) fn part(&self, rest: &Rest, at: usize) -> Part {
        let Records {
            object, key: field, ..
        } = &*self.records;
        let (key, only) = (
            in_path(self.key.as_str()),
            if self.creates { "" } else { "?updateOnly=true" },
        );
        Part {
            method: "PATCH",
            url: rest.data(&format!("sobjects/{object}/{field}/{key}{only}")),
            reference_id: format!("quote{at}"),
            http_headers: Default::default(),
            body: Some(self.body.clone()),
        }
    }
}

/// The part that makes the records of several quotes, or finds them again after a write whose answer was lost; none for
/// no quotes.
pub(super) fn collection(rest: &Rest, upserts: &[&Upsert]) -> Option<Part> {
    let Records { object, key, .. } = &*upserts.first()?.records;
    let record = |upsert: &&Upsert| {
        let mut record = upsert.body.clone();
        record.insert("attributes".to_owned(), raw(&json!({ "type": object.as_str() })));
        record.insert(key.as_str().to_owned(), raw(&upsert.key.as_str()));
        record
    };
    let records: Vec<Body> = upserts.iter().map(record).collect();
    Some(Part {
        method: "PATCH",
        url: rest.data(&format!("composite/sobjects/{object}/{key}")),
        reference_id: "quotes".to_owned(),
        http_headers: Default::default(),
        body: Some(all_or_none(&records)),
    })
}

/// The field that names the opportunity, or what stands in the way of keeping records there.
fn why_not(org: &Org, object: &Path, key: &Path, relationship: &Path) -> Result<String, String> {
    let Some(schema) = org.0 else {
        return Ok(PARENT.to_owned());
    };
    if !org.has_object(object.as_str()) {
        return Err(format!("{object} {MISSING}; in Salesforce, Quotes may be off"));
    }
    let Some(described) = org.field(object.as_str(), key.as_str()) else {
        return Err(format!("{object}.{key} {MISSING}"));
    };
    if !(described.external_id && described.unique) {
        return Err(format!(
            "{object}.{key} must be a unique external id, or a repeated write would make a second record"
        ));
    }
    let child = find(&schema.children, relationship.as_str());
    let child = child.filter(|child| child.object.eq_ignore_ascii_case(object.as_str()));
    let Some(child) = child else {
        return Err(format!(
            "Opportunity has no child relationship {relationship} to {object}"
        ));
    };
    match described.createable && org.createable(object.as_str(), &child.field) {
        true => Ok(child.field.clone()),
        false => Err(format!(
            "our user may not create {object} records with {key} and {}",
            child.field
        )),
    }
}

/// A value as one segment of a path. Everything but letters, digits, `-` and `_` is encoded: Salesforce takes a dot in
/// a key for the start of a file suffix.
fn in_path(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'_' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::in_path;

    #[test]
    fn a_key_stays_one_segment_of_the_path() {
        assert_eq!(in_path("0199-aB_9"), "0199-aB_9");
        assert_eq!(in_path("a/b?c=d&é.inc"), "a%2Fb%3Fc%3Dd%26%C3%A9%2Einc");
    }
}
