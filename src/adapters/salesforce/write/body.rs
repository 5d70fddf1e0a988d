//! What a write sends, made and checked before anything goes out.

use cpq_domain::adapter::{Call, CrmWrite};
use cpq_domain::quote::SYNC_STATE;
use cpq_domain::value::Value;
use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};

use super::apart::Apart;
use super::changes::{self, Collection};
use super::line;
use crate::limits::COLLECTIONS;
use crate::salesforce::composite::Body;
use crate::salesforce::convert;
use crate::salesforce::entries::Found;
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
    /// Lines that are made, changed and deleted.
    pub(super) lines: Vec<Collection>,
    /// Whether the lines are read back.
    pub(super) reads_lines: bool,
    /// What the first call of a write in several calls says of the quote's record; only there.
    pub(super) opening: Option<Upsert>,
    /// Texts that no call of several parts can carry.
    pub(super) apart: Option<Apart>,
}

impl Bodies {
    /// The bodies of a write.
    ///
    /// # Errors
    /// [`Code::Unsupported`] for lines where the org has no place for them, [`Code::SchemaDrift`] for a field that the org lacks, [`Code::CrmForbidden`]
    /// for one that we may not write, [`Code::CrmRejected`] for a value that the field cannot hold.
    pub(in crate::salesforce) fn of(
        layout: &Layout,
        connection: &str,
        call: &Call,
        write: &CrmWrite,
        entries: &Found,
    ) -> Result<Bodies> {
        let draft = Draft {
            layout,
            connection,
            write,
        };
        let lines = draft.lines(entries)?;
        let mark = (lines.len() > COLLECTIONS).then(|| draft.mark()).transpose()?;
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
        let mut quote = draft.upsert(call, quote)?;
        let opening = match mark {
            Some((path, revision)) => Some(draft.open(call, &mut quote, &path, revision)?),
            None => None,
        };
        let mut bodies = Bodies {
            opportunity,
            quote,
            reads_lines: !lines.is_empty(),
            lines,
            opening,
            apart: None,
        };
        bodies.set_apart(layout);
        Ok(bodies)
    }

    /// Whether it takes more than one call.
    pub(super) fn is_alone(&self) -> bool {
        self.opening.is_some() || self.apart.is_some()
    }

    /// What one call of several carries, before the last one.
    pub(super) fn stage(&self, layout: &Layout, call: &Call, first: bool, lines: Vec<Collection>) -> Bodies {
        let mut opportunity = Body::new();
        if let Some(path) = &layout.correlation {
            put(&mut opportunity, path, call.correlation.as_str());
        }
        Bodies {
            opportunity,
            quote: self.opening.clone().filter(|_| first),
            lines,
            reads_lines: false,
            opening: None,
            apart: None,
        }
    }

    /// How many parts of a call it takes.
    pub(super) fn parts(&self) -> usize {
        1 + usize::from(self.quote.is_some()) + self.lines.len()
    }
}

/// A write on its way to its bodies.
pub(super) struct Draft<'a> {
    layout: &'a Layout,
    connection: &'a str,
    pub(super) write: &'a CrmWrite,
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

    /// The field of a line, where the org lets us write it.
    pub(super) fn writable_field(&self, name: &str) -> Option<&Field> {
        let name = FieldName::new(name);
        self.layout.field(&name).filter(|_| self.writable(&name))
    }

    fn lines(&self, entries: &Found) -> Result<Vec<Collection>> {
        let Some(key) = self.write.patch.lines.keys().next() else {
            return Ok(Vec::new());
        };
        let Some(lines) = &self.layout.lines else {
            let warnings = self.layout.mapping.warnings.iter();
            let why = warnings.filter(|warning| warning.starts_with("lines "));
            let why: Vec<&str> = why.map(String::as_str).collect();
            let message = format!("line {key} cannot be written: {}", why.join("; "));
            return Err(self.refusal(Code::Unsupported, message, &FieldName::new("line.exists")));
        };
        Ok(changes::collections(line::changes(self, lines, entries)?))
    }

    /// Where the mark of a write in several calls goes, and for which revision.
    fn mark(&self) -> Result<(Path, u32)> {
        let field = FieldName::new(SYNC_STATE);
        let place = self.writable_field(SYNC_STATE).map(|field| field.path.clone());
        match (place, &self.write.quote_record) {
            (Some(path), Some(record)) => Ok((path, record.revision)),
            _ => {
                let changes = self.write.patch.lines.len();
                let message = format!(
                    "{changes} lines do not fit into one call, and a reader could not tell a half-written quote from a \
                     whole one: the quote's record has no field for the mark that says so"
                );
                let next = "create CPQ_Sync_State__c, Text(40), on the object of the quotes, and describe the org again";
                Err(self.refusal(Code::Unsupported, message, &field).next(next))
            }
        }
    }

    /// Divides the upsert of the quote's record: the first call finds or makes the record and marks it, and what is
    /// left for the last call finds it there.
    fn open(&self, call: &Call, quote: &mut Option<Upsert>, mark: &Path, revision: u32) -> Result<Upsert> {
        let (Some(records), Some(record)) = (&self.layout.quotes, &self.write.quote_record) else {
            return self
                .mark()
                .and(Err(Error::new(Code::Unsupported, "quotes have no record")));
        };
        let mut last = quote.take().unwrap_or_else(|| Upsert {
            records: records.clone(),
            key: record.key.clone(),
            creates: false,
            body: Body::new(),
        });
        let mut first = Body::new();
        if last.creates {
            self.begin(records, &mut first);
        }
        if let Some(path) = &records.correlation {
            put(&mut first, path, call.correlation.as_str());
        }
        put(&mut first, mark, &cpq_domain::quote::writing(revision));
        put(&mut last.body, mark, &cpq_domain::quote::complete(revision));
        let creates = std::mem::replace(&mut last.creates, false);
        [Some(&records.parent), records.price_book.as_ref()]
            .into_iter()
            .flatten()
            .for_each(|given_once| drop(last.body.remove(given_once.as_str())));
        let first = Upsert {
            body: first,
            creates,
            ..last.clone()
        };
        *quote = Some(last);
        Ok(first)
    }

    fn writable(&self, name: &FieldName) -> bool {
        let mapped = self.layout.mapping.fields.get(name);
        mapped.is_some_and(|mapped| mapped.writable)
    }

    pub(super) fn json(&self, field: &Field, value: &Value) -> Result<Box<serde_json::value::RawValue>> {
        convert::write(field, value, self.write.record_type.as_deref()).map_err(|why| {
            let message = format!("{} cannot be written: {why}", field.name);
            self.refusal(Code::CrmRejected, message, &field.name)
        })
    }

    /// An org with one currency has nowhere to say that an amount is in another.
    pub(super) fn check_currency(&self, field: &Field, value: &Value) -> Result<(), String> {
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

    pub(super) fn refusal(&self, code: Code, message: String, field: &FieldName) -> Error {
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
