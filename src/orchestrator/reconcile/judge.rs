//! What is to be said of one record.

use cpq_domain::adapter::CrmSnapshot;
use cpq_domain::certificate::hour_of;
use cpq_domain::compare::{Cause, Difference, compare};
use cpq_domain::conflict::Conflict;
use cpq_domain::id::{OpportunityKey, QuoteNumber, RecordId};
use cpq_domain::paging::{PagedSnapshot, Unreadable};
use cpq_domain::quote::{OpportunityRef, Quote, Status};
use cpq_domain::reconcile::{DIFFERENCES, Differing, Fate};
use cpq_domain::resolve::Question;
use jiff::Timestamp;

use super::parts::{self, Parts};
use crate::keep::Known;
use crate::plan::facts;
use crate::sync::{Scene, can_be_quoted};

/// A record that was looked at.
pub(super) struct Judged {
    pub(super) id: RecordId,
    pub(super) number: Option<OpportunityKey>,
    pub(super) quote: Option<QuoteNumber>,
    /// First moment of the hour in whose certificates it counts.
    pub(super) hour: Timestamp,
    pub(super) differences: Vec<Difference>,
    pub(super) parts: Parts,
    pub(super) excluded: bool,
    pub(super) stored_differently: u32,
}

impl Judged {
    /// How people name it.
    pub(super) fn name(&self) -> &str {
        self.number
            .as_ref()
            .map_or(self.id.as_str(), OpportunityKey::as_str)
    }

    pub(super) fn differs(&self) -> bool {
        !self.differences.is_empty()
    }

    /// The record as it is kept for a repair and for people.
    pub(super) fn differing(&self, state: Fate) -> Differing {
        Differing {
            opportunity_id: self.id.clone(),
            opportunity: self.number.clone(),
            quote: self.quote.clone(),
            state,
            differences: self.differences.iter().take(DIFFERENCES).cloned().collect(),
            correlation_id: None,
            reason: None,
        }
    }

    fn of(opportunity: &OpportunityRef, quote: Option<&Quote>, hour: Timestamp) -> Judged {
        Judged {
            id: opportunity.id.clone(),
            number: opportunity.number.clone(),
            quote: quote.map(|quote| quote.number.clone()),
            hour,
            differences: Vec::new(),
            parts: Vec::new(),
            excluded: false,
            stored_differently: 0,
        }
    }
}

/// An opportunity of the CRM, against its quote and the last agreement.
pub(super) fn opportunity(
    scene: &Scene,
    paged: &PagedSnapshot,
    quote: Option<&Quote>,
    known: Option<&Known>,
) -> Judged {
    let crm = &paged.snapshot;
    let judged = Judged::of(&crm.opportunity, quote, hour_of(paged.stamp));
    match quote {
        Some(quote) => pair(scene, judged, crm, quote, known),
        None if can_be_quoted(crm, None).is_err() => Judged {
            excluded: true,
            parts: parts::excluded(),
            ..judged
        },
        None => {
            let cause = if known.is_some() {
                Cause::MissingInCpq
            } else {
                Cause::NeverSynced
            };
            Judged {
                differences: vec![Difference::of_record(cause, true, false)],
                parts: parts::alone(&crm.opportunity.id, true),
                ..judged
            }
        }
    }
}

fn pair(scene: &Scene, judged: Judged, crm: &CrmSnapshot, quote: &Quote, known: Option<&Known>) -> Judged {
    let (cpq, none) = (quote.view(), Known::default());
    let known = known.unwrap_or(&none);
    let (facts, mapping) = (facts(crm, Some(quote), scene.now), scene.crm.mapping());
    let mut comparison = compare(&Question {
        matrix: &scene.matrix,
        facts: &facts,
        mapping: &mapping,
        base: &known.base,
        crm: &crm.view,
        cpq: Some(&cpq),
        changed_at: (crm.modified_at, quote.updated_at),
        rulings: &known.rulings,
        asked: &known.asked,
    });
    for one in &mut comparison.differences {
        // Whoever is to decide is shown something else, so a sync has to show it first.
        if one.cause == Cause::ConflictOpen && !known.shown.iter().any(|conflict| is_shown(conflict, one)) {
            one.cause = Cause::BothEdited;
        }
    }
    Judged {
        parts: parts::of_pair(crm, &comparison),
        stored_differently: comparison.stored_differently,
        differences: comparison.differences,
        ..judged
    }
}

fn is_shown(conflict: &Conflict, one: &Difference) -> bool {
    one.field.as_ref() == Some(&conflict.field)
        && conflict.line == one.line
        && conflict.crm.value == one.crm
        && conflict.cpq.value == one.cpq
}

/// A record of the CRM that the mapping does not fit. Its stamp is not known, so it counts in the hour of the look.
pub(super) fn unreadable(scene: &Scene, system: &str, found: &Unreadable) -> Judged {
    let opportunity = OpportunityRef {
        system: system.to_owned(),
        id: found.id.clone(),
        number: None,
    };
    Judged {
        differences: vec![Difference::of_record(Cause::Unreadable, true, true)],
        parts: parts::alone(&found.id, true),
        ..Judged::of(&opportunity, None, hour_of(scene.now))
    }
}

/// A quote whose opportunity the CRM does not show. One that is dead itself is nobody's concern.
pub(super) fn stray(quote: &Quote, deleted: bool) -> Judged {
    let judged = Judged::of(&quote.opportunity, Some(quote), hour_of(quote.updated_at));
    let dead = matches!(
        quote.status,
        Status::Cancelled | Status::Declined | Status::Expired | Status::Superseded
    );
    if dead {
        return Judged {
            excluded: true,
            parts: parts::excluded(),
            ..judged
        };
    }
    let cause = if deleted {
        Cause::DeletedInCrm
    } else {
        Cause::MissingInCrm
    };
    Judged {
        differences: vec![Difference::of_record(cause, false, true)],
        parts: parts::alone(&quote.opportunity.id, false),
        ..judged
    }
}
