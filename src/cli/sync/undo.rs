//! `cpq sync undo`: what syncs wrote is put back where it still stands. Without `--apply` it is only shown.

use std::collections::BTreeMap;
use std::time::Duration;

use cpq_api::{UndoEntry, UndoReport};
use cpq_domain::id::{ConnectionName, CorrelationId, OpportunityKey};
use cpq_domain::resolve::undo::{Fate, Undone};
use cpq_domain::run::SyncResult;
use cpq_domain::world::World;
use cpq_domain::{Result, limits};
use cpq_orchestrator::DryRun;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::plan::decision_row;
use super::{segment, told};
use crate::cli::client::Client;
use crate::cli::output::{Output, table};
use crate::cli::reconcile::when;
use crate::world::RealWorld;

/// Pause between two looks at syncs that go on.
const LOOK: Duration = Duration::from_millis(250);

/// `cpq sync undo`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cpq sync undo --correlation csync-017                      what would be put back; nothing is written
  cpq sync undo --correlation csync-017 --apply              put it back
  cpq sync undo --since 2h --field quote.discount            how much there is, over all opportunities
  cpq sync undo --since 2h --field quote.discount --apply    put it back everywhere

A value is put back only where it still is as the sync left it; what somebody changed since stays. Correct the rules first
(`cpq ownership diff`): what they would only write again is left alone and told. With --both-sides the side that the values
came from gets the old ones too, whatever the rules.

Exit status: 0 done, or shown; 1 refused, or a sync failed; 2 some go on by themselves.")]
pub struct Args {
    /// The sync to take back: its correlation id, ours or yours.
    #[arg(long, value_name = "ID", required_unless_present = "since")]
    correlation: Option<String>,
    /// All syncs that were accepted since: a moment, a day, or a span back from now such as 90m, 24h or 7d.
    #[arg(long, value_name = "WHEN", conflicts_with = "correlation")]
    since: Option<String>,
    /// Only those before.
    #[arg(long, value_name = "WHEN", requires = "since")]
    until: Option<String>,
    /// Only of this opportunity.
    #[arg(long, value_name = "KEY", requires = "since")]
    opportunity: Option<String>,
    /// Only of this CRM connection.
    #[arg(long, value_name = "NAME", requires = "since")]
    connection: Option<String>,
    /// Only this field, e.g. opportunity.amount.
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Put the old values back on the side that they came from too.
    #[arg(long)]
    both_sides: bool,
    /// Why; it is kept with the syncs.
    #[arg(long, default_value = "", value_name = "WORDS")]
    reason: String,
    /// Do it. Without, it is only shown.
    #[arg(long)]
    apply: bool,
}

/// What can be refused without asking anybody is refused first.
pub fn check(args: &Args) -> Result<()> {
    args.correlation.as_ref().map(CorrelationId::new).transpose()?;
    args.opportunity.as_ref().map(OpportunityKey::new).transpose()?;
    args.connection.as_ref().map(ConnectionName::new).transpose()?;
    between(args).map(drop)
}

/// Since when, and until when.
fn between(args: &Args) -> Result<(String, String)> {
    let now = RealWorld::new().now();
    let moment = |text: &Option<String>| text.as_ref().map(|text| when::read(text, now)).transpose();
    let (since, until) = (moment(&args.since)?, moment(&args.until)?.unwrap_or(now));
    Ok((since.unwrap_or_default().to_string(), until.to_string()))
}

/// Shows it, or does it.
pub async fn run(client: &Client, args: Args, output: Output) -> Result<u8> {
    let how = json!({ "field": args.field, "bothSides": args.both_sides, "reason": args.reason });
    match (&args.correlation, args.apply) {
        (Some(id), false) => output.busy("planning", show(client, id, &how, output)).await,
        (Some(id), true) => {
            let path = format!("/api/v1/sync/{}/undo", segment(id));
            let call = client.call(Method::POST, &path, &[("prefer", "wait=20")], &how);
            let answer = output.busy("putting back", call).await?;
            if !output.json {
                let result: SyncResult = answer.json()?;
                if let Some(outcome) = result.outcome {
                    output.say(table(&HEAD, outcome.undone.iter().map(row)));
                }
            }
            told(&answer, output)
        }
        (None, apply) => many(client, args, how, apply, output).await,
    }
}

async fn show(client: &Client, id: &str, how: &Json, output: Output) -> Result<u8> {
    let path = format!("/api/v1/sync/{}/undo/plan", segment(id));
    let plan: DryRun = client.call(Method::POST, &path, &[], how).await?.json()?;
    output.data(&plan, || {
        let undone = table(&HEAD, plan.undone.iter().map(row));
        let writes = plan.decisions.iter().map(decision_row);
        let writes = table(&["FIELD", "OLD", "NEW", "GOES TO", "OWNER", "RULE", "WHY"], writes);
        format!("nothing was written; --apply does it\n\n{undone}\n\nwhat the sync that does it would decide:\n\n{writes}")
    });
    Ok(0)
}

