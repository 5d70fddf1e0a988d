//! The lines of a quote on their way to the CRM.

use std::collections::BTreeMap;

use cpq_domain::adapter::{CrmSnapshot, LineRecord, Mapping};
use cpq_domain::id::LineKey;
use cpq_domain::ownership::{Policy, Side};
use cpq_domain::quote::Quote;
use cpq_domain::resolve::Base;
use cpq_domain::view::{FieldName, Fields, LineChange, Patch, View};

use crate::plan::facts;
use crate::sync::Scene;

/// The price of one, and of all of a line less its discount: the CRM computes either from the other, and nothing else of a
/// line from anything.
const UNIT: &str = "line.list_unit";
const NET: &str = "line.net_total";

/// Every line that the patch changes, as a whole.
pub(crate) fn written(
    scene: &Scene,
    crm: &CrmSnapshot,
    quote: &Quote,
    patch: &Patch,
) -> BTreeMap<LineKey, LineRecord> {
    let held = quote.view();
    let sends_net = sends_net(scene, crm, quote);
    let whole = |key: &LineKey| {
        let mut fields: Fields = held.lines.get(key).cloned().unwrap_or_default();
        fields.retain(|field, _| sends_net || field.as_str() != NET);
        LineRecord {
            record: crm.line_records.get(key).cloned(),
            fields,
        }
    };
    patch.lines.keys().map(|key| (key.clone(), whole(key))).collect()
}

/// A total that the rules leave to the CRM must not be sent along with a quantity.
pub(crate) fn sends_net(scene: &Scene, crm: &CrmSnapshot, quote: &Quote) -> bool {
    let rule = scene.matrix.rule(NET, &facts(crm, Some(quote), scene.now));
    rule.is_some_and(|rule| rule.owner_system == Side::Cpq && rule.overwrite_policy != Policy::Never)
}

/// Whether the CRM holds the lines as the patch wants them.
pub(crate) fn in_place(mapping: &Mapping, now: &View, patch: &Patch) -> bool {
    let shape = |field| {
        mapping
            .fields
            .get(field)
            .map(|mapped| mapped.shape)
            .unwrap_or_default()
    };
    patch
        .lines
        .iter()
        .all(|(key, change)| match (change, now.lines.get(key)) {
            (LineChange::Remove, held) => held.is_none(),
            (LineChange::Put(_), None) => false,
            (LineChange::Put(fields), Some(held)) => fields
                .iter()
                .all(|(field, value)| held.get(field).is_some_and(|held| held.same(value, shape(field)))),
        })
}

/// Puts the old agreement about the lines of a patch back, as if it were never written.
pub(crate) fn keep_old(base: &mut Base, patch: &Patch, old: &Base) {
    for key in patch.lines.keys() {
        for (now, before) in [(&mut base.crm, &old.crm), (&mut base.cpq, &old.cpq)] {
            match before.lines.get(key) {
                Some(fields) => drop(now.lines.insert(key.clone(), fields.clone())),
                None => drop(now.lines.remove(key)),
            }
        }
    }
}

/// Of what a side holds, that which a patch sent there.
pub(crate) fn sent(mut held: View, patch: &Patch) -> View {
    held.fields.retain(|field, _| patch.fields.contains_key(field));
    held.lines.retain(|key, fields| {
        let Some(LineChange::Put(put)) = patch.lines.get(key) else {
            return false;
        };
        fields.retain(|field, _| put.contains_key(field));
        true
    });
    held
}

/// Takes over what followed from a write without being sent, if it had the agreed value before: the unit price where the
/// total was sent, else the total. That it changed is no edit of anybody. All else that changed meanwhile is one, in this
/// very moment: Salesforce refuses a write on what was changed since by whole seconds only. Lines that were not written are
/// left out: what is read back may be an edit that came after the write, if a crash lies between the two.
pub(crate) fn follow_from(base: &mut View, sent: &Patch, sends_net: bool, (before, after): (&View, &View)) {
    let follows = FieldName::new(if sends_net { UNIT } else { NET });
    for (key, fields) in &mut base.lines {
        if !sent.lines.contains_key(key) {
            continue;
        }
        let field = |view: &View| view.lines.get(key).and_then(|line| line.get(&follows)).cloned();
        if let (Some(agreed), Some(after)) = (fields.get_mut(&follows), field(after))
            && field(before).as_ref() == Some(agreed)
        {
            *agreed = after;
        }
    }
}
