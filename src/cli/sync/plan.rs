//! `cpq sync run --dry-run`: what a sync would do.

use cpq_domain::Result;
use cpq_domain::id::OpportunityKey;
use cpq_domain::resolve::{Decision, Verdict};
use cpq_orchestrator::DryRun;
use reqwest::Method;

use super::{body, segment};
use crate::cli::client::Client;
use crate::cli::output::{Output, table};

/// Characters of a value that a table shows; `--json` has all of them.
const SHOWN_CHARS: usize = 40;

pub async fn plan(
    client: &Client,
    opportunity: &str,
    connection: Option<String>,
    output: Output,
) -> Result<u8> {
    let path = format!("/api/v1/sync/opportunities/{}/plan", segment(opportunity));
    let answer = client.call(Method::POST, &path, &[], &body(connection)).await?;
    let plan: DryRun = answer.json()?;
    output.data(&plan, || planned(&plan));
    plan.warnings
        .iter()
        .for_each(|warning| output.say(format!("warning: {warning}")));
    Ok(0)
}

fn planned(plan: &DryRun) -> String {
    let quote = plan.quote_number.as_deref().unwrap_or("(new quote)");
    let head = format!(
        "dry run: nothing was written\nopportunity={} quote={quote} effect={}",
        opportunity_name(plan),
        effect(plan)
    );
    let (part, apart): (Vec<_>, Vec<_>) = plan
        .decisions
        .iter()
        .partition(|decision| decision.verdict != Verdict::Skip);
    let rows = part.into_iter().map(decision_row);
    let decisions = table(&["FIELD", "OLD", "NEW", "GOES TO", "OWNER", "RULE", "WHY"], rows);
    let calls = plan.calls.iter().enumerate().map(|(at, call)| {
        vec![
            (at + 1).to_string(),
            call.system.clone(),
            if call.writes { "write" } else { "read" }.into(),
            call.does.clone(),
        ]
    });
    let apart = format!("{} fields take no part (--json names them)", apart.len());
    format!(
        "{head}\n\n{decisions}\n\n{apart}\n\n{}",
        table(&["CALL", "TO", "KIND", "DOES"], calls)
    )
}

fn opportunity_name(plan: &DryRun) -> &str {
    plan.opportunity
        .number
        .as_ref()
        .map_or(plan.opportunity.id.as_str(), OpportunityKey::as_str)
}

fn effect(plan: &DryRun) -> &'static str {
    match plan.effect {
        cpq_domain::run::Effect::NoChange => "no_change",
        cpq_domain::run::Effect::Written => "written",
    }
}

/// A value in a table: its first characters, on one line.
pub fn short(value: &cpq_domain::value::Value) -> String {
    let text = value.to_string().replace(['\n', '\r'], " ");
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// A decision in a table.
pub fn decision_row(decision: &Decision) -> Vec<String> {
    let field = match &decision.line {
        Some(line) => format!("{} [{line}]", decision.field),
        None => decision.field.to_string(),
    };
    let (old, new, to) = match decision.verdict {
        Verdict::ToCrm => (&decision.crm, &decision.cpq, "CRM"),
        Verdict::ToCpq => (&decision.cpq, &decision.crm, "CPQ"),
        Verdict::ToBoth => (
            &decision.crm,
            decision.given.as_ref().unwrap_or(&decision.cpq),
            "both",
        ),
        Verdict::Review => (&decision.crm, &decision.cpq, "a person"),
        Verdict::Agree | Verdict::Keep | Verdict::Skip => (&decision.crm, &decision.cpq, "-"),
    };
    let owner = decision.owner.as_str().to_owned();
    vec![
        field,
        short(old),
        short(new),
        to.into(),
        owner,
        decision.policy.as_str().into(),
        decision.reason.clone(),
    ]
}