const HEAD: [&str; 5] = ["FIELD", "WRITTEN IN", "BY", "BECOMES", "WHY"];

fn row(undone: &Undone) -> Vec<String> {
    let field = match &undone.line {
        Some(line) => format!("{} [{line}]", undone.field),
        None => undone.field.to_string(),
    };
    vec![
        field,
        undone.side.as_str().to_owned(),
        undone.sync.to_string(),
        word(undone.fate).to_owned(),
        undone.reason.clone(),
    ]
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::PutBack => "put back",
        Fate::AsBefore => "as before",
        Fate::ChangedSince => "changed since",
        Fate::WrittenAgain => "left: written again",
        Fate::CannotBe => "cannot be put back",
    }
}

/// What became of many.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sum {
    opportunities: usize,
    values: BTreeMap<&'static str, usize>,
    /// Syncs that failed, or wait for a person.
    failed: Vec<CorrelationId>,
    /// Syncs that go on by themselves.
    going_on: Vec<CorrelationId>,
}

async fn many(client: &Client, args: Args, mut how: Json, apply: bool, output: Output) -> Result<u8> {
    let (since, until) = between(&args)?;
    how["since"] = json!(since);
    how["until"] = json!(until);
    how["opportunity"] = json!(args.opportunity);
    how["connection"] = json!(args.connection);
    if !apply {
        let report: UndoReport = client
            .call(Method::POST, "/api/v1/undo/plan", &[], &how)
            .await?
            .json()?;
        output.data(&report, || listed(&report));
        return Ok(0);
    }
    let call = client.call(Method::POST, "/api/v1/undo", &[], &how);
    let report: UndoReport = output.busy("accepting", call).await?.json()?;
    let sum = output.busy("putting back", follow(client, &report.items)).await?;
    output.data(&sum, || {
        let values = sum.values.iter().map(|(fate, count)| format!("{count} {fate}"));
        let values: Vec<String> = values.collect();
        format!("{} opportunities: {}", sum.opportunities, values.join(", "))
    });
    for id in sum.failed.iter().take(limits::PAGE_ROWS as usize) {
        output.say(format!("failed: `cpq sync status --correlation {id}` says why"));
    }
    for id in &sum.going_on {
        output.say(format!("goes on by itself: `cpq sync status --correlation {id}`"));
    }
    Ok(match (sum.failed.is_empty(), sum.going_on.is_empty()) {
        (false, _) => 1,
        (true, false) => 2,
        (true, true) => 0,
    })
}

fn listed(report: &UndoReport) -> String {
    let rows = report.items.iter().map(|item| {
        let newest = item.syncs.last().map(ToString::to_string).unwrap_or_default();
        vec![
            item.opportunity.to_string(),
            item.connection.to_string(),
            item.syncs.len().to_string(),
            newest,
            item.values.to_string(),
        ]
    });
    let rows = table(&["OPPORTUNITY", "CONNECTION", "SYNCS", "NEWEST", "VALUES"], rows);
    format!(
        "nothing was written; --apply puts back what still stands of {} values of {} opportunities, and\n`cpq sync undo --correlation ID` shows what that would be for one sync\n\n{rows}",
        report.values,
        report.items.len()
    )
}

/// Waits for the ends of the syncs that put back.
async fn follow(client: &Client, items: &[UndoEntry]) -> Result<Sum> {
    let mut sum = Sum {
        opportunities: items.len(),
        ..Sum::default()
    };
    for id in items.iter().filter_map(|item| item.correlation_id.clone()) {
        let sync = ended(client, &id).await?;
        match (sync.status.as_str(), sync.outcome) {
            ("success", outcome) => {
                for undone in outcome.into_iter().flat_map(|outcome| outcome.undone) {
                    *sum.values.entry(word(undone.fate)).or_default() += 1;
                }
            }
            ("queued" | "running" | "parked", _) => sum.going_on.push(id),
            _ => sum.failed.push(id),
        }
    }
    Ok(sum)
}

/// The sync once it has ended, or will not for a while.
async fn ended(client: &Client, id: &CorrelationId) -> Result<SyncResult> {
    loop {
        let path = format!("/api/v1/sync/{}", segment(id.as_str()));
        let sync: SyncResult = client.get(&path).await?.json()?;
        if !matches!(sync.status.as_str(), "queued" | "running") {
            return Ok(sync);
        }
        tokio::time::sleep(LOOK).await;
    }
}
