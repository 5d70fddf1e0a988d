//! Deletes: to the recycle bin, with children cascaded, cleared or in the way.

use super::{ApiError, Binned, Hand, Id, Org, Value, rules};
use crate::schema::OnDelete;
use std::sync::Arc;

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
        self.check_lock(id)?;
        if !self.schema().at(at).can("delete") || id == self.standard_pricebook {
            return Err(cannot_delete("this record cannot be deleted"));
        }
        rules::may_delete(self, at, id)?;
        let mark = self.mark();
        self.delete_tree(hand, (at, id), id, 0)
            .inspect_err(|_| self.rollback(mark))
    }

    fn delete_tree(
        &mut self,
        hand: &Hand,
        (at, id): (usize, Id),
        root: Id,
        depth: usize,
    ) -> Result<(), ApiError> {
        if depth > CASCADE_DEPTH {
            return Err(cannot_delete("the records refer to each other too deeply"));
        }
        let schema = self.schema();
        let mut unlinked = Vec::new();
        for list in &schema.at(at).children {
            let field = &schema.at(list.object).fields[list.field];
            let Some(reference) = &field.reference else {
                continue;
            };
            for child_id in self.child_ids(list.object, list.field, id) {
                match reference.on_delete {
                    OnDelete::Cascade => self.delete_tree(hand, (list.object, child_id), root, depth + 1)?,
                    OnDelete::Clear => {
                        self.touch(hand, list.object, child_id, &[(&field.name, Value::Null)]);
                        unlinked.push((child_id, field.name.clone()));
                    }
                    OnDelete::Restrict => {
                        let child = schema.at(list.object);
                        let why = format!(
                            "it is associated with the following {}: {}",
                            child.plural.to_lowercase(),
                            self.title(list.object, child_id)
                        );
                        return Err(cannot_delete(&why));
                    }
                }
            }
        }
        self.bin(hand, (at, id), Binned { root, unlinked });
        rules::deleted(self, hand, at, id)
    }

    /// The name of a record, or its id.
    fn title(&self, object: usize, id: Id) -> String {
        match self.name_of(object, id) {
            Value::Text(name) => name.as_ref().to_owned(),
            _ => id.to_string(),
        }
    }

    /// Children to care for; user references of the audit fields are left alone.
    pub(super) fn child_ids(&self, object: usize, field: usize, parent: Id) -> Vec<Id> {
        if self.table(object).indexed(field) {
            self.table(object).children(field, parent)
        } else {
            Vec::new()
        }
    }

    /// Marks a record as deleted, without a look at its children.
    pub(super) fn bin(&mut self, hand: &Hand, (at, id): (usize, Id), how: Binned) {
        let system = self.schema.at(at).system;
        let Some(mut row) = self.table(at).live(id).cloned() else {
            return;
        };
        row.deleted = true;
        row.bin = Some(Arc::new(how));
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
