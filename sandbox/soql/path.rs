//! Paths from a record to a value, possibly over parents.

use super::ast::{Name, Query};
use super::fault::{misplaced, no_column, no_relationship};
use super::setting::Setting;
use crate::org::{ApiError, Id, Org, Row, Value};
use crate::schema::{Field, ID, Kind, Schema};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most parents a path may climb, and most different ones in a query (SOQL and SOSL Reference, Understanding
/// Relationship Query Limitations).
const LEVELS: usize = 5;
/// See [`LEVELS`].
pub const PARENTS: usize = 55;

/// What may be read of a parent that can be of several objects (Object Reference, Name), with its type.
const NAME_FIELDS: [(&str, Kind); 13] = [
    ("Alias", Kind::String),
    ("Email", Kind::Email),
    ("FirstName", Kind::String),
    ("Id", Kind::Id),
    ("IsActive", Kind::Boolean),
    ("LastName", Kind::String),
    ("Name", Kind::String),
    ("Phone", Kind::Phone),
    ("ProfileId", Kind::Reference),
    ("RecordTypeId", Kind::Reference),
    ("Title", Kind::String),
    ("Type", Kind::String),
    ("Username", Kind::String),
];

/// Where a path ends.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// A field of the last object.
    Field(usize),
    /// One of [`NAME_FIELDS`] of whatever a polymorphic reference points to.
    Named(usize),
}

impl End {
    /// Canonical name of a polymorphic end.
    pub fn shown(named: usize) -> &'static str {
        NAME_FIELDS.get(named).map_or("Name", |(name, _)| name)
    }
}

/// A path from an object to a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Reference fields to follow, each with the object it leads to (none when polymorphic).
    pub hops: Vec<(usize, Option<usize>)>,
    /// Where it ends.
    pub end: End,
    /// Object that holds the last field; none when polymorphic.
    pub object: Option<usize>,
}

/// Parents that a query climbs to: object and chain of reference fields.
pub type Climbed = RefCell<BTreeSet<(usize, Vec<usize>)>>;

/// Where names are looked up.
#[derive(Clone)]
pub struct Scope<'a> {
    /// The whole query, for error texts.
    pub query: &'a str,
    /// The schema.
    pub schema: &'a Schema,
    /// Who asks, and when.
    pub setting: &'a Arc<Setting>,
    /// The object of FROM.
    pub object: usize,
    /// Its alias.
    pub alias: Option<&'a str>,
    /// Aliases of relationships with their paths.
    pub relations: Vec<(&'a str, Vec<&'a str>)>,
    /// Parents seen so far, in the whole query.
    pub climbed: &'a Climbed,
    /// How many sub-queries enclose this one.
    pub depth: usize,
}

