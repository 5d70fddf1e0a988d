//! Paths from a record to a value, possibly over parents.

use super::ast::Name;
use super::fault::{malformed, no_column};
use crate::org::{ApiError, Id, Org, Row, Value};
use crate::schema::{ID, Kind, Schema};

/// Most parents a path may climb (SOQL and SOSL Reference, relationship queries).
const LEVELS: usize = 5;

/// Where a path ends.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// A field of the last object.
    Field(usize),
    /// A field, by name, of whatever a polymorphic reference points to: `Id`, `Name`, `Type` or a field of all.
    Named(String),
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

/// Where names are looked up.
pub struct Scope<'a> {
    /// The whole query, for error texts.
    pub query: &'a str,
    /// The schema.
    pub schema: &'a Schema,
    /// The object of FROM.
    pub object: usize,
    /// Its alias.
    pub alias: Option<&'a str>,
}

impl Scope<'_> {
    /// The path behind a dotted name.
    ///
    /// # Errors
    /// INVALID_FIELD for names that do not exist, MALFORMED_QUERY for paths that climb too far.
    pub fn path(&self, name: &Name) -> Result<Path, ApiError> {
        let mut segments: Vec<&str> = name.text.split('.').collect();
        let own = |s: &&str| self.alias.is_some_and(|a| a.eq_ignore_ascii_case(s)) || self.is_object(s);
        if segments.len() > 1 && segments.first().is_some_and(own) {
            segments.remove(0);
        }
        let Some((last, parents)) = segments.split_last() else {
            return Err(self.unknown(name, "", self.object));
        };
        if parents.len() > LEVELS {
            return Err(malformed(format!(
                "a relationship path has at most {LEVELS} levels: {}",
                name.text
            )));
        }
        let mut hops = Vec::with_capacity(parents.len());
        let mut object = Some(self.object);
        for segment in parents {
            let at = object.ok_or_else(|| self.unknown(name, segment, self.object))?;
            let hop = self.hop(name, at, segment)?;
            object = hop.1;
            hops.push(hop);
        }
        match object {
            Some(at) => {
                let field = self
                    .schema
                    .at(at)
                    .position(last)
                    .ok_or_else(|| self.unknown(name, last, at))?;
                Ok(Path {
                    hops,
                    end: End::Field(field),
                    object,
                })
            }
            None => Ok(Path {
                hops,
                end: End::Named((*last).to_owned()),
                object,
            }),
        }
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
        let reason = format!(
            "Didn't understand relationship '{segment}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
        );
        super::fault::pointing(self.query, name.at, "INVALID_FIELD", &reason)
    }

    fn unknown(&self, name: &Name, segment: &str, at: usize) -> ApiError {
        no_column(self.query, name.at, segment, &self.schema.at(at).name)
    }
}

impl Path {
    /// Type of the value.
    pub fn kind(&self, schema: &Schema) -> Kind {
        match (&self.end, self.object) {
            (End::Field(at), Some(object)) => schema.at(object).fields[*at].kind,
            (End::Named(name), _) if name.eq_ignore_ascii_case("Id") => Kind::Id,
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
    pub fn value(&self, org: &Org, row: &Row) -> Value {
        let mut row = row;
        for (field, target) in &self.hops {
            let Value::Id(id) = row.values[*field] else {
                return Value::Null;
            };
            let Some(target) = target else {
                return self.named(org, id);
            };
            match org.table(*target).live(id) {
                Some(parent) => row = parent,
                None => return Value::Null,
            }
        }
        match &self.end {
            End::Field(at) => row.values[*at].clone(),
            End::Named(_) => Value::Null,
        }
    }

    /// The end of a polymorphic path.
    fn named(&self, org: &Org, id: Id) -> Value {
        let End::Named(name) = &self.end else {
            return Value::Null;
        };
        let schema = org.schema();
        let Some(at) = schema.by_prefix(id.prefix()) else {
            return Value::Null;
        };
        if org.table(at).live(id).is_none() {
            return Value::Null;
        }
        match name.to_ascii_lowercase().as_str() {
            "id" => Value::Id(id),
            "type" => Value::text(&schema.at(at).name),
            "name" => org.name_of(at, id),
            _ => org.peek(at, id, name),
        }
    }

    /// Whether the path is just the record's id.
    pub fn is_own_id(&self) -> bool {
        self.own_field() == Some(ID)
    }
}
