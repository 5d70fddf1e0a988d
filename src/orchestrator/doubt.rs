//! Writes that may have arrived, and of which nobody has told yet: whose base does not know them would take them for
//! somebody's edits. Where a side holds what was sent there, both agree on it, whoever put it there: the other side held it
//! when it was sent. Where the side has answered, both agreed on it then, whatever it holds by now.

use std::collections::BTreeSet;

use cpq_domain::Result;
use cpq_domain::adapter::{CrmSnapshot, CrmWritten, Mapping};
use cpq_domain::error::Written;
use cpq_domain::event::{EventKind, SyncEvent};
use cpq_domain::id::{Lane, LineKey, RunId};
use cpq_domain::ownership::Side;
use cpq_domain::quote::Quote;
use cpq_domain::resolve::{Base, Plan};
use cpq_domain::view::{Fields, LineChange, Patch, View};
use cpq_store::{Tx, dead_letters, journal};
use serde::{Deserialize, Serialize};

use crate::keep::Known;
use crate::steps::Memory;
use crate::sync::shape;

/// What was sent to a side, perhaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    to: Side,
    patch: Patch,
    /// What the side held then, if it has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<View>,
}

/// What runs that wait in the lane have sent, perhaps: a sync goes before them when they are parked. And what those have sent
/// of which processes died, until they were put aside.
pub(crate) async fn in_lane(tx: &mut dyn Tx, lane: &Lane, begun: &[RunId], base: &Base) -> Result<Vec<Sent>> {
    let mut all = Vec::new();
    let crashed = dead_letters::crashed_in_lane(tx, lane).await?;
    for id in crashed.into_iter().chain(begun.iter().copied()) {
        if !has_begun(&journal::marks(tx, id).await?) {
            continue;
        }
        all.extend(sent(&journal::of_run(tx, id).await?, base));
    }
    Ok(all)
}

/// Whether a run was about to write since it last started over: most have not, and a journal is long.
fn has_begun(marks: &[(String, String)]) -> bool {
    let since = marks.iter().rev();
    let mut since = since.take_while(|(kind, _)| kind != EventKind::Restarted.as_str());
    since.any(|(kind, _)| kind == EventKind::Intent.as_str())
}

/// What a run that nobody finished has left behind: a write that nobody has told of may be in place.
pub(crate) fn left_behind(marks: &[(String, String)]) -> Written {
    let of = |wanted: EventKind| {
        let rows = marks.iter().filter(move |(kind, _)| kind == wanted.as_str());
        rows.map(|(_, step)| step.as_str()).collect::<BTreeSet<_>>()
    };
    let (begun, ended) = (of(EventKind::Intent), of(EventKind::Done));
    if begun.is_subset(&ended) {
        if begun.is_empty() {
            Written::No
        } else {
            Written::Partly
        }
    } else {
        Written::Unknown
    }
}

/// What a run has sent since it found this base. Once another one is agreed on, that knows of it: what is in place by then
/// may be an edit that brought an old value back.
fn sent(journal: &[SyncEvent], base: &Base) -> Vec<Sent> {
    let memory = Memory::of(journal);
    let found: Option<Known> = memory.result("read.base");
    if found.is_none_or(|found| found.base != *base) {
        return Vec::new();
    }
    let to_cpq = memory.result("decide").filter(|_| memory.began("write.cpq"));
    let to_cpq = to_cpq.map(|plan: Plan| {
        let answer: Option<Quote> = memory.result("write.cpq");
        Sent {
            answer: answer.map(|quote| quote.view()),
            ..Sent::to_cpq(&plan)
        }
    });
    let to_crm = memory.result("decide.back").filter(|_| memory.began("write.crm"));
    let to_crm = to_crm.map(|back: Plan| Sent {
        answer: memory.result("write.crm").map(|written: CrmWritten| written.view),
        ..Sent::to_crm(&back)
    });
    to_cpq.into_iter().chain(to_crm).collect()
}

