//! One transaction of an ingest job: up to 200 rows, each by the same rules as a REST write.

use super::cells::given;
use super::columns::{self, Column};
use super::job::Operation;
use super::outcome::Outcome;
use crate::org::draft::Given;
use crate::org::input::Purpose;
use crate::org::{ApiError, Hand, Id, Org, Origin};
use crate::schema::{ID, Object, Schema};
use csv::StringRecord;
use std::collections::HashMap;
use std::sync::Arc;

/// A fault to raise instead of writing a record of this object.
pub type BeforeWrite<'a> = &'a dyn Fn(&str, Option<&str>) -> Option<ApiError>;

/// What the rows of a job do, looked up in the schema.
pub struct Loading {
    schema: Arc<Schema>,
    object: usize,
    operation: Operation,
    key: Option<usize>,
    columns: Vec<Column>,
}

/// What a row asks for, before anything of its transaction is written.
enum Step {
    Create(Given),
    Update(Id, Given),
    Delete(Id),
}

/// A refusal, and the record that it is about, if the row named one.
type Refusal = (Option<Id>, ApiError);

impl Loading {
    /// Looks up object, key and columns.
    ///
    /// # Errors
    /// The text of the failed job.
    pub fn prepare(
        schema: Arc<Schema>,
        object: &str,
        operation: Operation,
        external_id: Option<&str>,
        header: &StringRecord,
    ) -> Result<Self, String> {
        let at = schema
            .position(object)
            .ok_or_else(|| format!("InvalidJob : Unable to find object: {object}"))?;
        let key = external_id.and_then(|name| schema.at(at).position(name));
        let columns = columns::read(&schema, schema.at(at), operation, key, header)
            .map_err(|why| format!("InvalidBatch : {why}"))?;
        Ok(Self {
            schema,
            object: at,
            operation,
            key,
            columns,
        })
    }

    /// Writes the rows and commits them together. References and keys are resolved before the first row is
    /// written: rows of one transaction do not see each other.
    pub fn run(
        &self,
        org: &mut Org,
        before_write: BeforeWrite<'_>,
        hand: &Hand,
        origin: &Origin,
        rows: &[StringRecord],
    ) -> Vec<Outcome> {
        let mut steps: Vec<Result<Step, Refusal>> = rows.iter().map(|row| self.step(org, row)).collect();
        self.refuse_repeated(rows, &mut steps);
        let outcomes: Vec<Outcome> = steps
            .into_iter()
            .map(|step| self.apply(org, before_write, hand, step))
            .collect();
        org.commit(hand.now, hand.user, origin);
        outcomes
    }

    /// Takes what a hard delete has deleted out of the recycle bin, once its transaction was told of.
    pub fn purge(&self, org: &mut Org, outcomes: &[Outcome]) {
        if self.operation != Operation::HardDelete {
            return;
        }
        for outcome in outcomes {
            if let Outcome::Done { id, .. } = outcome {
                // It is in the bin: this job has just put it there, and holds the org.
                let _ = org.purge(self.object, *id);
            }
        }
        org.commit_silently();
    }

    fn object(&self) -> &Object {
        self.schema.at(self.object)
    }

