//! Creates and updates: defaults, rules, checks, store, roll-ups.

use super::draft::{Draft, Given};
use super::{ApiError, DuplicateHandling, Hand, Id, Org, Row, Value, rules};
use crate::schema::{Field, ID, Kind, Object};
use rust_decimal::Decimal;

impl Org {
    /// Makes a record, or publishes a platform event. Nothing stays behind when it fails.
    ///
    /// # Errors
    /// The first rule that the record breaks.
    pub fn insert(&mut self, hand: &Hand, at: usize, given: Given) -> Result<Id, ApiError> {
        self.insert_with(hand, at, given, &DuplicateHandling::default())
    }

    /// Like [`Org::insert`], with a word about duplicate rules.
    ///
    /// # Errors
    /// As there.
    pub fn insert_with(
        &mut self,
        hand: &Hand,
        at: usize,
        given: Given,
        duplicates: &DuplicateHandling,
    ) -> Result<Id, ApiError> {
        self.check_storage()?;
        let schema = self.schema();
        if schema.at(at).event.is_some() {
            return self.publish(hand, at, given);
        }
        let id = self.next_id(at, schema.at(at));
        let draft = Draft::new((at, schema.at(at)), id, hand, None, given);
        let mark = self.mark();
        self.save(draft, duplicates)
            .inspect_err(|_| self.rollback(mark))
            .map(|()| id)
    }

    /// Changes a record. Nothing changes when it fails.
    ///
    /// # Errors
    /// NOT_FOUND or ENTITY_IS_DELETED when there is no such record, else the first rule that the record breaks.
    pub fn update(&mut self, hand: &Hand, at: usize, id: Id, given: Given) -> Result<(), ApiError> {
        self.update_with(hand, at, id, given, &DuplicateHandling::default())
    }

    /// Like [`Org::update`], with a word about duplicate rules.
    ///
    /// # Errors
    /// As there.
    pub fn update_with(
        &mut self,
        hand: &Hand,
        at: usize,
        id: Id,
        given: Given,
        duplicates: &DuplicateHandling,
    ) -> Result<(), ApiError> {
        let before = match self.table(at).row(id) {
            Some(row) if row.deleted => return Err(ApiError::deleted()),
            Some(row) => row.clone(),
            None => return Err(ApiError::not_found()),
        };
        self.check_lock(id)?;
        let schema = self.schema();
        let draft = Draft::new((at, schema.at(at)), id, hand, Some(before), given);
        let mark = self.mark();
        self.save(draft, duplicates).inspect_err(|_| self.rollback(mark))
    }

    /// Live records whose field has this value.
    pub fn matches(&self, at: usize, field: usize, value: &Value) -> Vec<Id> {
        let table = self.table(at);
        let live = |id: &Id| table.live(*id).is_some();
        if field == ID {
            return value.as_id().into_iter().filter(live).collect();
        }
        table
            .find(field, value)
            .unwrap_or_default()
            .into_iter()
            .filter(live)
            .collect()
    }

    pub(super) fn next_id(&mut self, at: usize, object: &Object) -> Id {
        let table = &mut self.tables[at];
        table.made += 1;
        Id::new(object.prefix, table.made)
    }

    /// The order of a real org: the system's own checks, what triggers do, the org's rules, uniqueness (Apex Developer
    /// Guide, Triggers and Order of Execution).
    fn save(&mut self, mut draft: Draft<'_>, duplicates: &DuplicateHandling) -> Result<(), ApiError> {
        if draft.creating() {
            self.fill_defaults(&mut draft);
        }
        check_required(&draft)?;
        self.check_references(&draft)?;
        self.check_owner(&draft)?;
        self.check_record_type(&draft)?;
        rules::before(self, &mut draft)?;
        self.fill_formulas(draft.object, &mut draft.row);
        self.check_validations(&draft)?;
        self.check_duplicates(&draft, duplicates)?;
        self.check_unique(&draft)?;
        self.stamp(&mut draft);
        let Draft {
            at,
            id,
            before,
            row,
            hand,
            ..
        } = draft;
        self.store(at, id, Some(row));
        rules::after(self, hand, at, id, before.as_ref())
    }

    fn stamp(&self, draft: &mut Draft<'_>) {
        let system = draft.object.system;
        let now = Value::instant(draft.hand.now);
        let user = Value::Id(draft.hand.user);
        let values = &mut draft.row.values;
        if draft.before.is_none() {
            // A seed may bring its own creation date and author.
            if values[system.created].is_null() {
                values[system.created] = now.clone();
            }
            if values[system.created_by].is_null() {
                values[system.created_by] = user.clone();
            }
        }
        values[system.modified] = now.clone();
        values[system.modified_by] = user;
        values[system.stamp] = now;
        values[ID] = Value::Id(draft.id);
    }

    pub(super) fn fill_defaults(&mut self, draft: &mut Draft<'_>) {
        let object = draft.object;
        for (at, field) in object.fields.iter().enumerate() {
            if draft.row.values[at].is_null() {
                draft.row.values[at] = match field.name.as_str() {
                    "RecordTypeId" => self.default_record_type(object),
                    _ => self.default_of(draft.at, at, field, draft.hand.user),
                };
            }
        }
    }