/// Takes into the base what was sent and is in place.
pub(crate) fn settle(known: &mut Known, mapping: &Mapping, crm: &CrmSnapshot, quote: Option<&Quote>) {
    for sent in std::mem::take(&mut known.doubts) {
        let now = match (sent.to, quote) {
            (Side::Crm, _) => Some(crm.view.clone()),
            (Side::Cpq, quote) => quote.map(Quote::view),
        };
        if let Some(held) = sent.answer.clone().or(now) {
            sent.agree(&mut known.base, mapping, &held);
        }
    }
}

impl Sent {
    /// What a plan sends to the CPQ, but for what goes to both sides.
    pub(crate) fn to_cpq(plan: &Plan) -> Sent {
        let mut patch = plan.to_cpq.clone();
        patch
            .fields
            .retain(|field, _| !plan.to_crm.fields.contains_key(field));
        Sent {
            to: Side::Cpq,
            patch,
            answer: None,
        }
    }

    /// What a plan sends to the CRM.
    pub(crate) fn to_crm(plan: &Plan) -> Sent {
        Sent {
            to: Side::Crm,
            patch: plan.to_crm.clone(),
            answer: None,
        }
    }

    /// Agrees on what the side holds of it.
    pub(crate) fn agree(&self, base: &mut Base, mapping: &Mapping, held: &View) {
        self.agree_on(base, mapping, None, (&self.patch.fields, &held.fields));
        for (key, change) in &self.patch.lines {
            match (change, held.lines.get(key)) {
                (LineChange::Put(sent), Some(held)) => {
                    self.agree_on(base, mapping, Some(key), (sent, held));
                }
                (LineChange::Remove, None) => {
                    base.crm.lines.remove(key);
                    base.cpq.lines.remove(key);
                }
                _ => {}
            }
        }
    }

    fn agree_on(
        &self,
        base: &mut Base,
        mapping: &Mapping,
        line: Option<&LineKey>,
        (sent, held): (&Fields, &Fields),
    ) {
        let (near, far) = match self.to {
            Side::Crm => (&mut base.crm, &mut base.cpq),
            Side::Cpq => (&mut base.cpq, &mut base.crm),
        };
        let in_place = sent.iter().filter_map(|(field, value)| {
            let stored = held.get(field)?;
            stored
                .same(value, shape(mapping, field))
                .then_some((field, value, stored))
        });
        for (field, value, stored) in in_place {
            of(near, line).insert(field.clone(), stored.clone());
            of(far, line).insert(field.clone(), value.clone());
        }
    }
}

fn of<'a>(view: &'a mut View, line: Option<&LineKey>) -> &'a mut Fields {
    match line {
        Some(key) => view.lines.entry(key.clone()).or_default(),
        None => &mut view.fields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_nobody_told_of_may_be_in_place() {
        let cases: &[(&[(EventKind, &str)], Written)] = &[
            (&[(EventKind::Done, "read.crm")], Written::No),
            (&[(EventKind::Intent, "write.cpq")], Written::Unknown),
            (
                &[(EventKind::Intent, "write.cpq"), (EventKind::Failed, "write.cpq")],
                Written::Unknown,
            ),
            (
                &[(EventKind::Intent, "write.cpq"), (EventKind::Done, "write.cpq")],
                Written::Partly,
            ),
            (
                &[
                    (EventKind::Intent, "write.cpq"),
                    (EventKind::Done, "write.cpq"),
                    (EventKind::Intent, "write.crm"),
                ],
                Written::Unknown,
            ),
        ];
        for (marks, left) in cases {
            let rows = marks.iter();
            let rows: Vec<_> = rows
                .map(|(kind, step)| (kind.as_str().to_owned(), (*step).to_owned()))
                .collect();
            assert_eq!(left_behind(&rows), *left, "{marks:?}");
        }
    }
}
