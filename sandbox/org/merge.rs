//! Merges: up to two losers give their children to a master and go to the recycle bin (SOAP API Developer Guide,
//! merge).

use super::draft::Given;
use super::{ApiError, Binned, Hand, Id, Org, Value};

/// Most records that one merge takes in.
const LOSERS: usize = 2;

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The record that stays.
    pub master: Id,
    /// The records that went into it.
    pub losers: Vec<Id>,
    /// Records that pointed to a loser and point to the master now.
    pub related: Vec<Id>,
}

impl Org {
    /// Merges records of one object into a master, which takes these values first. Children of the losers become
    /// children of the master; the losers are deleted and name the master in `MasterRecordId`. Nothing changes when
    /// it fails.
    ///
    /// # Errors
    /// INVALID_TYPE for objects without merge, INVALID_ID_FIELD for a master among its losers, LIMIT_EXCEEDED for too
    /// many of them, INVALID_CROSS_REFERENCE_KEY or ENTITY_IS_DELETED for records that are not there, and whatever
    /// the master's own update is refused for.
    pub fn merge(
        &mut self,
        hand: &Hand,
        at: usize,
        master: Id,
        losers: &[Id],
        given: Given,
    ) -> Result<Merged, ApiError> {
        self.check_merge(at, master, losers)?;
        let mark = self.mark();
        self.merged(hand, at, master, losers, given)
            .inspect_err(|_| self.rollback(mark))
    }

    fn check_merge(&self, at: usize, master: Id, losers: &[Id]) -> Result<(), ApiError> {
        let schema = self.schema();
        let object = schema.at(at);
        if !object.mergeable() {
            let message = format!("{} is not a mergeable type", object.name);
            return Err(ApiError::data("INVALID_TYPE", message, &[]));
        }
        if losers.is_empty() || losers.len() > LOSERS {
            let message = format!("a merge takes one to {LOSERS} records into another");
            return Err(ApiError::data("LIMIT_EXCEEDED", message, &[]));
        }
        let twice = losers.iter().enumerate().any(|(n, id)| losers[..n].contains(id));
        if twice || losers.contains(&master) {
            let message = "cannot merge with self";
            return Err(ApiError::data("INVALID_ID_FIELD", message, &[]));
        }
        for id in losers.iter().chain([&master]) {
            match self.table(at).row(*id) {
                Some(row) if row.deleted => return Err(ApiError::deleted()),
                Some(_) => {}
                None => return Err(super::write::unknown_reference()),
            }
        }
        Ok(())
    }

    fn merged(
        &mut self,
        hand: &Hand,
        at: usize,
        master: Id,
        losers: &[Id],
        given: Given,
    ) -> Result<Merged, ApiError> {
        let mut related = Vec::new();
        for loser in losers {
            self.move_children(hand, at, *loser, master, &mut related);
            self.touch(hand, at, *loser, &[("MasterRecordId", Value::Id(master))]);
            let how = Binned {
                root: *loser,
                unlinked: Vec::new(),
            };
            self.bin(hand, (at, *loser), how);
        }
        // Written last and always: a merge stamps the master even when no field changes.
        self.update(hand, at, master, given)?;
        Ok(Merged {
            master,
            losers: losers.to_vec(),
            related,
        })
    }

    fn move_children(&mut self, hand: &Hand, at: usize, from: Id, to: Id, related: &mut Vec<Id>) {
        let schema = self.schema();
        for list in &schema.at(at).children {
            let name = &schema.at(list.object).fields[list.field].name;
            if name == "MasterRecordId" {
                continue;
            }
            for child in self.child_ids(list.object, list.field, from) {
                // A master below its own loser would become its own parent.
                let parent = if child == to { Value::Null } else { Value::Id(to) };
                self.touch(hand, list.object, child, &[(name, parent)]);
                if !related.contains(&child) {
                    related.push(child);
                }
            }
        }
    }
}
