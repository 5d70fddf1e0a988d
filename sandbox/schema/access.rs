//! Views of the schema: what one user sees in one API version. Fields that a view hides keep their positions, so that
//! rows need no translation; they only cannot be named.

use super::custom::{FieldAccess, PermissionSpec};
use super::{Object, Schema};
use std::collections::BTreeMap;

/// Calls that permissions can forbid, in the words of [`Object::may`].
const CALLS: [&str; 4] = ["create", "update", "delete", "undelete"];

/// Checks that permissions speak of what exists and can be restricted.
///
/// # Errors
/// Names the unknown object or field, or the field that everybody always sees.
pub fn check(schema: &Schema, permissions: &[PermissionSpec]) -> Result<(), String> {
    for entry in permissions {
        let object = schema
            .object(&entry.object)
            .ok_or_else(|| format!("permissions: unknown object {}", entry.object))?;
        for name in entry.fields.keys() {
            let field = object
                .field(name)
                .ok_or_else(|| format!("permissions: {} has no field {name}", object.name))?;
            if !field.permissionable() {
                return Err(format!(
                    "permissions: {}.{name} is always visible and cannot be restricted",
                    object.name
                ));
            }
        }
    }
    Ok(())
}

impl Schema {
    /// Versions from which on fields exist, ascending; between two of them all versions see the same.
    pub fn milestones(&self) -> &[u16] {
        &self.milestones
    }

    pub(super) fn note_milestones(&mut self) {
        let fields = self.objects.iter().flat_map(|o| &o.fields);
        self.milestones = fields.map(|f| f.since).filter(|v| *v > 0).collect();
        self.milestones.sort_unstable();
        self.milestones.dedup();
    }

    /// The schema as these permissions and this API version show it.
    pub fn view(&self, permissions: &[&PermissionSpec], version: u16) -> Schema {
        let mut view = self.clone();
        for object in &mut view.objects {
            let later: Vec<usize> = (0..object.fields.len())
                .filter(|at| object.fields[*at].since > version)
                .collect();
            later.into_iter().for_each(|at| object.hide(at));
        }
        for entry in permissions {
            if let Some(at) = self.position(&entry.object) {
                restrict(&mut view.objects[at], entry);
            }
        }
        for ((object, field), access) in self.field_access(permissions) {
            let object = &mut view.objects[object];
            match access {
                FieldAccess::Hidden => object.hide(field),
                FieldAccess::ReadOnly => {
                    object.fields[field].createable = false;
                    object.fields[field].updateable = false;
                }
                FieldAccess::Full => {}
            }
        }
        for at in 0..view.objects.len() {
            if view.objects[at].hidden {
                view.by_name.retain(|_, found| *found != at);
                view.by_prefix.retain(|_, found| *found != at);
            }
        }
        view.drop_hidden_lists();
        view
    }

    /// What the last entry about each field says.
    fn field_access(&self, permissions: &[&PermissionSpec]) -> BTreeMap<(usize, usize), FieldAccess> {
        let mut all = BTreeMap::new();
        for entry in permissions {
            let Some(at) = self.position(&entry.object) else {
                continue;
            };
            for (name, access) in &entry.fields {
                if let Some(field) = self.at(at).position(name) {
                    all.insert((at, field), *access);
                }
            }
        }
        all
    }

    /// Child lists over hidden fields and of hidden objects vanish too, and so do parents of hidden objects.
    fn drop_hidden_lists(&mut self) {
        let gone: Vec<bool> = self.objects.iter().map(|o| o.hidden).collect();
        let hidden: Vec<Vec<bool>> = self
            .objects
            .iter()
            .map(|o| o.fields.iter().map(|f| f.hidden).collect())
            .collect();
        for object in &mut self.objects {
            object
                .children
                .retain(|list| !gone[list.object] && !hidden[list.object][list.field]);
            let blind = |f: &super::Field| {
                let reference = f.reference.as_ref();
                reference.is_some_and(|r| !r.objects.is_empty() && r.objects.iter().all(|o| gone[*o]))
            };
            let lost: Vec<usize> = (0..object.fields.len())
                .filter(|at| blind(&object.fields[*at]))
                .collect();
            object.forget_relationships(&lost);
        }
    }
}

fn restrict(object: &mut Object, entry: &PermissionSpec) {
    let asked = [entry.create, entry.edit, entry.delete, entry.delete];
    for (call, allowed) in CALLS.into_iter().zip(asked) {
        match allowed {
            Some(false) => object.denied.push(call),
            Some(true) => object.denied.retain(|denied| *denied != call),
            None => {}
        }
    }
    if let Some(read) = entry.read {
        object.hidden = !read;
    }
}
