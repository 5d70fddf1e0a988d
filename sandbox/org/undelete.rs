//! Undeletes: records come back from the recycle bin with what their deletion took along (SOAP API Developer Guide,
//! undelete, emptyRecycleBin).

use super::{ApiError, Hand, Id, Org, Value, rules};
use crate::schema::OnDelete;

/// How deep a restored tree goes; deletes do not go deeper either.
const DEPTH: usize = 20;

impl Org {
    /// Brings a record back from the recycle bin, together with the children that were deleted with it and the
    /// references that its deletion cleared. Nothing changes when it fails.
    ///
    /// # Errors
    /// NOT_FOUND when there never was such a record; UNDELETE_FAILED when it is not in the bin, its object knows no
    /// undelete or its parent is still deleted; DUPLICATE_VALUE when another record took a unique value of it.
    pub fn undelete(&mut self, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        let row = self.table(at).row(id).ok_or_else(ApiError::not_found)?;
        if !object.can("undelete") {
            return Err(failed(format!(
                "entity type cannot be undeleted: {}",
                object.name
            )));
        }
        if !row.deleted {
            return Err(failed("Entity is not in the recycle bin"));
        }
        // A child that went with its parent may come back alone only after the parent.
        self.check_parents(at, id)?;
        let mark = self.mark();
        let root = row.bin.as_ref().map_or(id, |bin| bin.root);
        self.restore_tree(hand, (at, id), root, 0)
            .inspect_err(|_| self.rollback(mark))
    }

    /// Removes a deleted record for good, with everything that went into the recycle bin because of it. Nobody hears
    /// of it: the delete before was the news.
    ///
    /// # Errors
    /// NOT_FOUND when there is no such record, DELETE_FAILED when it is not in the recycle bin.
    pub fn purge(&mut self, at: usize, id: Id) -> Result<(), ApiError> {
        match self.table(at).row(id) {
            None => Err(ApiError::not_found()),
            Some(row) if !row.deleted => {
                let message = "Record is not in the recycle bin";
                Err(ApiError::data("DELETE_FAILED", message, &[]))
            }
            Some(_) => {
                self.purge_tree(at, id);
                Ok(())
            }
        }
    }

    fn purge_tree(&mut self, at: usize, id: Id) {
        let schema = self.schema();
        let mut doomed = vec![(at, id)];
        while let Some((at, id)) = doomed.pop() {
            if self.table(at).row(id).is_none_or(|row| !row.deleted) {
                continue;
            }
            self.store(at, id, None);
            for list in &schema.at(at).children {
                let reference = schema.at(list.object).fields[list.field].reference.as_ref();
                if reference.is_some_and(|r| r.on_delete == OnDelete::Cascade) {
                    let children = self.table(list.object).find(list.field, &Value::Id(id));
                    let children = children.unwrap_or_default().into_iter();
                    doomed.extend(children.map(|child| (list.object, child)));
                }
            }
        }
    }

    fn check_parents(&self, at: usize, id: Id) -> Result<(), ApiError> {
        let Some(row) = self.table(at).row(id) else {
            return Ok(());
        };
        for (field, value) in self.schema.at(at).fields.iter().zip(&row.values) {
            let cascades = field
                .reference
                .as_ref()
                .is_some_and(|r| r.on_delete == OnDelete::Cascade);
            let (true, Value::Id(parent)) = (cascades, value) else {
                continue;
            };
            let alive = self
                .schema
                .by_prefix(parent.prefix())
                .is_some_and(|object| self.table(object).live(*parent).is_some());
            if !alive {
                return Err(failed(format!("{}: the parent record is deleted", field.label)));
            }
        }
        Ok(())
    }

    /// Restores one record, then the children whose deletion has the same root.
    fn restore_tree(
        &mut self,
        hand: &Hand,
        (at, id): (usize, Id),
        root: Id,
        depth: usize,
    ) -> Result<(), ApiError> {
        if depth > DEPTH {
            return Err(failed("the records refer to each other too deeply"));
        }
        self.restore(hand, at, id)?;
        let schema = self.schema();
        for list in &schema.at(at).children {
            let reference = schema.at(list.object).fields[list.field].reference.as_ref();
            if reference.is_none_or(|r| r.on_delete != OnDelete::Cascade) {
                continue;
            }
            for child in self.binned_with(list.object, list.field, id, root) {
                self.restore_tree(hand, (list.object, child), root, depth + 1)?;
            }
        }
        rules::restored(self, hand, at, id);
        Ok(())
    }

    /// Deleted children of a parent that went to the bin with this root.
    fn binned_with(&self, object: usize, field: usize, parent: Id, root: Id) -> Vec<Id> {
        let table = self.table(object);
        let ids = table.find(field, &Value::Id(parent)).unwrap_or_default();
        let went_along = |id: &Id| {
            let bin = table.row(*id).and_then(|row| row.bin.as_ref());
            bin.is_some_and(|bin| bin.root == root)
        };
        ids.into_iter().filter(went_along).collect()
    }

    fn restore(&mut self, hand: &Hand, at: usize, id: Id) -> Result<(), ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        let Some(mut row) = self.table(at).row(id).cloned() else {
            return Ok(());
        };
        for (field, spec) in object.fields.iter().enumerate().filter(|(_, f)| f.unique) {
            self.check_unique_value(at, id, field, spec, &row.values[field])?;
        }
        row.deleted = false;
        let bin = row.bin.take();
        if let Some(field) = object.system.is_deleted {
            row.values[field] = Value::Bool(false);
        }
        if let Some(field) = object.position("MasterRecordId") {
            row.values[field] = Value::Null;
        }
        row.values[object.system.modified] = Value::instant(hand.now);
        row.values[object.system.modified_by] = Value::Id(hand.user);
        row.values[object.system.stamp] = Value::instant(hand.now);
        self.store(at, id, Some(row));
        for (child, field) in bin.iter().flat_map(|bin| &bin.unlinked) {
            self.link_again(hand, *child, field, id);
        }
        Ok(())
    }

    /// Sets a cleared reference again, unless it was set to something else since.
    fn link_again(&mut self, hand: &Hand, child: Id, field: &str, parent: Id) {
        let Some(at) = self.schema.by_prefix(child.prefix()) else {
            return;
        };
        if self.table(at).live(child).is_some() && self.peek(at, child, field).is_null() {
            self.touch(hand, at, child, &[(field, Value::Id(parent))]);
        }
    }
}

fn failed(why: impl Into<String>) -> ApiError {
    ApiError::data("UNDELETE_FAILED", why, &[])
}
