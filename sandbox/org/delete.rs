//! Deletes: to the recycle bin, with children cascaded, cleared or in the way.

use super::{ApiError, Hand, Id, Org, Value, rules};
use crate::schema::OnDelete;

/// How deep cascades go; deeper hierarchies than any real schema has would be a loop.
const CASCADE_DEPTH: usize = 20;

impl Org {
    /// Moves a record and its dependent children to the recycle bin. Nothing changes when it fails.
    ///
    /// # Errors
    /// NOT_FOUND, ENTITY_IS_DELETED, or DELETE_FAILED when a child stands in the way.
    pub fn delete(&mut self, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
        match self.table(at).row(id) {
            Some(row) if row.deleted => return Err(ApiError::deleted()),
            Some(_) => {}
            None => return Err(ApiError::not_found()),
        }
        if !self.schema().at(at).can("delete") || id == self.standard_pricebook {
            return Err(cannot_delete("this record cannot be deleted"));
        }
        let mark = self.mark();
        self.delete_tree(hand, at, id, 0)
            .inspect_err(|_| self.rollback(mark))
    }

    /// Takes a record that lies in the recycle bin out of it, with everything that was put there because of it.
    /// Nobody sees it again, and nobody hears of it: the delete before was the news.
    pub fn purge(&mut self, at: usize, id: Id) {
        let schema = self.schema();
        let mut doomed = vec![(at, id)];
        while let Some((at, id)) = doomed.pop() {
            if self.table(at).row(id).is_none_or(|row| !row.deleted) {
                continue;
            }
            self.tables[at].put(id, None);
            for list in &schema.at(at).children {
                let reference = schema.at(list.object).fields[list.field].reference.as_ref();
                if reference.is_some_and(|r| r.on_delete == OnDelete::Cascade) {
                    let children = self.table(list.object).find(list.field, &Value::Id(id));
                    doomed.extend(
                        children
                            .unwrap_or_default()
                            .into_iter()
                            .map(|child| (list.object, child)),
                    );
                }
            }
        }
    }

    fn delete_tree(&mut self, hand: &Hand, at: usize, id: Id, depth: usize) -> Result<(), ApiError> {
        if depth > CASCADE_DEPTH {
            return Err(cannot_delete("the records refer to each other too deeply"));
        }
        let schema = self.schema();
        for list in &schema.at(at).children {
            let field = &schema.at(list.object).fields[list.field];
            let Some(reference) = &field.reference else {
                continue;
            };
            for child in self.child_ids(list.object, list.field, id) {
                match reference.on_delete {
                    OnDelete::Cascade => self.delete_tree(hand, list.object, child, depth + 1)?,
                    OnDelete::Clear => self.touch(hand, list.object, child, &[(&field.name, Value::Null)]),
                    OnDelete::Restrict => return Err(cannot_delete("another record depends on it")),
                }
            }
        }
        self.bin(hand, at, id);
        rules::deleted(self, hand, at, id)
    }

    /// Children to care for; user references of the audit fields are left alone.
    fn child_ids(&self, object: usize, field: usize, parent: Id) -> Vec<Id> {
        if self.table(object).indexed(field) {
            self.table(object).children(field, parent)
        } else {
            Vec::new()
        }
    }

    fn bin(&mut self, hand: &Hand, at: usize, id: Id) {
        let system = self.schema.at(at).system;
        let Some(mut row) = self.table(at).live(id).cloned() else {
            return;
        };
        row.deleted = true;
        if let Some(field) = system.is_deleted {
            row.values[field] = Value::Bool(true);
        }
        row.values[system.modified] = Value::instant(hand.now);
        row.values[system.modified_by] = Value::Id(hand.user);
        row.values[system.stamp] = Value::instant(hand.now);
        self.store(at, id, Some(row));
    }
}

fn cannot_delete(why: &str) -> ApiError {
    ApiError::data(
        "DELETE_FAILED",
        format!("Your attempt to delete the record could not be completed because {why}"),
        &[],
    )
}
