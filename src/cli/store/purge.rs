//! `cpq store purge`: what is past its retention, what is older than a moment, or what is about one opportunity.

use cpq_domain::Result;
use cpq_domain::world::World;
use cpq_store::purge::{Removed, Task};
use jiff::Timestamp;

use crate::app::open_store;
use crate::cli::kept;
use crate::cli::output::Output;
use crate::config::Config;
use crate::retention;
use crate::world::RealWorld;

/// `cpq store purge`
#[derive(clap::Args)]
pub struct Args {
    /// Of syncs that ended, decisions, closed conflicts and certificates from before this moment, e.g.
    /// 2026-01-01T00:00:00Z; without it, by the retention of the configuration.
    #[arg(long, value_name = "MOMENT", conflicts_with = "opportunity")]
    before: Option<Timestamp>,
    /// Of this opportunity, whenever it was: its number or CRM id.
    #[arg(long, value_name = "KEY")]
    opportunity: Option<String>,
    /// Connection of the opportunity; the configured one if left out.
    #[arg(long, requires = "opportunity")]
    connection: Option<String>,
    /// Tell what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// How what goes is called in the audit log.
    pub fn subject(&self) -> String {
        let what = match (&self.opportunity, self.before) {
            (Some(key), _) => key.clone(),
            (None, Some(before)) => format!("before {before}"),
            (None, None) => "past its retention".to_owned(),
        };
        if self.dry_run {
            format!("{what}, foreseen only")
        } else {
            what
        }
    }
}

/// Runs the command.
pub async fn run(args: Args, config: &Config, output: Output) -> Result<u8> {
    let store = open_store(config).await?;
    let now = RealWorld::new().now();
    let tasks = match (&args.opportunity, args.before) {
        (Some(key), _) => {
            let link = kept::link(&store, config, args.connection.as_deref(), key).await?;
            let mark = retention::mark(now, "cpq store purge --opportunity".into());
            vec![Task::Opportunity(kept::subject(link), mark)]
        }
        (None, Some(before)) => retention::before(before, now),
        (None, None) => retention::tasks(&config.retention, now),
    };
    let removed = match args.dry_run {
        true => retention::foresee(&store, tasks).await?,
        false => output.busy("purging …", retention::purge(&store, tasks)).await?,
    };
    if !args.dry_run && args.opportunity.is_none() && args.before.is_none() {
        retention::note(&store, now).await;
    }
    output.data(
        &serde_json::json!({"dryRun": args.dry_run, "removed": removed}),
        || told(&removed, args.dry_run),
    );
    Ok(0)
}

fn told(removed: &Removed, dry_run: bool) -> String {
    let head = if dry_run { "would_remove" } else { "removed" };
    format!("{head}: {}", kept::counts(removed))
}
