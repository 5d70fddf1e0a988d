//! Values that the org computes: formulas when a record or one of its parents is stored, roll-ups when a child is.

use super::{Id, Org, Row, Table, Value};
use crate::formula::{Frame, fitted};
use crate::schema::calculation::{Calculation, Dependent, Summary};
use crate::schema::spec::SummaryFunction;
use crate::schema::{Field, Object, Schema};
use jiff::Timestamp;
use rust_decimal::Decimal;

impl Org {
    /// Computes the formulas of a record.
    pub(super) fn fill_formulas(&self, object: &Object, row: &mut Row) {
        for at in &object.formulas {
            let field = &object.fields[*at];
            let Some(Calculation::Formula(formula)) = field.calculation.as_deref() else {
                continue;
            };
            let value = formula.value(&self.frame(field, row));
            row.values[*at] = fitted(value, field);
        }
    }

    fn frame<'a>(&'a self, field: &Field, row: &'a Row) -> Frame<'a> {
        Frame {
            org: self,
            row,
            before: None,
            // Formulas that look at the time are refused when they are defined.
            now: Timestamp::UNIX_EPOCH,
            blanks_as_zero: field.blanks_as_zero,
        }
    }

    /// Carries a stored record on to the formulas that read it and to the roll-ups above it.
    pub(super) fn spread(&mut self, schema: &Schema, object: usize, id: Id, before: Option<&Row>) {
        let known = schema.at(object);
        let after = self.tables[object].row(id).cloned();
        for dependent in &known.dependents {
            if differs(before, after.as_ref(), dependent.reads) {
                self.recalculate_below(schema, dependent, id);
            }
        }
        for (parent, field) in &known.summed_by {
            let Some(Calculation::Summary(summary)) =
                schema.at(*parent).fields[*field].calculation.as_deref()
            else {
                continue;
            };
            let above = |row: Option<&Row>| row.and_then(|r| r.values[summary.reference].as_id());
            let (old, new) = (above(before), above(after.as_ref()));
            for id in old.into_iter().chain(new.filter(|n| Some(*n) != old)) {
                self.summarize(schema, (*parent, *field), summary, id);
            }
        }
    }

    fn recalculate_below(&mut self, schema: &Schema, dependent: &Dependent, from: Id) {
        let mut ids = vec![from];
        let mut object = None;
        for (child, reference) in &dependent.down {
            let table: &Table = &self.tables[*child];
            ids = ids
                .into_iter()
                .flat_map(|id| table.children(*reference, id))
                .collect();
            object = Some(*child);
        }
        for id in ids {
            if let Some(object) = object {
                self.recalculate(schema, object, id);
            }
        }
    }

    /// Stores a record again when a formula of it has another value now.
    fn recalculate(&mut self, schema: &Schema, object: usize, id: Id) {
        let Some(mut row) = self.tables[object].row(id).cloned() else {
            return;
        };
        let old: Vec<Value> = row.values.clone();
        self.fill_formulas(schema.at(object), &mut row);
        if row.values != old {
            self.store(object, id, Some(row));
        }
    }

    fn summarize(&mut self, schema: &Schema, place: (usize, usize), summary: &Summary, id: Id) {
        let value = self.summary_of(summary, id);
        let value = fitted(value, &schema.at(place.0).fields[place.1]);
        let Some(mut row) = self.tables[place.0].live(id).cloned() else {
            return;
        };
        if row.values[place.1] != value {
            row.values[place.1] = value;
            self.store(place.0, id, Some(row));
        }
    }

    fn summary_of(&self, summary: &Summary, parent: Id) -> Value {
        let table = &self.tables[summary.child];
        let rows = table.children(summary.reference, parent);
        let counts = |row: &&Row| {
            let frame = Frame {
                org: self,
                row,
                before: None,
                now: Timestamp::UNIX_EPOCH,
                blanks_as_zero: true,
            };
            summary.filter.as_ref().is_none_or(|f| f.holds(&frame))
        };
        let rows = rows.iter().filter_map(|id| table.live(*id)).filter(counts);
        let Some(field) = summary.field else {
            return Value::Number(Decimal::from(rows.count()));
        };
        let values = rows.map(|row| row.values[field].clone()).filter(|v| !v.is_null());
        match summary.function {
            SummaryFunction::Count => Value::Number(Decimal::from(values.count())),
            SummaryFunction::Sum => {
                let sum = values
                    .filter_map(|v| v.as_number())
                    .try_fold(Decimal::ZERO, Decimal::checked_add);
                sum.map_or(Value::Null, Value::Number)
            }
            SummaryFunction::Min => values.min_by(|a, b| a.order(b)).unwrap_or(Value::Null),
            SummaryFunction::Max => values.max_by(|a, b| a.order(b)).unwrap_or(Value::Null),
        }
    }

    /// Computes everything anew, after the schema has changed.
    pub(super) fn calculate_everything(&mut self) {
        let schema = self.schema.clone();
        for (at, object) in schema.objects().iter().enumerate() {
            let summaries: Vec<usize> = (0..object.fields.len())
                .filter(|f| object.fields[*f].summary.is_some())
                .collect();
            if object.formulas.is_empty() && summaries.is_empty() {
                continue;
            }
            let ids: Vec<Id> = self.tables[at].rows().map(|(id, _)| id).collect();
            for id in ids {
                self.recalculate(&schema, at, id);
                for field in &summaries {
                    if let Some(Calculation::Summary(summary)) = object.fields[*field].calculation.as_deref()
                    {
                        self.summarize(&schema, (at, *field), summary, id);
                    }
                }
            }
            // A large org would otherwise lie twice in the undo log.
            self.commit_silently();
        }
    }
}

/// Whether a field, or the life of the record, has changed.
fn differs(before: Option<&Row>, after: Option<&Row>, field: usize) -> bool {
    match (before, after) {
        (Some(a), Some(b)) => a.deleted != b.deleted || a.values[field] != b.values[field],
        (None, None) => false,
        // Nobody can point to a record that is just being made.
        (None, Some(_)) => false,
        (Some(_), None) => true,
    }
}