    fn default_of(&mut self, object: usize, at: usize, field: &Field, user: Id) -> Value {
        if let Some(format) = &field.auto_number {
            let next = self.tables[object].numbered.entry(at).or_insert(0);
            *next += 1;
            return Value::text(&numbered(format, *next));
        }
        if let Some(json) = &field.default_value {
            return super::coerce::coerce(field, json).unwrap_or(Value::Null);
        }
        match field.name.as_str() {
            "OwnerId" => Value::Id(user),
            "CurrencyIsoCode" => Value::text(self.corporate_currency()),
            _ if field.calculated() => Value::Null,
            _ if field.kind == Kind::Boolean => Value::Bool(false),
            _ => field.default_pick().map_or(Value::Null, Value::text),
        }
    }

    fn check_references(&self, draft: &Draft<'_>) -> Result<(), ApiError> {
        for (at, field) in draft.object.fields.iter().enumerate() {
            let Some(reference) = &field.reference else {
                continue;
            };
            let Value::Id(id) = draft.row.values[at] else {
                continue;
            };
            if draft
                .before
                .as_ref()
                .is_some_and(|b| b.values[at] == draft.row.values[at])
            {
                continue;
            }
            let target = self
                .schema
                .by_prefix(id.prefix())
                .filter(|t| reference.objects.contains(t));
            let Some(target) = target else {
                let message = format!("{}: id value of incorrect type: {id}", field.label);
                return Err(ApiError::data(
                    "FIELD_INTEGRITY_EXCEPTION",
                    message,
                    &[&field.name],
                ));
            };
            match self.table(target).row(id) {
                Some(row) if row.deleted => {
                    let status = http::StatusCode::BAD_REQUEST;
                    return Err(ApiError {
                        status,
                        ..ApiError::deleted()
                    });
                }
                Some(_) => self.check_lookup_filter(draft, field, (target, id))?,
                None => return Err(unknown_reference()),
            }
        }
        Ok(())
    }

    fn check_unique(&self, draft: &Draft<'_>) -> Result<(), ApiError> {
        for (at, field) in draft.object.fields.iter().enumerate().filter(|(_, f)| f.unique) {
            self.check_unique_value(draft.at, draft.id, at, field, &draft.row.values[at])?;
        }
        Ok(())
    }

    /// Refuses a value that another live record has in a unique field.
    pub(super) fn check_unique_value(
        &self,
        object: usize,
        own: Id,
        at: usize,
        field: &Field,
        value: &Value,
    ) -> Result<(), ApiError> {
        if value.is_null() {
            return Ok(());
        }
        let mut others = self.matches(object, at, value).into_iter();
        let Some(other) = others.find(|id| *id != own) else {
            return Ok(());
        };
        let message = format!(
            "duplicate value found: {} duplicates value on record with id: {other}",
            field.name
        );
        Err(ApiError::data("DUPLICATE_VALUE", message, &[]))
    }

    /// Sets fields of a record without rules, as the platform does for roll-ups; stamps it when something differs.
    pub(super) fn touch(&mut self, hand: &Hand, at: usize, id: Id, set: &[(&str, Value)]) {
        let schema = self.schema();
        let object = schema.at(at);
        let Some(mut row) = self.table(at).row(id).cloned() else {
            return;
        };
        let mut differs = false;
        for (name, value) in set {
            let Some(field) = object.position(name) else {
                continue;
            };
            let value = match value {
                Value::Number(n) => Value::Number(super::value::rounded(*n, &object.fields[field])),
                other => other.clone(),
            };
            differs |= row.values[field] != value;
            row.values[field] = value;
        }
        if differs {
            row.values[object.system.modified] = Value::instant(hand.now);
            row.values[object.system.modified_by] = Value::Id(hand.user);
            row.values[object.system.stamp] = Value::instant(hand.now);
            self.store(at, id, Some(row));
        }
    }

    /// A field of a live record by names; null when any of them does not exist.
    pub fn peek(&self, at: usize, id: Id, name: &str) -> Value {
        let Some(field) = self.schema.at(at).position(name) else {
            return Value::Null;
        };
        self.table(at)
            .live(id)
            .map_or(Value::Null, |row: &Row| row.values[field].clone())
    }

    /// Number of a field, zero when null.
    pub(super) fn peek_number(&self, at: usize, id: Id, name: &str) -> Decimal {
        self.peek(at, id, name).as_number().unwrap_or_default()
    }
}

/// The error for an id that points nowhere.
pub(super) fn unknown_reference() -> ApiError {
    ApiError::data("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])
}

/// Refuses a write that leaves a field empty which must have a value.
pub(super) fn check_required(draft: &Draft<'_>) -> Result<(), ApiError> {
    let missing: Vec<&str> = draft
        .object
        .fields
        .iter()
        .enumerate()
        .filter(|(at, f)| draft.row.values[*at].is_null() && needed(draft, f))
        .map(|(_, f)| f.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(ApiError::data("REQUIRED_FIELD_MISSING", message, &missing))
}

/// Whether the field may not stay null in this write.
fn needed(draft: &Draft<'_>, field: &Field) -> bool {
    if rules::exempt(draft, &field.name) {
        return false;
    }
    let open = if draft.creating() {
        field.createable
    } else {
        field.updateable
    };
    open && !field.nillable && (draft.creating() || draft.gave(&field.name))
}

/// Fills the number into `Q-{0000}`.
fn numbered(format: &str, number: u64) -> String {
    match (format.find('{'), format.find('}')) {
        (Some(open), Some(close)) if open < close => {
            let width = close - open - 1;
            format!("{}{number:0width$}{}", &format[..open], &format[close + 1..])
        }
        _ => format!("{format}{number}"),
    }
}
