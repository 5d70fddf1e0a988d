//! Orgs whose rows are made up from something else.

use super::cursors::Cursors;
use super::subscriptions::Subscriptions;
use super::transaction::ChangeLog;
use super::views::Views;
use super::{Id, Org, Row, Table};
use crate::schema::{Customization, Schema};
use jiff::Timestamp;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

impl Org {
    /// An org over this schema without any row, not even those that every org has.
    pub fn bare(schema: Arc<Schema>) -> Org {
        Org {
            tables: schema.objects().iter().map(Table::new).collect(),
            schema,
            custom: Customization::default(),
            undo: Vec::new(),
            log: ChangeLog::default(),
            outbox: Vec::new(),
            enqueued: VecDeque::new(),
            quota: Arc::default(),
            capture: Arc::default(),
            cursors: Cursors::default(),
            subscriptions: Subscriptions::default(),
            views: Views::default(),
            recent: super::recent::Recent::default(),
            schema_changed: Timestamp::UNIX_EPOCH,
            locked: BTreeSet::new(),
            data_storage: None,
            copying_lines: false,
            held_totals: None,
            organization: String::new(),
            standard_pricebook: Id::MIN,
            first_user: Id::MIN,
        }
    }

    /// Puts a row in place without rules, stamps or a trace.
    pub fn put_row(&mut self, object: usize, id: Id, row: Row) {
        self.tables[object].put(id, Some(Arc::new(row)));
    }
}
