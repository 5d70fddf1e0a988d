//! One record at the end of one transaction, with what it was before: what conditions and merge fields look at.

use crate::org::{Change, ChangeKind, Commit, Org, Value};
use crate::schema::{Field, Object};

/// A change in its surroundings.
pub struct Moment<'a> {
    /// The org as it is now, which may be some transactions later.
    pub org: &'a Org,
    /// The object.
    pub object: &'a Object,
    /// The transaction.
    pub commit: &'a Commit,
    /// The change.
    pub change: &'a Change,
    /// Transactions that were committed after this one, oldest first.
    pub later: &'a [Commit],
}

impl<'a> Moment<'a> {
    /// Kind of the change.
    pub fn kind(&self) -> ChangeKind {
        self.change.kind
    }

    /// Whether the user of this login name made the change.
    pub fn is_by(&self, username: &str) -> bool {
        let user = self.org.user(&self.commit.user.to_string());
        user.is_some_and(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// Whether the field differs from before.
    pub fn changed(&self, field: &str) -> bool {
        let at = self.object.position(field);
        at.is_some_and(|at| self.change.fields.iter().any(|(other, _)| *other == at))
    }

    /// The field's value when the transaction was done; none when there is no such field.
    pub fn after(&self, field: &str) -> Option<(&'a Field, &'a Value)> {
        let at = self.object.position(field)?;
        let new = self.change.fields.iter().find(|(other, _)| *other == at);
        let value = new.map(|(_, value)| value);
        let value = value
            .or_else(|| self.before_later(at))
            .or_else(|| self.stored(at));
        Some((&self.object.fields[at], value.unwrap_or(&Value::Null)))
    }

    /// The field's value before the transaction; none when there is no such field.
    pub fn before(&self, field: &str) -> Option<(&'a Field, &'a Value)> {
        let at = self.object.position(field)?;
        match old(self.change, at) {
            Some(value) => Some((&self.object.fields[at], value)),
            None => self.after(field),
        }
    }

    /// What the first later transaction found in a field that it changed.
    fn before_later(&self, at: usize) -> Option<&'a Value> {
        let changes = self.later.iter().flat_map(|commit| &commit.changes);
        let same = |other: &&Change| other.object == self.change.object && other.id == self.change.id;
        changes.filter(same).find_map(|other| old(other, at))
    }

    fn stored(&self, at: usize) -> Option<&'a Value> {
        let row = self.org.table(self.change.object).row(self.change.id)?;
        row.values.get(at)
    }
}

fn old(change: &Change, at: usize) -> Option<&Value> {
    let place = change.fields.iter().position(|(other, _)| *other == at)?;
    change.before.get(place)
}