impl<'a> Scope<'a> {
    /// The same query over another object, without aliases.
    pub fn over(&self, object: usize) -> Scope<'a> {
        Scope {
            object,
            alias: None,
            relations: Vec::new(),
            ..self.clone()
        }
    }

    /// Takes in the aliases of FROM.
    ///
    /// # Errors
    /// MALFORMED_QUERY for what is no relationship of the object.
    pub fn with_aliases(mut self, query: &'a Query) -> Result<Scope<'a>, ApiError> {
        self.alias = query.alias.as_ref().map(|n| n.text.as_str());
        for (path, alias) in &query.relations {
            let segments = self.segments(&path.text);
            let mut object = Some(self.object);
            for segment in &segments {
                let at = object.filter(|at| self.schema.at(*at).relationship(segment).is_some());
                object = match at {
                    Some(at) => self.hop(path, at, segment)?.1,
                    None => return Err(self.second_object(path)),
                };
            }
            if let Some(alias) = alias {
                self.relations.push((&alias.text, segments));
            }
        }
        Ok(self)
    }

    fn second_object(&self, path: &Name) -> ApiError {
        let driving = &self.schema.at(self.object).name;
        let reason = format!(
            "A driving SObject type has already been set, all other entity types in the FROM clause must be relationships to the initial object.  The driving object is {driving}."
        );
        misplaced(self.query, path.at, &reason)
    }

    /// The parts of a dotted name, with aliases resolved and the object's own name dropped.
    fn segments<'b>(&self, text: &'b str) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let mut segments: Vec<&str> = text.split('.').collect();
        if let [first, _, ..] = segments.as_slice() {
            let own = self.alias.is_some_and(|a| a.eq_ignore_ascii_case(first)) || self.is_object(first);
            let relation = self.relations.iter().find(|(a, _)| a.eq_ignore_ascii_case(first));
            match relation {
                Some((_, path)) => drop(segments.splice(..1, path.iter().copied())),
                None if own => drop(segments.remove(0)),
                None => {}
            }
        }
        segments
    }

    /// The path behind a dotted name.
    ///
    /// # Errors
    /// INVALID_FIELD for names that do not exist, MALFORMED_QUERY for paths that climb too far.
    pub fn path(&self, name: &Name) -> Result<Path, ApiError> {
        let segments = self.segments(&name.text);
        let Some((last, parents)) = segments.split_last() else {
            return Err(self.unknown(name, "", self.object));
        };
        if parents.len() > LEVELS {
            let reason = format!(
                "a relationship path may have at most {LEVELS} levels: {}",
                name.text
            );
            return Err(misplaced(self.query, name.at, &reason));
        }
        let mut hops = Vec::with_capacity(parents.len());
        let mut object = Some(self.object);
        for segment in parents {
            let at = object.ok_or_else(|| self.no_relationship(name, segment))?;
            let hop = self.hop(name, at, segment)?;
            object = hop.1;
            hops.push(hop);
            let chain = hops.iter().map(|(field, _)| *field).collect();
            self.climbed.borrow_mut().insert((self.object, chain));
        }
        let end = match object {
            Some(at) => End::Field(
                self.schema
                    .at(at)
                    .position(last)
                    .ok_or_else(|| self.unknown(name, last, at))?,
            ),
            None => End::Named(self.named(name, last)?),
        };
        Ok(Path { hops, end, object })
    }

    fn named(&self, name: &Name, last: &str) -> Result<usize, ApiError> {
        let at = NAME_FIELDS
            .iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(last));
        at.ok_or_else(|| no_column(self.query, name.at, last, "Name"))
    }

    /// One of the fields that every polymorphic parent has.
    ///
    /// # Errors
    /// INVALID_FIELD.
    pub fn name_field(&self, name: &Name) -> Result<usize, ApiError> {
        self.named(name, &name.text)
    }

    fn is_object(&self, segment: &str) -> bool {
        let object = self.schema.at(self.object);
        object.name.eq_ignore_ascii_case(segment) && object.relationship(segment).is_none()
    }

    fn hop(&self, name: &Name, at: usize, segment: &str) -> Result<(usize, Option<usize>), ApiError> {
        let object = self.schema.at(at);
        let field = object
            .relationship(segment)
            .ok_or_else(|| self.no_relationship(name, segment))?;
        let reference = object.fields[field].reference.as_ref();
        let single = reference
            .filter(|r| !r.polymorphic)
            .and_then(|r| r.objects.first().copied());
        Ok((field, single))
    }

    fn no_relationship(&self, name: &Name, segment: &str) -> ApiError {
        no_relationship(self.query, name.at, segment, "field path", "INVALID_FIELD")
    }

    fn unknown(&self, name: &Name, segment: &str, at: usize) -> ApiError {
        no_column(self.query, name.at, segment, &self.schema.at(at).name)
    }

    /// The field at the end of a path, unless it is polymorphic.
    pub fn field(&self, path: &Path) -> Option<&'a Field> {
        match (&path.end, path.object) {
            (End::Field(at), Some(object)) => self.schema.at(object).fields.get(*at),
            _ => None,
        }
    }

    /// Name of the last field, for error texts.
    pub fn field_name(&self, path: &Path) -> &'a str {
        match (&path.end, self.field(path)) {
            (End::Named(named), _) => End::shown(*named),
            (_, field) => field.map_or("", |f| f.name.as_str()),
        }
    }
}

impl Path {
    /// A field of the record itself.
    pub fn own(object: usize, field: usize) -> Path {
        Path {
            hops: Vec::new(),
            end: End::Field(field),
            object: Some(object),
        }
    }

    /// Type of the value.
    pub fn kind(&self, schema: &Schema) -> Kind {
        match (&self.end, self.object) {
            (End::Field(at), Some(object)) => schema.at(object).fields[*at].kind,
            (End::Named(named), _) => NAME_FIELDS[*named].1,
            _ => Kind::String,
        }
    }

    /// The position of the field when the path stays on its object.
    pub fn own_field(&self) -> Option<usize> {
        match (&self.end, self.hops.is_empty()) {
            (End::Field(at), true) => Some(*at),
            _ => None,
        }
    }

    /// The value for a row; null when a parent is missing.
    pub fn value<'o>(&self, org: &'o Org, row: &'o Row) -> Cow<'o, Value> {
        let mut row = row;
        for (field, target) in &self.hops {
            let Value::Id(id) = row.values[*field] else {
                return Cow::Owned(Value::Null);
            };
            let Some(target) = target else {
                return Cow::Owned(self.named(org, id));
            };
            match org.table(*target).live(id) {
                Some(parent) => row = parent,
                None => return Cow::Owned(Value::Null),
            }
        }
        match &self.end {
            End::Field(at) => Cow::Borrowed(&row.values[*at]),
            End::Named(_) => Cow::Owned(Value::Null),
        }
    }

    /// The end of a polymorphic path.
    fn named(&self, org: &Org, id: Id) -> Value {
        match self.end {
            End::Named(named) => named_value(org, id, named),
            End::Field(_) => Value::Null,
        }
    }

    /// The last step alone, for the record that holds the field.
    pub fn at_parent(self) -> Path {
        Path {
            hops: Vec::new(),
            ..self
        }
    }

    /// Whether the path is just the record's id.
    pub fn is_own_id(&self) -> bool {
        self.own_field() == Some(ID)
    }
}

/// One of the [`NAME_FIELDS`] of the record with this id; null when it has no such field or does not exist.
pub fn named_value(org: &Org, id: Id, named: usize) -> Value {
    let schema = org.schema();
    let Some(at) = schema.by_prefix(id.prefix()) else {
        return Value::Null;
    };
    if org.table(at).live(id).is_none() {
        return Value::Null;
    }
    match End::shown(named) {
        "Id" => Value::Id(id),
        "Type" => Value::text(&schema.at(at).name),
        "Name" => org.name_of(at, id),
        name => org.peek(at, id, name),
    }
}
