//! `cpq store migrate`: the schema of the store, brought to that of this program.

use std::time::Duration;

use cpq_domain::Result;
use cpq_store::{Applied, Migrated, Plan, Store};
use serde_json::json;

use crate::app::store_options;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// `cpq store migrate`
#[derive(clap::Args)]
pub struct Args {
    /// Tell what would be applied, and change nothing.
    #[arg(long)]
    plan: bool,
}

/// Runs the command.
pub async fn run(args: Args, config: &Config, output: Output) -> Result<u8> {
    let options = store_options(config)?;
    let place = options.place();
    if args.plan {
        let plan = Store::plan(options).await?;
        let shown = json!({"store": place, "from": plan.from, "to": plan.to, "plan": true, "migrations": plan.missing});
        output.data(&shown, || planned(&place, &plan));
        return Ok(0);
    }
    let opening = Store::open_and_tell(options);
    let (_, migrated) = output.busy("bringing the schema up to date …", opening).await?;
    let applied: Vec<_> = migrated.applied.iter().map(as_json).collect();
    let shown = json!({"store": place, "from": migrated.from, "to": migrated.to, "plan": false, "migrations": applied});
    output.data(&shown, || done(&place, &migrated));
    Ok(0)
}

fn as_json(applied: &Applied) -> serde_json::Value {
    json!({"name": applied.name, "seconds": applied.took.as_secs_f64()})
}

fn planned(place: &str, plan: &Plan) -> String {
    if plan.missing.is_empty() {
        return format!("nothing to do: {place} has schema {}", plan.to);
    }
    let rows = plan.missing.iter().map(|name| vec![(*name).to_owned()]);
    format!(
        "would_migrate={place} from={} to={}\n\n{}",
        plan.from,
        plan.to,
        table(&["MIGRATION"], rows)
    )
}

fn done(place: &str, migrated: &Migrated) -> String {
    if migrated.applied.is_empty() {
        return format!("nothing to do: {place} has schema {}", migrated.to);
    }
    let rows = migrated.applied.iter();
    let rows = rows.map(|applied| vec![applied.name.to_owned(), taken(applied.took)]);
    format!(
        "migrated={place} from={} to={}\n\n{}",
        migrated.from,
        migrated.to,
        table(&["MIGRATION", "TOOK"], rows)
    )
}

fn taken(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
