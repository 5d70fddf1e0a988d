//! The org: schema, records, and the only ways to change them.

mod bare;
mod calculate;
mod checks;
pub mod coerce;
pub mod cursors;
mod define;
mod delete;
pub mod draft;
mod duplicates;
pub mod error;
pub mod id;
pub mod input;
mod locks;
mod merge;
mod publish;
mod recent;
mod rules;
mod seed;
mod seen;
mod snapshot;
pub mod subscriptions;
pub mod table;
pub mod transaction;
mod undelete;
pub mod value;
pub mod view;
mod views;
mod write;

pub use duplicates::DuplicateHandling;
pub use error::ApiError;
pub use id::Id;
pub use merge::Merged;
pub use publish::Publication;
pub use table::{Binned, Row, Table};
pub use transaction::{Change, ChangeKind, Commit, Origin};
pub use value::Value;

use crate::events::{Capture, Quota};
use crate::push::Rules;
use crate::scenario::Scenario;
use crate::schema::{Customization, Field, Object, Schema};
use cursors::Cursors;
use jiff::Timestamp;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use subscriptions::Subscriptions;
use transaction::{ChangeLog, Undo};
use views::Views;

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
    /// Events that wait for the commit.
    outbox: Vec<Publication>,
    /// UUIDs of events published lately.
    enqueued: VecDeque<(Id, Arc<str>)>,
    quota: Arc<Quota>,
    capture: Arc<Capture>,
    cursors: Cursors,
    views: Views,
    recent: recent::Recent,
    schema_changed: Timestamp,
    locked: BTreeSet<Id>,
    data_storage: Option<u64>,
    subscriptions: Subscriptions,
    /// Whether the lines of a quote and its opportunity are being brought together right now.
    copying_lines: bool,
    /// Opportunities whose lines a collection is writing: summed up once it is through.
    held_totals: Option<BTreeSet<Id>>,
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
            outbox: Vec::new(),
            enqueued: VecDeque::new(),
            quota: Arc::default(),
            capture: Arc::default(),
            cursors: Cursors::default(),
            views: Views::default(),
            recent: recent::Recent::default(),
            schema_changed: now,
            locked: BTreeSet::new(),
            data_storage: None,
            subscriptions: Subscriptions::default(),
            copying_lines: false,
            held_totals: None,
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

    /// Managed event subscriptions.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// Managed event subscriptions, to be changed.
    pub fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        &mut self.subscriptions
    }

    /// The org's id (18 characters).
    pub fn organization_id(&self) -> &str {
        &self.organization
    }

    /// The edition, such as `Developer Edition`.
    pub fn edition(&self) -> String {
        let id = Id::parse(&self.organization);
        let at = self.schema.position("Organization");
        let edition = at.zip(id).map(|(at, id)| self.peek(at, id, "OrganizationType"));
        let edition = edition.as_ref().and_then(Value::as_text);
        edition.unwrap_or_default().to_owned()
    }

    /// The standard price book.
    pub fn standard_pricebook(&self) -> Id {
        self.standard_pricebook
    }

    /// The user that every org starts with.
    pub fn first_user(&self) -> Id {
        self.first_user
    }

    /// Which changes become events, and on which channels.
    pub fn capture(&self) -> &Arc<Capture> {
        &self.capture
    }

    /// Says which changes become events from now on.
    ///
    /// # Errors
    /// Says which object, field or expression does not fit; then nothing changes.
    pub fn set_capture(&mut self, capture: Capture) -> Result<(), String> {
        capture.check(&self.schema)?;
        self.custom.capture = capture.clone();
        self.capture = Arc::new(capture);
        Ok(())
    }

    /// Counts published events here from now on.
    pub fn set_quota(&mut self, quota: Arc<Quota>) {
        self.quota = quota;
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

    /// Adds objects, fields and rules. Existing rows get nulls for new fields, and what is computed is computed anew.
    ///
    /// # Errors
    /// Says what does not fit; then nothing is added.
    pub fn customize(&mut self, more: &Customization, now: Timestamp) -> Result<(), String> {
        let mut custom = self.custom.clone();
        custom.extend(more)?;
        self.rebuild(custom, now)
    }

    /// Puts these permissions in the place of all others.
    ///
    /// # Errors
    /// Says which entry does not fit; then the old ones stay.
    pub fn permit(
        &mut self,
        permissions: Vec<crate::schema::custom::PermissionSpec>,
        now: Timestamp,
    ) -> Result<(), String> {
        let custom = Customization {
            permissions,
            ..self.custom.clone()
        };
        self.rebuild(custom, now)
    }

    /// What was added to the standard objects.
    pub fn customization(&self) -> &Customization {
        &self.custom
    }

    /// When the schema last changed.
    pub fn schema_changed(&self) -> Timestamp {
        self.schema_changed
    }

    fn rebuild(&mut self, custom: Customization, now: Timestamp) -> Result<(), String> {
        let schema = Schema::build(&custom)?;
        custom.capture.check(&schema)?;
        self.tables = self.relocated(&schema);
        self.schema = Arc::new(schema);
        self.capture = Arc::new(custom.capture.clone());
        self.custom = custom;
        self.schema_changed = now;
        // Prepared queries and views speak of old positions.
        self.cursors = Cursors::default();
        self.views = Views::default();
        self.calculate_everything();
        self.commit_silently();
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
            if lies_alike(old, new) {
                tables[to] = std::mem::take(&mut self.tables[from]);
                continue;
            }
            let places: Vec<Option<usize>> = old.fields.iter().map(|f| new.position(&f.name)).collect();
            let blank: Vec<Value> = new.fields.iter().map(blank_of).collect();
            let source = &self.tables[from];
            tables[to].made = source.made;
            let moved = source
                .numbered
                .iter()
                .filter_map(|(at, n)| places[*at].map(|to| (to, *n)));
            tables[to].numbered = moved.collect();
            for (id, row) in source.rows() {
                let mut values = blank.clone();
                for (value, place) in row.values.iter().zip(&places) {
                    if let Some(place) = place {
                        values[*place] = value.clone();
                    }
                }
                tables[to].put(
                    id,
                    Some(Arc::new(Row {
                        deleted: row.deleted,
                        bin: row.bin.clone(),
                        values,
                    })),
                );
            }
        }
        tables
    }
}

/// Whether rows and indexes of the one are those of the other.
fn lies_alike(old: &Object, new: &Object) -> bool {
    let key = |field: &Field| (field.indexed, field.unique && field.case_sensitive);
    let mut pairs = old.fields.iter().zip(&new.fields);
    old.fields.len() == new.fields.len() && pairs.all(|(a, b)| a.name == b.name && key(a) == key(b))
}

/// What a record that is older than a field has in it: a checkbox is never empty.
fn blank_of(field: &Field) -> Value {
    match field.kind {
        crate::schema::Kind::Boolean if !field.calculated() => Value::Bool(false),
        _ => Value::Null,
    }
}
