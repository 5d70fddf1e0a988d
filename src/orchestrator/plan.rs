//! What a sync would do: the decision without the deed.

use cpq_domain::Result;
use cpq_domain::adapter::{Call, CpqWrite, CrmSnapshot, Mapping, QuoteTarget};
use cpq_domain::ownership::{Facts, Matrix};
use cpq_domain::quote::Quote;
use cpq_domain::resolve::undo::{self, Undone};
use cpq_domain::resolve::{self, Decision, Plan, Question, Verdict};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::keep::{Known, in_all};
use crate::sync::{Scene, decide};

/// A call that the sync would make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedCall {
    /// `crm` or `cpq`.
    pub system: String,
    /// What the call does.
    pub does: String,
    /// Whether it would change anything.
    pub writes: bool,
}

/// The answer to "what would a sync do now". Nothing is written anywhere, not even in our own store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// `no_change` or `written`: what the sync would end as.
    pub effect: cpq_domain::run::Effect,
    /// The opportunity.
    pub opportunity: cpq_domain::quote::OpportunityRef,
    /// The quote as it is now; absent when the sync would create it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_number: Option<String>,
    /// Version of the ownership matrix.
    pub matrix_version: String,
    /// Field by field, what would be done and why. Plain agreements are left out.
    pub decisions: Vec<Decision>,
    /// Calls, in order.
    pub calls: Vec<PlannedCall>,
    /// Fields that cannot be synced, each with its reason.
    pub warnings: Vec<String>,
    /// Whether the CPQ could tell in advance what it would compute; else its totals are missing in `decisions`.
    pub priced: bool,
    /// What would become of values that are to be put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Undone>,
}

pub(crate) fn facts(crm: &CrmSnapshot, quote: Option<&Quote>, now: Timestamp) -> Facts {
    Facts {
        stage: crm.view.text("opportunity.stage").map(str::to_owned),
        record_type: crm.view.text("opportunity.record_type").map(str::to_owned),
        quote_status: quote.map(|quote| quote.status),
        primary: quote.map(|quote| quote.is_primary),
        today: now.to_zoned(TimeZone::UTC).date(),
    }
}

pub(crate) fn resolve(
    matrix: &Matrix,
    facts: &Facts,
    mapping: &Mapping,
    known: &Known,
    crm: &CrmSnapshot,
    quote: Option<&Quote>,
) -> Plan {
    let cpq = quote.map(Quote::view);
    let quote_at = quote.map_or(Timestamp::UNIX_EPOCH, |quote| quote.updated_at);
    let changed_at = (crm.modified_at, known.quote_changed_at.unwrap_or(quote_at));
    let question = Question {
        matrix,
        facts,
        mapping,
        base: &known.base,
        crm: &crm.view,
        cpq: cpq.as_ref(),
        changed_at,
        rulings: &known.rulings,
        asked: &known.asked,
    };
    match known.reversals.is_empty() {
        true => resolve::decide(&question),
        false => undo::undo(&question, &known.reversals),
    }
}

/// Reads both sides, decides, and asks the CPQ what it would compute.
pub(crate) async fn dry_run(
    scene: &Scene,
    call: &Call,
    crm: CrmSnapshot,
    quote: Option<Quote>,
    known: Known,
) -> Result<DryRun> {
    let (plan, back) = both(scene, call, &crm, quote.as_ref(), known).await?;
    Ok(answer(scene, crm, quote, plan, back))
}

/// The two decisions of a sync: what goes to the CPQ, and once that is priced, what goes to the CRM. Without the second
/// if the CPQ cannot say what it would compute.
pub(crate) async fn both(
    scene: &Scene,
    call: &Call,
    crm: &CrmSnapshot,
    quote: Option<&Quote>,
    known: Known,
) -> Result<(Plan, Option<Plan>)> {
    let plan = decide(scene, crm, quote, &known);
    let after = match plan.to_cpq.is_empty() && quote.is_some() {
        true => quote.cloned(),
        false => {
            scene
                .cpq
                .preview(
                    call,
                    &CpqWrite {
                        target: target(crm, quote),
                        patch: plan.to_cpq.clone(),
                    },
                )
                .await?
        }
    };
    let back = after.as_ref().map(|after| {
        let known = known.once_written(&plan, quote, after);
        decide(scene, crm, Some(after), &known)
    });
    Ok((plan, back))
}

/// New quote, or the one that was found in the version that was read.
pub(crate) fn target(crm: &CrmSnapshot, quote: Option<&Quote>) -> QuoteTarget {
    match quote {
        None => QuoteTarget::New(crm.opportunity.clone()),
        Some(quote) => QuoteTarget::Existing {
            id: quote.id.clone(),
            etag: quote.etag(),
        },
    }
}

fn answer(scene: &Scene, crm: CrmSnapshot, quote: Option<Quote>, plan: Plan, back: Option<Plan>) -> DryRun {
    use cpq_domain::run::Effect;
    let calls = planned_calls(quote.is_none(), &plan, back.as_ref());
    let priced = back.is_some();
    let undone = plan.undone.clone();
    let mut decisions = match &back {
        Some(back) => in_all(&plan, back),
        None => plan.decisions,
    };
    decisions.retain(|decision| decision.verdict != Verdict::Agree);
    DryRun {
        effect: if calls.iter().any(|call| call.writes) {
            Effect::Written
        } else {
            Effect::NoChange
        },
        opportunity: crm.opportunity,
        quote_number: quote.map(|quote| quote.number.to_string()),
        matrix_version: plan.matrix_version,
        decisions,
        calls,
        warnings: scene.crm.mapping().warnings.clone(),
        priced,
        undone,
    }
}

fn planned_calls(creates: bool, plan: &Plan, back: Option<&Plan>) -> Vec<PlannedCall> {
    let call = |system: &str, does: String, writes| PlannedCall {
        system: system.into(),
        does,
        writes,
    };
    let mut calls = vec![
        call(
            "crm",
            "read the opportunity with account, contacts and lines".into(),
            false,
        ),
        call("cpq", "find the opportunity's quote".into(), false),
    ];
    if creates {
        calls.push(call(
            "cpq",
            format!("create the quote with {} values", plan.to_cpq.len()),
            true,
        ));
    } else if !plan.to_cpq.is_empty() {
        calls.push(call(
            "cpq",
            format!("set {} values of the quote", plan.to_cpq.len()),
            true,
        ));
    }
    let back = back.map_or(&plan.to_crm, |back| &back.to_crm);
    if !back.is_empty() {
        calls.push(call(
            "crm",
            format!(
                "write {} values to the opportunity and its quote record, if nobody changed it since",
                back.len()
            ),
            true,
        ));
    }
    calls
}
