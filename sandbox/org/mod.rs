//! The org: schema, records, and the only ways to change them.

pub mod coerce;
pub mod cursors;
mod delete;
pub mod draft;
pub mod error;
pub mod id;
pub mod input;
mod rules;
mod seed;
mod snapshot;
pub mod table;
pub mod transaction;
pub mod value;
pub mod view;
mod write;

pub use error::ApiError;
pub use id::Id;
pub use table::{Row, Table};
pub use transaction::{Change, ChangeKind, Commit, Origin};
pub use value::Value;

use crate::push::Rules;
use crate::scenario::Scenario;
use crate::schema::{Customization, Schema};
use cursors::Cursors;
use jiff::Timestamp;
use std::sync::Arc;
use transaction::{ChangeLog, Undo};

/// Who writes, and when. The same instant stamps every record of a transaction.
#[derive(Debug, Clone)]
pub struct Hand {
    /// The user.
    pub user: Id,
    /// The instant.
    pub now: Timestamp,
}

/// A user, as far as authentication needs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Id (18 characters).
    pub id: String,
    /// Login name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// First name, possibly empty.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Full name.
    pub name: String,
    /// Nickname.
    pub nickname: String,
    /// Whether the user may log in.
    pub active: bool,
    /// Locale such as `en_US`.
    pub locale: String,
    /// Language such as `en_US`.
    pub language: String,
    /// Time zone such as `Europe/Berlin`.
    pub time_zone: String,
    /// Id of the profile (18 characters).
    pub profile_id: String,
}

/// One Salesforce org in memory.
pub struct Org {
    schema: Arc<Schema>,
    custom: Customization,
    tables: Vec<Table>,
    undo: Vec<Undo>,
    log: ChangeLog,
    cursors: Cursors,
    organization: String,
    standard_pricebook: Id,
    first_user: Id,
}

impl Org {
    /// An org with the standard objects and the rows that every org has: Organization, a profile, the integration
    /// user, the standard price book and the stages.
    pub fn empty(now: Timestamp) -> Org {
        let custom = Customization::default();
        let schema = Schema::build(&custom).expect("the embedded object tables are tested to fit together");
        let tables = schema.objects().iter().map(Table::new).collect();
        let mut org = Org {
            schema: Arc::new(schema),
            custom,
            tables,
            undo: Vec::new(),
            log: ChangeLog::default(),
            cursors: Cursors::default(),
            organization: String::new(),
            standard_pricebook: Id::MIN,
            first_user: Id::MIN,
        };
        org.seed(now);
        org
    }

    /// Adds what a scenario describes.
    ///
    /// # Errors
    /// Says which object, field or record does not fit; the org keeps its schema additions but no record.
    pub fn load(&mut self, scenario: &Scenario, now: Timestamp) -> Result<(), String> {
        crate::scenario::load(self, scenario, now)
    }

    /// The schema; cheap to clone and hold while the org changes.
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.clone()
    }

    /// The rows of the object at this position.
    pub fn table(&self, object: usize) -> &Table {
        &self.tables[object]
    }

    /// The rows of an object by name.
    pub fn table_of(&self, object: &str) -> Option<&Table> {
        self.schema.position(object).map(|at| &self.tables[at])
    }

    /// Open query cursors.
    pub fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    /// The org's id (18 characters).
    pub fn organization_id(&self) -> &str {
        &self.organization
    }

    /// The standard price book.
    pub fn standard_pricebook(&self) -> Id {
        self.standard_pricebook
    }

    /// The user that every org starts with.
    pub fn first_user(&self) -> Id {
        self.first_user
    }

    /// The corporate currency.
    pub fn corporate_currency(&self) -> &str {
        self.custom.currencies.first().map_or("USD", String::as_str)
    }

    /// A user by id, in either form.
    pub fn user(&self, id: &str) -> Option<User> {
        let id = Id::parse(id)?;
        let at = self.schema.position("User")?;
        self.tables[at].live(id).map(|row| self.user_of(at, row))
    }

    /// A user by login name, in any case.
    pub fn user_by_username(&self, username: &str) -> Option<User> {
        let at = self.schema.position("User")?;
        let field = self.schema.at(at).position("Username")?;
        let id = *self.tables[at].find(field, &Value::text(username))?.first()?;
        self.tables[at].live(id).map(|row| self.user_of(at, row))
    }

    fn user_of(&self, at: usize, row: &Row) -> User {
        let object = self.schema.at(at);
        let value = |name: &str| object.position(name).map(|f| &row.values[f]);
        let text = |name: &str| {
            value(name)
                .and_then(Value::as_text)
                .unwrap_or_default()
                .to_owned()
        };
        let id = |name: &str| {
            value(name)
                .and_then(Value::as_id)
                .map(|id| id.to_string())
                .unwrap_or_default()
        };
        User {
            id: id("Id"),
            username: text("Username"),
            email: text("Email"),
            first_name: text("FirstName"),
            last_name: text("LastName"),
            name: text("Name"),
            nickname: text("CommunityNickname"),
            active: value("IsActive").is_some_and(Value::is_true),
            locale: text("LocaleSidKey"),
            language: text("LanguageLocaleKey"),
            time_zone: text("TimeZoneSidKey"),
            profile_id: id("ProfileId"),
        }
    }

    /// What the org sends to others.
    pub fn push_rules(&self) -> &Rules {
        &self.custom.push
    }

    /// Sets what the org sends to others. Whoever calls this has checked that the rules fit.
    pub fn set_push_rules(&mut self, rules: Rules) {
        self.custom.push = rules;
    }

    /// Adds objects and fields; existing rows get nulls for new fields.
    pub fn customize(&mut self, more: &Customization) -> Result<(), String> {
        let mut custom = self.custom.clone();
        custom.objects.extend(more.objects.iter().cloned());
        custom.fields.extend(more.fields.iter().cloned());
        if !more.currencies.is_empty() {
            custom.currencies.clone_from(&more.currencies);
        }
        custom.push.add(&more.push);
        let schema = Schema::build(&custom)?;
        self.tables = self.relocated(&schema);
        self.schema = Arc::new(schema);
        self.custom = custom;
        // Prepared queries speak of old positions.
        self.cursors = Cursors::default();
        Ok(())
    }

    /// The tables as this other schema lays them out: objects and fields may have moved.
    fn relocated(&mut self, schema: &Schema) -> Vec<Table> {
        // Old undo entries speak of old positions.
        self.commit_silently();
        let mut tables: Vec<Table> = schema.objects().iter().map(Table::new).collect();
        for (from, old) in self.schema.objects().iter().enumerate() {
            let Some(to) = schema.position(&old.name) else {
                continue;
            };
            let new = schema.at(to);
            let places: Vec<Option<usize>> = old.fields.iter().map(|f| new.position(&f.name)).collect();
            let source = &self.tables[from];
            tables[to].made = source.made;
            let moved = source
                .numbered
                .iter()
                .filter_map(|(at, n)| places[*at].map(|to| (to, *n)));
            tables[to].numbered = moved.collect();
            for (id, row) in source.rows() {
                let mut values = vec![Value::Null; new.fields.len()];
                for (value, place) in row.values.iter().zip(&places) {
                    if let Some(place) = place {
                        values[*place] = value.clone();
                    }
                }
                tables[to].put(
                    id,
                    Some(Row {
                        deleted: row.deleted,
                        values,
                    }),
                );
            }
        }
        tables
    }
}
