//! A record between the request and the table, as the rules see it.

use super::id::Id;
use super::table::Row;
use super::value::{Value, rounded};
use super::{ApiError, Hand};
use crate::schema::Object;
use rust_decimal::Decimal;

/// Computed amounts stay below this, the range of a currency field with two digits after the point.
const COMPUTED_LIMIT: Decimal = Decimal::from_parts(1_874_919_424, 2_328_306, 0, false, 0);

/// Fields and values of a write.
pub type Given = Vec<(usize, Value)>;

/// A record about to be stored.
pub struct Draft<'a> {
    /// Its object.
    pub object: &'a Object,
    /// Position of the object.
    pub at: usize,
    /// Its id.
    pub id: Id,
    /// Who writes, and when.
    pub hand: &'a Hand,
    /// What it was, none on a create.
    pub before: Option<Row>,
    /// What it will be.
    pub row: Row,
    given: Vec<usize>,
}

impl<'a> Draft<'a> {
    /// A draft over the old row, or over nothing, with the given values already in.
    pub fn new(
        (at, object): (usize, &'a Object),
        id: Id,
        hand: &'a Hand,
        before: Option<Row>,
        given: Given,
    ) -> Draft<'a> {
        let empty = || Row {
            deleted: false,
            bin: None,
            values: vec![Value::Null; object.fields.len()],
        };
        let mut row = before.clone().unwrap_or_else(empty);
        let mut named = Vec::with_capacity(given.len());
        for (field, value) in given {
            row.values[field] = value;
            named.push(field);
        }
        Draft {
            object,
            at,
            id,
            hand,
            before,
            row,
            given: named,
        }
    }

    /// Whether the record is being made.
    pub fn creating(&self) -> bool {
        self.before.is_none()
    }

    /// The value of a field; null when the object has no such field.
    pub fn get(&self, name: &str) -> &Value {
        self.object
            .position(name)
            .map_or(&Value::Null, |at| &self.row.values[at])
    }

    /// Sets a field; does nothing when the object has no such field.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(at) = self.object.position(name) {
            self.row.values[at] = value;
        }
    }

    /// Sets a number, rounded to the field's scale.
    pub fn set_number(&mut self, name: &str, number: Decimal) {
        if let Some(at) = self.object.position(name) {
            self.row.values[at] = Value::Number(rounded(number, &self.object.fields[at]));
        }
    }

    /// Sets a computed number.
    ///
    /// # Errors
    /// NUMBER_OUTSIDE_VALID_RANGE when there is none or it has too many digits for the field.
    pub fn set_computed(&mut self, name: &str, number: Option<Decimal>) -> Result<(), ApiError> {
        match number.filter(|n| n.abs() < COMPUTED_LIMIT) {
            Some(number) => {
                self.set_number(name, number);
                Ok(())
            }
            None => {
                let message = format!("{name}: value outside of valid range on numeric field");
                Err(ApiError::data("NUMBER_OUTSIDE_VALID_RANGE", message, &[name]))
            }
        }
    }

    /// Whether the request named the field.
    pub fn gave(&self, name: &str) -> bool {
        self.object
            .position(name)
            .is_some_and(|at| self.given.contains(&at))
    }

    /// Whether the request gave the field a value.
    pub fn gave_value(&self, name: &str) -> bool {
        self.gave(name) && !self.get(name).is_null()
    }

    /// Whether the field differs from what it was; on a create, whether it has a value.
    pub fn changed(&self, name: &str) -> bool {
        let Some(at) = self.object.position(name) else {
            return false;
        };
        match &self.before {
            Some(before) => before.values[at] != self.row.values[at],
            None => !self.row.values[at].is_null(),
        }
    }

    /// Puts a field back to what it was, as if the request had not named it.
    pub fn restore(&mut self, name: &str) {
        if let (Some(at), Some(before)) = (self.object.position(name), &self.before) {
            self.row.values[at] = before.values[at].clone();
        }
    }

    /// The number of a field.
    pub fn number(&self, name: &str) -> Option<Decimal> {
        self.get(name).as_number()
    }

    /// The id of a field.
    pub fn reference(&self, name: &str) -> Option<Id> {
        self.get(name).as_id()
    }
}
