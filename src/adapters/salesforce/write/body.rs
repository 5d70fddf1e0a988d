//! What a write sends, made and checked before anything goes out.

use cpq_domain::adapter::{Call, CrmWrite};
use cpq_domain::value::Value;
use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};

use crate::salesforce::composite::Body;
use crate::salesforce::convert;
use crate::salesforce::fields::{Field, Kind, RECORD_KEY, RECORD_NAME, Rows};
use crate::salesforce::layout::Layout;
use crate::salesforce::quote_record::{Records, Upsert};
use crate::salesforce::soql::Path;
use crate::salesforce::values;

/// The bodies of one write.
#[derive(Clone)]
pub(in crate::salesforce) struct Bodies {
    pub(super) opportunity: Body,
    /// Only where a field of the quote's record is written.
    pub(super) quote: Option<Upsert>,
}

impl Bodies {
    /// The bodies of a write.
    ///
    /// # Errors
    /// [`Code::Unsupported`] for lines, [`Code::SchemaDrift`] for a field that the org lacks, [`Code::CrmForbidden`]
    /// for one that we may not write, [`Code::CrmRejected`] for a value that the field cannot hold.
    pub(in crate::salesforce) fn of(
        layout: &Layout,
        connection: &str,
        call: &Call,
        write: &CrmWrite,
    ) -> Result<Bodies> {
        let draft = Draft {
            layout,
            connection,
            write,
        };
        if let Some(key) = write.patch.lines.keys().next() {
            let message =
                format!("line {key} cannot be written: the lines of a Salesforce opportunity are read only");
            return Err(draft.refusal(Code::Unsupported, message, &FieldName::new("line.exists")));
        }
        let (mut opportunity, mut quote) = (Body::new(), Body::new());
        for (name, value) in &write.patch.fields {
            let field = draft.field(name, value)?;
            let json = draft.json(field, value)?;
            match field.rows {
                // It stands in the address of the record and must not stand in its body.
                Rows::Quote if name.as_str() == RECORD_KEY => {}
                Rows::Quote => drop(quote.insert(field.path.as_str().to_owned(), json)),
                _ => drop(opportunity.insert(field.path.as_str().to_owned(), json)),
            }
        }
        if let Some(path) = &layout.correlation {
            put(&mut opportunity, path, call.correlation.as_str());
        }
        let quote = draft.upsert(call, quote)?;
        Ok(Bodies { opportunity, quote })
    }
}

/// A write on its way to its bodies.
struct Draft<'a> {
    layout: &'a Layout,
    connection: &'a str,
    write: &'a CrmWrite,
}

impl Draft<'_> {
    /// The field of a name, if we may write this value to it.
    fn field(&self, name: &FieldName, value: &Value) -> Result<&Field> {
        let Some(field) = self.layout.field(name) else {
            let message =
                format!("{name} cannot be written: no field of Salesforce is mapped to it, or it is missing");
            return Err(self.refusal(Code::SchemaDrift, message, name));
        };
        if !self.writable(name) {
            let (object, path) = (&field.object, &field.path);
            let message = format!("{name} cannot be written: {object}.{path} is read-only for us");
            return Err(self.refusal(Code::CrmForbidden, message, name));
        }
        self.check_currency(field, value)
            .map_err(|why| self.refusal(Code::CrmRejected, why, name))?;
        Ok(field)
    }

    fn writable(&self, name: &FieldName) -> bool {
        let mapped = self.layout.mapping.fields.get(name);
        mapped.is_some_and(|mapped| mapped.writable)
    }

    fn json(&self, field: &Field, value: &Value) -> Result<Box<serde_json::value::RawValue>> {
        convert::write(field, value, self.write.record_type.as_deref()).map_err(|why| {
            let message = format!("{} cannot be written: {why}", field.name);
            self.refusal(Code::CrmRejected, message, &field.name)
        })
    }

    /// An org with one currency has nowhere to say that an amount is in another.
    fn check_currency(&self, field: &Field, value: &Value) -> Result<(), String> {
        let (layout, name) = (self.layout, &field.name);
        match value {
            Value::Money(money) if layout.currency_field.is_none() && money.currency != layout.currency => {
                Err(format!(
                    "{name} cannot be written: {money} is not in the org's only currency, {}",
                    layout.currency
                ))
            }
            _ => Ok(()),
        }
    }

    /// The upsert of the quote's record, where the patch says something about it.
    fn upsert(&self, call: &Call, mut body: Body) -> Result<Option<Upsert>> {
        let mut names = self.write.patch.fields.keys();
        let Some(records) = &self.layout.quotes else {
            return Ok(None);
        };
        let Some(name) = names.find(|name| self.layout.field(name).is_some_and(|f| f.rows == Rows::Quote))
        else {
            return Ok(None);
        };
        let Some(record) = &self.write.quote_record else {
            let message =
                format!("{name} cannot be written: the write does not say which quote's record it means");
            return Err(self.refusal(Code::Unsupported, message, name));
        };
        let creates = self.write.patch.fields.contains_key(RECORD_KEY);
        if creates {
            self.begin(records, &mut body);
        }
        if let Some(path) = &records.correlation {
            put(&mut body, path, call.correlation.as_str());
        }
        Ok(Some(Upsert {
            records: records.clone(),
            key: record.key.clone(),
            creates,
            body,
        }))
    }

    /// What only a new record is given.
    fn begin(&self, records: &Records, body: &mut Body) {
        let record = self.write.quote_record.as_ref();
        put(body, &records.parent, self.write.opportunity.id.as_str());
        let price_book = record.and_then(|record| record.price_book.as_ref());
        if let (Some(path), Some(id)) = (&records.price_book, price_book) {
            put(body, path, id.as_str());
        }
        let name = FieldName::new(RECORD_NAME);
        let field = self.layout.field(&name).filter(|_| self.writable(&name));
        if let (Some(field), Some(record)) = (field, record)
            && !body.contains_key(field.path.as_str())
        {
            put(body, &field.path, &record.name);
        }
    }

    fn refusal(&self, code: Code, message: String, field: &FieldName) -> Error {
        let object = self
            .layout
            .field(field)
            .map_or("Opportunity", |field| field.object.as_str());
        Error::new(code, message)
            .connection(self.connection)
            .object(object)
            .record(self.write.opportunity.id.as_str())
            .field(field.as_str())
    }
}

fn put(body: &mut Body, path: &Path, text: &str) {
    let json = values::to_crm(Kind::Text, &Value::text(text)).expect("text is text");
    body.insert(path.as_str().to_owned(), json);
}