    fn cell<'r>(&self, row: &'r StringRecord, field: usize) -> &'r str {
        let at = self.columns.iter().position(|c| *c == Column::Field(field));
        at.and_then(|at| row.get(at)).unwrap_or_default()
    }

    fn step(&self, org: &Org, row: &StringRecord) -> Result<Step, Refusal> {
        let nobody = |error| (None, error);
        match self.operation {
            Operation::Insert => {
                if !self.cell(row, ID).is_empty() {
                    let message = "cannot specify Id in an insert call";
                    return Err(nobody(ApiError::data(
                        "INVALID_FIELD_FOR_INSERT_UPDATE",
                        message,
                        &["Id"],
                    )));
                }
                self.create(org, row, &[ID]).map_err(nobody)
            }
            Operation::Update => {
                let id = self.id(row, "update").map_err(nobody)?;
                self.update(org, row, id, &[ID])
            }
            Operation::Upsert => self.upsert(org, row),
            Operation::Delete | Operation::HardDelete => {
                self.id(row, "delete").map(Step::Delete).map_err(nobody)
            }
        }
    }

    fn create(&self, org: &Org, row: &StringRecord, skip: &[usize]) -> Result<Step, ApiError> {
        given(org, self.object(), &self.columns, row, Purpose::Create, skip).map(Step::Create)
    }

    fn update(&self, org: &Org, row: &StringRecord, id: Id, skip: &[usize]) -> Result<Step, Refusal> {
        given(org, self.object(), &self.columns, row, Purpose::Update, skip)
            .map(|given| Step::Update(id, given))
            .map_err(|error| (Some(id), error))
    }

    fn upsert(&self, org: &Org, row: &StringRecord) -> Result<Step, Refusal> {
        let nobody = |error| (None, error);
        let key = self.key.unwrap_or(ID);
        let text = self.cell(row, key);
        let field = &self.object().fields[key];
        if text.is_empty() && key != ID {
            let message = format!("{} not specified", field.name);
            return Err(nobody(ApiError::data("MISSING_ARGUMENT", message, &[])));
        }
        if text.is_empty() {
            return self.create(org, row, &[ID]).map_err(nobody);
        }
        if key == ID {
            let id = self.id(row, "upsert").map_err(nobody)?;
            return self.update(org, row, id, &[ID]);
        }
        let at = self.columns.iter().position(|c| *c == Column::Field(key));
        let value = super::cells::value(field, at.unwrap_or_default(), text).map_err(nobody)?;
        match org.matches(self.object, key, &value).as_slice() {
            [] => self.create(org, row, &[ID]).map_err(nobody),
            [id] => self.update(org, row, *id, &[ID, key]),
            several => {
                let ids: Vec<String> = several.iter().map(Id::to_string).collect();
                let message = format!(
                    "{}: more than one record found for external id field: [{}]",
                    field.label,
                    ids.join(", ")
                );
                Err(nobody(ApiError::data(
                    "DUPLICATE_EXTERNAL_ID",
                    message,
                    &[&field.name],
                )))
            }
        }
    }

    fn id(&self, row: &StringRecord, call: &str) -> Result<Id, ApiError> {
        let text = self.cell(row, ID);
        if text.is_empty() {
            let message = format!("Id not specified in an {call} call");
            return Err(ApiError::data("MISSING_ARGUMENT", message, &[]));
        }
        Id::parse(text)
            .filter(|id| id.prefix() == self.object().prefix)
            .ok_or_else(|| ApiError::data("MALFORMED_ID", format!("malformed id {text}"), &[]))
    }

    /// Keys that occur twice in one transaction: an upsert refuses all their rows, an update all but the first.
    fn refuse_repeated(&self, rows: &[StringRecord], steps: &mut [Result<Step, Refusal>]) {
        let (key, all) = match self.operation {
            Operation::Upsert => (self.key.unwrap_or(ID), true),
            Operation::Update | Operation::Delete | Operation::HardDelete => (ID, false),
            Operation::Insert => return,
        };
        let keys: Vec<String> = rows.iter().map(|row| self.key_text(row, key)).collect();
        let mut count: HashMap<&str, usize> = HashMap::new();
        for key in &keys {
            *count.entry(key).or_default() += 1;
        }
        let mut seen: HashMap<&str, ()> = HashMap::new();
        for ((step, text), row) in steps.iter_mut().zip(&keys).zip(rows) {
            let repeated = seen.insert(text, ()).is_some();
            if text.is_empty() || step.is_err() || count[text.as_str()] == 1 || !(all || repeated) {
                continue;
            }
            let id = step.as_ref().ok().and_then(Step::id);
            let error = match all {
                true => ApiError::data(
                    "DUPLICATE_VALUE",
                    format!("Duplicate external id specified: {}", self.cell(row, key)),
                    &[],
                ),
                false => ApiError::data("DUPLICATE_VALUE", "duplicate id in list", &[]),
            };
            *step = Err((id, error));
        }
    }

    /// A key in the form in which equal ones are equal.
    fn key_text(&self, row: &StringRecord, key: usize) -> String {
        let (field, text) = (&self.object().fields[key], self.cell(row, key));
        match Id::parse(text) {
            Some(id) if key == ID => id.to_string(),
            _ if key == ID || field.case_sensitive => text.to_owned(),
            _ => text.to_lowercase(),
        }
    }

    fn apply(
        &self,
        org: &mut Org,
        before_write: BeforeWrite<'_>,
        hand: &Hand,
        step: Result<Step, Refusal>,
    ) -> Outcome {
        let step = match step {
            Ok(step) => step,
            Err((id, error)) => return Outcome::failed(id, &error),
        };
        let id = step.id();
        let named = id.map(|id| id.to_string());
        if let Some(fault) = before_write(&self.object().name, named.as_deref()) {
            return Outcome::failed(id, &fault);
        }
        let written = match step {
            Step::Create(given) => org.insert(hand, self.object, given).map(|id| (id, true)),
            Step::Update(id, given) => org.update(hand, self.object, id, given).map(|()| (id, false)),
            Step::Delete(id) => org.delete(hand, self.object, id).map(|()| (id, false)),
        };
        match written {
            Ok((id, created)) => Outcome::Done { id, created },
            Err(error) if error.error_code == "NOT_FOUND" => {
                let error = ApiError::data("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[]);
                Outcome::failed(id, &error)
            }
            Err(error) => Outcome::failed(id, &error),
        }
    }
}

impl Step {
    fn id(&self) -> Option<Id> {
        match self {
            Step::Create(_) => None,
            Step::Update(id, _) | Step::Delete(id) => Some(*id),
        }
    }
}
