//! The schema as users and versions see it, made once for each combination.

use super::{Id, Org, Value};
use crate::schema::Schema;
use crate::schema::custom::PermissionSpec;
use std::collections::HashMap;
use std::sync::Arc;

/// Views kept; more than users with different permissions times milestones that a test org has. Beyond it all are
/// made anew.
const KEPT: usize = 64;

/// Views made so far, by the permissions that apply and the last milestone that the version has reached.
#[derive(Debug, Default)]
pub struct Views(HashMap<(Vec<usize>, u16), Arc<Schema>>);

impl Org {
    /// The schema as a user sees it in an API version: without fields that are hidden from the user or younger than
    /// the version. Positions are those of [`Org::schema`].
    pub fn schema_for(&mut self, user: Id, version: u16) -> Arc<Schema> {
        let milestones = self.schema.milestones();
        if self.custom.permissions.is_empty() && milestones.last().is_none_or(|last| *last <= version) {
            return self.schema.clone();
        }
        let applying = self.permissions_of(user);
        let reached = milestones.iter().copied().rfind(|m| *m <= version).unwrap_or(0);
        let key = (applying, reached);
        if let Some(view) = self.views.0.get(&key) {
            return view.clone();
        }
        let entries: Vec<&PermissionSpec> = key.0.iter().map(|n| &self.custom.permissions[*n]).collect();
        let view = Arc::new(self.schema.view(&entries, reached));
        if self.views.0.len() >= KEPT {
            self.views.0.clear();
        }
        self.views.0.insert(key, view.clone());
        view
    }

    /// Positions of the permission entries that concern a user.
    fn permissions_of(&self, user: Id) -> Vec<usize> {
        if self.custom.permissions.is_empty() {
            return Vec::new();
        }
        let of = |object: &str, id: Option<Id>, field: &str| match (self.schema.position(object), id) {
            (Some(at), Some(id)) => self.peek(at, id, field),
            _ => Value::Null,
        };
        let username = of("User", Some(user), "Username");
        let profile = of("Profile", of("User", Some(user), "ProfileId").as_id(), "Name");
        let is = |wanted: &Option<String>, value: &Value| {
            wanted
                .as_ref()
                .is_none_or(|w| value.as_text().is_some_and(|v| v.eq_ignore_ascii_case(w)))
        };
        let entries = self.custom.permissions.iter().enumerate();
        entries
            .filter(|(_, e)| is(&e.user, &username) && is(&e.profile, &profile))
            .map(|(n, _)| n)
            .collect()
    }
}
