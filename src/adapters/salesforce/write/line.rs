//! The records of lines that a write makes, changes and deletes.
//!
//! Source: Object Reference, "OpportunityLineItem": the total is quantity times unit price less discount, one of unit
//! price and total may be given, and one must be given where quantity and discount change together. What counts is the
//! total (`line.net_total`): a unit price is rounded, and rounding it again would lose cents.

use cpq_domain::id::{LineKey, RecordId};
use cpq_domain::value::Value;
use cpq_domain::view::{Fields, LineChange};
use cpq_domain::{Code, Result};
use rust_decimal::Decimal;
use serde_json::json;

use super::body::Draft;
use super::changes::{Change, raw};
use crate::salesforce::composite::Body;
use crate::salesforce::entries::{self, Found};
use crate::salesforce::lines::{Lines, OBJECT, SKU};

const QUANTITY: &str = "line.quantity";
const DISCOUNT: &str = "line.discount_percent";
const UNIT: &str = "line.list_unit";
const NET: &str = "line.net_total";
/// What decides the price of a line.
const PRICE: [&str; 4] = [QUANTITY, DISCOUNT, UNIT, NET];

/// The changes of all lines of a patch.
pub(super) fn changes(draft: &Draft, lines: &Lines, entries: &Found) -> Result<Vec<(LineKey, Change)>> {
    let mut changes = Vec::new();
    for (key, change) in &draft.write.patch.lines {
        let record = draft.write.lines.get(key).and_then(|line| line.record.as_ref());
        let put = match change {
            LineChange::Put(put) => put,
            LineChange::Remove => {
                let Some(id) = record else {
                    return Err(unnamed(draft, key));
                };
                changes.push((key.clone(), Change::Gone(id.clone())));
                continue;
            }
        };
        let line = Line {
            draft,
            lines,
            key,
            put,
        };
        if let (Some(id), false) = (record, entries::is_new(draft.write, key, put)) {
            changes.push((key.clone(), Change::Changed(line.changed(id)?)));
            continue;
        }
        changes.extend(record.map(|id| (key.clone(), Change::Gone(id.clone()))));
        let Some(entry) = entries.get(key) else {
            return Err(line.refusal(SKU, "its product was not looked up"));
        };
        changes.push((key.clone(), Change::New(line.new_record(entry)?)));
    }
    Ok(changes)
}

/// Only who read the line knows its record.
fn unnamed(draft: &Draft, key: &LineKey) -> cpq_domain::Error {
    let message = format!("line {key} cannot be taken away: the write does not say which record it is");
    draft.refusal(Code::Unsupported, message, &"line.exists".into())
}

struct Line<'a> {
    draft: &'a Draft<'a>,
    lines: &'a Lines,
    key: &'a LineKey,
    put: &'a Fields,
}

impl Line<'_> {
    /// Only what differs, and the key, so that a line that was there before the quote is known by it from now on.
    fn changed(&self, id: &RecordId) -> Result<Body> {
        let mut body = self.begin()?;
        body.insert("Id".to_owned(), raw(&id.as_str()));
        for (name, value) in self.put {
            self.set(&mut body, name.as_str(), value)?;
        }
        if self.put.keys().any(|name| PRICE.contains(&name.as_str())) {
            self.price(&mut body, false)?;
        }
        Ok(body)
    }

    fn new_record(&self, entry: &RecordId) -> Result<Body> {
        let mut body = self.begin()?;
        let opportunity = self.draft.write.opportunity.id.as_str();
        body.insert("OpportunityId".to_owned(), raw(&opportunity));
        body.insert("PricebookEntryId".to_owned(), raw(&entry.as_str()));
        let whole = self.draft.write.lines.get(self.key);
        for (name, value) in whole.iter().flat_map(|line| &line.fields) {
            if !value.is_null() {
                self.set(&mut body, name.as_str(), value)?;
            }
        }
        self.price(&mut body, true)?;
        Ok(body)
    }

    fn begin(&self) -> Result<Body> {
        let Some(record) = &self.draft.write.quote_record else {
            return Err(self.refusal("line.exists", "the write does not say which quote it belongs to"));
        };
        let key = self
            .lines
            .key_of(&record.key, self.key)
            .map_err(|why| self.refusal("line.exists", &why))?;
        Ok(Body::from([
            ("attributes".to_owned(), raw(&json!({ "type": OBJECT }))),
            (self.lines.key.as_str().to_owned(), raw(&key)),
        ]))
    }

    /// Sets a field that we may write. What is part of the price is set together; the product is in the entry.
    fn set(&self, body: &mut Body, name: &str, value: &Value) -> Result<()> {
        match name {
            UNIT | NET | SKU => Ok(()),
            _ => self.put(body, name, value),
        }
    }

    fn put(&self, body: &mut Body, name: &str, value: &Value) -> Result<()> {
        let Some(field) = self.draft.writable_field(name) else {
            return Ok(());
        };
        self.draft
            .check_currency(field, value)
            .map_err(|why| self.refusal(name, &why))?;
        let json = self
            .draft
            .json(field, value)
            .map_err(|error| self.refusal(name, &error.message))?;
        body.insert(field.path.as_str().to_owned(), json);
        Ok(())
    }

    /// Total or unit price, never both.
    fn price(&self, body: &mut Body, new: bool) -> Result<()> {
        let reached = self.share().is_none_or(|share| !share.is_zero());
        let total = self
            .value(NET)
            .filter(|_| self.draft.writable_field(NET).is_some());
        let both = self.put.contains_key(QUANTITY) && self.put.contains_key(DISCOUNT);
        let unit = self
            .value(UNIT)
            .filter(|_| new || both || self.put.contains_key(UNIT));
        match (total, unit) {
            (Some(total), _) if reached => self.put(body, NET, total),
            (_, Some(unit)) => self.put(body, UNIT, unit),
            (Some(total), None) => self.put(body, NET, total),
            (None, None) => Ok(()),
        }
    }

    /// Quantity less discount. Where it is nothing, no unit price gives a total.
    fn share(&self) -> Option<Decimal> {
        let quantity = self.value(QUANTITY)?.as_decimal()?;
        let discount = self
            .value(DISCOUNT)
            .and_then(Value::as_decimal)
            .unwrap_or_default();
        quantity.checked_mul(Decimal::ONE_HUNDRED.checked_sub(discount)?)
    }

    /// The value in the CPQ, where it is known.
    fn value(&self, name: &str) -> Option<&Value> {
        let whole = self.draft.write.lines.get(self.key).map(|line| &line.fields);
        let value = self.put.get(name).or_else(|| whole?.get(name));
        value.filter(|value| !value.is_null())
    }

    fn refusal(&self, field: &str, why: &str) -> cpq_domain::Error {
        let message = format!("line {} cannot be written: {why}", self.key);
        self.draft
            .refusal(Code::CrmRejected, message, &field.into())
            .object(OBJECT)
            .record(self.key.as_str())
    }
}
