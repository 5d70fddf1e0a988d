//! What both sides agree on once a sync has done its part, or half of it.

use cpq_domain::adapter::{CrmSnapshot, CrmWritten};
use cpq_domain::quote::Quote;
use cpq_domain::resolve::{Base, Plan};
use cpq_domain::view::View;

use crate::keep::as_the_cpq_stores;
use crate::lines;
use crate::sync::Scene;

/// What holds if the CRM write never happens: its fields keep their old agreement.
pub(crate) fn without_crm_writes(plan: &Plan, quote: &Quote, old: &Base) -> Base {
    let mut base = plan.base.clone();
    as_the_cpq_stores(&mut base, &plan.to_cpq, quote);
    for field in plan.to_crm.fields.keys() {
        for (now, before) in [(&mut base.crm, &old.crm), (&mut base.cpq, &old.cpq)] {
            match before.fields.get(field) {
                Some(value) => drop(now.fields.insert(field.clone(), value.clone())),
                None => drop(now.fields.remove(field)),
            }
        }
    }
    lines::keep_old(&mut base, &plan.to_crm, old);
    base
}

/// The new agreement, in the form in which each side really stores it. What was not sent keeps the agreement that it
/// has: a value that differs and is left alone is an edit that waits, and must go on looking like one.
pub(crate) fn agreement(
    scene: &Scene,
    crm: &CrmSnapshot,
    quote: &Quote,
    back: &Plan,
    written: Option<&CrmWritten>,
) -> Base {
    let mut base = back.base.clone();
    // Only of what was to be sent: the agreement on an open field is the old one, whatever the CPQ holds by now.
    as_the_cpq_stores(&mut base, &back.to_cpq, quote);
    if let Some(written) = written {
        as_stored(&mut base.crm, &lines::sent(written.view.clone(), &back.to_crm));
        let sends_net = lines::sends_net(scene, crm, quote);
        lines::follow_from(&mut base.crm, &back.to_crm, sends_net, (&crm.view, &written.view));
    }
    base
}

fn as_stored(base: &mut View, held: &View) {
    for (field, value) in &mut base.fields {
        if let Some(stored) = held.fields.get(field) {
            *value = stored.clone();
        }
    }
    for (key, fields) in &mut base.lines {
        let Some(stored) = held.lines.get(key) else {
            continue;
        };
        for (field, value) in fields {
            if let Some(stored) = stored.get(field) {
                *value = stored.clone();
            }
        }
    }
}
